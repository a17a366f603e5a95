/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "enclave/opener/opener.h"

/* The keeper derives every public key again (115 µs each) before it answers; 100,000 keys on an emulated CPU. */
#define ANSWER_TIMEOUT_MS 300000

bool opener_receive_answer(int fd, enum message_type type, uint64_t id, union message *ret_answer, struct error *error)
{
	for (;;) {
		struct pollfd waiting = {fd, POLLIN, 0};
		int ready = poll(&waiting, 1, ANSWER_TIMEOUT_MS);

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready <= 0)
			return error_set(error, ERROR_BUG, "no answer within %d s", ANSWER_TIMEOUT_MS / 1000);
		if (!message_receive(fd, ret_answer, sizeof *ret_answer, NULL, error))
			return false;
		if (ret_answer->header.type == type && ret_answer->header.id == id)
			return true;
	}
}

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, BLS_PUBLIC_KEY_SIZE);
}

/* The first page says how many there are. */
static bool add_page(struct held_keys *held, const struct message_keys *page, struct error *error)
{
	if (!held->keys) {
		held->keys = memory_allocate_zeroed(page->total + 1, sizeof *held->keys);
		held->generation = page->generation;
	}
	if (page->first != held->count || page->first > page->total || page->count > page->total - page->first ||
	    (page->count == 0 && page->first < page->total))
		return error_set(error, ERROR_PEER, "the keeper's list of keys has a gap");
	memcpy(held->keys + held->count, page->keys, page->count * sizeof *held->keys);
	held->count += page->count;
	return true;
}

static bool ask_for_page(uint64_t first, union message *ret_answer, struct error *error)
{
	struct message_list_keys request;

	message_init(&request, MESSAGE_LIST_KEYS, clock_monotonic_ms());
	request.first = first;
	return message_send(ROLE_FD_KEEPER, &request, error) &&
	       opener_receive_answer(ROLE_FD_KEEPER, MESSAGE_KEYS, request.header.id, ret_answer, error);
}

/* The key manager may delete a key between two pages: then it begins anew. */
static bool read_pages(struct held_keys *held, struct error *error)
{
	union message answer;

	do {
		if (!ask_for_page(held->count, &answer, error))
			return error_prefix(error, "keeper");
		if (held->keys && answer.keys.generation != held->generation) {
			held_keys_done(held);
			answer.keys.total = 1; /* whatever it is now: go on */
			continue;
		}
		if (!add_page(held, &answer.keys, error))
			return error_prefix(error, "keeper");
	} while (held->count < answer.keys.total);
	return true;
}

bool held_keys_read(struct held_keys *ret_held, struct error *error)
{
	AUTO_HELD_KEYS struct held_keys held = {0};

	if (!read_pages(&held, error))
		return false;
	qsort(held.keys, held.count, sizeof *held.keys, compare_keys);
	*ret_held = held;
	held = (struct held_keys){0};
	return true;
}

void held_keys_done(struct held_keys *held)
{
	free(held->keys);
	*held = (struct held_keys){0};
}

bool held_keys_has(const struct held_keys *held, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	return held->count > 0 && bsearch(public_key, held->keys, held->count, sizeof *held->keys, compare_keys) != NULL;
}
