/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration of ensign-host, HOST.json of docs/protocols.md. Nothing in it is measured or trusted by the enclave: the worst
 * that a wrong one does is a signer that does not start.
 *
 * `relays` is the allow-list of the enclave's way out: each one listens on one fixed address and connects to one fixed address.
 * There is no listener for anything else, so there is nothing else an enclave can reach.
 */
#pragma once

#include "base/json.h"
#include "net/address.h"

#define SETTINGS_MAX_SIZE 65536u
#define SETTINGS_PATH_SIZE 1024
#define SETTINGS_UUID_SIZE 64 /* KEY_TABLE_UUID_SIZE */
#define SETTINGS_NAME_SIZE 33 /* a relay's name: 1 to 32 of a-z, 0-9, - */
#define SETTINGS_MAX_RELAYS 16
#define SETTINGS_URL_SIZE 256
/* A row that somebody adds or takes out is in force by then; of 10,000 rows a look takes some 50 ms. */
#define SETTINGS_TABLES_POLL_DEFAULT_S 30
#define SETTINGS_TABLES_POLL_MAX_S 86400
/* The image is unpacked in memory, and there is the roles' protected memory. */
#define SETTINGS_MACHINE_MEMORY_MIN_MIB 128
#define SETTINGS_MACHINE_MEMORY_MAX_MIB 65536
#define SETTINGS_NITRO_CLI "/usr/bin/nitro-cli"
#define SETTINGS_NITRO_NAME "ensign"
/* 0 to 2 are the hypervisor's and local, 3 is the parent's. */
#define SETTINGS_NITRO_CID 16
#define SETTINGS_NITRO_CID_MIN 4
#define SETTINGS_NITRO_CPUS_MAX 128
/* Longer than a load balancer takes to see that it should send nobody any more. */
#define SETTINGS_DRAIN_MAX_S 3600
/* The relay that the enclave reaches KMS through; there must be one. */
#define SETTINGS_KMS_RELAY "kms"
/* The one that it reaches the slashing table of a fleet through, if it uses one. */
#define SETTINGS_TABLE_RELAY "dynamodb"

enum credential_source {
	CREDENTIAL_SOURCE_IMDS,        /* "imds:URL": the instance role, on EC2 imds:http://169.254.169.254 */
	CREDENTIAL_SOURCE_ENVIRONMENT, /* "environment": AWS_ACCESS_KEY_ID and so on */
};

struct table_settings {
	bool is_dynamodb;
	char name[SETTINGS_PATH_SIZE]; /* of "sqlite:PATH" the path, of "dynamodb:NAME" the table */
};

/* "dynamodb", "ssm": {"region", "host", "ca_file"}: where the tables are, and the start flag; the last two may be left out. */
struct place_settings {
	char region[SETTINGS_NAME_SIZE]; /* "": not given */
	char host[SETTINGS_URL_SIZE];    /* "": AWS's own */
	char ca_file[SETTINGS_PATH_SIZE];
};

struct relay_settings {
	char name[SETTINGS_NAME_SIZE]; /* for the log */
	struct address listen;
	struct address connect;
};

/* "machine", which may be left out: {"folder", "qemu", "vsock_backend", "memory_mib", "accelerator"}, for the qemu launcher (struct machine_options). */
struct machine_settings {
	char folder[SETTINGS_PATH_SIZE];
	char qemu[SETTINGS_PATH_SIZE];
	char vsock_backend[SETTINGS_PATH_SIZE];
	char accelerator[SETTINGS_NAME_SIZE]; /* "tcg" when it is left out: a /dev/kvm that is there need not work */
	unsigned memory_mib;
};

/*
 * "nitro", which may be left out: {"eif", "cpu_count", "memory_mib", "nitro_cli", "name", "cid", "debug", "control", "signing"}, for the nitro launcher
 * (struct nitro_options); all but the first three may be left out.
 */
struct nitro_settings {
	char nitro_cli[SETTINGS_PATH_SIZE]; /* /usr/bin/nitro-cli */
	char eif[SETTINGS_PATH_SIZE];
	char name[SETTINGS_NAME_SIZE]; /* "ensign" */
	unsigned cpu_count;
	unsigned memory_mib;
	unsigned cid; /* 16 */
	bool is_debug;
	/* Where the enclave is reached: ports 5000 and 8443 of its vsock, but where something else stands in for it. */
	struct address control;
	struct address signing;
};

struct settings {
	char launcher[SETTINGS_NAME_SIZE]; /* looked up in launcher.h's table */
	/* These two, and "nsm", may be left out with "nitro": "", and an address of no meaning. */
	char program[SETTINGS_PATH_SIZE];
	char configuration[SETTINGS_PATH_SIZE];
	char run_folder[SETTINGS_PATH_SIZE];
	char store_folder[SETTINGS_PATH_SIZE];
	char web3signer_uuid[SETTINGS_UUID_SIZE];
	struct table_settings key_table;
	struct table_settings tls_table;
	struct place_settings dynamodb;
	struct place_settings ssm;
	/* "start_flag", which may be left out: the name of an SSM parameter (host/start_flag.h); "": the enclave is started at once */
	char start_flag[SETTINGS_PATH_SIZE];
	/* "drain_s", which may be left out: at SIGTERM a serving enclave signs for so long while clients are told to go elsewhere; 0: it ends at once */
	unsigned drain_s;
	struct address listen;
	struct address nsm;
	enum credential_source credential_source;
	char imds_url[SETTINGS_URL_SIZE];
	bool has_machine;
	struct machine_settings machine;
	bool has_nitro;
	struct nitro_settings nitro;
	bool has_metrics; /* "metrics_listen", which may be left out: no metrics port */
	struct address metrics_listen;
	/* "tables_poll_s", which may be left out: how often the tables are looked at for changes; 0: never */
	unsigned tables_poll_s;
	bool log_is_json; /* "log_format", which may be left out: "text" or "json" */
	struct relay_settings relays[SETTINGS_MAX_RELAYS];
	size_t relay_count;
};

/* Unknown members are refused, and none may be missing but those that say so: a misspelt setting must not silently have no effect. */
MUST_USE bool settings_parse(struct view json, struct settings *ret_settings, struct error *error);
/*
 * From the file; `path` NULL: there is none. `is_of_instance`: what the environment of an EC2 instance says too (host/instance_settings.h); where
 * both say something the file counts.
 */
MUST_USE bool settings_read(const char *path, bool is_of_instance, struct settings *ret_settings, struct error *error);
/* Never NULL in settings that were parsed. */
const struct relay_settings *settings_find_relay(const struct settings *settings, const char *name);
