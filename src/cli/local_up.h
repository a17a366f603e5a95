/* SPDX-License-Identifier: Apache-2.0 */
/* What `ensign local up` is about, and what it prints at the end. For local_up.c and local_up_print.c. */
#pragma once

#include "cli/local_clients.h"
#include "cli/local_fresh.h"
#include "cli/local_tls.h"

struct up {
	struct local_folder folder;
	struct local_settings settings;
	struct signing_policy policy;
	struct local_clients clients;
	struct tls_identity identity;  /* that was given; {0}: none */
	bool tables_change;            /* known clients or the TLS identity: a running signer takes them up */
	struct network network_before; /* name "": this is the first `up` */
	struct local_endpoints endpoints;
	struct local_kms kms;
	struct measurement measurement;
	struct local_import_result imported;
	struct interchange interchange; /* --slashing-import; keys NULL: not given */
	struct history_counts histories;
	int reserved_fd;   /* keeps the port until the host has it; -1: none */
	bool sim_started;  /* by this command: stopped again when it fails */
	bool host_started; /* likewise */
	bool already_up;
	bool reloaded;
	bool repinned;
	bool launcher_changed;
	size_t without;      /* keys without a history, where that may have become of them */
	uint64_t started_ms; /* monotonic */
};

/* The signer is up with these public keys. */
void local_up_print_json(const struct up *up, json_t *keys, uint64_t took_ms);
void local_up_print(const struct up *up, json_t *keys, uint64_t took_ms);
