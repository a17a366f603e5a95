/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "slashing/store_sqlite.h"

static bool is_foreign(const struct own_root *own, const uint8_t root[ROOT_SIZE])
{
	return own->known && memcmp(own->root, root, ROOT_SIZE) != 0;
}

/* One that has begun stays as it is. */
static bool begin_history(struct sqlite_store *store, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], enum history_origin origin,
			  struct key_row *row, struct error *error)
{
	if (row->has_begun)
		return true;
	*row = (struct key_row){
		.has_begun = true, .is_retired = row->is_retired, .origin = origin, .begun_s = clock_realtime_ms() / 1000};
	return store_sqlite_write_key(store, public_key, row, error);
}

/* ---- commits ---- */

static bool commit_watermark(struct sqlite_store *store, const struct store_commit *commit, const struct key_row *row,
			     struct store_result *ret_result, struct error *error)
{
	const struct row_key key = {commit->public_key, commit->genesis_validators_root};
	enum slashing_verdict verdict;
	bool found;

	if (!store_sqlite_read_watermark(store, &key, &ret_result->watermark, &found, error))
		return false;
	/* Imported, before the network was known, for another one: of this one nothing is known. */
	if (row->origin == ORIGIN_IMPORTED && !found) {
		ret_result->outcome = STORE_NO_HISTORY;
		return true;
	}
	verdict = store_check(commit, &ret_result->watermark);
	ret_result->outcome = verdict == SLASHING_SAFE || verdict == SLASHING_REPEAT ? STORE_DURABLE : STORE_CONFLICT;
	if (verdict != SLASHING_SAFE)
		return true;
	if (commit->duty == STORE_DUTY_BLOCK)
		slashing_record_block(&ret_result->watermark, commit->slot, commit->signing_root);
	else
		slashing_record_attestation(&ret_result->watermark, commit->source_epoch, commit->target_epoch,
					    commit->signing_root);
	return store_sqlite_write_watermark(store, &key, &ret_result->watermark, error);
}

static enum store_outcome judge_key(const struct key_row *row, const struct high_watermark *high, const struct store_commit *commit)
{
	if (row->is_retired)
		return STORE_RETIRED;
	if (store_is_above(commit, high))
		return STORE_ABOVE_HIGH;
	return row->has_begun || commit->may_begin ? STORE_DURABLE : STORE_NO_HISTORY;
}

bool store_sqlite_commit_one(struct sqlite_store *store, const struct high_watermark *high, const struct store_commit *commit,
			     struct store_result *ret_result, struct error *error)
{
	struct own_root own;
	struct key_row row;

	*ret_result = (struct store_result){0};
	if (!store_sqlite_read_own_root(store, &own, error) || !store_sqlite_read_key(store, commit->public_key, &row, error))
		return false;
	if (is_foreign(&own, commit->genesis_validators_root)) {
		ret_result->outcome = STORE_WRONG_NETWORK;
		memcpy(ret_result->genesis_validators_root, own.root, ROOT_SIZE);
		return true;
	}
	ret_result->outcome = judge_key(&row, high, commit);
	if (ret_result->outcome != STORE_DURABLE)
		return true;
	if (!begin_history(store, commit->public_key, ORIGIN_QUIET, &row, error) ||
	    !commit_watermark(store, commit, &row, ret_result, error))
		return false;
	return !store->learns_root || own.known || ret_result->outcome != STORE_DURABLE ||
	       store_sqlite_write_learned_root(store, commit->genesis_validators_root, error);
}

/* ---- histories ---- */

/* What an action is given: the key's row, which it may change, and the watermark's place. */
struct question {
	const struct store_history *history;
	const struct row_key *key;
	struct key_row row;
};

static bool act_read(struct sqlite_store *store, struct question *question, struct store_history_result *result,
		     struct error *error)
{
	(void)store;
	(void)error;
	if (!question->row.has_begun && !question->row.is_retired)
		result->outcome = STORE_UNKNOWN;
	return true;
}

