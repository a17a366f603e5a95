/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opener: a process that lives for one job of control: attested KMS decrypts, CMS, PKCS#12, keystores. It holds plaintext keys for a
 * moment, hands each to the keeper (or seals it for the key table) and ends, so nothing of a key is left in a process that talks
 * to the parent.
 *
 *   opener.c         takes the job, and tells how it ended
 *   opening.c        asks KMS
 *   keys.c           loads the key table
 *   rows.c           reads and opens its rows
 *   derivations.c    the part of it that takes long, on threads
 *   keeper.c         asks the keeper which keys it has already
 *   known_clients.c  opens the list of known clients
 *   keystores.c      opens what the key manager was given
 *   births.c         makes new keys
 *   tls.c            opens the TLS identity, or makes one
 *   rewrap.c         seals rows anew, with another data key
 *   histories.c      asks the ledger what the operator wants to know or to say
 *   table_credentials.c  gives the ledger what it reaches a slashing table with
 */
#pragma once

#include "attestation/nsm.h"
#include "aws/kms.h"
#include "base/json.h"
#include "crypto/cms.h"
#include "crypto/tls_identity.h"
#include "enclave/role_outside.h"
#include "eth/keystore.h"
#include "image/configuration.h"

/* Rows share data keys; an operator has a few (one a key ceremony). Beyond this many the oldest is opened again when needed. */
#define OPENER_DATA_KEYS_MAX 16

struct opener {
	struct configuration configuration;
	struct address kms_relay;
	struct nsm *nsm;
	struct keystore_kdf_cache kdf_cache; /* deposit-cli writes a batch with one salt */
	struct derivations *derivations;
	struct message_job job;
};

/* A job's way to KMS, and the data keys that it opened. */
struct opening {
	struct opener *opener;
	struct credentials credentials;
	struct kms_client kms;
	EVP_PKEY *recipient;
	struct buffer recipient_spki;
	struct data_key {
		char *wrapped_b64; /* owned */
		struct secret key;
	} data_keys[OPENER_DATA_KEYS_MAX];
	size_t next_data_key;
	bool takes_any_kms_key; /* decrypts what is of another KMS key than the configured one, if that lets it */
};

struct row_form;

/* A row of the key table as a request has it. Texts are borrowed from the request. */
struct opening_row {
	json_t *members;
	const struct row_form *form;
	const char *pubkey;
	const char *chain;
	bool has_public_key; /* `pubkey` is one, whatever else is wrong with the row */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
};

/* A row on its way from the table to its secret key. */
struct row_opening {
	size_t number; /* the caller's */
	struct opening_row row;
	struct secret plaintext;  /* what KMS decrypted; empty for a row that needs no more than that */
	struct secret secret_key; /* that of its public key; empty when it failed */
	struct error error;       /* ERROR_NONE: it did not fail */
};

void row_opening_done(struct row_opening *row_opening);
#define AUTO_ROW_OPENING CLEANUP(row_opening_done)

/* The rows that a load passed over. */
struct row_failures {
	uint64_t count;
	json_t *told;       /* the first LOAD_FAILURES_TOLD_MAX, as {"pubkey","message"}; owned; NULL: none */
	struct error first; /* with the row's name in front */
};

/* The public keys that the keeper holds, sorted. */
struct held_keys {
	uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE];
	size_t count;
	uint64_t generation;
};

/* ---- the jobs: request is the parent's; what ret_result says besides code and message is set only on success ---- */

/*
 * JOB_INIT, JOB_RELOAD: a row that is bad is passed over; the body is JSON that tells of them, and empty when there are none. Nothing is
 * loaded when every row is bad, or something fails that is no row's fault.
 */
MUST_USE bool opener_load(struct opener *opener, json_t *request, struct message_job_result *ret_result, struct buffer *ret_body,
			  struct error *error);
/* JOB_IMPORT: each keystore ends as a SEALED_KEY or an IMPORT_RESULT to control. */
MUST_USE bool opener_import(struct opener *opener, json_t *request, struct secret *imports, size_t count, struct error *error);

/* JOB_GENERATE, JOB_REWRAP, JOB_CREATE_TLS: the answer's body is JSON. */
MUST_USE bool opener_generate(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error);
MUST_USE bool opener_rewrap(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error);
MUST_USE bool opener_create_tls(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error);

/* JOB_SLASHING: the answer's body is JSON. */
MUST_USE bool opener_histories(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error);

/* JOB_CREDENTIAL: new credentials for the ledger. */
MUST_USE bool opener_refresh_credential(struct opener *opener, json_t *request, struct error *error);

/* ---- table_credentials.c ---- */

/*
 * What the ledger needs to reach the slashing table of a fleet, if it uses one: the parent's credentials, or the request's
 * `encrypted_slashing_credentials`. When it returns the ledger has read the table with them.
 */
MUST_USE bool opening_give_credentials(struct opening *opening, json_t *request, struct error *error);

/* ---- opening.c ---- */

MUST_USE bool opening_init(struct opening *opening, struct opener *opener, json_t *request, struct error *error);
void opening_done(struct opening *opening);
/* A base64 KMS ciphertext out of `object`, opened for a key made here that a fresh attestation document names. */
MUST_USE bool opening_decrypt_member(struct opening *opening, json_t *object, const char *name, struct kms_context context,
				     struct secret *ret_plaintext, struct error *error);
