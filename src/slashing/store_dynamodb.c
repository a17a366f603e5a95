/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/store_dynamodb.h"

#include "base/clock.h"
#include "net/deadline.h"
#include "slashing/dynamodb_high.h"
#include "slashing/dynamodb_row.h"
#include "slashing/dynamodb_walk.h"
#include "slashing/store_backend.h"

struct dynamodb_store {
	struct slashing_store base;
	struct dynamodb *client;
	char *table;
	unsigned deadline_ms;
	bool has_root;
	uint8_t root[ROOT_SIZE];
	struct dynamodb_walk walk;
	struct dynamodb_high high;
};

/*
 * Some of a group that can be done at one time: those that are open and of which none is about the key of another, the first of each key.
 * What comes behind them is judged after they are done.
 */
struct wave {
	size_t count;
	size_t *members; /* places in the group */
	struct dynamodb_item *reads;
	struct dynamodb_item *writes;
};

static void wave_init(struct wave *wave, size_t size)
{
	wave->count = 0;
	wave->members = (size_t *)memory_allocate_zeroed(size, sizeof *wave->members);
	wave->reads = (struct dynamodb_item *)memory_allocate_zeroed(size, sizeof *wave->reads);
	wave->writes = (struct dynamodb_item *)memory_allocate_zeroed(size, sizeof *wave->writes);
}

static void wave_clear(struct wave *wave)
{
	for (size_t i = 0; i < wave->count; i++) {
		dynamodb_item_done(&wave->reads[i]);
		dynamodb_item_done(&wave->writes[i]);
	}
	wave->count = 0;
}

static void wave_done(struct wave *wave)
{
	wave_clear(wave);
	free(wave->members);
	free(wave->reads);
	free(wave->writes);
}

/* `keys` are the group's public keys, `stride` bytes apart. */
static void wave_add(struct wave *wave, size_t place, const uint8_t *keys, size_t stride)
{
	for (size_t i = 0; i < wave->count; i++) {
		if (memcmp(keys + wave->members[i] * stride, keys + place * stride, BLS_PUBLIC_KEY_SIZE) == 0)
			return;
	}
	wave->members[wave->count++] = place;
}

static bool is_same_root(const uint8_t a[ROOT_SIZE], const uint8_t b[ROOT_SIZE])
{
	return memcmp(a, b, ROOT_SIZE) == 0;
}

/* The first thing that went wrong is what is told. */
static struct error *first(struct error *error, bool ok)
{
	return ok ? error : NULL;
}

/* ---- commits ---- */

/* Settled without asking? */
static bool refuse_at_once(const struct dynamodb_store *store, const struct high_watermark *high, const struct store_commit *commit,
			   struct store_result *result)
{
	static const struct watermark nothing;

	if (store->has_root && !is_same_root(store->root, commit->genesis_validators_root)) {
		result->outcome = STORE_WRONG_NETWORK;
		memcpy(result->genesis_validators_root, store->root, ROOT_SIZE);
		return true;
	}
	if (store_is_above(commit, high)) {
		result->outcome = STORE_ABOVE_HIGH;
		return true;
	}
	/* No condition can compare two values that are both new. */
	if (store_check(commit, &nothing) == SLASHING_SAFE)
		return false;
	result->outcome = STORE_CONFLICT;
	return true;
}

/* Why the row that was found refused it. It must be for a reason that we see as well; if we see none, one of us is wrong: it stays failed. */
static bool judge_refusal(const struct store_commit *commit, json_t *found, struct store_result *result, struct error *error)
{
	struct dynamodb_row row;
	enum slashing_verdict verdict;

	if (!dynamodb_row_read(found, &row, error))
		return false;
	verdict = store_check(commit, &row.watermark);
	if (row.has_root && !is_same_root(row.genesis_validators_root, commit->genesis_validators_root)) {
		result->outcome = STORE_WRONG_NETWORK;
		memcpy(result->genesis_validators_root, row.genesis_validators_root, ROOT_SIZE);
	} else if (row.is_retired) {
		result->outcome = STORE_RETIRED;
	} else if (!commit->may_begin && !dynamodb_row_has_history(&row)) {
		result->outcome = STORE_NO_HISTORY;
	} else if (verdict != SLASHING_SAFE && verdict != SLASHING_REPEAT) {
		result->outcome = STORE_CONFLICT;
		result->watermark = row.watermark;
	} else {
		return error_set(error, ERROR_PEER, "DynamoDB refused a commit that the row it shows allows");
	}
	return true;
}

