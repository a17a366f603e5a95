/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key table: sealed validator keys, one row a key. Columns are those of the DynamoDB table `ValidatorKeys`, the same in the
 * embedded SQLite store: web3signer_uuid and pubkey together name a row. A row holds either the sealed form (sealed_key +
 * data_key) or the form that the sample solution's loader writes (encrypted_key_password_mnemonic).
 */
#pragma once

#include "base/bytes.h"

#define KEY_TABLE_UUID_SIZE 64 /* a UUID or a short name, NUL included */
#define KEY_TABLE_CHAIN_SIZE 32
#define KEY_TABLE_PUBKEY_SIZE 97 /* 96 lower-case hex digits without 0x, and a NUL */
/*
 * Of a text. A KMS ciphertext in base64 has at most 8 KiB, a deposit 2 KiB; and a hundred rows of the largest fit into the 4 MB of a
 * transaction of DynamoDB.
 */
#define KEY_TABLE_TEXT_MAX_SIZE 12288
#define KEY_TABLE_DATETIME_MAX_SIZE 64
/* Of one signer: as many keys as the keeper has protected memory for (SECRET_HEAP_SIZE_KEEPER). */
#define KEY_TABLE_ROWS_MAX 100000

struct key_row {
	char web3signer_uuid[KEY_TABLE_UUID_SIZE];
	char pubkey[KEY_TABLE_PUBKEY_SIZE];
	char chain[KEY_TABLE_CHAIN_SIZE];
	bool active;
	char *datetime;                            /* RFC 3339 or NULL; owned, like all texts below */
	char *deposit_json_b64;                    /* or NULL */
	char *encrypted_key_password_mnemonic_b64; /* or NULL */
	char *sealed_key_b64;                      /* or NULL; then data_key_b64 is set too */
	char *data_key_b64;
};

void key_row_done(struct key_row *row);
#define AUTO_KEY_ROW CLEANUP(key_row_done)

/* A row that cannot be read: somebody wrote it by hand, or cut it. It stops no other one. */
struct key_row_problem {
	char pubkey[KEY_TABLE_PUBKEY_SIZE]; /* what it has for one, cut; "?": nothing */
	char *message;                      /* "column: reason"; owned */
};

struct key_rows {
	struct key_row *rows;
	size_t count;
	struct key_row_problem *problems;
	size_t problem_count;
};

void key_rows_done(struct key_rows *rows);
#define AUTO_KEY_ROWS CLEANUP(key_rows_done)

/* The row of a public key, or NULL; of rows in order of pubkey, as key_table_list() gives them. */
const struct key_row *key_rows_find(const struct key_rows *rows, const char *pubkey);

struct key_table;

/* The embedded store; made when missing, mode 0600. NULL on failure. */
MUST_USE struct key_table *key_table_open_sqlite(const char *path, struct error *error);
void key_table_free(struct key_table *table);

static inline void key_table_done(struct key_table **table)
{
	key_table_free(*table);
	*table = NULL;
}
#define AUTO_KEY_TABLE CLEANUP(key_table_done)

/*
 * All rows of one signer, in order of pubkey; only_active leaves the others out. Rows that are malformed are not among them but in `problems`,
 * whether active or not where they do not say so.
 */
MUST_USE bool key_table_list(struct key_table *table, const char *web3signer_uuid, bool only_active, struct key_rows *ret_rows,
			     struct error *error);
/*
 * Put all rows or none; an existing row of the same key is replaced only when `replace`, else ERROR_INPUT names it. Of rows of one key the last
 * one stays, when `replace`. In DynamoDB it is all or none only up to a number of rows: key_table_dynamodb.h.
 */
MUST_USE bool key_table_put(struct key_table *table, const struct key_row *rows, size_t count, bool replace, struct error *error);
struct key_reseal {
	const struct key_row *before; /* as it was listed; borrowed, like the texts */
	const char *sealed_key_b64;
	const char *data_key_b64;
	bool is_done;
};
/*
 * Seal keys anew, each by itself: nothing else of a row changes, so it stays as active as it is and whose it is. Not done is what changed since it
 * was listed: a row that is gone, or sealed otherwise. On failure some may be done.
 */
MUST_USE bool key_table_reseal(struct key_table *table, struct key_reseal *reseals, size_t count, struct error *error);
/* ERROR_NOT_FOUND when there is no such row. */
MUST_USE bool key_table_delete(struct key_table *table, const char *web3signer_uuid, const char *pubkey, struct error *error);
/*
 * Give a row to another signer, in one step: it is always one's or the other's. ERROR_NOT_FOUND when there is no such row, ERROR_INPUT when the
 * other has one of this key.
 */
MUST_USE bool key_table_assign(struct key_table *table, const char *web3signer_uuid, const char *pubkey, const char *to_uuid,
			       struct error *error);
/* The row of a key that is not active stays, but is loaded no more. ERROR_NOT_FOUND when there is no such row. */
MUST_USE bool key_table_set_active(struct key_table *table, const char *web3signer_uuid, const char *pubkey, bool is_active,
				   struct error *error);
