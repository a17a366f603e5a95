/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening: every KMS ciphertext is decrypted for a key made here, named in a fresh attestation document. What comes out is
 * checked against what the row says before anything is kept, since the parent may feed us any ciphertext it likes.
 */
#include <errno.h>
#include <poll.h>

#include "aws/kms.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/cms.h"
#include "enclave/opener/opener.h"
#include "eth/keystore.h"
#include "tables/sealed_key.h"

/* Rows share data keys; an operator has a few (one a key ceremony). Beyond this many the oldest is opened again when needed. */
#define DATA_KEYS_MAX 16
/* KMS answers in tens of milliseconds; the relay, a slow region and an emulated CPU are allowed for. */
#define KMS_TIMEOUT_MS 20000
#define KMS_ATTEMPTS 4
/* The keeper derives every public key again (115 µs each) before it answers; 100,000 keys on an emulated CPU. */
#define LOAD_TIMEOUT_MS 300000

struct data_key {
	char *wrapped_b64; /* owned */
	struct secret key;
};

struct opening {
	struct opener *opener;
	struct credentials credentials;
	struct kms_client kms;
	EVP_PKEY *recipient;
	struct buffer recipient_spki;
	struct data_key data_keys[DATA_KEYS_MAX];
	size_t next_data_key;
	uint64_t loaded;
	bool keeper_has_keys; /* from an opener that died before it could say so */
};

static void opening_done(struct opening *opening)
{
	credentials_done(&opening->credentials);
	evp_pkey_done(&opening->recipient);
	buffer_done(&opening->recipient_spki);
	for (size_t i = 0; i < DATA_KEYS_MAX; i++) {
		free(opening->data_keys[i].wrapped_b64);
		secret_done(&opening->data_keys[i].key);
	}
}

static bool opening_init(struct opening *opening, struct opener *opener, json_t *request, struct error *error)
{
	json_t *credential;

	opening->opener = opener;
	if (!json_read_object(request, "credential", &credential, error) ||
	    !credentials_from_json(credential, &opening->credentials, error))
		return error_prefix(error, "credential");
	opening->kms.credentials = &opening->credentials;
	opening->kms.endpoint = (struct aws_endpoint){
		.region = opener->configuration.region,
		.host = opener->configuration.kms_host,
		.via = &opener->kms_relay,
		.ca_pem = buffer_view(&opener->configuration.ca_pem),
		.timeout_ms = KMS_TIMEOUT_MS,
		.attempts = KMS_ATTEMPTS,
	};
	return true;
}

/* Costs as much as a hundred signatures: a request that is refused by its form alone never gets here. */
static bool make_recipient(struct opening *opening, struct error *error)
{
	if (opening->recipient)
		return true;
	opening->recipient = cms_recipient_key_generate(error);
	return opening->recipient && cms_recipient_key_spki(opening->recipient, &opening->recipient_spki, error);
}

/* CMS that does not open for the key we just named is KMS's fault, neither the request's nor the row's. */
static bool blame_kms(struct error *error)
{
	error->code = ERROR_PEER;
	return error_prefix(error, "answer of KMS: CiphertextForRecipient");
}

static bool attested_decrypt(struct opening *opening, struct kms_context context, struct view ciphertext,
			     struct secret *ret_plaintext, struct error *error)
{
	AUTO_BUFFER struct buffer document = {0};
	AUTO_BUFFER struct buffer blob = {0};

	return make_recipient(opening, error) &&
	       nsm_attest(opening->opener->nsm, (struct view){0}, (struct view){0}, buffer_view(&opening->recipient_spki),
			  &document, error) &&
	       kms_decrypt_attested(&opening->kms, opening->opener->configuration.kms_key_arn, context, ciphertext,
				    buffer_view(&document), &blob, error) &&
	       (cms_open(opening->recipient, buffer_view(&blob), ret_plaintext, error) || blame_kms(error));
}

/* A base64 KMS ciphertext out of `object`, opened. */
static bool open_member(struct opening *opening, json_t *object, const char *name, struct kms_context context,
			struct secret *ret_plaintext, struct error *error)
{
	AUTO_BUFFER struct buffer ciphertext = {0};

	if (!json_read_base64(object, name, KMS_CIPHERTEXT_MAX_SIZE, &ciphertext, error))
		return false;
	if (!attested_decrypt(opening, context, buffer_view(&ciphertext), ret_plaintext, error))
		return error_prefix(error, "%s", name);
	return true;
}

/* What opens but is not what it should be is the row's fault, not the request's. */
static bool blame_content(struct error *error)
{
	if (error->code == ERROR_INPUT)
		error->code = ERROR_CRYPTO;
	return false;
}

