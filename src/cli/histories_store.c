/* SPDX-License-Identifier: Apache-2.0 */
/* A store that no enclave has open. */
#include "cli/histories_internal.h"

/* In one transaction: all of a document of this size or nothing of it, in a second. */
#define GROUP_MAX 1000

struct asking {
	const struct interchange *interchange; /* RAISE */
	const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE];
};

static void fill(struct store_history *history, enum store_action action, const struct asking *asking, size_t i)
{
	const struct interchange_key *imported = asking->interchange ? &asking->interchange->keys[i] : NULL;

	*history = (struct store_history){.action = action};
	memcpy(history->public_key, imported ? imported->public_key : asking->keys[i], sizeof history->public_key);
	if (!imported)
		return;
	memcpy(history->genesis_validators_root, asking->interchange->genesis_validators_root, ROOT_SIZE);
	history->watermark = imported->watermark;
}

static bool judge(const struct store_history_result *result, struct error *error)
{
	char root[2 * ROOT_SIZE + 1];

	if (result->outcome != STORE_WRONG_NETWORK)
		return result->outcome != STORE_FAILED || error_set(error, ERROR_IO, "the slashing protection store failed");
	hex_encode(view_of(result->genesis_validators_root, ROOT_SIZE), root);
	return error_set(error, ERROR_INPUT, "metadata.genesis_validators_root: not that of this signer's network (0x%s)", root);
}

static void add(struct histories *histories, const uint8_t *public_key, const struct store_history_result *result)
{
	struct history *history = &histories->items[histories->count++];

	*history = (struct history){.watermark = result->watermark,
				    .is_retired = result->is_retired,
				    .origin = result->origin,
				    .begun_s = result->begun_s};
	memcpy(history->public_key, public_key, sizeof history->public_key);
	if (!result->has_root)
		return;
	histories->has_root = true;
	memcpy(histories->genesis_validators_root, result->genesis_validators_root, ROOT_SIZE);
}

/* The same of `count` keys, in groups. Results go to whichever of the two is given. */
static bool act(struct history_source *source, enum store_action action, const struct asking *asking, size_t count,
		struct histories *histories, struct history_counts *counts, struct error *error)
{
	AUTO_FREE struct store_history *group = memory_allocate_zeroed(GROUP_MAX, sizeof *group);
	AUTO_FREE struct store_history_result *results = memory_allocate_zeroed(GROUP_MAX, sizeof *results);

	for (size_t done = 0; done < count; done += GROUP_MAX) {
		size_t size = count - done < GROUP_MAX ? count - done : GROUP_MAX;

		for (size_t i = 0; i < size; i++)
			fill(&group[i], action, asking, done + i);
		if (!slashing_store_history(source->store, group, size, results, error))
			return false;
		for (size_t i = 0; i < size; i++) {
			if (!judge(&results[i], error))
				return false;
			if (histories && results[i].outcome == STORE_DURABLE)
				add(histories, group[i].public_key, &results[i]);
			if (counts)
				counts->new_keys += results[i].is_new;
		}
	}
	if (counts)
		counts->keys += count;
	return true;
}

static bool read_all(struct history_source *source, struct histories *histories, struct error *error)
{
	struct store_history next = {.action = STORE_NEXT};
	struct store_history_result result;

	for (;;) {
		if (!slashing_store_history(source->store, &next, 1, &result, error) || !judge(&result, error))
			return false;
		if (result.outcome != STORE_DURABLE)
			return true;
		memcpy(next.public_key, result.public_key, sizeof next.public_key);
		if ((histories->count & (histories->count - 1)) == 0)
			histories_reserve(histories, histories->count + 1);
		add(histories, result.public_key, &result);
	}
}

static bool store_read(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
		       struct histories *histories, struct error *error)
{
	if (count == 0)
		return read_all(source, histories, error);
	histories_reserve(histories, count);
	return act(source, STORE_READ, &(struct asking){.keys = keys}, count, histories, NULL, error);
}

static bool store_import(struct history_source *source, const struct interchange *interchange, struct history_counts *counts,
			 struct error *error)
{
	return act(source, STORE_RAISE, &(struct asking){.interchange = interchange}, interchange->count, NULL, counts, error);
}

static bool store_begin(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
			struct history_counts *counts, struct error *error)
{
	if (count == 0)
		return error_set(error, ERROR_INPUT, "name the keys: only a running signer knows which are loaded");
	return act(source, STORE_BEGIN, &(struct asking){.keys = keys}, count, NULL, counts, error);
}

static bool store_high(struct history_source *source, const struct high_watermark *wanted, struct high_watermark *ret_high,
		       struct error *error)
{
	struct store_history history = {.action = STORE_READ_HIGH};
	struct store_history_result result;

	if (wanted)
		history = (struct store_history){.action = STORE_SET_HIGH, .high = *wanted};
	if (!slashing_store_history(source->store, &history, 1, &result, error) || !judge(&result, error))
		return false;
	*ret_high = result.high;
	return true;
}

static void store_free(struct history_source *source)
{
	slashing_store_free(source->store);
	history_table_free(source->table);
	free(source);
}

static const struct history_source_kind kind = {store_read, store_import, store_begin, store_high, store_free};

struct history_source *history_source_of_store(struct slashing_store *store)
{
	struct history_source *source = memory_allocate_zeroed(1, sizeof *source);

	source->kind = &kind;
	source->store = store;
	return source;
}
