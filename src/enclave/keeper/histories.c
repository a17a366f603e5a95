/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/histories.h"

#include "enclave/role.h"

#define ACTION_BIT(action) (1u << (action))

bool keeper_histories_allows(int asker_fd, uint32_t action)
{
	const uint32_t of_both = ACTION_BIT(HISTORY_READ) | ACTION_BIT(HISTORY_RAISE) | ACTION_BIT(HISTORY_BEGIN);
	const uint32_t of_opener = ACTION_BIT(HISTORY_NEXT) | ACTION_BIT(HISTORY_READ_HIGH) | ACTION_BIT(HISTORY_SET_HIGH);
	const uint32_t of_frontend = ACTION_BIT(HISTORY_RETIRE) | ACTION_BIT(HISTORY_ENABLE);
	const uint32_t of_one = asker_fd == ROLE_FD_OPENER ? of_opener : of_frontend;

	return action < HISTORY_ACTION_COUNT && (of_both | of_one) & ACTION_BIT(action);
}

static void fill_result(const struct keeper_histories *histories, struct message_history_result *ret_result, uint64_t id,
			enum history_status status)
{
	message_init(ret_result, MESSAGE_HISTORY_RESULT, id);
	ret_result->status = status;
	ret_result->has_root = histories->network->genesis_validators_root_known;
	if (ret_result->has_root)
		memcpy(ret_result->genesis_validators_root, histories->network->genesis_validators_root, ROOT_SIZE);
}

/* A lying frontend's bool may be neither 0 nor 1, and must not be read as one then. */
static bool is_set(const bool *flag)
{
	return *(const unsigned char *)flag != 0;
}

static void copy_watermark(struct watermark *ret_watermark, const struct watermark *watermark)
{
	*ret_watermark = (struct watermark){0};
	if (is_set(&watermark->has_block))
		slashing_record_block(ret_watermark, watermark->block_slot, watermark->block_root);
	if (is_set(&watermark->has_attestation))
		slashing_record_attestation(ret_watermark, watermark->source_epoch, watermark->target_epoch,
					    watermark->attestation_root);
}

static struct keeper_history *find_free(struct keeper_histories *histories, uint64_t *ret_place)
{
	for (size_t i = 0; i < KEEPER_HISTORIES_MAX; i++) {
		*ret_place = i;
		if (!histories->under_way[i].is_busy)
			return &histories->under_way[i];
	}
	return NULL;
}

static bool is_of_another_network(const struct keeper_histories *histories, const struct message_history *request)
{
	return request->action == HISTORY_RAISE && histories->network->genesis_validators_root_known &&
	       memcmp(request->genesis_validators_root, histories->network->genesis_validators_root, ROOT_SIZE) != 0;
}

/* At once, whatever comes of the rest. True: it was loaded. */
static bool unload(struct keeper_histories *histories, const struct message_history *request)
{
	size_t number;

	if (!keeper_keys_find(histories->keys, request->public_key, &number))
		return false;
	if (request->action == HISTORY_RETIRE)
		keeper_keys_unload(histories->keys, number);
	return true;
}

/* Nothing is written down, so nothing can be read. */
static enum history_status answer_without_ledger(uint32_t action, bool was_loaded)
{
	if (action == HISTORY_SET_HIGH)
		return HISTORY_FAILED;
	if (action == HISTORY_RETIRE)
		return was_loaded ? HISTORY_OK : HISTORY_UNKNOWN;
	return action == HISTORY_NEXT ? HISTORY_UNKNOWN : HISTORY_OK;
}

bool keeper_histories_ask(struct keeper_histories *histories, int asker_fd, const struct message_history *request,
			  struct message_history *ret_to_ledger, struct message_history_result *ret_result)
{
	uint64_t place;
	struct keeper_history *history = find_free(histories, &place);
	bool was_loaded;

