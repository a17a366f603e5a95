/* SPDX-License-Identifier: Apache-2.0 */
/* The host's tables, wherever they are; and what it reads of them, to hand it to the enclave or to see whether it changed. */
#pragma once

#include "aws/access.h"
#include "host/settings.h"
#include "tables/key_table.h"
#include "tables/tls_table.h"

/* What a table of DynamoDB borrows; empty of one in a file. */
struct host_table_access {
	struct aws_access access;
	struct credentials credentials;
};

struct host_key_table {
	struct key_table *table;
	struct host_table_access borrowed;
};

void host_key_table_done(struct host_key_table *table);
#define AUTO_HOST_KEY_TABLE CLEANUP(host_key_table_done)

/* For one piece of work: credentials end. ERROR_NOT_FOUND when there is no such file: opening would make an empty one, which hides a wrong path. */
MUST_USE bool host_key_table_open(const struct settings *settings, struct host_key_table *ret_table, struct error *error);

/* The active rows of this signer, and those that cannot be read. Errors name the table. */
MUST_USE bool host_tables_read_keys(const struct settings *settings, struct key_rows *ret_rows, struct error *error);
/* ERROR_NOT_FOUND when there is no such table, or no row in it. */
MUST_USE bool host_tables_read_tls(const struct settings *settings, struct tls_row *ret_row, struct error *error);
