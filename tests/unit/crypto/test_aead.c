/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "crypto/aead.h"

#include <openssl/err.h>

static const uint8_t KEY[AEAD_KEY_SIZE] = {1, 2, 3};

static int prepare(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

static struct view key(void)
{
	return view_of(KEY, sizeof KEY);
}

static void opens_what_it_sealed(void **state)
{
	uint8_t text[1000];

	(void)state;
	memset(text, 0xa5, sizeof text);
	for (size_t size = 0; size <= sizeof text; size += size < 40 ? 1 : 96) {
		AUTO_BUFFER struct buffer sealed = {0};
		AUTO_SECRET struct secret opened = {0};
		struct error error = {0};

		assert_ok(aead_seal(key(), view_of_text("context"), view_of(text, size), &sealed, &error), &error);
		assert_int_equal(sealed.size, size + AEAD_OVERHEAD);
		assert_ok(aead_open(key(), view_of_text("context"), buffer_view(&sealed), &opened, &error), &error);
		assert_true(view_equal(secret_view(&opened), view_of(text, size)));
	}
}

/* Appending, and a new nonce each time: the same text never gives the same bytes. */
static void appends_under_a_fresh_nonce(void **state)
{
	AUTO_BUFFER struct buffer sealed = {0};
	struct error error = {0};
	size_t first;

	(void)state;
	buffer_append_text(&sealed, "head");
	assert_ok(aead_seal(key(), view_of(NULL, 0), view_of_text("text"), &sealed, &error), &error);
	first = sealed.size;
	assert_int_equal(first, 4 + 4 + AEAD_OVERHEAD);
	assert_memory_equal(sealed.data, "head", 4);
	assert_ok(aead_seal(key(), view_of(NULL, 0), view_of_text("text"), &sealed, &error), &error);
	assert_memory_not_equal(sealed.data + 4, sealed.data + first, AEAD_NONCE_SIZE);
	assert_memory_not_equal(sealed.data + 4 + AEAD_NONCE_SIZE, sealed.data + first + AEAD_NONCE_SIZE, 4);
}

/* Test case 16 of "The Galois/Counter Mode of Operation (GCM)", McGrew and Viega: AES-256, 20 bytes of additional data. */
static void opens_the_published_vector(void **state)
{
	AUTO_BUFFER struct buffer vector_key = unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
	AUTO_BUFFER struct buffer additional = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
	AUTO_BUFFER struct buffer plaintext = unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
						    "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
	AUTO_BUFFER struct buffer sealed = unhex("cafebabefacedbaddecaf888"
						 "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
						 "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
						 "76fc6ece0f4e1768cddf8853bb2d551b");
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	(void)state;
	assert_ok(aead_open(buffer_view(&vector_key), buffer_view(&additional), buffer_view(&sealed), &opened, &error), &error);
	assert_true(view_equal(secret_view(&opened), buffer_view(&plaintext)));
}

static void assert_does_not_open(struct view with_key, struct view additional, struct view sealed)
{
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	assert_false(aead_open(with_key, additional, sealed, &opened, &error));
	assert_int_equal(error.code, ERROR_CRYPTO);
	assert_string_equal(error.message, "AES-256-GCM: the sealed data does not open");
	assert_null(opened.data);
	assert_int_equal(ERR_peek_error(), 0);
}

static void refuses_every_changed_byte(void **state)
{
	uint8_t other_key[AEAD_KEY_SIZE] = {9};
	AUTO_BUFFER struct buffer sealed = {0};
	struct error error = {0};

	(void)state;
	assert_ok(aead_seal(key(), view_of_text("context"), view_of_text("attack at dawn"), &sealed, &error), &error);
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.data[i] ^= 1;
		assert_does_not_open(key(), view_of_text("context"), buffer_view(&sealed));
		sealed.data[i] ^= 1;
	}
	for (size_t size = 0; size < sealed.size; size++)
		assert_does_not_open(key(), view_of_text("context"), view_of(sealed.data, size));
	assert_does_not_open(key(), view_of_text("Context"), buffer_view(&sealed));
	assert_does_not_open(key(), view_of(NULL, 0), buffer_view(&sealed));
	assert_does_not_open(view_of(other_key, sizeof other_key), view_of_text("context"), buffer_view(&sealed));
}

static void refuses_keys_of_other_sizes(void **state)
{
	AUTO_BUFFER struct buffer sealed = {0};
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	(void)state;
	assert_false(aead_seal(view_of(KEY, 16), view_of(NULL, 0), view_of_text("x"), &sealed, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_int_equal(sealed.size, 0);
	assert_false(
		aead_open(view_of(KEY, 31), view_of(NULL, 0), view_of_text("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"), &opened, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "31 bytes, expected 32");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_it_sealed),        cmocka_unit_test(appends_under_a_fresh_nonce),
		cmocka_unit_test(opens_the_published_vector),  cmocka_unit_test(refuses_every_changed_byte),
		cmocka_unit_test(refuses_keys_of_other_sizes),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
