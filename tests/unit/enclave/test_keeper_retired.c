/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/retired.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "enclave/role.h"
#include "vectors.h"

/* Of which each test takes some, in any order. */
#define KEYS 251u
/* Above every descriptor that a role has. */
#define PARKING 100

static void make_key(unsigned number, uint8_t ret_key[BLS_PUBLIC_KEY_SIZE])
{
	memset(ret_key, 0, BLS_PUBLIC_KEY_SIZE);
	ret_key[0] = (uint8_t)number;
	ret_key[BLS_PUBLIC_KEY_SIZE - 1] = (uint8_t)(7 * number);
}

static bool has(const struct keeper_retired *retired, unsigned number)
{
	uint8_t key[BLS_PUBLIC_KEY_SIZE];

	make_key(number, key);
	return keeper_retired_has(retired, key);
}

static void add(struct keeper_retired *retired, unsigned number)
{
	uint8_t key[BLS_PUBLIC_KEY_SIZE];

	make_key(number, key);
	assert_true(keeper_retired_add(retired, key));
}

static void remove_key(struct keeper_retired *retired, unsigned number)
{
	uint8_t key[BLS_PUBLIC_KEY_SIZE];

	make_key(number, key);
	keeper_retired_remove(retired, key);
}

static void has_what_was_added_and_not_removed(void **state)
{
	struct keeper_retired retired = {0};
	bool expected[KEYS] = {false};

	(void)state;
	assert_false(has(&retired, 1));
	remove_key(&retired, 1);
	/* 5, 10, 15, … of a prime number: each once, and in no order. */
	for (unsigned i = 0; i < 3 * KEYS; i++) {
		unsigned number = 5 * i % KEYS;

		expected[number] = i % 3 != 2;
		if (expected[number])
			add(&retired, number);
		else
			remove_key(&retired, number);
		for (unsigned other = 0; other < KEYS; other++)
			assert_int_equal(has(&retired, other), expected[other]);
	}
	buffer_done(&retired.keys);
}

static void one_is_there_once(void **state)
{
	struct keeper_retired retired = {0};

	(void)state;
	add(&retired, 3);
	add(&retired, 3);
	assert_int_equal(retired.keys.size, BLS_PUBLIC_KEY_SIZE);
	remove_key(&retired, 3);
	assert_false(has(&retired, 3));
	assert_int_equal(retired.keys.size, 0);
	buffer_done(&retired.keys);
}

static void there_is_an_end_to_them(void **state)
{
	struct keeper_retired retired = {0};
	uint8_t key[BLS_PUBLIC_KEY_SIZE] = {0};

	(void)state;
	/* All the same: what is looked at here is how many there are. */
	buffer_reserve(&retired.keys, (size_t)RETIRED_KEYS_MAX * BLS_PUBLIC_KEY_SIZE);
	memset(retired.keys.data, 0, (size_t)RETIRED_KEYS_MAX * BLS_PUBLIC_KEY_SIZE);
	retired.keys.size = (size_t)RETIRED_KEYS_MAX * BLS_PUBLIC_KEY_SIZE;
	assert_true(keeper_retired_add(&retired, key));
	key[0] = 1;
	assert_false(keeper_retired_add(&retired, key));
	assert_false(keeper_retired_has(&retired, key));
	buffer_done(&retired.keys);
}

/* What the ledger may say at its start: pages of the list, in order and whole. Otherwise the keeper does not start. */
static bool receive(const struct message_keys *pages, size_t count, struct keeper_retired *retired)
{
	struct error error = {0};
	int pair[2], ours;
	bool ok;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	ours = fcntl(pair[1], F_DUPFD_CLOEXEC, PARKING);
	(void)close(pair[1]);
	if (pair[0] != ROLE_FD_LEDGER) {
		assert_int_equal(dup2(pair[0], ROLE_FD_LEDGER), ROLE_FD_LEDGER);
		(void)close(pair[0]);
	}
	for (size_t i = 0; i < count; i++)
		assert_ok(message_send(ours, &pages[i], &error), &error);
	(void)close(ours);
	ok = keeper_retired_receive(retired, &error);
	assert_true(ok || error.code == ERROR_PEER);
	(void)close(ROLE_FD_LEDGER);
	return ok;
}

static struct message_keys page(uint64_t total, uint64_t first, uint64_t count)
{
	struct message_keys message;

	message_init(&message, MESSAGE_KEYS, 0);
	message.total = total;
	message.first = first;
	message.count = count;
	for (uint64_t i = 0; i < count; i++)
		make_key((unsigned)(first + i), message.keys[i]);
	return message;
}

static void the_list_comes_in_pages(void **state)
{
	const struct message_keys pages[] = {page(70, 0, 64), page(70, 64, 6)};
	const struct message_keys nothing = page(0, 0, 0);
	struct keeper_retired retired = {0};

	(void)state;
	assert_true(receive(&nothing, 1, &retired));
	assert_int_equal(retired.keys.size, 0);
	assert_true(receive(pages, 2, &retired));
	for (unsigned i = 0; i < KEYS; i++)
		assert_int_equal(has(&retired, i), i < 70);
	buffer_done(&retired.keys);
}

static void a_list_that_is_not_whole_is_refused(void **state)
{
	struct message_keys twice = page(2, 0, 2);
	const struct message_keys lists[][2] = {
		{page(70, 0, 64), page(70, 60, 10)}, {page(70, 0, 64), page(70, 65, 5)},
		{page(70, 0, 0), page(70, 0, 64)},   {page(3, 0, 4), page(0, 0, 0)},
		{page(70, 0, 64), page(70, 64, 64)}, {page(RETIRED_KEYS_MAX + 1u, 0, 64), page(70, 64, 6)},
	};
	const struct message_keys short_list = page(70, 0, 64);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		struct keeper_retired retired = {0};

		assert_false(receive(lists[i], 2, &retired));
		buffer_done(&retired.keys);
	}
	memcpy(twice.keys[1], twice.keys[0], sizeof twice.keys[0]);
	{
		struct keeper_retired retired = {0};

		assert_false(receive(&twice, 1, &retired));
		buffer_clear(&retired.keys);
		assert_false(receive(&short_list, 1, &retired));
		buffer_done(&retired.keys);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_what_was_added_and_not_removed),
		cmocka_unit_test(one_is_there_once),
		cmocka_unit_test(there_is_an_end_to_them),
		cmocka_unit_test(the_list_comes_in_pages),
		cmocka_unit_test(a_list_that_is_not_whole_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