static bool act_raise(struct sqlite_store *store, struct question *question, struct store_history_result *result,
		      struct error *error)
{
	slashing_raise(&result->watermark, &question->history->watermark);
	return begin_history(store, question->history->public_key, ORIGIN_IMPORTED, &question->row, error) &&
	       store_sqlite_write_watermark(store, question->key, &result->watermark, error);
}

static bool act_retire(struct sqlite_store *store, struct question *question, struct store_history_result *result,
		       struct error *error)
{
	if (!question->row.has_begun && !question->row.is_retired && question->history->known_only) {
		result->outcome = STORE_UNKNOWN;
		return true;
	}
	question->row.is_retired = true;
	return store_sqlite_write_key(store, question->history->public_key, &question->row, error);
}

static bool act_begin(struct sqlite_store *store, struct question *question, struct store_history_result *result,
		      struct error *error)
{
	(void)result;
	return begin_history(store, question->history->public_key, ORIGIN_FRESH, &question->row, error);
}

static bool act_enable(struct sqlite_store *store, struct question *question, struct store_history_result *result,
		       struct error *error)
{
	bool was_retired = question->row.is_retired;

	question->row.is_retired = false;
	if (!question->row.has_begun && !question->history->known_only)
		return act_begin(store, question, result, error);
	if (!question->row.has_begun && !was_retired)
		result->outcome = STORE_UNKNOWN;
	return !was_retired || store_sqlite_write_key(store, question->history->public_key, &question->row, error);
}

static bool (*const acts[])(struct sqlite_store *store, struct question *question, struct store_history_result *result,
			    struct error *error) = {
	[STORE_READ] = act_read,     [STORE_RAISE] = act_raise, [STORE_RETIRE] = act_retire,
	[STORE_ENABLE] = act_enable, [STORE_BEGIN] = act_begin, [STORE_NEXT] = act_read,
};

static bool find_key(struct sqlite_store *store, const struct store_history *history, struct store_history_result *ret_result,
		     struct key_row *ret_row, struct error *error)
{
	memcpy(ret_result->public_key, history->public_key, sizeof ret_result->public_key);
	if (history->action == STORE_NEXT)
		return store_sqlite_next_key(store, history->public_key, ret_result->public_key, ret_row, error);
	return store_sqlite_read_key(store, history->public_key, ret_row, error);
}

static bool do_act(struct sqlite_store *store, struct question *question, struct store_history_result *result, struct error *error)
{
	bool had_begun = question->row.has_begun;

	if (result->outcome != STORE_WRONG_NETWORK && !acts[question->history->action](store, question, result, error))
		return false;
	result->is_new = !had_begun && question->row.has_begun;
	result->is_retired = question->row.is_retired;
	result->origin = question->row.origin;
	result->begun_s = question->row.begun_s;
	return true;
}

static bool act_on_high(struct sqlite_store *store, const struct store_history *history, struct store_history_result *result,
			struct error *error)
{
	if (history->action == STORE_SET_HIGH && !store_sqlite_write_high(store, &history->high, error))
		return false;
	return store_sqlite_read_high(store, &result->high, error);
}

bool store_sqlite_history_one(struct sqlite_store *store, const struct store_history *history,
			      struct store_history_result *ret_result, struct error *error)
{
	struct row_key key = {ret_result->public_key, NULL};
	struct question question = {.history = history, .key = &key};
	struct own_root own;

	*ret_result = (struct store_history_result){0};
	if (history->action == STORE_READ_HIGH || history->action == STORE_SET_HIGH)
		return act_on_high(store, history, ret_result, error);
	if (!store_sqlite_read_own_root(store, &own, error) || !find_key(store, history, ret_result, &question.row, error))
		return false;
	ret_result->has_root = own.known;
	memcpy(ret_result->genesis_validators_root, own.root, ROOT_SIZE);
	if (history->action == STORE_RAISE)
		key.root = history->genesis_validators_root;
	else if (own.known)
		key.root = own.root;
	if (history->action == STORE_RAISE && is_foreign(&own, key.root)) {
		ret_result->outcome = STORE_WRONG_NETWORK;
		key.root = own.root;
	}
	if (key.root && !store_sqlite_read_watermark(store, &key, &ret_result->watermark, NULL, error))
		return false;
	return do_act(store, &question, ret_result, error);
}