	if (!history || is_of_another_network(histories, request)) {
		fill_result(histories, ret_result, request->header.id, history ? HISTORY_WRONG_NETWORK : HISTORY_OVERLOADED);
		return false;
	}
	was_loaded = unload(histories, request);
	if (!histories->slashing_protection) {
		fill_result(histories, ret_result, request->header.id, answer_without_ledger(request->action, was_loaded));
		ret_result->is_loaded = was_loaded;
		return false;
	}
	/* At once too: a load that is under way may bring it back before the ledger has answered. */
	if (request->action == HISTORY_RETIRE && !keeper_retired_add(histories->retired, request->public_key)) {
		fill_result(histories, ret_result, request->header.id, HISTORY_FAILED);
		return false;
	}
	*history = (struct keeper_history){.is_busy = true,
					   .asker_fd = asker_fd,
					   .id = request->header.id,
					   .action = request->action,
					   .was_loaded = was_loaded};
	memcpy(history->public_key, request->public_key, sizeof history->public_key);
	message_init(ret_to_ledger, MESSAGE_HISTORY, place);
	ret_to_ledger->action = request->action;
	ret_to_ledger->known_only = request->action == HISTORY_ENABLE ? request->known_only != 0 : !was_loaded;
	memcpy(ret_to_ledger->public_key, request->public_key, sizeof ret_to_ledger->public_key);
	memcpy(ret_to_ledger->genesis_validators_root, request->genesis_validators_root, ROOT_SIZE);
	copy_watermark(&ret_to_ledger->watermark, &request->watermark);
	ret_to_ledger->high_watermark = request->high_watermark;
	return true;
}

/*
 * Only what is of our network may move the watermark that its duties are judged by. And the other way round: a store that was set back does not
 * make the history of a key that is moved elsewhere end before the last signature of ours.
 */
static void merge(struct keeper_histories *histories, const struct keeper_history *history, struct message_history_result *result)
{
	struct duty_memory *memory;
	size_t number;

	if (history->action == HISTORY_NEXT || history->action == HISTORY_READ_HIGH || history->action == HISTORY_SET_HIGH)
		return;
	if (result->status != HISTORY_OK || !histories->network->genesis_validators_root_known ||
	    !keeper_keys_find_record(histories->keys, history->public_key, &number))
		return;
	memory = keeper_keys_memory(histories->keys, number);
	slashing_raise(&memory->known, &result->watermark);
	slashing_raise(&result->watermark, &memory->known);
	if (memory->asked_count > 0)
		slashing_raise(&result->watermark, &memory->asked);
}

/* The ledger's word on it. Where it has none, what was asked to stop stays stopped, and what is stopped does not begin. */
static void note_retirement(struct keeper_histories *histories, const struct keeper_history *history,
			    const struct message_history_result *answer)
{
	if (answer->status == HISTORY_FAILED || (history->action != HISTORY_RETIRE && history->action != HISTORY_ENABLE))
		return;
	if (!answer->is_retired)
		keeper_retired_remove(histories->retired, history->public_key);
	else
		(void)!keeper_retired_add(histories->retired, history->public_key); /* it found room when it was asked for */
}

bool keeper_histories_answer(struct keeper_histories *histories, const struct message_history_result *answer, int *ret_asker_fd,
			     struct message_history_result *ret_result, struct error *error)
{
	struct keeper_history *history;

	if (answer->header.id >= KEEPER_HISTORIES_MAX || !histories->under_way[answer->header.id].is_busy ||
	    answer->status >= HISTORY_STATUS_COUNT)
		return error_set(error, ERROR_PEER, "the ledger answers about a history that was not asked for");
	history = &histories->under_way[answer->header.id];
	note_retirement(histories, history, answer);
	*ret_asker_fd = history->asker_fd;
	*ret_result = *answer;
	merge(histories, history, ret_result);
	ret_result->header.id = history->id;
	ret_result->is_loaded = history->was_loaded;
	if (histories->network->genesis_validators_root_known) {
		ret_result->has_root = 1;
		memcpy(ret_result->genesis_validators_root, histories->network->genesis_validators_root, ROOT_SIZE);
	}
	history->is_busy = false;
	return true;
}
