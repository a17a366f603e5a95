/* SPDX-License-Identifier: Apache-2.0 */
/* Loading the key table: a row that is bad is passed over and told of, so that it stops nobody else's key. */
#include "base/clock.h"
#include "base/log.h"
#include "enclave/opener/opener.h"
#include "eth/ssz.h"

struct loading_row {
	struct opening_row content;
	bool is_bad; /* it is among the failures */
};

/* A load under way. */
struct loading {
	struct opening *opening;
	struct held_keys held;
	struct loading_row *rows;
	size_t row_count;
	struct row_failures failures;
	uint64_t count; /* of keys sent to the keeper */
	uint64_t opened;
};

static void loading_done(struct loading *loading)
{
	held_keys_done(&loading->held);
	row_failures_done(&loading->failures);
	free(loading->rows);
}

static void pass_over(struct loading *loading, size_t index, const struct error *reason)
{
	struct loading_row *row = &loading->rows[index];

	row->is_bad = true;
	row_failures_add(&loading->failures, index, row->content.pubkey, reason);
}

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

static bool keep_key(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct error *error)
{
	struct message_load_keep message;

	message_init(&message, MESSAGE_LOAD_KEEP, 0);
	memcpy(message.public_key, public_key, sizeof message.public_key);
	return message_send(ROLE_FD_KEEPER, &message, error) || error_prefix(error, "keeper");
}

static bool settle_row(void *context, struct row_opening *opened, struct error *error)
{
	struct loading *loading = (struct loading *)context;

	if (opened->error.code == ERROR_NONE) {
		loading->count++;
		return send_key(opened->row.public_key, &opened->secret_key, error);
	}
	if (opening_blames_row(&opened->error))
		return pass_over(loading, opened->number, &opened->error), true;
	*error = opened->error;
	return error_prefix(error, "encrypted_validator_keys[%zu] (pubkey %.98s)", opened->number, opened->row.pubkey);
}

/*
 * A public key has one secret key, so what the keeper holds already need not be opened, whatever its row looks like now: a row that went bad
 * is told of, but a key that signs goes on.
 */
static bool load_row(struct loading *loading, size_t index, struct error *error)
{
	struct loading_row *row = &loading->rows[index];
	AUTO_ROW_OPENING struct row_opening row_opening = {.number = index, .row = row->content};

	if (row->content.has_public_key && held_keys_has(&loading->held, row->content.public_key)) {
		loading->count++;
		return keep_key(row->content.public_key, error);
	}
	if (row->is_bad)
		return true;
	loading->opened++;
	return opening_open_row(loading->opening, &row_opening, settle_row, loading, error);
}

static int compare_rows(const void *a, const void *b)
{
	const struct loading_row *one = *(struct loading_row *const *)a;
	const struct loading_row *other = *(struct loading_row *const *)b;
	int order = memcmp(one->content.public_key, other->content.public_key, BLS_PUBLIC_KEY_SIZE);

	return order ? order : (one > other) - (one < other);
}

/* The first row of a key counts, and what comes after it is bad. */
static void find_repeated(struct loading *loading)
{
	AUTO_FREE struct loading_row **sorted = memory_allocate_zeroed(loading->row_count + 1, sizeof(void *));
	struct error problem = {0};
	size_t count = 0;

	for (size_t i = 0; i < loading->row_count; i++) {
		if (loading->rows[i].content.has_public_key)
			sorted[count++] = &loading->rows[i];
	}
	qsort(sorted, count, sizeof(void *), compare_rows);
	for (size_t i = 1; i < count; i++) {
		if (memcmp(sorted[i - 1]->content.public_key, sorted[i]->content.public_key, BLS_PUBLIC_KEY_SIZE) != 0)
			continue;
		sorted[i]->content.has_public_key = false;
		(void)error_set(&problem, ERROR_CRYPTO, "pubkey: the key is given twice");
		if (!sorted[i]->is_bad)
			pass_over(loading, (size_t)(sorted[i] - loading->rows), &problem);
	}
}

static bool has_good_row(const struct loading *loading, struct error *error)
{
	if (loading->row_count == 0 || loading->failures.count < loading->row_count)
		return true;
	*error = loading->failures.first;
	if (loading->row_count > 1)
		(void)error_prefix(error, "none of %zu rows is good; the first", loading->row_count);
	return false;
}

