/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading the key table: what a ciphertext opens to is checked against what its row says before anything is kept, since the parent may
 * feed us any ciphertext it likes.
 */
#include "base/clock.h"
#include "base/log.h"
#include "crypto/tls_identity.h"
#include "enclave/opener/opener.h"
#include "eth/ssz.h"
#include "tables/sealed_key.h"

/* A load under way. */
struct loading {
	struct opening *opening;
	struct held_keys held;
	uint64_t count; /* of keys sent to the keeper */
	uint64_t opened;
};

static void loading_done(struct loading *loading)
{
	held_keys_done(&loading->held);
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

	if (!opening_decrypt_member(opening, request, "encrypted_tls_key", (struct kms_context){0}, &plaintext, error))
		return false;
	if (!read_tls_secret(&plaintext, ret_identity, error))
		return error_prefix(error, "encrypted_tls_key"), opening_blame_content(error);
	return true;
}

static bool open_sealed_row(struct opening *opening, json_t *row, const char *pubkey, const char *chain,
			    struct secret *ret_secret_key, struct error *error)
{
	AUTO_BUFFER struct buffer sealed = {0};
	struct view data_key;

	if (!json_read_base64(row, "sealed_key_b64", SEALED_KEY_SIZE, &sealed, error) ||
	    !opening_find_data_key(opening, row, &data_key, error))
		return false;
	if (!sealed_key_open(data_key, pubkey, chain, buffer_view(&sealed), ret_secret_key, error))
		return error_prefix(error, "sealed_key_b64"), opening_blame_content(error);
	return true;
}

/* The mnemonic that the sample's loader puts beside the keystore is never looked at. */
static bool read_keystore_secret(struct opening *opening, const struct secret *plaintext, struct keystore_secret *ret_secret,
				 struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(secret_view(plaintext), "keystore secret", error);
	AUTO_SECRET struct secret keystore = {0};
	AUTO_SECRET struct secret password = {0};

	return object && json_read_base64_secret(object, "keystore_b64", &keystore, error) &&
	       json_read_base64_secret(object, "password_b64", &password, error) &&
	       keystore_decrypt_cached(&opening->kdf_cache, secret_view(&keystore), secret_view(&password), ret_secret, error);
}

static bool open_keystore_row(struct opening *opening, json_t *row, const char *pubkey, const char *chain,
			      struct secret *ret_secret_key, struct error *error)
{
	static const char *const name = "encrypted_key_password_mnemonic_b64";
	AUTO_KEYSTORE_SECRET struct keystore_secret keystore = {0};
	AUTO_SECRET struct secret plaintext = {0};
	char derived[KEY_TABLE_PUBKEY_SIZE];

