/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/retired.h"

#include "enclave/role.h"

static size_t count_of(const struct keeper_retired *retired)
{
	return retired->keys.size / BLS_PUBLIC_KEY_SIZE;
}

static uint8_t *key_at(const struct keeper_retired *retired, size_t place)
{
	return retired->keys.data + place * BLS_PUBLIC_KEY_SIZE;
}

/* Where the key is, or belongs. */
static size_t find_place(const struct keeper_retired *retired, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], bool *ret_found)
{
	size_t first = 0, behind = count_of(retired);

	*ret_found = false;
	while (first < behind && !*ret_found) {
		size_t middle = first + (behind - first) / 2;
		int order = memcmp(key_at(retired, middle), public_key, BLS_PUBLIC_KEY_SIZE);

		*ret_found = order == 0;
		if (order < 0)
			first = middle + 1;
		else
			behind = middle;
	}
	return behind;
}

bool keeper_retired_has(const struct keeper_retired *retired, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	bool found;

	(void)find_place(retired, public_key, &found);
	return found;
}

bool keeper_retired_add(struct keeper_retired *retired, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	bool found;
	size_t place = find_place(retired, public_key, &found);

	if (found)
		return true;
	if (count_of(retired) == RETIRED_KEYS_MAX)
		return false;
	buffer_append(&retired->keys, view_of(public_key, BLS_PUBLIC_KEY_SIZE));
	memmove(key_at(retired, place + 1), key_at(retired, place), (count_of(retired) - 1 - place) * BLS_PUBLIC_KEY_SIZE);
	memcpy(key_at(retired, place), public_key, BLS_PUBLIC_KEY_SIZE);
	return true;
}

void keeper_retired_remove(struct keeper_retired *retired, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	bool found;
	size_t place = find_place(retired, public_key, &found);

	if (!found)
		return;
	retired->keys.size -= BLS_PUBLIC_KEY_SIZE;
	memmove(key_at(retired, place), key_at(retired, place + 1), (count_of(retired) - place) * BLS_PUBLIC_KEY_SIZE);
}

/* ---- the ledger's list ---- */

static bool add_page(struct keeper_retired *retired, const struct message_keys *page, struct error *error)
{
	size_t count = count_of(retired);

	if (page->total > RETIRED_KEYS_MAX || page->first != count || page->first > page->total ||
	    page->count > page->total - page->first || (page->count == 0 && page->first < page->total))
		return error_set(error, ERROR_PEER, "the list of deleted keys has a gap");
	for (size_t i = 0; i < page->count; i++) {
		if (!keeper_retired_add(retired, page->keys[i]) || count_of(retired) != count + i + 1)
			return error_set(error, ERROR_PEER, "the list of deleted keys has one twice");
	}
	return true;
}

bool keeper_retired_receive(struct keeper_retired *retired, struct error *error)
{
	struct message_keys page;

	do {
		if (!message_receive(ROLE_FD_LEDGER, &page, sizeof page, NULL, error))
			return error_prefix(error, "ledger");
		if (page.header.type != MESSAGE_KEYS)
			return error_set(error, ERROR_PEER, "ledger: message of type %u", page.header.type);
		if (!add_page(retired, &page, error))
			return error_prefix(error, "ledger");
	} while (count_of(retired) < page.total);
	return true;
}