/* The opened data_key_b64 of an object; asked of KMS once for each. Borrowed from `opening`. */
MUST_USE bool opening_find_data_key(struct opening *opening, json_t *object, struct view *ret_key, struct error *error);
/* A data key that KMS makes for this enclave and nobody else, and the same wrapped, in base64. */
MUST_USE bool opening_new_data_key(struct opening *opening, struct secret *ret_data_key, struct buffer *ret_wrapped_b64,
				   struct error *error);
/* What opens but is not what it should be is the row's fault, not the request's: ERROR_CRYPTO. Returns false. */
bool opening_blame_content(struct error *error);

/* A P-256 key, PKCS#8 DER, that KMS makes for this enclave, and the same sealed by KMS, in base64. */
MUST_USE bool opening_new_key_pair(struct opening *opening, struct secret *ret_key_der, struct buffer *ret_sealed_b64,
				   struct error *error);

/* ---- tls.c ---- */

/* Of the request's encrypted_tls_key, and the tls_chain_pem_b64 beside it. */
void opening_digest_tls(json_t *request, uint8_t ret_digest[DIGEST_SIZE]);
MUST_USE bool opening_read_tls(struct opening *opening, json_t *request, struct tls_identity *ret_identity, struct error *error);

/* ---- rows.c ---- */

/* ERROR_INPUT, or ERROR_CRYPTO when it is for another network. *ret_row is set as far as it could be read; `pubkey` is "?" when there is none. */
MUST_USE bool opening_read_row(const struct opening *opening, json_t *members, struct opening_row *ret_row, struct error *error);
/* What a row came to. False ends it all. */
typedef bool row_settler(void *context, struct row_opening *opened, struct error *error);
/*
 * Opens one row after the other, without waiting for what takes long: each is settled, in the order they were given, by one of these calls.
 * A row that failed to be read may be given with its error. Fails only when `settle` does, or at the first call.
 */
MUST_USE bool opening_open_row(struct opening *opening, struct row_opening *row, row_settler *settle, void *context,
			       struct error *error);
/* Settles the rest. */
MUST_USE bool opening_finish_rows(struct opening *opening, row_settler *settle, void *context, struct error *error);
/* What is left of a keystore row once KMS was asked; on any thread, so it keeps off what is borrowed of a request that may be gone by then. */
void row_opening_decrypt(struct row_opening *row_opening, struct keystore_kdf_cache *cache);
/* A key as the key table keeps it, {"pubkey","sealed_key_b64"}: under this data key, for this enclave's network. NULL on failure. */
MUST_USE json_t *opening_seal_row(const struct opening *opening, struct view data_key,
				  const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const struct secret *secret_key,
				  struct error *error);
/* Whether what failed to read or to open is the row's fault, so that the next one may well be good. */
bool opening_blames_row(const struct error *error);
/* Notes and logs it; `reason` is without the row's name. */
void row_failures_add(struct row_failures *failures, size_t index, const char *pubkey, const struct error *reason);
/* Logs how many there were, if that is more than were logged by name. */
void row_failures_end(const struct row_failures *failures);
void row_failures_done(struct row_failures *failures);

/* ---- derivations.c ---- */

/*
 * A key derivation takes half a second and 256 MiB as a rule (eth/keystore.h has the bound of what several take), so the threads are few.
 * They see what KMS decrypted and nothing else: asking KMS, and talking to the keeper, stays with the thread that owns this.
 */
#define DERIVATION_THREADS_MAX 4
/* Of rows under way; so many that no thread waits while the next row is with KMS, which answers ten times as fast. */
#define DERIVATIONS_MAX (2 * DERIVATION_THREADS_MAX)

/* A thread a processor; before the sandbox, which lets nobody start one. The cache stays the caller's. NULL on failure. */
MUST_USE struct derivations *derivations_new(struct keystore_kdf_cache *cache, struct error *error);
/* What is being derived is finished, what waits is dropped. Accepts NULL. */
void derivations_free(struct derivations *derivations);
/* So many were submitted and not taken. */
size_t derivations_count(const struct derivations *derivations);
/* Takes it over; there must be room. One that failed or has its secret key already waits for its turn only. */
void derivations_submit(struct derivations *derivations, struct row_opening *row_opening);
/* The oldest, of which there must be one, once it is done. */
void derivations_take(struct derivations *derivations, struct row_opening *ret_row_opening);

/* ---- keeper.c ---- */

/* The answer to a question with this id; older answers, to an opener that died, are passed over. */
MUST_USE bool opener_receive_answer(int fd, enum message_type type, uint64_t id, union message *ret_answer, struct error *error);
MUST_USE bool held_keys_read(struct held_keys *ret_held, struct error *error);
void held_keys_done(struct held_keys *held);
bool held_keys_has(const struct held_keys *held, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
#define AUTO_HELD_KEYS CLEANUP(held_keys_done)

/* ---- known_clients.c ---- */

/* The sealed list of a request. *ret_clients has header type 0 when there is none. ERROR_CRYPTO when it does not open or holds no list. */
MUST_USE bool opening_read_known_clients(struct opening *opening, json_t *request, struct message_known_clients *ret_clients,
					 struct error *error);
/* To the frontend, if there is one. */
MUST_USE bool opener_send_known_clients(const struct message_known_clients *clients, struct error *error);