static bool read_tls_pem(json_t *object, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_SECRET struct secret key = {0};
	AUTO_SECRET struct secret chain = {0};

	return json_read_base64_secret(object, "tls_key_pem_b64", &key, error) &&
	       json_read_base64_secret(object, "tls_chain_pem_b64", &chain, error) &&
	       tls_identity_from_pem(secret_view(&key), secret_view(&chain), ret_identity, error);
}

static bool read_tls_secret(const struct secret *plaintext, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(secret_view(plaintext), "TLS secret", error);
	AUTO_SECRET struct secret password = {0};
	AUTO_SECRET struct secret keystore = {0};

	if (object && json_object_get(object, "tls_key_pem_b64"))
		return read_tls_pem(object, ret_identity, error);
	return object && json_read_base64_secret(object, "tls_password_b64", &password, error) &&
	       json_read_base64_secret(object, "tls_keystore_b64", &keystore, error) &&
	       tls_identity_from_pkcs12(secret_view(&keystore), secret_view(&password), ret_identity, error);
}

static bool open_tls_identity(struct opening *opening, json_t *request, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_SECRET struct secret plaintext = {0};

	if (!open_member(opening, request, "encrypted_tls_key", (struct kms_context){0}, &plaintext, error))
		return false;
	if (!read_tls_secret(&plaintext, ret_identity, error))
		return error_prefix(error, "encrypted_tls_key"), blame_content(error);
	return true;
}

/* The opened data key of a row: from memory when another row had the same one. */
static bool find_data_key(struct opening *opening, json_t *row, const struct data_key **ret_key, struct error *error)
{
	const struct kms_context context = {"fleet", opening->opener->configuration.fleet};
	struct data_key *slot = &opening->data_keys[opening->next_data_key];
	AUTO_SECRET struct secret key = {0};
	const char *wrapped_b64;

	if (!json_read_text(row, "data_key_b64", &wrapped_b64, error))
		return false;
	for (size_t i = 0; i < DATA_KEYS_MAX; i++) {
		*ret_key = &opening->data_keys[i];
		if ((*ret_key)->wrapped_b64 && strcmp((*ret_key)->wrapped_b64, wrapped_b64) == 0)
			return true;
	}
	if (!open_member(opening, row, "data_key_b64", context, &key, error))
		return false;
	free(slot->wrapped_b64);
	secret_done(&slot->key);
	slot->wrapped_b64 = memory_copy_text(wrapped_b64);
	slot->key = key;
	key = (struct secret){0};
	opening->next_data_key = (opening->next_data_key + 1) % DATA_KEYS_MAX;
	*ret_key = slot;
	return true;
}

/* Before the TLS identity: the frontend has the list when it begins to serve. */
static bool open_known_clients(struct opening *opening, json_t *request, struct error *error)
{
	AUTO_BUFFER struct buffer sealed = {0};
	const struct data_key *data_key;
	json_t *object;

	if (!json_object_get(request, "known_clients"))
		return true;
	if (!json_read_object(request, "known_clients", &object, error))
		return false;
	if (json_read_base64(object, "sealed_b64", KNOWN_CLIENTS_SEALED_MAX_SIZE, &sealed, error) &&
	    find_data_key(opening, object, &data_key, error) &&
	    opener_send_known_clients(opening->opener, secret_view(&data_key->key), buffer_view(&sealed), error))
		return true;
	return error_prefix(error, "known_clients");
}

static bool open_sealed_row(struct opening *opening, json_t *row, const char *pubkey, const char *chain,
			    struct secret *ret_secret_key, struct error *error)
{
	AUTO_BUFFER struct buffer sealed = {0};
	const struct data_key *data_key;

	if (!json_read_base64(row, "sealed_key_b64", SEALED_KEY_SIZE, &sealed, error) ||
	    !find_data_key(opening, row, &data_key, error))
		return false;
	if (!sealed_key_open(secret_view(&data_key->key), pubkey, chain, buffer_view(&sealed), ret_secret_key, error))
		return error_prefix(error, "sealed_key_b64"), blame_content(error);
	return true;
}

/* The mnemonic that the sample's loader puts beside the keystore is never looked at. */
static bool read_keystore_secret(const struct secret *plaintext, struct keystore_secret *ret_secret, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(secret_view(plaintext), "keystore secret", error);
	AUTO_SECRET struct secret keystore = {0};
	AUTO_SECRET struct secret password = {0};

	return object && json_read_base64_secret(object, "keystore_b64", &keystore, error) &&
	       json_read_base64_secret(object, "password_b64", &password, error) &&
	       keystore_decrypt(secret_view(&keystore), secret_view(&password), ret_secret, error);
}

