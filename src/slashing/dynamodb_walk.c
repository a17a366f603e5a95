/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/dynamodb_walk.h"

#include "slashing/dynamodb_high.h"
#include "slashing/dynamodb_row.h"

/* A row has some 400 bytes as JSON; the client takes answers of 256 KiB. */
#define PAGE_ITEMS_MAX 400

void dynamodb_walk_done(struct dynamodb_walk *walk)
{
	json_decref(walk->page);
	walk->page = NULL;
}

static bool is_zero(const uint8_t key[BLS_PUBLIC_KEY_SIZE])
{
	static const uint8_t zero[BLS_PUBLIC_KEY_SIZE];

	return memcmp(key, zero, sizeof zero) == 0;
}

static size_t items_left(const struct dynamodb_walk *walk)
{
	return json_array_size(json_object_get(walk->page, "Items")) - walk->place;
}

/* `after` NULL: from the start. */
static bool read_page(struct dynamodb_walk *walk, json_t *after, uint64_t deadline_ms, struct error *error)
{
	json_t *page = dynamodb_scan(walk->client, walk->table, after, PAGE_ITEMS_MAX, deadline_ms, error);

	if (!page)
		return false;
	json_decref(walk->page);
	walk->page = page;
	walk->place = 0;
	return true;
}

static bool start_after(struct dynamodb_walk *walk, const uint8_t after[BLS_PUBLIC_KEY_SIZE], uint64_t deadline_ms,
			struct error *error)
{
	AUTO_JSON json_t *key = is_zero(after) ? NULL : dynamodb_row_key(after);

	return read_page(walk, key, deadline_ms, error);
}

/* A page may be empty and yet not the last. */
static bool turn_pages(struct dynamodb_walk *walk, uint64_t deadline_ms, struct error *error)
{
	while (items_left(walk) == 0) {
		AUTO_JSON json_t *last = json_incref(json_object_get(walk->page, "LastEvaluatedKey"));

		if (!last)
			return true;
		if (!read_page(walk, last, deadline_ms, error))
			return false;
	}
	return true;
}

bool dynamodb_walk_next(struct dynamodb_walk *walk, const uint8_t after[BLS_PUBLIC_KEY_SIZE], uint64_t deadline_ms,
			json_t **ret_item, uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE], struct error *error)
{
	bool goes_on = walk->page && !is_zero(after) && memcmp(walk->last, after, sizeof walk->last) == 0;
	bool has_key;

	if (!goes_on && !start_after(walk, after, deadline_ms, error))
		return false;
	do {
		*ret_item = NULL;
		if (!turn_pages(walk, deadline_ms, error))
			return false;
		if (items_left(walk) == 0)
			return true;
		*ret_item = json_array_get(json_object_get(walk->page, "Items"), walk->place++);
	} while (dynamodb_high_is_item(*ret_item));
	if (!dynamodb_read_hex(*ret_item, "pubkey", &has_key, walk->last, sizeof walk->last, error) || !has_key)
		return error_prefix(error, "row of the slashing table");
	memcpy(ret_public_key, walk->last, sizeof walk->last);
	return true;
}