static bool settle_commit(const struct store_commit *commit, const struct dynamodb_item *item, struct store_result *result,
			  struct error *error)
{
	*result = (struct store_result){.outcome = STORE_FAILED};
	if (item->fate == DYNAMODB_DONE)
		result->outcome = STORE_DURABLE;
	if (item->fate != DYNAMODB_REFUSED)
		return item->fate == DYNAMODB_DONE;
	return judge_refusal(commit, item->found, result, error);
}

static bool commit_wave(struct dynamodb_store *store, const struct store_commit *commits, const struct wave *wave,
			struct store_result *results, uint64_t deadline_ms, struct error *error)
{
	bool ok;

	for (size_t i = 0; i < wave->count; i++)
		wave->writes[i].request = dynamodb_row_commit(store->table, &commits[wave->members[i]]);
	ok = dynamodb_write(store->client, wave->writes, wave->count, deadline_ms, error);
	for (size_t i = 0; i < wave->count; i++) {
		size_t place = wave->members[i];

		ok = settle_commit(&commits[place], &wave->writes[i], &results[place], first(error, ok)) && ok;
	}
	return ok;
}

static bool commit(struct slashing_store *base, const struct store_commit *commits, size_t count, struct store_result *ret_results,
		   struct error *error)
{
	struct dynamodb_store *store = (struct dynamodb_store *)base;
	uint64_t deadline_ms = deadline_after(store->deadline_ms);
	AUTO_FREE bool *is_settled = (bool *)memory_allocate_zeroed(count + 1, sizeof *is_settled);
	CLEANUP(wave_done) struct wave wave;
	struct high_watermark high;
	bool ok = true;

	wave_init(&wave, count + 1);
	for (size_t i = 0; i < count; i++)
		ret_results[i] = (struct store_result){.outcome = STORE_FAILED};
	if (!dynamodb_high_read(&store->high, STORE_DYNAMODB_HIGH_AGE_MAX_MS, deadline_ms, &high, error))
		return false;
	for (size_t i = 0; i < count; i++)
		is_settled[i] = refuse_at_once(store, &high, &commits[i], &ret_results[i]);
	for (;;) {
		for (size_t i = 0; i < count; i++) {
			if (!is_settled[i])
				wave_add(&wave, i, commits->public_key, sizeof *commits);
		}
		if (wave.count == 0)
			return ok;
		ok = commit_wave(store, commits, &wave, ret_results, deadline_ms, first(error, ok)) && ok;
		for (size_t i = 0; i < wave.count; i++)
			is_settled[wave.members[i]] = true;
		wave_clear(&wave);
	}
}

/* ---- histories ---- */

/* The row's or the question's network is not the one that it should be of. */
static bool is_foreign(const struct dynamodb_store *store, const struct store_history *asked, const struct dynamodb_row *row,
		       struct store_history_result *result)
{
	const uint8_t *root = asked->action == STORE_RAISE ? asked->genesis_validators_root : store->root;
	bool has_root = asked->action == STORE_RAISE || store->has_root;

	if (store->has_root && !is_same_root(root, store->root)) {
		memcpy(result->genesis_validators_root, store->root, ROOT_SIZE);
		return true;
	}
	if (!has_root || !row->has_root || is_same_root(root, row->genesis_validators_root))
		return false;
	memcpy(result->genesis_validators_root, row->genesis_validators_root, ROOT_SIZE);
	return true;
}

static void set_root(const uint8_t root[ROOT_SIZE], struct dynamodb_row *row)
{
	row->has_root = true;
	memcpy(row->genesis_validators_root, root, ROOT_SIZE);
}