/*
 * Before KMS is asked for anything: a row that cannot be right is told at once. No rows at all are what the key manager leaves when it
 * has deleted the last key; where there is none they are a mistake (another signer's uuid, say), which must not stop the keys that sign now.
 */
static bool read_rows(struct loading *loading, json_t *rows, struct error *error)
{
	json_t *members;
	size_t index;

	if (json_array_size(rows) == 0 && !loading->opening->opener->configuration.key_manager.is_on)
		return error_set(error, ERROR_INPUT,
				 "encrypted_validator_keys: empty, and only a signer with a key manager can do without keys");
	loading->rows = memory_allocate_zeroed(json_array_size(rows) + 1, sizeof *loading->rows);
	loading->row_count = json_array_size(rows);
	json_array_foreach(rows, index, members)
	{
		struct error problem = {0};

		if (!opening_read_row(loading->opening, members, &loading->rows[index].content, &problem))
			pass_over(loading, index, &problem);
	}
	find_repeated(loading);
	return has_good_row(loading, error);
}

static bool load_rows(struct loading *loading, struct error *error)
{
	struct message_load_begin begin;

	message_init(&begin, MESSAGE_LOAD_BEGIN, 0);
	if (!message_send(ROLE_FD_KEEPER, &begin, error))
		return error_prefix(error, "keeper");
	for (size_t i = 0; i < loading->row_count; i++) {
		if (!load_row(loading, i, error))
			return false;
	}
	return opening_finish_rows(loading->opening, settle_row, loading, error) && has_good_row(loading, error);
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
	end.failed_count = loading->failures.count;
	if (!message_send(ROLE_FD_KEEPER, &end, error) ||
	    !opener_receive_answer(ROLE_FD_KEEPER, MESSAGE_LOAD_RESULT, end.header.id, &answer, error))
		return error_prefix(error, "keeper");
	result->key_count = answer.load_result.count;
	result->added = answer.load_result.added;
	result->removed = answer.load_result.removed;
	result->failed_count = loading->failures.count;
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
	opening_digest_tls(request, result->tls_digest);
	if (job->kind == JOB_RELOAD && memcmp(result->tls_digest, job->tls_digest, sizeof result->tls_digest) == 0)
		return true;
	return opening_read_tls(opening, request, ret_identity, error);
}

/* Whatever can fail by the request's fault comes before anything changes. */
static bool load(struct loading *loading, json_t *request, struct message_job_result *result, struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	struct message_known_clients clients;
	json_t *rows;

	return json_read_array(request, "encrypted_validator_keys", &rows, error) && read_rows(loading, rows, error) &&
	       held_keys_read(&loading->held, error) && open_tls_if_new(loading->opening, request, result, &identity, error) &&
	       opening_read_known_clients(loading->opening, request, &clients, error) && load_rows(loading, error) &&
	       finish_load(loading, result, error) && opener_send_known_clients(&clients, error) &&
	       (!identity.key.data || start_frontend(&identity, error));
}

static void write_failures(const struct row_failures *failures, struct buffer *ret_body)
{
	AUTO_JSON json_t *body = failures->count ? json_pack("{s:O}", "failures", failures->told) : NULL;

	if (body)
		json_write(body, ret_body);
}

bool opener_load(struct opener *opener, json_t *request, struct message_job_result *ret_result, struct buffer *ret_body,
		 struct error *error)
{
	CLEANUP(opening_done) struct opening opening = {0};
	CLEANUP(loading_done) struct loading loading = {.opening = &opening};
	bool ok;

	/* First: no key signs before its history can be asked for. */
	if (!opening_init(&opening, opener, request, error) || !opening_give_credentials(&opening, request, error))
		return false;
	ok = load(&loading, request, ret_result, error);
	row_failures_end(&loading.failures);
	if (!ok)
		return false;
	write_failures(&loading.failures, ret_body);
	log_info("keys_opened", "keys=%llu opened=%llu added=%llu removed=%llu failed=%llu",
		 (unsigned long long)ret_result->key_count, (unsigned long long)loading.opened,
		 (unsigned long long)ret_result->added, (unsigned long long)ret_result->removed,
		 (unsigned long long)ret_result->failed_count);
	return true;
}
