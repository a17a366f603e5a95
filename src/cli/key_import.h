/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EIP-2335 keystores into rows of the key table. Decryption is slow by design (a second and 256 MiB a key), so several run
 * at once; a secret key lives only between its decryption and its sealing.
 */
#pragma once

#include "eth/keystore.h"
#include "tables/key_table.h"

/* Where the keystores and their passwords are; exactly one of the last two is set. */
struct key_source {
	const char *keystores;     /* folder; every *.json in it */
	const char *passwords;     /* folder; X.txt is for X.json */
	const char *password_file; /* one password for all */
};

/* What new rows are sealed with. */
struct key_seal {
	const char *web3signer_uuid;
	const char *chain;
	struct view data_key;     /* 32 bytes */
	const char *data_key_b64; /* the same wrapped by KMS */
};

/* A new, active row for a key of this signer, with nothing in it yet. */
void key_row_begin(const char *web3signer_uuid, const char *chain, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
		   struct key_row *ret_row);
/* The same, sealed. */
MUST_USE bool key_seal_row(const struct key_seal *seal, const struct secret *secret_key,
			   const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct key_row *ret_row, struct error *error);

/* How far it is; shown now and then, by the calling thread. */
struct key_import_progress {
	void (*show)(void *context, size_t done, size_t count);
	void *context;
};

/* Paths of the keystores, in order of name. ERROR_INPUT when there is none. Caller frees with key_paths_done(). */
struct key_paths {
	char **paths;
	size_t count;
};

void key_paths_done(struct key_paths *paths);
#define AUTO_KEY_PATHS CLEANUP(key_paths_done)
MUST_USE bool key_paths_list(const char *folder, struct key_paths *ret_paths, struct error *error);

/*
 * `progress` may be NULL. Decrypt and seal all, or fail: the error names the first bad file. Two files with the same key are ERROR_INPUT. Rows are in
 * order of file name.
 */
MUST_USE bool key_import(const struct key_source *source, const struct key_seal *seal, const struct key_import_progress *progress,
			 struct key_rows *ret_rows, struct error *error);
/* The same of these files only, which are at least one. */
MUST_USE bool key_import_paths(const struct key_source *source, const struct key_paths *paths, const struct key_seal *seal,
			       const struct key_import_progress *progress, struct key_rows *ret_rows, struct error *error);
/* One new random key. */
MUST_USE bool key_import_new(const struct key_seal *seal, struct key_rows *ret_rows, struct error *error);

/* What a keystore file says of its key: `pubkey`, which it need not have (*ret_has). ERROR_INPUT. */
MUST_USE bool keystore_file_read_pubkey(const char *path, char ret_pubkey[KEY_TABLE_PUBKEY_SIZE], bool *ret_has,
					struct error *error);
/* A password file's contents without the line end that editors put there. */
MUST_USE bool password_file_read(const char *path, struct secret *ret_password, struct error *error);