static void begin_row(enum history_origin origin, const uint8_t root[ROOT_SIZE], struct dynamodb_row *row)
{
	if (root)
		set_root(root, row);
	row->is_begun = true;
	row->begun_s = clock_realtime_ms() / 1000;
	row->origin = origin;
}

static void begin_fresh(const struct dynamodb_store *store, struct dynamodb_row *row, bool *ret_is_new)
{
	*ret_is_new = !dynamodb_row_has_history(row);
	if (*ret_is_new)
		begin_row(ORIGIN_FRESH, store->has_root ? store->root : NULL, row);
}

/* What the action makes of the row. */
static enum store_outcome act(const struct dynamodb_store *store, const struct store_history *asked, struct dynamodb_row *row,
			      bool *ret_is_new)
{
	bool has_history = dynamodb_row_has_history(row);
	bool is_unknown = !has_history && !row->is_retired;

	switch (asked->action) {
	case STORE_READ:
		return is_unknown ? STORE_UNKNOWN : STORE_DURABLE;
	case STORE_RAISE:
		slashing_raise(&row->watermark, &asked->watermark);
		*ret_is_new = !has_history;
		if (!has_history)
			begin_row(ORIGIN_IMPORTED, asked->genesis_validators_root, row);
		else
			set_root(asked->genesis_validators_root, row);
		return STORE_DURABLE;
	case STORE_RETIRE:
		if (is_unknown && asked->known_only)
			return STORE_UNKNOWN;
		row->is_retired = true;
		return STORE_DURABLE;
	case STORE_ENABLE:
		if (is_unknown && asked->known_only)
			return STORE_UNKNOWN;
		row->is_retired = false;
		if (!asked->known_only)
			begin_fresh(store, row, ret_is_new);
		return STORE_DURABLE;
	case STORE_BEGIN:
		begin_fresh(store, row, ret_is_new);
		return STORE_DURABLE;
	case STORE_NEXT:
	case STORE_READ_HIGH:
	case STORE_SET_HIGH:
		break;
	}
	return STORE_FAILED;
}

/* The result, if the write that is returned is applied; NULL: nothing is to be written. */
static json_t *plan(const struct dynamodb_store *store, const struct store_history *asked, json_t *found, struct dynamodb_row row,
		    struct store_history_result *result)
{
	struct dynamodb_row changed = row;
	bool foreign;

	*result = (struct store_history_result){.has_root = true};
	memcpy(result->public_key, asked->public_key, sizeof result->public_key);
	foreign = is_foreign(store, asked, &row, result);
	if (foreign && asked->action != STORE_RETIRE && asked->action != STORE_ENABLE)
		result->outcome = STORE_WRONG_NETWORK;
	else
		result->outcome = act(store, asked, &changed, &result->is_new);
	result->is_retired = changed.is_retired;
	result->origin = changed.origin;
	result->begun_s = changed.begun_s;
	if (!foreign)
		result->watermark = changed.watermark;
	if (result->outcome != STORE_WRONG_NETWORK) {
		result->has_root = store->has_root || changed.has_root;
		memcpy(result->genesis_validators_root, store->has_root ? store->root : changed.genesis_validators_root, ROOT_SIZE);
	}
	return result->outcome == STORE_DURABLE && asked->action != STORE_READ
		       ? dynamodb_row_replace(store->table, asked->public_key, found, &changed)
		       : NULL;
}

static void fail_history(struct store_history_result *result)
{
	*result = (struct store_history_result){.outcome = STORE_FAILED};
}

/* Reads the wave's rows; those that cannot be read or need no writing are settled, the others become `writes`, at the wave's front. */
static bool read_wave(struct dynamodb_store *store, const struct store_history *histories, struct wave *wave,
		      struct store_history_result *results, bool *is_settled, uint64_t deadline_ms, struct error *error)
{
	size_t kept = 0;
	bool ok;

