/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Validator keys that are born here: a mnemonic of the NSM's and the kernel's randomness together, its keys sealed for the key table with a
 * data key that KMS makes for this enclave alone, a deposit each, and a document that says so. The mnemonic leaves encrypted to the
 * recovery key that the request names, or not at all.
 */
#include <openssl/rand.h>

#include "attestation/birth_statement.h"
#include "enclave/opener/opener.h"
#include "eth/mnemonic.h"
#include "eth/ssz.h"
#include "tables/key_birth.h"

/* Of one mnemonic: what an answer can hold, at 3 KiB each. */
#define BIRTHS_MAX 1000
#define ENTROPY_SIZE 32
/* An RSA key of 16,384 bits has 2 KiB. */
#define RECOVERY_KEY_MAX_SIZE 4096

struct births {
	struct opening *opening;
	struct key_birth_plan plan;
	size_t count;
	struct buffer recovery_spki; /* empty: nobody is to recover them */
	struct secret mnemonic;
	struct secret data_key;
	uint8_t (*public_keys)[BLS_PUBLIC_KEY_SIZE];
	json_t *rows;
};

static void births_done(struct births *births)
{
	buffer_done(&births->recovery_spki);
	secret_done(&births->mnemonic);
	secret_done(&births->data_key);
	free(births->public_keys);
	json_decref(births->rows);
}

static bool read_plan(struct births *births, json_t *request, struct error *error)
{
	uint8_t address[EXECUTION_ADDRESS_SIZE];
	uint64_t count, amount_gwei;
	bool is_compounding;

	if (!json_read_u64(request, "count", &count, error) ||
	    !json_read_hex(request, "withdrawal_address", address, sizeof address, error) ||
	    !json_read_bool(request, "compounding", &is_compounding, error) ||
	    !json_read_u64(request, "amount_gwei", &amount_gwei, error))
		return false;
	if (count == 0 || count > BIRTHS_MAX)
		return error_set(error, ERROR_INPUT, "count: 1 to %d keys are made at one time", BIRTHS_MAX);
	births->count = (size_t)count;
	if (json_object_get(request, "recovery_public_key_b64") &&
	    !json_read_base64(request, "recovery_public_key_b64", RECOVERY_KEY_MAX_SIZE, &births->recovery_spki, error))
		return false;
	return key_birth_plan_init(&births->plan, &births->opening->opener->configuration.network, address, is_compounding,
				   amount_gwei, error);
}

/* Neither source alone is trusted: a digest of both is as good as the better one. */
static bool gather_entropy(struct nsm *nsm, struct secret *ret_entropy, struct error *error)
{
	AUTO_SECRET struct secret both = {0};

	if (!secret_init(&both, 2 * ENTROPY_SIZE, error) || !secret_init(ret_entropy, ENTROPY_SIZE, error) ||
	    !nsm_random(nsm, both.data, ENTROPY_SIZE, error))
		return false;
	if (RAND_priv_bytes(both.data + ENTROPY_SIZE, ENTROPY_SIZE) != 1)
		return error_set(error, ERROR_CRYPTO, "no randomness");
	sha256(secret_view(&both), ret_entropy->data);
	return true;
}

static bool plant_tree(struct births *births, struct derivation_tree *ret_tree, struct error *error)
{
	AUTO_SECRET struct secret entropy = {0};
	AUTO_SECRET struct secret seed = {0};

	return gather_entropy(births->opening->opener->nsm, &entropy, error) &&
	       mnemonic_encode_entropy(&entropy, &births->mnemonic, error) &&
	       mnemonic_derive_seed(secret_view(&births->mnemonic), (struct view){0}, &seed, error) &&
	       derivation_tree_init(ret_tree, &seed, error);
}

static bool add_row(struct births *births, const struct derivation_tree *tree, uint32_t index, struct error *error)
{
	AUTO_KEY_BIRTH struct key_birth birth = {0};
	json_t *row;

	if (!key_birth_make(tree, index, &births->plan, &birth, error))
		return false;
	row = opening_seal_row(births->opening, secret_view(&births->data_key), birth.public_key, &birth.signing_key, error);
	if (!row)
		return false;
	(void)json_object_set_new(row, "deposit_json_b64", json_string(buffer_text(&birth.deposit_json_b64)));
	memcpy(births->public_keys[index], birth.public_key, sizeof birth.public_key);
	return json_array_append_new(births->rows, row) == 0;
}

static bool make_all(struct births *births, struct error *error)
{
	AUTO_DERIVATION_TREE struct derivation_tree tree = {0};

	if (!plant_tree(births, &tree, error))
		return false;
	births->rows = json_array();
	births->public_keys = memory_allocate_zeroed(births->count, sizeof *births->public_keys);
	for (size_t i = 0; i < births->count; i++) {
		if (!add_row(births, &tree, (uint32_t)i, error))
			return false;
	}
	return true;
}

static bool add_attestation(const struct births *births, json_t *body, struct error *error)
{
	struct birth_statement statement = {
		.public_keys = (const uint8_t(*)[BLS_PUBLIC_KEY_SIZE])births->public_keys,
		.count = births->count,
		.recovery_spki = buffer_view(&births->recovery_spki),
	};
	AUTO_BUFFER struct buffer document = {0};
	uint8_t digest[BIRTH_DIGEST_SIZE];

	memcpy(statement.withdrawal_credentials, births->plan.withdrawal_credentials, sizeof statement.withdrawal_credentials);
	birth_statement_digest(&statement, digest);
	if (!nsm_attest(births->opening->opener->nsm, view_of(digest, sizeof digest), (struct view){0}, (struct view){0}, &document,
			error))
		return false;
	(void)json_object_set_new(body, "attestation_document_b64", json_text_of_base64(buffer_view(&document)));
	return true;
}

/* CMS that `openssl cms -decrypt -inform DER -inkey KEY` opens. */
static bool add_mnemonic(const struct births *births, json_t *body, struct error *error)
{
	AUTO_BUFFER struct buffer blob = {0};

	if (births->recovery_spki.size == 0)
		return true;
	if (!cms_seal(buffer_view(&births->recovery_spki), secret_view(&births->mnemonic), &blob, error))
		return error_prefix(error, "recovery_public_key_b64");
	(void)json_object_set_new(body, "mnemonic_cms_b64", json_text_of_base64(buffer_view(&blob)));
	return true;
}

bool opener_generate(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error)
{
	CLEANUP(opening_done) struct opening opening = {0};
	CLEANUP(births_done) struct births births = {.opening = &opening};
	AUTO_BUFFER struct buffer wrapped_b64 = {0};
	AUTO_JSON json_t *body = NULL;

	if (!opening_init(&opening, opener, request, error) || !read_plan(&births, request, error) ||
	    !opening_new_data_key(&opening, &births.data_key, &wrapped_b64, error) || !make_all(&births, error))
		return false;
	body = json_pack("{s:s, s:s, s:O}", "chain", births.plan.network->name, "data_key_b64", buffer_text(&wrapped_b64), "rows",
			 births.rows);
	if (!add_mnemonic(&births, body, error) || !add_attestation(&births, body, error))
		return false;
	json_write(body, ret_body);
	return true;
}
