/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "crypto/cbor_reader.h"
#include "crypto/cbor_writer.h"
#include "crypto/cose.h"

static const char payload_text[] = "what is signed";

static EVP_PKEY *p384;

static int group_setup(void **state)
{
	(void)state;
	p384 = EVP_EC_gen("P-384");
	return p384 ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)state;
	EVP_PKEY_free(p384);
	return 0;
}

static void sign(struct buffer *ret_bytes)
{
	struct error error = {0};

	assert_ok(cose_sign1_sign(view_of_text(payload_text), p384, ret_bytes, &error), &error);
}

static void assert_refused(struct view bytes, const char *message)
{
	struct cose_sign1 parsed = {0};
	struct error error = {0};

	assert_false(cose_sign1_parse(bytes, &parsed, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
	assert_null(parsed.payload.data);
}

/* An envelope from its four items in hex, the signature filled with 0x11. */
static struct buffer envelope(const char *head, const char *protected_header, const char *unprotected, const char *payload,
			      const char *tail)
{
	AUTO_BUFFER struct buffer text = {0};

	buffer_append_format(&text, "%s%s%s%s5860", head, protected_header, unprotected, payload);
	for (int i = 0; i < COSE_ES384_SIGNATURE_SIZE; i++)
		buffer_append_text(&text, "11");
	buffer_append_text(&text, tail);
	return unhex(buffer_text(&text));
}

static void test_signs_in_the_layout_of_aws_and_verifies(void **state)
{
	static const uint8_t head[] = {0x84, 0x44, 0xa1, 0x01, 0x38, 0x22, 0xa0, 0x40 | 14};
	AUTO_BUFFER struct buffer bytes = {0};
	struct cose_sign1 message;
	struct error error = {0};

	(void)state;
	sign(&bytes);
	assert_memory_equal(bytes.data, head, sizeof head);
	assert_int_equal(bytes.size, sizeof head + 14 + 2 + COSE_ES384_SIGNATURE_SIZE);
	assert_ok(cose_sign1_parse(buffer_view(&bytes), &message, &error), &error);
	assert_true(view_equal_text(message.payload, payload_text));
	assert_int_equal(message.protected_header.size, 4);
	assert_ok(cose_sign1_verify(&message, p384, &error), &error);
}

static void test_every_bit_of_payload_and_signature_counts(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	(void)state;
	sign(&bytes);
	for (size_t i = 8; i < bytes.size; i++) {
		struct cose_sign1 message;

		if (i == 8 + 14 || i == 8 + 15)
			continue; /* the head of the signature */
		bytes.data[i] ^= (uint8_t)(1u << (i % 8));
		assert_ok(cose_sign1_parse(buffer_view(&bytes), &message, &error), &error);
		assert_false(cose_sign1_verify(&message, p384, &error));
		assert_int_equal(error.code, ERROR_CRYPTO);
		bytes.data[i] ^= (uint8_t)(1u << (i % 8));
	}
}

static void test_high_s_is_legal(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_secp384r1);
	struct cose_sign1 message;
	struct error error = {0};
	BIGNUM *s;

	(void)state;
	sign(&bytes);
	s = BN_bin2bn(bytes.data + bytes.size - 48, 48, NULL);
	/* s and n - s both verify, and one of them is high. */
	assert_true(BN_sub(s, EC_GROUP_get0_order(group), s));
	assert_int_equal(BN_bn2binpad(s, bytes.data + bytes.size - 48, 48), 48);
	assert_ok(cose_sign1_parse(buffer_view(&bytes), &message, &error), &error);
	assert_ok(cose_sign1_verify(&message, p384, &error), &error);
	BN_free(s);
	EC_GROUP_free(group);
}

static void test_zero_signature_is_refused(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct cose_sign1 message;
	struct error error = {0};

	(void)state;
	sign(&bytes);
	memset(bytes.data + bytes.size - COSE_ES384_SIGNATURE_SIZE, 0, COSE_ES384_SIGNATURE_SIZE);
	assert_ok(cose_sign1_parse(buffer_view(&bytes), &message, &error), &error);
	assert_false(cose_sign1_verify(&message, p384, &error));
}

static void test_other_key_and_other_curve_are_refused(void **state)
{
	EVP_PKEY *other = EVP_EC_gen("P-384");
	EVP_PKEY *p256 = EVP_EC_gen("P-256");
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_BUFFER struct buffer none = {0};
	struct cose_sign1 message;
	struct error error = {0};

	(void)state;
	sign(&bytes);
	assert_ok(cose_sign1_parse(buffer_view(&bytes), &message, &error), &error);
	assert_false(cose_sign1_verify(&message, other, &error));
	assert_message_contains(&error, "does not verify");
	assert_false(cose_sign1_verify(&message, p256, &error));
	assert_message_contains(&error, "P-384");
	assert_false(cose_sign1_verify(&message, NULL, &error));
	assert_false(cose_sign1_sign(view_of_text("x"), p256, &none, &error));
	assert_int_equal(none.size, 0);
	EVP_PKEY_free(other);
	EVP_PKEY_free(p256);
}

static void test_tag_18_is_optional_and_others_are_refused(void **state)
{
	AUTO_BUFFER struct buffer tagged = envelope("d284", "44a1013822", "a0", "4101", "");
	AUTO_BUFFER struct buffer other = envelope("d184", "44a1013822", "a0", "4101", "");
	AUTO_BUFFER struct buffer twice = envelope("d2d284", "44a1013822", "a0", "4101", "");
	struct cose_sign1 message;
	struct error error = {0};

	(void)state;
	assert_ok(cose_sign1_parse(buffer_view(&tagged), &message, &error), &error);
	assert_int_equal(message.payload.size, 1);
	assert_refused(buffer_view(&other), "COSE_Sign1");
	assert_refused(buffer_view(&twice), "COSE_Sign1");
}

static void test_malformed_envelopes(void **state)
{
	static const struct {
		const char *head, *protected_header, *unprotected, *payload, *tail, *message;
	} cases[] = {
		{"84", "44a1013822", "a0", "4101", "00", "behind the end"},
		{"9f", "44a1013822", "a0", "4101", "ff", "exactly 4 items"},
		{"83", "44a1013822", "a0", "4101", "", "exactly 4 items"},
		{"85", "44a1013822", "a0", "4101", "00", "more than 4"},
		{"a4", "44a1013822", "a0", "4101", "", "not an array"},
		/* Algorithms: ES256, ES384 as text, none, none at all, a longer spelling of ES384, a second member, QEMU's {1: -1}. */
		{"84", "43a10126", "a0", "4101", "", "protected header"},
		{"84", "48a101654553333834", "a0", "4101", "", "protected header"},
		{"84", "41a0", "a0", "4101", "", "protected header"},
		{"84", "40", "a0", "4101", "", "protected header"},
		{"84", "45a101390022", "a0", "4101", "", "protected header"},
		{"84", "46a20138220400", "a0", "4101", "", "protected header"},
		{"84", "43a10120", "a0", "4101", "", "protected header"},
		{"84", "45a101382200", "a0", "4101", "", "protected header"},
		{"84", "5f44a1013822ff", "a0", "4101", "", "not a byte string"},
		{"84", "a1013822", "a0", "4101", "", "not a byte string"},
		{"84", "44a1013822", "a10126", "4101", "", "unprotected header"},
		{"84", "44a1013822", "bfff", "4101", "", "unprotected header"},
		{"84", "44a1013822", "80", "4101", "", "unprotected header"},
		{"84", "44a1013822", "a0", "5f4101ff", "", "payload: not a byte string"},
		{"84", "44a1013822", "a0", "f6", "", "payload: not a byte string"},
		{"84", "44a1013822", "a0", "6101", "", "payload: not a byte string"},
		{"84", "44a1013822", "a0", "40", "", "payload: 0 bytes"},
		{"84", "44a1013822", "a0", "5bffffffffffffffff", "", "cut short"},
		{"1c", "44a1013822", "a0", "4101", "", "not CBOR"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes =
			envelope(cases[i].head, cases[i].protected_header, cases[i].unprotected, cases[i].payload, cases[i].tail);

		assert_refused(buffer_view(&bytes), cases[i].message);
	}
}

static void test_every_truncation_is_refused(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};

	(void)state;
	sign(&bytes);
	for (size_t size = 0; size < bytes.size; size++)
		assert_refused(view_of(bytes.data, size), "COSE_Sign1");
}

static void test_sizes_are_bounded(void **state)
{
	AUTO_BUFFER struct buffer payload = {0};
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	(void)state;
	buffer_reserve(&payload, COSE_MAX_SIZE + 1);
	memset(payload.data, 0, COSE_MAX_SIZE + 1);
	assert_refused(view_of(payload.data, COSE_MAX_SIZE + 1), "larger");
	assert_false(cose_sign1_sign(view_of(payload.data, 16385), p384, &bytes, &error));
	assert_ok(cose_sign1_sign(view_of(payload.data, 16384), p384, &bytes, &error), &error);
	assert_false(cose_sign1_sign((struct view){0}, p384, &bytes, &error));
}

/* The reader on its own: what the formats above it do not reach. */
static void test_reader_counts_entries(void **state)
{
	AUTO_BUFFER struct buffer endless = unhex("9f000000ff");
	AUTO_BUFFER struct buffer huge = unhex("9bffffffffffffffff");
	AUTO_BUFFER struct buffer unclosed = unhex("9f00");
	struct cbor_reader reader = cbor_reader_of(buffer_view(&endless));
	struct cbor_collection array;
	struct error error = {0};
	uint64_t value;
	bool more;

	(void)state;
	assert_ok(cbor_enter_array(&reader, "list", 2, &array, &error), &error);
	for (int i = 0; i < 2; i++) {
		assert_ok(cbor_next_entry(&reader, "list", &array, &more, &error), &error);
		assert_true(more);
		assert_ok(cbor_read_uint(&reader, "list", 0, &value, &error), &error);
	}
	assert_false(cbor_next_entry(&reader, "list", &array, &more, &error));
	assert_message_contains(&error, "list: too many entries");

	reader = cbor_reader_of(buffer_view(&huge));
	assert_false(cbor_enter_array(&reader, "list", 32, &array, &error));
	assert_message_contains(&error, "more than 32");

	reader = cbor_reader_of(buffer_view(&unclosed));
	assert_ok(cbor_enter_array(&reader, "list", 2, &array, &error), &error);
	assert_ok(cbor_next_entry(&reader, "list", &array, &more, &error), &error);
	assert_ok(cbor_read_uint(&reader, "list", 0, &value, &error), &error);
	assert_false(cbor_next_entry(&reader, "list", &array, &more, &error));
	assert_message_contains(&error, "cut short");
}

static void test_reader_refuses_what_is_never_legal(void **state)
{
	/* half, single and double float, undefined, simple value, chunked text, a break, an array, a tag */
	static const char *const items[] = {"f93c00", "fa3f800000", "fb3ff0000000000000", "f7", "f0", "7f6161ff", "ff",
					    "80",     "c000"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		AUTO_BUFFER struct buffer bytes = unhex(items[i]);
		struct cbor_reader reader = cbor_reader_of(buffer_view(&bytes));
		struct error error = {0};
		struct view text;

		assert_false(cbor_skip_scalar(&reader, "item", &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_false(cbor_read_text(&reader, "item", 10, &text, &error));
		assert_int_equal(reader.rest.size, bytes.size);
	}
}

static void test_reader_takes_only_printable_text(void **state)
{
	static const char *const items[] = {"60", "6100", "610a", "6120", "617f", "62c3a9"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		AUTO_BUFFER struct buffer bytes = unhex(items[i]);
		struct cbor_reader reader = cbor_reader_of(buffer_view(&bytes));
		struct error error = {0};
		struct view text;

		assert_false(cbor_read_text(&reader, "name", 10, &text, &error));
	}
}

static void test_writer_uses_the_shortest_heads(void **state)
{
	AUTO_BUFFER struct buffer expected = unhex("00171818190100"
						   "1a00010000"
						   "1b0000000100000000"
						   "f5f4f6"
						   "41aa"
						   "6162"
						   "82a1");
	AUTO_BUFFER struct buffer bytes = {0};
	const uint8_t byte = 0xaa;

	(void)state;
	cbor_append_uint(&bytes, 0);
	cbor_append_uint(&bytes, 23);
	cbor_append_uint(&bytes, 24);
	cbor_append_uint(&bytes, 256);
	cbor_append_uint(&bytes, 65536);
	cbor_append_uint(&bytes, UINT64_C(1) << 32);
	cbor_append_bool(&bytes, true);
	cbor_append_bool(&bytes, false);
	cbor_append_null(&bytes);
	cbor_append_bytes(&bytes, view_of(&byte, 1));
	cbor_append_name(&bytes, "b");
	cbor_append_array(&bytes, 2);
	cbor_append_map(&bytes, 1);
	assert_int_equal(bytes.size, expected.size);
	assert_memory_equal(bytes.data, expected.data, expected.size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signs_in_the_layout_of_aws_and_verifies),
		cmocka_unit_test(test_every_bit_of_payload_and_signature_counts),
		cmocka_unit_test(test_high_s_is_legal),
		cmocka_unit_test(test_zero_signature_is_refused),
		cmocka_unit_test(test_other_key_and_other_curve_are_refused),
		cmocka_unit_test(test_tag_18_is_optional_and_others_are_refused),
		cmocka_unit_test(test_malformed_envelopes),
		cmocka_unit_test(test_every_truncation_is_refused),
		cmocka_unit_test(test_sizes_are_bounded),
		cmocka_unit_test(test_reader_counts_entries),
		cmocka_unit_test(test_reader_refuses_what_is_never_legal),
		cmocka_unit_test(test_reader_takes_only_printable_text),
		cmocka_unit_test(test_writer_uses_the_shortest_heads),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
