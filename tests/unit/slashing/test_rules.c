/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/rules.h"

#include "vectors.h"

static const uint8_t ROOT_A[ROOT_SIZE] = {0xa};
static const uint8_t ROOT_B[ROOT_SIZE] = {0xb};
static const uint8_t ROOT_ZERO[ROOT_SIZE];

static struct watermark after_block(uint64_t slot, const uint8_t root[ROOT_SIZE])
{
	struct watermark watermark = {0};

	slashing_record_block(&watermark, slot, root);
	return watermark;
}

static struct watermark after_attestation(uint64_t source, uint64_t target, const uint8_t root[ROOT_SIZE])
{
	struct watermark watermark = {0};

	slashing_record_attestation(&watermark, source, target, root);
	return watermark;
}

static void test_first_block(void **state)
{
	const struct watermark fresh = {0};

	(void)state;
	assert_int_equal(slashing_check_block(&fresh, 0, ROOT_A), SLASHING_SAFE);
	assert_int_equal(slashing_check_block(&fresh, 0, ROOT_ZERO), SLASHING_SAFE);
	assert_int_equal(slashing_check_block(&fresh, UINT64_MAX, ROOT_A), SLASHING_SAFE);
}

static void test_block_verdicts(void **state)
{
	const struct watermark watermark = after_block(100, ROOT_A);

	(void)state;
	assert_int_equal(slashing_check_block(&watermark, 101, ROOT_A), SLASHING_SAFE);
	assert_int_equal(slashing_check_block(&watermark, 101, ROOT_B), SLASHING_SAFE);
	assert_int_equal(slashing_check_block(&watermark, 100, ROOT_A), SLASHING_REPEAT);
	assert_int_equal(slashing_check_block(&watermark, 100, ROOT_B), SLASHING_BLOCK_TOO_LOW);
	assert_int_equal(slashing_check_block(&watermark, 100, ROOT_ZERO), SLASHING_BLOCK_TOO_LOW);
	assert_int_equal(slashing_check_block(&watermark, 99, ROOT_A), SLASHING_BLOCK_TOO_LOW);
	assert_int_equal(slashing_check_block(&watermark, 0, ROOT_A), SLASHING_BLOCK_TOO_LOW);
}

static void test_block_extremes(void **state)
{
	struct watermark watermark = after_block(0, ROOT_A);

	(void)state;
	assert_int_equal(slashing_check_block(&watermark, 0, ROOT_A), SLASHING_REPEAT);
	assert_int_equal(slashing_check_block(&watermark, 0, ROOT_B), SLASHING_BLOCK_TOO_LOW);
	assert_int_equal(slashing_check_block(&watermark, 1, ROOT_B), SLASHING_SAFE);
	watermark = after_block(UINT64_MAX - 1, ROOT_A);
	assert_int_equal(slashing_check_block(&watermark, UINT64_MAX, ROOT_A), SLASHING_SAFE);
	/* At the top nothing is left to sign but the repeat: the mark never wraps. */
	watermark = after_block(UINT64_MAX, ROOT_A);
	assert_int_equal(slashing_check_block(&watermark, UINT64_MAX, ROOT_A), SLASHING_REPEAT);
	assert_int_equal(slashing_check_block(&watermark, UINT64_MAX, ROOT_B), SLASHING_BLOCK_TOO_LOW);
	assert_int_equal(slashing_check_block(&watermark, 0, ROOT_A), SLASHING_BLOCK_TOO_LOW);
}

/* Imported history may have no root: then the same slot or target is never a repeat, not even for an all-zero root. */
static void test_unknown_root_equals_nothing(void **state)
{
	const struct watermark block = after_block(5, ROOT_ZERO);
	const struct watermark attestation = after_attestation(1, 2, ROOT_ZERO);

	(void)state;
	assert_int_equal(slashing_check_block(&block, 5, ROOT_ZERO), SLASHING_BLOCK_TOO_LOW);
	assert_int_equal(slashing_check_block(&block, 5, ROOT_A), SLASHING_BLOCK_TOO_LOW);
	assert_int_equal(slashing_check_block(&block, 6, ROOT_A), SLASHING_SAFE);
	assert_int_equal(slashing_check_attestation(&attestation, 1, 2, ROOT_ZERO), SLASHING_TARGET_TOO_LOW);
	assert_int_equal(slashing_check_attestation(&attestation, 1, 2, ROOT_A), SLASHING_TARGET_TOO_LOW);
	assert_int_equal(slashing_check_attestation(&attestation, 1, 3, ROOT_A), SLASHING_SAFE);
}