	(void)chain;
	if (!opening_decrypt_member(opening, row, name, (struct kms_context){0}, &plaintext, error))
		return false;
	if (!read_keystore_secret(opening, &plaintext, &keystore, error))
		return error_prefix(error, "%s", name), opening_blame_content(error);
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

bool opening_read_row(const struct opening *opening, json_t *members, struct opening_row *ret_row, struct error *error)
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

bool opening_open_row(struct opening *opening, const struct opening_row *row, struct secret *ret_secret_key, struct error *error)
{
	return row->form->open(opening, row->members, row->pubkey, row->chain, ret_secret_key, error);
}

static bool keep_key(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct error *error)
{
	struct message_load_keep message;

	message_init(&message, MESSAGE_LOAD_KEEP, 0);
	memcpy(message.public_key, public_key, sizeof message.public_key);
	return message_send(ROLE_FD_KEEPER, &message, error) || error_prefix(error, "keeper");
}

/* A public key has one secret key, so what the keeper holds already need not be opened, whatever its row looks like now. */
static bool load_row(struct loading *loading, const struct opening_row *row, struct error *error)
{
	AUTO_SECRET struct secret secret_key = {0};

	loading->count++;
	if (held_keys_has(&loading->held, row->public_key))
		return keep_key(row->public_key, error);
	loading->opened++;
	return opening_open_row(loading->opening, row, &secret_key, error) && send_key(row->public_key, &secret_key, error);
}

/* Read every row and do something with it; NULL: nothing more. */
static bool each_row(struct loading *loading, json_t *rows,
		     bool (*act)(struct loading *, const struct opening_row *, struct error *), struct error *error)
{
	json_t *members;
	size_t index;

	json_array_foreach(rows, index, members)
	{
		struct opening_row row = {.pubkey = "?"};

		if (!json_is_object(members))
			return error_set(error, ERROR_INPUT, "encrypted_validator_keys[%zu]: not an object", index);
		if (!opening_read_row(loading->opening, members, &row, error) || (act && !act(loading, &row, error)))
			return error_prefix(error, "encrypted_validator_keys[%zu] (pubkey %.98s)", index, row.pubkey);
	}
	return true;
}

/*
 * Before KMS is asked for anything: a row that cannot be right is told at once. No rows at all are what the key manager leaves when it
 * has deleted the last key; where there is none they are a mistake (another signer's uuid, say), which must not stop the keys that sign now.
 */
static bool check_rows(struct loading *loading, json_t *rows, struct error *error)
{
	if (json_array_size(rows) == 0 && !loading->opening->opener->configuration.key_manager.is_on)
		return error_set(error, ERROR_INPUT,
				 "encrypted_validator_keys: empty, and only a signer with a key manager can do without keys");
	return each_row(loading, rows, NULL, error);
}

static bool load_rows(struct loading *loading, json_t *rows, struct error *error)
{
	struct message_load_begin begin;

	message_init(&begin, MESSAGE_LOAD_BEGIN, 0);
	if (!message_send(ROLE_FD_KEEPER, &begin, error))
		return error_prefix(error, "keeper");
	return each_row(loading, rows, load_row, error);
}

static bool judge_load(const struct message_load_result *result, struct error *error)
{
	static const char *const reasons[] = {
		[LOAD_BAD_KEY] = "the secret is not that of the public key, or the key is given twice",
		[LOAD_FULL] = "too many keys, or out of protected memory",
		[LOAD_COUNT_WRONG] = "keys were lost on the way",
		[LOAD_UNKNOWN] = "it is to be kept, but the keeper never held it",
	};
	char public_key[2 * BLS_PUBLIC_KEY_SIZE + 1];

	if (result->status == LOAD_OK)
		return true;
	if (result->status >= ARRAY_SIZE(reasons))
		return error_set(error, ERROR_BUG, "keeper: status %u", result->status);
	hex_encode(view_of(result->public_key, sizeof result->public_key), public_key);
	return error_set(error, ERROR_CRYPTO, "keeper: key %s: %s", public_key, reasons[result->status]);
}

static bool finish_load(const struct loading *loading, struct message_job_result *result, struct error *error)
{
	struct message_load_end end;
	union message answer;

	message_init(&end, MESSAGE_LOAD_END, clock_monotonic_ms());
	end.count = loading->count;
	if (!message_send(ROLE_FD_KEEPER, &end, error) ||
	    !opener_receive_answer(ROLE_FD_KEEPER, MESSAGE_LOAD_RESULT, end.header.id, &answer, error))
		return error_prefix(error, "keeper");
	result->key_count = answer.load_result.count;
	result->added = answer.load_result.added;
	result->removed = answer.load_result.removed;
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
	    !opener_receive_answer(ROLE_FD_FRONTEND, MESSAGE_TLS_RESULT, id, &answer, error))
		return error_prefix(error, "frontend");
	return answer.tls_result.ok == 1 || error_set(error, ERROR_CRYPTO, "frontend: cannot serve with this TLS identity");
}

/* Unless it is the one in service: then *ret_identity stays empty. */
static bool open_tls_if_new(struct opening *opening, json_t *request, struct message_job_result *result,
			    struct tls_identity *ret_identity, struct error *error)
{
	const struct message_job *job = &opening->opener->job;
	const char *text;

	if (!json_read_text(request, "encrypted_tls_key", &text, error))
		return false;
	sha256(view_of_text(text), result->tls_digest);
	if (job->kind == JOB_RELOAD && memcmp(result->tls_digest, job->tls_digest, sizeof result->tls_digest) == 0)
		return true;
	return open_tls_identity(opening, request, ret_identity, error);
}

/* Whatever can fail by the request's fault comes before anything changes. */
static bool load(struct loading *loading, json_t *request, struct message_job_result *result, struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	struct message_known_clients clients;
	json_t *rows;

	return json_read_array(request, "encrypted_validator_keys", &rows, error) && check_rows(loading, rows, error) &&
	       held_keys_read(&loading->held, error) && open_tls_if_new(loading->opening, request, result, &identity, error) &&
	       opening_read_known_clients(loading->opening, request, &clients, error) && load_rows(loading, rows, error) &&
	       finish_load(loading, result, error) && opener_send_known_clients(&clients, error) &&
	       (!identity.key.data || start_frontend(&identity, error));
}

bool opener_load(struct opener *opener, json_t *request, struct message_job_result *ret_result, struct error *error)
{
	CLEANUP(opening_done) struct opening opening = {0};
	CLEANUP(loading_done) struct loading loading = {.opening = &opening};

	/* First: no key signs before its history can be asked for. */
	if (!opening_init(&opening, opener, request, error) || !opening_give_credentials(&opening, request, error) ||
	    !load(&loading, request, ret_result, error))
		return false;
	log_info("keys_opened", "keys=%llu opened=%llu added=%llu removed=%llu", (unsigned long long)ret_result->key_count,
		 (unsigned long long)loading.opened, (unsigned long long)ret_result->added,
		 (unsigned long long)ret_result->removed);
	return true;
}