	for (size_t i = 0; i < wave->count; i++)
		wave->reads[i].request = dynamodb_row_key(histories[wave->members[i]].public_key);
	ok = dynamodb_read(store->client, store->table, wave->reads, wave->count, deadline_ms, error);
	for (size_t i = 0; i < wave->count; i++) {
		size_t place = wave->members[i];
		struct dynamodb_item *read = &wave->reads[i];
		struct dynamodb_row row;
		bool is_read = read->fate == DYNAMODB_DONE && dynamodb_row_read(read->found, &row, first(error, ok));

		ok = ok && is_read;
		is_settled[place] = true;
		if (is_read)
			wave->writes[kept].request = plan(store, &histories[place], read->found, row, &results[place]);
		else
			fail_history(&results[place]);
		if (is_read && wave->writes[kept].request)
			wave->members[kept++] = place;
		dynamodb_item_done(read);
	}
	wave->count = kept;
	return ok;
}

/* What was changed by somebody else meanwhile is open again. */
static bool write_wave(struct dynamodb_store *store, struct wave *wave, struct store_history_result *results, bool *is_settled,
		       uint64_t deadline_ms, struct error *error)
{
	bool ok = dynamodb_write(store->client, wave->writes, wave->count, deadline_ms, error);

	for (size_t i = 0; i < wave->count; i++) {
		size_t place = wave->members[i];

		is_settled[place] = wave->writes[i].fate != DYNAMODB_REFUSED;
		if (wave->writes[i].fate == DYNAMODB_FAILED)
			fail_history(&results[place]);
	}
	return ok;
}

/* Rows of which nothing is known are passed over. */
static bool next_history(struct dynamodb_store *store, const struct store_history *asked, struct store_history_result *result,
			 uint64_t deadline_ms, struct error *error)
{
	struct store_history read = *asked;

	read.action = STORE_READ;
	do {
		struct dynamodb_row row;
		json_t *item;

		fail_history(result);
		if (!dynamodb_walk_next(&store->walk, read.public_key, deadline_ms, &item, read.public_key, error) ||
		    (item && !dynamodb_row_read(item, &row, error)))
			return false;
		result->outcome = STORE_UNKNOWN;
		if (!item)
			return true;
		(void)plan(store, &read, item, row, result);
		/* Of another network: all that is told is that the key is there. */
		if (result->outcome == STORE_WRONG_NETWORK)
			result->outcome = STORE_DURABLE;
	} while (result->outcome == STORE_UNKNOWN);
	return true;
}

static bool act_on_high(struct dynamodb_store *store, const struct store_history *asked, struct store_history_result *result,
			uint64_t deadline_ms, struct error *error)
{
	fail_history(result);
	if (asked->action == STORE_SET_HIGH && !dynamodb_high_write(&store->high, &asked->high, deadline_ms, error))
		return false;
	if (!dynamodb_high_read(&store->high, 0, deadline_ms, &result->high, error))
		return false;
	result->outcome = STORE_DURABLE;
	return true;
}

/* Of what is not about one row that is read and replaced. NULL: it is. */
typedef bool own_way(struct dynamodb_store *store, const struct store_history *asked, struct store_history_result *result,
		     uint64_t deadline_ms, struct error *error);

static own_way *find_own_way(enum store_action action)
{
	if (action == STORE_READ_HIGH || action == STORE_SET_HIGH)
		return act_on_high;
	return action == STORE_NEXT ? next_history : NULL;
}

static bool history(struct slashing_store *base, const struct store_history *histories, size_t count,
		    struct store_history_result *ret_results, struct error *error)
{
	struct dynamodb_store *store = (struct dynamodb_store *)base;
	uint64_t deadline_ms = deadline_after(store->deadline_ms);
	AUTO_FREE bool *is_settled = (bool *)memory_allocate_zeroed(count + 1, sizeof *is_settled);
	CLEANUP(wave_done) struct wave wave;
	bool ok = true;