static void test_roots_differ_in_any_byte(void **state)
{
	const struct watermark block = after_block(5, ROOT_A);
	const struct watermark attestation = after_attestation(1, 2, ROOT_A);

	(void)state;
	for (size_t i = 0; i < ROOT_SIZE; i++) {
		uint8_t root[ROOT_SIZE];

		memcpy(root, ROOT_A, ROOT_SIZE);
		root[i] ^= 0x80;
		assert_int_equal(slashing_check_block(&block, 5, root), SLASHING_BLOCK_TOO_LOW);
		assert_int_equal(slashing_check_attestation(&attestation, 1, 2, root), SLASHING_TARGET_TOO_LOW);
	}
}

static void test_first_attestation(void **state)
{
	struct watermark watermark = {0};

	(void)state;
	assert_int_equal(slashing_check_attestation(&watermark, 1, 0, ROOT_A), SLASHING_SOURCE_AFTER_TARGET);
	assert_int_equal(slashing_check_attestation(&watermark, UINT64_MAX, UINT64_MAX - 1, ROOT_A), SLASHING_SOURCE_AFTER_TARGET);
	assert_int_equal(slashing_check_attestation(&watermark, 7, 7, ROOT_A), SLASHING_SAFE);
	assert_int_equal(slashing_check_attestation(&watermark, 0, UINT64_MAX, ROOT_A), SLASHING_SAFE);
	/* A block mark says nothing about attestations, nor the other way round. */
	slashing_record_block(&watermark, 1000, ROOT_A);
	assert_int_equal(slashing_check_attestation(&watermark, 0, 0, ROOT_A), SLASHING_SAFE);
	watermark = after_attestation(10, 20, ROOT_A);
	assert_int_equal(slashing_check_block(&watermark, 0, ROOT_A), SLASHING_SAFE);
}

/* In the genesis epoch source and target are both 0: signable once. */
static void test_genesis_attestation(void **state)
{
	struct watermark watermark = {0};

	(void)state;
	assert_int_equal(slashing_check_attestation(&watermark, 0, 0, ROOT_A), SLASHING_SAFE);
	slashing_record_attestation(&watermark, 0, 0, ROOT_A);
	assert_int_equal(slashing_check_attestation(&watermark, 0, 0, ROOT_A), SLASHING_REPEAT);
	assert_int_equal(slashing_check_attestation(&watermark, 0, 0, ROOT_B), SLASHING_TARGET_TOO_LOW);
	assert_int_equal(slashing_check_attestation(&watermark, 0, 1, ROOT_B), SLASHING_SAFE);
}

static void test_attestation_verdicts(void **state)
{
	static const struct {
		uint64_t source;
		uint64_t target;
		const uint8_t *root;
		enum slashing_verdict verdict;
	} cases[] = {
		{10, 20, ROOT_A, SLASHING_REPEAT},
		{10, 20, ROOT_B, SLASHING_TARGET_TOO_LOW},    /* double vote */
		{10, 20, ROOT_ZERO, SLASHING_TARGET_TOO_LOW}, /* no root is no proof */
		{11, 20, ROOT_A, SLASHING_TARGET_TOO_LOW},    /* the same root with another source cannot be the same message */
		{9, 20, ROOT_A, SLASHING_SOURCE_TOO_LOW},
		{10, 21, ROOT_A, SLASHING_SAFE},
		{10, 21, ROOT_B, SLASHING_SAFE}, /* an equal source is fine */
		{20, 21, ROOT_B, SLASHING_SAFE},
		{21, 21, ROOT_B, SLASHING_SAFE},
		{9, 21, ROOT_B, SLASHING_SOURCE_TOO_LOW}, /* surrounds the last one */
		{0, UINT64_MAX, ROOT_B, SLASHING_SOURCE_TOO_LOW},
		{11, 19, ROOT_B, SLASHING_TARGET_TOO_LOW}, /* surrounded by the last one */
		{10, 19, ROOT_B, SLASHING_TARGET_TOO_LOW},
		{9, 19, ROOT_B, SLASHING_SOURCE_TOO_LOW}, /* both too low: the source is named */
		{0, 0, ROOT_B, SLASHING_SOURCE_TOO_LOW},
		{22, 21, ROOT_B, SLASHING_SOURCE_AFTER_TARGET},
		{9, 8, ROOT_B, SLASHING_SOURCE_AFTER_TARGET}, /* before anything else */
		{UINT64_MAX, UINT64_MAX, ROOT_B, SLASHING_SAFE},
		{UINT64_MAX, 0, ROOT_B, SLASHING_SOURCE_AFTER_TARGET},
	};
	const struct watermark watermark = after_attestation(10, 20, ROOT_A);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(slashing_check_attestation(&watermark, cases[i].source, cases[i].target, cases[i].root),
				 cases[i].verdict);
}

