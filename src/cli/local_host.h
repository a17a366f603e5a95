/* SPDX-License-Identifier: Apache-2.0 */
/* The host of a local signer: its status file, starting it, waiting until it signs, and stopping everything. */
#pragma once

#include "base/json.h"
#include "cli/local_folder.h"
#include "cli/local_settings.h"
#include "image/client_settings.h"

/* RUN/status.json (docs/protocols.md); the texts borrow from `json`. */
struct local_host_status {
	json_t *json;
	const char *state;
	const char *since;
	uint64_t pid;
	uint64_t enclave_pid; /* 0: none */
	uint64_t key_count;
	uint64_t failed;  /* rows of the key table whose keys could not be loaded */
	json_t *failures; /* the first of them: [{"pubkey","message"}]; NULL: none are told of */
	uint64_t restarts;
	const char *error_code;    /* NULL: nothing went wrong */
	const char *error_message; /* NULL: nothing went wrong */
	/* The last reload. */
	uint64_t reload_number; /* of reloads so far; 0: none */
	uint64_t reload_added;
	uint64_t reload_removed;
	const char *reload_error; /* NULL: it went well */
};

void local_host_status_done(struct local_host_status *status);
/* Sets the members `failed` and `failures`. */
void local_host_failures_write(const struct local_host_status *status, json_t *object);
/* For people, each line after `indent`: which keys could not be loaded, and why. Nothing when all could be. */
void local_host_failures_print(const struct local_host_status *status, const char *indent);
#define AUTO_LOCAL_HOST_STATUS CLEANUP(local_host_status_done)

MUST_USE bool local_host_status_read(const char *path, struct local_host_status *ret_status, struct error *error);

/* Starts the host unless it runs. *ret_started tells whether this call did (set on failure too). */
MUST_USE bool local_host_start(const struct local_folder *folder, bool *ret_started, struct error *error);
/*
 * Whether the signer answers anybody on this machine: a certificate or a host name of one's own may be needed to ask it. Where it does not,
 * the host's word has to do, who says that it serves when the signer says so.
 */
MUST_USE bool local_host_is_open(const struct local_settings *settings, const struct client_settings *clients);
/*
 * Shows how long it takes on stderr. Waits until the host says that it serves and, if it is open, the signer answers over HTTPS with the folder's CA; returns its
 * public keys (caller releases), out of the key table when it is not open. NULL on failure, with what the host said last.
 */
MUST_USE json_t *local_host_wait(const struct local_folder *folder, const struct local_settings *settings, bool is_open,
				 struct error *error);

/*
 * Has the signer read its tables again, and waits until it has. *ret_status is what the host then says; ERROR_IO when the reload failed
 * (with the reason) or did not come.
 */
MUST_USE bool local_host_reload(const struct local_folder *folder, struct local_host_status *ret_status, struct error *error);

struct local_stopped {
	bool host;
	bool simulator;
	size_t strays; /* enclaves that had outlived their host */
};

/* Stops host, enclave and simulator, in this order; what does not run is no error. */
MUST_USE bool local_stop_all(const struct local_folder *folder, bool host, bool simulator, struct local_stopped *ret_stopped,
			     struct error *error);
