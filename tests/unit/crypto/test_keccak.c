/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keccak.h"

#include "vectors.h"

static void assert_digest(struct view bytes, const char *expected)
{
	uint8_t digest[KECCAK256_SIZE];
	char text[2 * KECCAK256_SIZE + 1];

	keccak256(bytes, digest);
	hex_encode(view_of(digest, sizeof digest), text);
	assert_string_equal(text, expected);
}

static void makes_well_known_digests(void **state)
{
	(void)state;
	assert_digest(view_of(NULL, 0), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
	assert_digest(view_of_text("abc"), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
	/* The topic of an ERC-20 transfer. */
	assert_digest(view_of_text("Transfer(address,address,uint256)"),
		      "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");
}

/* 0, 1, 2, … around the block of 136 bytes; computed with a program that agrees with SHA3-256 when it pads as FIPS 202 does. */
static void fills_blocks(void **state)
{
	static const struct {
		size_t size;
		const char *digest;
	} cases[] = {
		{1, "bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"},
		{135, "cbdfd9dee5faad3818d6b06f95a219fd290b0e1706f6a82e5a595b9ce9faca62"},
		{136, "7ce759f1ab7f9ce437719970c26b0a66ff11fe3e38e17df89cf5d29c7d7f807e"},
		{137, "ac73d4fae68b8453f764007c1a20ce95994187861f0c3227a3a8e99a73a3b1db"},
		{272, "fdf2ec49e749960d3c8521a0219af8d03e30e2b3bf19bd16150ee0eaf133d66e"},
		{1000, "aca79e4146e30eb1c733f6d6060d72471c36ea4e01ebf45d7f4916249c2bbd82"},
	};
	uint8_t bytes[1000];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_digest(view_of(bytes, cases[i].size), cases[i].digest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_well_known_digests),
		cmocka_unit_test(fills_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
