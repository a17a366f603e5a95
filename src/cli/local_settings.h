/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local.json: what a local signer was asked to be, and what of it must outlive `down` (its KMS key, its port, its measurement).
 * Fixed size, so it is copied and compared as it is.
 */
#pragma once

#include "aws/kms.h"
#include "base/json.h"
#include "eth/network.h"
#include "image/key_manager.h"
#include "image/measurement.h"
#include "image/slashing_settings.h"

#define LOCAL_LISTEN_SIZE 300  /* "[v6]:port" or "name:port"; names have at most 255 octets */
#define LOCAL_ADDRESS_SIZE 320 /* "tcp:NAME:PORT" */
#define LOCAL_FLEET "local"
#define LOCAL_LAUNCHER_SIZE 16
#define LOCAL_LAUNCHER_PROCESS "process"
#define LOCAL_LAUNCHER_QEMU "qemu"
#define LOCAL_KERNEL_SIZE 1024 /* a path */
#define LOCAL_KERNEL_DEFAULT "default"
#define LOCAL_UUID "local" /* web3signer_uuid of its rows in the key table */

struct local_settings {
	char listen[LOCAL_LISTEN_SIZE];     /* "127.0.0.1:8443"; the port is never 0 once the signer has been up */
	char launcher[LOCAL_LAUNCHER_SIZE]; /* what the enclave is: LOCAL_LAUNCHER_… */
	char kernel[LOCAL_KERNEL_SIZE];     /* of a machine; "": the project's own */
	bool any_port;                      /* the port was the kernel's choice, and may change when it is taken */
	struct network network;
	bool slashing_protection;
	struct slashing_settings slashing;
	char table_connect[LOCAL_ADDRESS_SIZE]; /* of a slashing table: where the host's relay connects; "": none */
	char kms_key_arn[KMS_ARN_SIZE];         /* "" before the first `up` */
	char tls_listen[LOCAL_LISTEN_SIZE];     /* host that the TLS certificate was made for besides localhost; "" none yet */
	uint64_t tls_created_ms;                /* realtime */
	bool tls_is_own;                        /* the operator's identity, or one that `ensign tls` made; not one that `up` did */
	uint64_t known_clients_serial;          /* of the last list that was sealed; 0: none */
	char metrics_listen[LOCAL_LISTEN_SIZE]; /* "HOST:PORT" of the host's metrics; "": none */
	bool log_is_json;                       /* one JSON object a line instead of text, of the host and the enclave */
	char key_manager_token_sha256[2 * KEY_MANAGER_DIGEST_SIZE + 1]; /* hex; "": there is no key manager */
	char pcr0[NSM_PCR_TEXT_SIZE]; /* hex of the measurement that the key policy was pinned to last; "" none yet */
};

/* Its enclave is a machine, not a process. */
static inline bool local_settings_is_machine(const struct local_settings *settings)
{
	return strcmp(settings->launcher, LOCAL_LAUNCHER_QEMU) == 0;
}

/* What `up` takes when nothing was asked for. */
void local_settings_default(struct local_settings *ret_settings);
/* ERROR_NOT_FOUND when there is no such file. */
MUST_USE bool local_settings_read(const char *path, struct local_settings *ret_settings, struct error *error);
MUST_USE bool local_settings_write(const char *path, const struct local_settings *settings, struct error *error);
/* "HOST:PORT" or "[V6]:PORT"; ERROR_INPUT names --listen. */
MUST_USE bool local_settings_set_listen(struct local_settings *settings, const char *listen, struct error *error);
/* "on" or "off"; ERROR_INPUT names --slashing. */
MUST_USE bool local_settings_set_slashing(struct local_settings *settings, const char *slashing, struct error *error);
/* Seconds, or 0 for none; ERROR_INPUT names --quiet-period. */
MUST_USE bool local_settings_set_quiet_period(struct local_settings *settings, uint64_t seconds, struct error *error);
/*
 * `name` (--network) is a built-in network's; or `config` (--network-config) is a file as cli/network_config.h reads it and `root`
 * (--genesis-validators-root) 0x and 64 hex digits or "learn". NULL is what was not given. ERROR_INPUT names the option.
 */
MUST_USE bool local_settings_set_network(struct local_settings *settings, const char *name, const char *config, const char *root,
					 struct error *error);

/* A token file (cli/manager_token.h), or "off". ERROR_INPUT names --key-manager-token-file. */
MUST_USE bool local_settings_set_key_manager(struct local_settings *settings, const char *token_file, struct error *error);

/* "HOST:PORT" or "off"; ERROR_INPUT names --metrics-listen. */
MUST_USE bool local_settings_set_metrics(struct local_settings *settings, const char *listen, struct error *error);

/* "text" or "json"; ERROR_INPUT names --log-format. */
MUST_USE bool local_settings_set_log_format(struct local_settings *settings, const char *format, struct error *error);

/* Host part of listen, without brackets, and the port. */
void local_settings_host(const struct local_settings *settings, char ret_host[LOCAL_LISTEN_SIZE], uint16_t *ret_port);
/* "https://HOST:PORT" for clients on this machine; caller frees. */
char *local_settings_url(const struct local_settings *settings);