static bool open_keystore_row(struct opening *opening, json_t *row, const char *pubkey, const char *chain,
			      struct secret *ret_secret_key, struct error *error)
{
	static const char *const name = "encrypted_key_password_mnemonic_b64";
	AUTO_KEYSTORE_SECRET struct keystore_secret keystore = {0};
	AUTO_SECRET struct secret plaintext = {0};
	char derived[KEY_TABLE_PUBKEY_SIZE];

	(void)chain;
	if (!open_member(opening, row, name, (struct kms_context){0}, &plaintext, error))
		return false;
	if (!read_keystore_secret(&plaintext, &keystore, error))
		return error_prefix(error, "%s", name), blame_content(error);
	hex_encode(view_of(keystore.public_key, sizeof keystore.public_key), derived);
	if (strcmp(derived, pubkey) != 0)
		return error_set(error, ERROR_CRYPTO, "%s: holds the key of %s", name, derived);
	*ret_secret_key = keystore.secret_key;
	keystore.secret_key = (struct secret){0};
	return true;
}

/* The forms a row can have, by the member that tells. */
static const struct row_form {
	const char *member;
	bool (*open)(struct opening *opening, json_t *row, const char *pubkey, const char *chain, struct secret *ret_secret_key,
		     struct error *error);
} row_forms[] = {
	{"sealed_key_b64", open_sealed_row},
	{"encrypted_key_password_mnemonic_b64", open_keystore_row},
};

static bool send_key(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const struct secret *secret_key, struct error *error)
{
	struct message_load_key message;
	bool ok;

	message_init(&message, MESSAGE_LOAD_KEY, 0);
	memcpy(message.public_key, public_key, sizeof message.public_key);
	memcpy(message.secret_key, secret_key->data, sizeof message.secret_key);
	ok = message_send(ROLE_FD_KEEPER, &message, error);
	secret_wipe(&message, sizeof message);
	return ok || error_prefix(error, "keeper");
}

static const struct row_form *form_of(json_t *row, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(row_forms); i++) {
		if (json_is_string(json_object_get(row, row_forms[i].member)))
			return &row_forms[i];
	}
	return (void)error_set(error, ERROR_INPUT, "neither sealed_key_b64 nor encrypted_key_password_mnemonic_b64"), NULL;
}

/* One row of the request, well formed and for this network. */
struct row {
	json_t *members;
	const struct row_form *form;
	const char *pubkey;
	const char *chain;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
};

static bool read_row(const struct opening *opening, json_t *members, struct row *ret_row, struct error *error)
{
	const char *network = opening->opener->configuration.network.name;

	ret_row->members = members;
	if (!json_read_text(members, "pubkey", &ret_row->pubkey, error))
		return false;
	ret_row->form = form_of(members, error);
	if (!ret_row->form || !json_read_hex(members, "pubkey", ret_row->public_key, sizeof ret_row->public_key, error) ||
	    !json_read_text(members, "chain", &ret_row->chain, error))
		return false;
	if (strcmp(ret_row->chain, network) != 0)
		return error_set(error, ERROR_CRYPTO, "chain: the row is for %.32s, this enclave's network is %s", ret_row->chain,
				 network);
	return true;
}

static bool load_row(struct opening *opening, const struct row *row, struct error *error)
{
	AUTO_SECRET struct secret secret_key = {0};

	if (!row->form->open(opening, row->members, row->pubkey, row->chain, &secret_key, error) ||
	    !send_key(row->public_key, &secret_key, error))
		return false;
	opening->loaded++;
	return true;
}

/* Read every row and do something with it; NULL: nothing more. */
static bool each_row(struct opening *opening, json_t *rows, bool (*act)(struct opening *, const struct row *, struct error *),
		     struct error *error)
{
	json_t *members;
	size_t index;

	json_array_foreach(rows, index, members)
	{
		struct row row = {.pubkey = "?"};

		if (!json_is_object(members))
			return error_set(error, ERROR_INPUT, "encrypted_validator_keys[%zu]: not an object", index);
		if (!read_row(opening, members, &row, error) || (act && !act(opening, &row, error)))
			return error_prefix(error, "encrypted_validator_keys[%zu] (pubkey %.98s)", index, row.pubkey);
	}
	return true;
}

/* Before KMS is asked for anything: a row that cannot be right is told at once. */
static bool check_rows(struct opening *opening, json_t *rows, struct error *error)
{
	if (json_array_size(rows) == 0)
		return error_set(error, ERROR_INPUT, "encrypted_validator_keys: empty, there is nothing to sign with");
	return each_row(opening, rows, NULL, error);
}

static bool load_rows(struct opening *opening, json_t *rows, struct error *error)
{
	struct message_load_begin begin;

	message_init(&begin, MESSAGE_LOAD_BEGIN, 0);
	if (!message_send(ROLE_FD_KEEPER, &begin, error))
		return error_prefix(error, "keeper");
	return each_row(opening, rows, load_row, error);
}