	wave_init(&wave, count + 1);
	for (size_t i = 0; i < count; i++) {
		own_way *way = find_own_way(histories[i].action);

		is_settled[i] = way != NULL;
		ok = (!way || way(store, &histories[i], &ret_results[i], deadline_ms, first(error, ok))) && ok;
	}
	for (;;) {
		for (size_t i = 0; i < count; i++) {
			if (!is_settled[i])
				wave_add(&wave, i, histories->public_key, sizeof *histories);
		}
		if (wave.count == 0)
			return ok;
		/* The deadline ends this: past it every read fails. */
		ok = read_wave(store, histories, &wave, ret_results, is_settled, deadline_ms, first(error, ok)) && ok;
		ok = write_wave(store, &wave, ret_results, is_settled, deadline_ms, first(error, ok)) && ok;
		wave_clear(&wave);
	}
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, BLS_PUBLIC_KEY_SIZE);
}

static bool list_retired(struct slashing_store *base, size_t max, struct buffer *ret_keys, struct error *error)
{
	struct dynamodb_store *store = (struct dynamodb_store *)base;
	struct store_history next = {.action = STORE_NEXT};
	struct store_history_result result;

	do {
		if (!next_history(store, &next, &result, deadline_after(store->deadline_ms), error))
			return false;
		memcpy(next.public_key, result.public_key, sizeof next.public_key);
		if (result.outcome == STORE_DURABLE && result.is_retired)
			buffer_append(ret_keys, view_of(result.public_key, sizeof result.public_key));
		if (ret_keys->size / BLS_PUBLIC_KEY_SIZE > max)
			return error_set(error, ERROR_POLICY, "slashing table: more than %zu retired keys", max);
	} while (result.outcome == STORE_DURABLE);
	if (ret_keys->size > 0)
		qsort(ret_keys->data, ret_keys->size / BLS_PUBLIC_KEY_SIZE, BLS_PUBLIC_KEY_SIZE, compare_keys);
	return true;
}

/* ---- opening and closing ---- */

static void use_root(struct slashing_store *base, const uint8_t genesis_validators_root[ROOT_SIZE])
{
	struct dynamodb_store *store = (struct dynamodb_store *)base;

	memcpy(store->root, genesis_validators_root, ROOT_SIZE);
	store->has_root = true;
	memcpy(store->high.genesis_validators_root, genesis_validators_root, ROOT_SIZE);
	store->high.has_root = true;
}

static bool read_high(struct slashing_store *base, uint64_t max_age_ms, struct high_watermark *ret_high, struct error *error)
{
	struct dynamodb_store *store = (struct dynamodb_store *)base;

	return dynamodb_high_read(&store->high, max_age_ms, deadline_after(store->deadline_ms), ret_high, error);
}

static bool learn_root(struct slashing_store *base, struct error *error)
{
	(void)base;
	return error_set(error, ERROR_INPUT,
			 "genesis validators root: with DynamoDB it has to be configured, it cannot be learned");
}

static void close_store(struct slashing_store *base)
{
	struct dynamodb_store *store = (struct dynamodb_store *)base;

	dynamodb_walk_done(&store->walk);
	dynamodb_free(store->client);
	free(store->table);
	free(store);
}

static const struct store_operations operations = {
	.use_root = use_root,
	.learn_root = learn_root,
	.commit = commit,
	.history = history,
	.high = read_high,
	.list_retired = list_retired,
	.free = close_store,
};

struct slashing_store *slashing_store_open_dynamodb(const struct store_dynamodb_options *options, struct error *error)
{
	struct aws_endpoint endpoint = options->endpoint;
	struct dynamodb_store *store;
	struct dynamodb *client;

	if (endpoint.timeout_ms == 0)
		endpoint.timeout_ms = STORE_DYNAMODB_ATTEMPT_MS;
	client = dynamodb_new(&endpoint, options->credentials, error);
	if (!client)
		return NULL;
	store = (struct dynamodb_store *)memory_allocate_zeroed(1, sizeof *store);
	store->base.operations = &operations;
	store->client = client;
	store->table = memory_copy_text(options->table ? options->table : STORE_DYNAMODB_TABLE);
	store->walk = (struct dynamodb_walk){.client = client, .table = store->table};
	store->high = (struct dynamodb_high){.client = client, .table = store->table};
	store->deadline_ms = options->deadline_ms ? options->deadline_ms : STORE_DYNAMODB_DEADLINE_MS;
	return &store->base;
}
