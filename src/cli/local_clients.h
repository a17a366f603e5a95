/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may connect to a local signer: clients.json in its folder (the measured members of image/client_settings.h), the list of known clients,
 * sealed in the TLS table, and a copy of it beside, so that `up` can tell whether it was given another.
 */
#pragma once

#include "cli/local_setup.h"
#include "tables/known_clients.h"

/* NULL: as it was last time. */
struct client_options {
	const char *clients;        /* "any": neither CA nor list */
	const char *client_ca;      /* PEM file; "none": no CA any more */
	const char *known_clients;  /* file; "none": no list any more */
	const char *host_allowlist; /* hosts with commas between them; "all" */
};

struct local_clients {
	struct client_settings settings;
	bool list_was_given;
	bool list_changed;
	struct known_clients list; /* that was given, or the one of last time */
};

void local_clients_done(struct local_clients *clients);

/* ret_changed: what is measured is another than last time. ERROR_INPUT names the option. */
MUST_USE bool local_clients_merge(const struct client_options *options, const struct local_folder *folder,
				  struct local_clients *ret_clients, bool *ret_changed, struct error *error);
/* Those of the folder. */
MUST_USE bool local_clients_read(const struct local_folder *folder, struct client_settings *ret_settings, struct error *error);
MUST_USE bool local_clients_write(const struct local_folder *folder, const struct local_clients *clients, struct error *error);
/* The list into the table, under a new serial, when it changed; out of it when there is to be none. */
MUST_USE bool local_setup_known_clients(const struct local_setup *setup, const struct local_clients *clients, struct error *error);
/* "any", "CA", "known (3)" or "CA, known (3)". */
char *local_clients_describe(const struct local_clients *clients);