/* The answer to a question with this id; older answers, to an opener that died, are passed over. */
static bool receive_answer(int fd, enum message_type type, uint64_t id, union message *ret_answer, struct error *error)
{
	for (;;) {
		struct pollfd waiting = {fd, POLLIN, 0};
		int ready = poll(&waiting, 1, LOAD_TIMEOUT_MS);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return error_set(error, ERROR_BUG, "no answer within %d s", LOAD_TIMEOUT_MS / 1000);
		if (!message_receive(fd, ret_answer, sizeof *ret_answer, NULL, error))
			return false;
		if (ret_answer->header.type == type && ret_answer->header.id == id)
			return true;
	}
}

static bool judge_load(const struct message_load_result *result, struct error *error)
{
	static const char *const reasons[] = {
		[LOAD_BAD_KEY] = "the secret is not that of the public key, or the key is given twice",
		[LOAD_FULL] = "too many keys, or out of protected memory",
		[LOAD_COUNT_WRONG] = "keys were lost on the way",
		[LOAD_REFUSED] = "keys are loaded already",
		[LOAD_UNKNOWN] = "it is to be kept, but the keeper does not hold it",
	};
	char public_key[2 * BLS_PUBLIC_KEY_SIZE + 1];

	if (result->status == LOAD_OK)
		return true;
	if (result->status >= ARRAY_SIZE(reasons))
		return error_set(error, ERROR_BUG, "keeper: status %u", result->status);
	hex_encode(view_of(result->public_key, sizeof result->public_key), public_key);
	return error_set(error, ERROR_CRYPTO, "keeper: key %s: %s", public_key, reasons[result->status]);
}

static bool finish_load(struct opening *opening, struct error *error)
{
	struct message_load_end end;
	union message answer;

	message_init(&end, MESSAGE_LOAD_END, clock_monotonic_ms());
	end.count = opening->loaded;
	if (!message_send(ROLE_FD_KEEPER, &end, error) ||
	    !receive_answer(ROLE_FD_KEEPER, MESSAGE_LOAD_RESULT, end.header.id, &answer, error))
		return error_prefix(error, "keeper");
	opening->keeper_has_keys = answer.load_result.status == LOAD_REFUSED;
	return judge_load(&answer.load_result, error);
}

static bool start_frontend(const struct tls_identity *identity, struct error *error)
{
	struct message_tls_identity *message;
	AUTO_SECRET struct secret packet = {0};
	union message answer;
	uint64_t id = clock_monotonic_ms();

	if (identity->key.size > TLS_IDENTITY_KEY_MAX_SIZE || identity->chain.size > TLS_IDENTITY_CHAIN_MAX_SIZE)
		return error_set(error, ERROR_CRYPTO, "encrypted_tls_key: key or certificate chain too long");
	if (!secret_init(&packet, sizeof *message, error))
		return false;
	message = (struct message_tls_identity *)(void *)packet.data;
	message_init(message, MESSAGE_TLS_IDENTITY, id);
	message->key_size = (uint32_t)identity->key.size;
	message->chain_size = (uint32_t)identity->chain.size;
	memcpy(message->key, identity->key.data, identity->key.size);
	memcpy(message->chain, identity->chain.data, identity->chain.size);
	if (!message_send(ROLE_FD_FRONTEND, message, error) ||
	    !receive_answer(ROLE_FD_FRONTEND, MESSAGE_TLS_RESULT, id, &answer, error))
		return error_prefix(error, "frontend");
	return answer.tls_result.ok == 1 || error_set(error, ERROR_CRYPTO, "frontend: cannot serve with this TLS identity");
}

static bool open_everything(struct opening *opening, json_t *request, struct tls_identity *ret_identity, struct error *error)
{
	json_t *rows;

	return json_read_array(request, "encrypted_validator_keys", &rows, error) && check_rows(opening, rows, error) &&
	       open_tls_identity(opening, request, ret_identity, error) && open_known_clients(opening, request, error) &&
	       load_rows(opening, rows, error) && finish_load(opening, error);
}

enum opener_outcome opener_provision(struct opener *opener, json_t *request, uint64_t *ret_key_count, struct error *error)
{
	CLEANUP(opening_done) struct opening opening = {0};
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};

	if (!opening_init(&opening, opener, request, error) || !open_everything(&opening, request, &identity, error))
		return opening.keeper_has_keys ? OPENER_HALF_DONE : OPENER_NOTHING_CHANGED;
	if (!start_frontend(&identity, error))
		return OPENER_HALF_DONE;
	*ret_key_count = opening.loaded;
	log_info("provisioned", "keys=%llu", (unsigned long long)opening.loaded);
	return OPENER_PROVISIONED;
}
