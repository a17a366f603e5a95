/* SPDX-License-Identifier: Apache-2.0 */
/* The identity that serves and the one that is to follow, as the TLS table has them. */
#pragma once

#include "cli/inventory.h"

struct tls_identity_row {
	bool is_there;
	struct tls_row row;
	struct buffer chain; /* PEM */
};

struct tls_rows {
	struct tls_identity_row current;
	struct tls_identity_row next; /* is_there only when it is another than the current one */
};

void tls_rows_done(struct tls_rows *rows);
#define AUTO_TLS_ROWS CLEANUP(tls_rows_done)

MUST_USE bool tls_rows_read(struct tls_table *table, struct tls_rows *ret_rows, struct error *error);
/* A local signer's `up` leaves what is in the table as it is from then on. */
MUST_USE bool tls_rows_note_chosen(struct inventory *inventory, struct error *error);
/*
 * Writes what clients have to trust: the last certificate of either chain. `path` NULL: a local signer's ca.pem, and of a fleet nothing.
 */
MUST_USE bool tls_rows_write_anchors(const struct tls_rows *rows, const struct inventory *inventory, const char *path,
				     struct error *error);
