/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/loads.h"

void keeper_loads_begin(struct keeper_loads *loads)
{
	keeper_keys_begin(loads->keys);
	loads->is_open = true;
	loads->count = 0;
	loads->left_out = 0;
	message_init(&loads->failure, MESSAGE_LOAD_RESULT, 0);
}

static void note_failure(struct keeper_loads *loads, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const struct error *error)
{
	static const enum load_status statuses[ERROR_CODE_COUNT] = {
		[ERROR_POLICY] = LOAD_FULL,
		[ERROR_IO] = LOAD_FULL,
		[ERROR_NOT_FOUND] = LOAD_UNKNOWN,
	};

	loads->failure.status = statuses[error->code] ? statuses[error->code] : LOAD_BAD_KEY;
	memcpy(loads->failure.public_key, public_key, BLS_PUBLIC_KEY_SIZE);
}

/* Whether another key is of interest; it counts all the same. */
static bool goes_on(struct keeper_loads *loads)
{
	loads->count++;
	return loads->is_open && loads->failure.status == LOAD_OK;
}

void keeper_loads_key(struct keeper_loads *loads, const struct message_load_key *message)
{
	struct error error = {0};

	if (goes_on(loads) && !keeper_keys_stage(loads->keys, message->public_key, message->secret_key, &error))
		note_failure(loads, message->public_key, &error);
}

/* Only the key manager takes out keys while a load is under way, for there is one load at a time. */
static bool was_deleted_since(const struct keeper_loads *loads, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	size_t number;

	return keeper_keys_find_record(loads->keys, public_key, &number) && !keeper_keys_find(loads->keys, public_key, &number);
}

/* A key that was deleted before it is named is left out, as one is that is deleted after. */
void keeper_loads_keep(struct keeper_loads *loads, const struct message_load_keep *message)
{
	struct error error = {0};

	if (!goes_on(loads))
		return;
	if (was_deleted_since(loads, message->public_key)) {
		loads->left_out++;
		return;
	}
	if (!keeper_keys_stage_held(loads->keys, message->public_key, &error))
		note_failure(loads, message->public_key, &error);
}

static enum load_status judge(const struct keeper_loads *loads, uint64_t announced)
{
	if (!loads->is_open)
		return LOAD_COUNT_WRONG;
	if (loads->failure.status != LOAD_OK)
		return (enum load_status)loads->failure.status;
	if (announced != loads->count || announced != keeper_keys_staged_count(loads->keys) + loads->left_out)
		return LOAD_COUNT_WRONG;
	return LOAD_OK;
}

void keeper_loads_end(struct keeper_loads *loads, const struct message_load_end *message, struct message_load_result *ret_result)
{
	message_init(ret_result, MESSAGE_LOAD_RESULT, message->header.id);
	ret_result->status = judge(loads, message->count);
	if (ret_result->status == LOAD_OK) {
		keeper_keys_end(loads->keys, &ret_result->added, &ret_result->removed);
		loads->failed_count = message->failed_count;
	} else {
		keeper_keys_abort(loads->keys);
	}
	memcpy(ret_result->public_key, loads->failure.public_key, sizeof ret_result->public_key);
	ret_result->count = keeper_keys_count(loads->keys);
	loads->is_open = false;
}