static void test_attestation_extremes(void **state)
{
	const struct watermark watermark = after_attestation(UINT64_MAX, UINT64_MAX, ROOT_A);
	const struct watermark nearly = after_attestation(UINT64_MAX - 1, UINT64_MAX - 1, ROOT_A);

	(void)state;
	assert_int_equal(slashing_check_attestation(&watermark, UINT64_MAX, UINT64_MAX, ROOT_A), SLASHING_REPEAT);
	assert_int_equal(slashing_check_attestation(&watermark, UINT64_MAX, UINT64_MAX, ROOT_B), SLASHING_TARGET_TOO_LOW);
	assert_int_equal(slashing_check_attestation(&watermark, 0, 0, ROOT_B), SLASHING_SOURCE_TOO_LOW);
	assert_int_equal(slashing_check_attestation(&nearly, UINT64_MAX - 1, UINT64_MAX, ROOT_B), SLASHING_SAFE);
	assert_int_equal(slashing_check_attestation(&nearly, UINT64_MAX, UINT64_MAX - 1, ROOT_B), SLASHING_SOURCE_AFTER_TARGET);
}

/* A mark imported as independent maxima can have source > target: nothing repeats it, and a higher message is still safe. */
static void test_mark_of_independent_maxima(void **state)
{
	const struct watermark watermark = after_attestation(30, 20, ROOT_ZERO);

	(void)state;
	assert_int_equal(slashing_check_attestation(&watermark, 30, 20, ROOT_A), SLASHING_SOURCE_AFTER_TARGET);
	assert_int_equal(slashing_check_attestation(&watermark, 29, 40, ROOT_A), SLASHING_SOURCE_TOO_LOW);
	assert_int_equal(slashing_check_attestation(&watermark, 30, 30, ROOT_A), SLASHING_SAFE);
}

static void test_record(void **state)
{
	struct watermark watermark = {0};

	(void)state;
	slashing_record_block(&watermark, 7, ROOT_A);
	assert_true(watermark.has_block);
	assert_false(watermark.has_attestation);
	assert_int_equal(watermark.block_slot, 7);
	assert_memory_equal(watermark.block_root, ROOT_A, ROOT_SIZE);
	slashing_record_attestation(&watermark, 3, 4, ROOT_B);
	assert_true(watermark.has_attestation);
	assert_int_equal(watermark.source_epoch, 3);
	assert_int_equal(watermark.target_epoch, 4);
	assert_memory_equal(watermark.attestation_root, ROOT_B, ROOT_SIZE);
	assert_int_equal(watermark.block_slot, 7);
	assert_memory_equal(watermark.block_root, ROOT_A, ROOT_SIZE);
}

struct message {
	uint64_t source;
	uint64_t target;
	uint8_t root[ROOT_SIZE];
};

/* is_slashable_attestation_data of consensus-specs, either way round, for messages of known roots. */
static bool slashable(const struct message *a, const struct message *b)
{
	if (memcmp(a->root, b->root, ROOT_SIZE) == 0)
		return false;
	return a->target == b->target || (a->source < b->source && b->target < a->target) ||
	       (b->source < a->source && a->target < b->target);
}

/* xorshift64: a fixed sequence, so that a failure can be run again. */
static uint64_t next_random(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

/* Whatever is asked for, in any order: no two messages that were signed are slashable together. */
static void test_nothing_signed_is_ever_slashable(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15;

	(void)state;
	for (int round = 0; round < 500; round++) {
		struct watermark watermark = {0};
		struct message made[64];
		size_t count = 0;

		for (int i = 0; i < 200; i++) {
			struct message message = {.source = next_random(&random) % 12, .target = next_random(&random) % 12};
			enum slashing_verdict verdict;

			/* The root is a function of the content, with two contents for each pair of epochs. */
			message.root[0] = (uint8_t)(1 + message.source);
			message.root[1] = (uint8_t)(1 + message.target);
			message.root[2] = (uint8_t)(next_random(&random) % 2);
			verdict = slashing_check_attestation(&watermark, message.source, message.target, message.root);
			if (verdict != SLASHING_SAFE && verdict != SLASHING_REPEAT)
				continue;
			for (size_t k = 0; k < count; k++)
				assert_false(slashable(&made[k], &message));
			if (verdict == SLASHING_REPEAT)
				continue;
			assert_true(count < ARRAY_SIZE(made));
			made[count++] = message;
			slashing_record_attestation(&watermark, message.source, message.target, message.root);
		}
		assert_true(count > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_block),
		cmocka_unit_test(test_block_verdicts),
		cmocka_unit_test(test_block_extremes),
		cmocka_unit_test(test_unknown_root_equals_nothing),
		cmocka_unit_test(test_roots_differ_in_any_byte),
		cmocka_unit_test(test_first_attestation),
		cmocka_unit_test(test_genesis_attestation),
		cmocka_unit_test(test_attestation_verdicts),
		cmocka_unit_test(test_attestation_extremes),
		cmocka_unit_test(test_mark_of_independent_maxima),
		cmocka_unit_test(test_record),
		cmocka_unit_test(test_nothing_signed_is_ever_slashable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
