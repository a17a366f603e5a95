/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/ssz_stream.h"

#include <signal.h>
#include <sys/wait.h>

#include "ssz_reference.h"
#include "vectors.h"

/* Past the fourth subtree of a progressive tree, which ends at 85 leaves. */
#define LEAVES_MAX 90

static uint8_t leaves[LEAVES_MAX][ROOT_SIZE];

static int fill_leaves(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEAVES_MAX; i++)
		memset(leaves[i], (int)i + 1, ROOT_SIZE);
	return 0;
}

static void stream_root(struct ssz_stream *stream, size_t count, uint8_t ret_root[ROOT_SIZE])
{
	for (size_t i = 0; i < count; i++)
		ssz_stream_add(stream, leaves[i]);
	ssz_stream_root(stream, ret_root);
}

static void test_limited(void **state)
{
	static const uint64_t limits[] = {1, 2, 3, 4, 5, 8, 31, 32, 33, 64, 65, 90, 128, 1u << 20, UINT64_C(1) << 40};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++)
		for (size_t count = 0; count <= LEAVES_MAX && count <= limits[i]; count++) {
			struct ssz_stream stream;
			uint8_t expected[ROOT_SIZE];
			uint8_t root[ROOT_SIZE];

			memset(&stream, 0xa5, sizeof stream); /* what was there before must not matter */
			ssz_stream_init(&stream, limits[i]);
			stream_root(&stream, count, root);
			reference_tree((const uint8_t(*)[ROOT_SIZE])leaves, count, reference_power_of_two(limits[i]), expected);
			assert_memory_equal(root, expected, ROOT_SIZE);
		}
}

static void test_progressive(void **state)
{
	(void)state;
	for (size_t count = 0; count <= LEAVES_MAX; count++) {
		struct ssz_stream stream;
		uint8_t expected[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];

		memset(&stream, 0xa5, sizeof stream);
		ssz_stream_init_progressive(&stream);
		stream_root(&stream, count, root);
		reference_progressive((const uint8_t(*)[ROOT_SIZE])leaves, count, 1, expected);
		assert_memory_equal(root, expected, ROOT_SIZE);
	}
}

/* What the deposit contract answers before its first deposit: the root of an empty List[DepositData, 2**32]. */
static void test_empty_deposit_tree(void **state)
{
	AUTO_BUFFER struct buffer expected = unhex("d70a234731285c6804c2a4f56711ddb8c82c99740f207854891028af34e27e5e");
	struct ssz_stream stream;
	uint8_t root[ROOT_SIZE];

	(void)state;
	ssz_stream_init(&stream, UINT64_C(1) << 32);
	ssz_stream_root(&stream, root);
	ssz_mix_in(root, 0, root);
	assert_memory_equal(root, expected.data, ROOT_SIZE);
}

static void test_mix_in(void **state)
{
	uint8_t expected[ROOT_SIZE];
	uint8_t root[ROOT_SIZE];

	(void)state;
	reference_mix_in(leaves[0], 0x0102030405060708, expected);
	memcpy(root, leaves[0], ROOT_SIZE);
	ssz_mix_in(root, 0x0102030405060708, root);
	assert_memory_equal(root, expected, ROOT_SIZE);
}

static void add_beyond_the_limit(void)
{
	struct ssz_stream stream;

	ssz_stream_init(&stream, 3); /* a tree of four */
	for (size_t i = 0; i < 5; i++)
		ssz_stream_add(&stream, leaves[i]);
}

static void init_beyond_the_depth(void)
{
	struct ssz_stream stream;

	ssz_stream_init(&stream, (UINT64_C(1) << SSZ_STREAM_DEPTH_MAX) + 1);
}

static void add_after_the_last_subtree(void)
{
	struct ssz_stream stream;

	ssz_stream_init_progressive(&stream);
	stream.subtree_count = SSZ_STREAM_SUBTREES_MAX - 1;
	stream.depth = 2 * (SSZ_STREAM_SUBTREES_MAX - 1);
	stream.count = UINT64_C(1) << stream.depth;
	ssz_stream_add(&stream, leaves[0]);
}

/* What would write out of bounds ends the process. */
static void test_bounds(void **state)
{
	static void (*const misuses[])(void) = {add_beyond_the_limit, init_beyond_the_depth, add_after_the_last_subtree};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(misuses); i++) {
		pid_t child = fork();
		int status = 0;

		assert_true(child >= 0);
		if (child == 0) {
			(void)signal(SIGABRT, SIG_DFL); /* cmocka catches it otherwise */
			misuses[i]();
			_exit(0);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limited), cmocka_unit_test(test_progressive), cmocka_unit_test(test_empty_deposit_tree),
		cmocka_unit_test(test_mix_in),  cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, fill_leaves, NULL);
}
