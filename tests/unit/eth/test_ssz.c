/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/ssz.h"

#include <openssl/sha.h>

#include "vectors.h"

#define MAX_LEAVES 40

static void assert_sha256(struct view bytes, const char *expected_hex)
{
	uint8_t digest[32];
	uint8_t expected[32];

	sha256(bytes, digest);
	assert_true(hex_decode(view_of_text(expected_hex), expected, sizeof expected));
	assert_memory_equal(digest, expected, sizeof expected);
}

/* FIPS 180-4 examples. */
static void test_sha256(void **state)
{
	(void)state;
	assert_sha256(view_of(NULL, 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_sha256(view_of_text("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_sha256(view_of_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
		      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* Every length around a block's end, against another implementation. */
static void test_sha256_agrees_with_openssl(void **state)
{
	uint8_t bytes[300];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + 3);
	for (size_t size = 0; size <= sizeof bytes; size++) {
		uint8_t ours[32];
		uint8_t theirs[32];

		sha256(view_of(bytes, size), ours);
		(void)SHA256(bytes, size, theirs);
		assert_memory_equal(ours, theirs, sizeof ours);
	}
}

static void test_uint64_chunk(void **state)
{
	uint8_t chunk[ROOT_SIZE];
	const uint8_t expected[ROOT_SIZE] = {8, 7, 6, 5, 4, 3, 2, 1};

	(void)state;
	memset(chunk, 0xff, sizeof chunk);
	ssz_uint64_chunk(0x0102030405060708, chunk);
	assert_memory_equal(chunk, expected, sizeof expected);
}

static void test_hash_pair(void **state)
{
	const uint8_t zero[ROOT_SIZE] = {0};
	uint8_t left[ROOT_SIZE] = {1};
	uint8_t right[ROOT_SIZE] = {2};
	uint8_t pair[2 * ROOT_SIZE];
	uint8_t expected[ROOT_SIZE];
	uint8_t root[ROOT_SIZE];

	(void)state;
	/* The deposit contract's zero_hashes[1]. */
	assert_true(
		hex_decode(view_of_text("f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"), expected, ROOT_SIZE));
	ssz_hash_pair(zero, zero, root);
	assert_memory_equal(root, expected, ROOT_SIZE);
	memcpy(pair, left, ROOT_SIZE);
	memcpy(pair + ROOT_SIZE, right, ROOT_SIZE);
	(void)SHA256(pair, sizeof pair, expected);
	ssz_hash_pair(left, right, root);
	assert_memory_equal(root, expected, ROOT_SIZE);
	ssz_hash_pair(right, left, root);
	assert_memory_not_equal(root, expected, ROOT_SIZE);
	/* The output may be one of the inputs. */
	ssz_hash_pair(left, right, right);
	assert_memory_equal(right, expected, ROOT_SIZE);
}

/* The definition taken literally: pad with zero chunks to a power of two, hash pairs recursively. */
static void reference_root(const uint8_t (*leaves)[ROOT_SIZE], size_t count, size_t width, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t pair[2 * ROOT_SIZE];

	if (width == 1) {
		memset(ret_root, 0, ROOT_SIZE);
		if (count)
			memcpy(ret_root, leaves[0], ROOT_SIZE);
		return;
	}
	width /= 2;
	reference_root(leaves, count < width ? count : width, width, pair);
	reference_root(leaves + width, count > width ? count - width : 0, width, pair + ROOT_SIZE);
	(void)SHA256(pair, sizeof pair, ret_root);
}

static void test_merkleize(void **state)
{
	uint8_t leaves[2 * MAX_LEAVES][ROOT_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(leaves); i++)
		memset(leaves[i], (int)i + 1, ROOT_SIZE);
	for (size_t count = 1; count <= MAX_LEAVES; count++) {
		uint8_t scratch[MAX_LEAVES + 1][ROOT_SIZE];
		uint8_t expected[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];
		size_t width = 1;

		while (width < count)
			width *= 2;
		reference_root((const uint8_t(*)[ROOT_SIZE])leaves, count, width, expected);
		memcpy(scratch, leaves, sizeof scratch);
		ssz_merkleize(scratch, count, root);
		assert_memory_equal(root, expected, ROOT_SIZE);
		/* Nothing behind the given chunks is read (the result would differ) or written. */
		assert_memory_equal(scratch[count], leaves[count], ROOT_SIZE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),       cmocka_unit_test(test_sha256_agrees_with_openssl),
		cmocka_unit_test(test_uint64_chunk), cmocka_unit_test(test_hash_pair),
		cmocka_unit_test(test_merkleize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
