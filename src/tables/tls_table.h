/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS table (`TLSKeys`): key_id 1 holds encrypted_tls_key_b64 (KMS Encrypt of {"tls_password_b64","tls_keystore_b64"}, the
 * keystore PKCS#12, or of {"tls_key_pem_b64","tls_chain_pem_b64"}), cert_pem (base64 of the PEM chain, for whoever wants to check the
 * server), and where clients must be known the sealed list of them (tables/known_clients.h) with its wrapped data key,
 * and where the slashing table has credentials of its own slashing_credentials_b64 (KMS Encrypt of {"access_key_id","secret_access_key"}, which
 * only the measured image may decrypt).
 */
#pragma once

#include "base/bytes.h"

#define TLS_TABLE_KEY_ID 1
/* The identity that is to follow, which clients learn to trust before it serves (`ensign tls rotate`). */
#define TLS_TABLE_NEXT_KEY_ID 2

struct tls_row {
	uint64_t key_id;
	char *encrypted_tls_key_b64;      /* owned */
	char *cert_pem;                   /* base64 of the PEM; owned */
	char *known_clients_sealed_b64;   /* owned; NULL, as the next one: no list */
	char *known_clients_data_key_b64; /* owned */
	char *slashing_credentials_b64;   /* owned; NULL: none */
};

void tls_row_done(struct tls_row *row);
#define AUTO_TLS_ROW CLEANUP(tls_row_done)

struct tls_table;

MUST_USE struct tls_table *tls_table_open_sqlite(const char *path, struct error *error);
void tls_table_free(struct tls_table *table);

static inline void tls_table_done(struct tls_table **table)
{
	tls_table_free(*table);
	*table = NULL;
}
#define AUTO_TLS_TABLE CLEANUP(tls_table_done)

/* ERROR_NOT_FOUND when there is no such row. */
MUST_USE bool tls_table_get(struct tls_table *table, uint64_t key_id, struct tls_row *ret_row, struct error *error);
/* Replaces a row of the same key_id. */
MUST_USE bool tls_table_put(struct tls_table *table, const struct tls_row *row, struct error *error);
/*
 * Of the row key_id, encrypted_tls_key_b64 and cert_pem alone, in one write; what else is in the table's row stays. It is made where there is
 * none.
 */
MUST_USE bool tls_table_put_identity(struct tls_table *table, const struct tls_row *row, struct error *error);
/*
 * And the other way round: what is beside the identity alone, the list of known clients and the credentials of the slashing table, NULL for what is to
 * go. ERROR_NOT_FOUND when there is no such row.
 */
MUST_USE bool tls_table_put_companions(struct tls_table *table, const struct tls_row *row, struct error *error);
/* As tls_table_put_identity() where the table has no identity under that key_id. *ret_added false: it has one, which stays, were it a moment old. */
MUST_USE bool tls_table_add_identity(struct tls_table *table, const struct tls_row *row, bool *ret_added, struct error *error);
