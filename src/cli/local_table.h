/* SPDX-License-Identifier: Apache-2.0 */
/* The slashing table (DynamoDB) that a local signer may share with others, instead of a store of its own. */
#pragma once

#include "cli/local_setup.h"

/* What a command line says about it; NULL: as last time. */
struct table_options {
	const char *table;       /* its name, or TABLE_OFF: back to a store of its own */
	const char *host;        /* HOST or HOST:PORT, which its certificate names and requests are signed for */
	const char *connect;     /* HOST:PORT to connect to; NULL: host */
	const char *ca;          /* PEM file */
	const char *credentials; /* JSON file, or TABLE_PARENT_CREDENTIALS */
};

#define TABLE_OFF "off"
#define TABLE_PARENT_CREDENTIALS "parent"

/* ERROR_INPUT names the option. Writes nothing. */
MUST_USE bool local_table_merge(const struct table_options *options, struct local_settings *settings, struct error *error);
/* Copies the CA into the folder, and seals the credentials into the TLS table, which has a row. */
MUST_USE bool local_setup_table(const struct local_setup *setup, const struct table_options *options, struct error *error);
