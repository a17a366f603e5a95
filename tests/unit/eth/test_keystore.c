/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore_support.h"

#include "base/clock.h"
#include "base/file.h"

#include <openssl/err.h>

/* What "at once" means for a refusal on a busy machine; the honest work would take hours. */
#define REFUSAL_MAX_MS 2000

static void check_password(json_t *entry)
{
	AUTO_SECRET struct secret encoded = {0};
	struct error error = {0};
	const char *expected = name_of(entry, "password_utf8_hex");

	if (!expected)
		expected = name_of(entry, "utf8_hex");
	assert_non_null(expected);
	assert_ok(keystore_password_encode(text_of(entry, "password"), &encoded, &error), &error);
	assert_hex(secret_view(&encoded), expected);
}

static void check_keystore(const char *folder, json_t *entry)
{
	AUTO_FREE char *path = memory_format("%s/%s", folder, name_of(entry, "file"));
	AUTO_BUFFER struct buffer json = {0};
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	struct error error = {0};
	const char *expect = name_of(entry, "expect");
	const char *verdict;
	uint64_t start;

	assert_ok(file_read(path, KEYSTORE_MAX_SIZE, &json, &error), &error);
	start = clock_monotonic_ms();
	verdict = verdict_of(keystore_decrypt(buffer_view(&json), text_of(entry, "password"), &secret, &error), &error);
	if (strcmp(verdict, expect) != 0)
		fail_msg("%s: %s, expected %s (%s)", path, verdict, expect, error.message);
	if (strcmp(expect, "too_costly") == 0)
		assert_true(clock_monotonic_ms() - start < REFUSAL_MAX_MS);
	assert_int_equal(ERR_peek_error(), 0);
	if (strcmp(expect, "ok") != 0) {
		assert_null(secret.secret_key.data);
		return;
	}
	assert_hex(secret_view(&secret.secret_key), name_of(entry, "secret"));
	assert_hex(view_of(secret.public_key, sizeof secret.public_key), name_of(entry, "pubkey"));
}

static void decrypts_or_refuses_our_vectors(void **state)
{
	AUTO_FREE char *folder = own_vector_path("keystore");
	AUTO_FREE char *index_path = own_vector_path("keystore/index.json");
	AUTO_JSON json_t *index = load_json_with_nuls(index_path);
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(index) > 50);
	json_array_foreach(index, i, entry)
	{
		check_password(entry);
		check_keystore(folder, entry);
	}
}

static void decrypts_or_refuses_the_vectors_of_others(void **state)
{
	AUTO_FREE char *folder = public_vector_path("keystore");
	AUTO_FREE char *index_path = NULL;
	AUTO_JSON json_t *index = NULL;
	json_t *entry;
	size_t checked = 0;
	size_t i;

	(void)state;
	if (!folder)
		skip();
	index_path = memory_format("%s/index.json", folder);
	index = load_json_with_nuls(index_path);
	json_array_foreach(index, i, entry)
	{
		if (strcmp(name_of(entry, "source"), "generated") == 0)
			continue;
		if (name_of(entry, "password_utf8_hex"))
			check_password(entry);
		check_keystore(folder, entry);
		checked++;
	}
	assert_true(checked >= 16);
}

static void refuses_texts_that_are_no_keystore(void **state)
{
	AUTO_FREE char *path = own_vector_path("keystore/malformed.json");
	AUTO_JSON json_t *cases = load_json_with_nuls(path);
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 5);
	json_array_foreach(cases, i, entry)
	{
		AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
		struct error error = {0};
		bool decrypted = keystore_decrypt(text_of(entry, "text"), view_of_text("password"), &secret, &error);

		if (strcmp(verdict_of(decrypted, &error), name_of(entry, "expect")) != 0)
			fail_msg("%s: %s", name_of(entry, "name"), error.message);
	}
}

static void opens_the_keystores_of_web3signer(void **state)
{
	AUTO_FREE char *folder = public_vector_path("web3signer");
	AUTO_FREE char *index_path = NULL;
	AUTO_JSON json_t *index = NULL;
	json_t *entry;
	size_t i;

	(void)state;
	if (!folder)
		skip();
	index_path = memory_format("%s/keystore-vectors.json", folder);
	index = load_json(index_path);
	json_array_foreach(index, i, entry)
	{
		json_object_set_new(entry, "expect", json_string("ok"));
		json_object_set(entry, "secret", json_object_get(entry, "private_key"));
		json_object_set(entry, "pubkey", json_object_get(entry, "public_key"));
		check_keystore(folder, entry);
	}
	assert_true(i >= 5);
}

static void refuses_what_web3signer_refuses(void **state)
{
	static const char *const files[][2] = {
		{"missingCrypto.json", "malformed"},
		{"missingKdfSectionTestVector.json", "malformed"},
		{"missingVersion.json", "malformed"},
		{"unsupportedChecksumFunction.json", "unsupported"},
		{"unsupportedCipherFunction.json", "unsupported"},
		{"unsupportedDkLen.json", "unsupported"},
		{"unsupportedKdfFunction.json", "unsupported"},
		{"unsupportedPBKDF2Prf.json", "unsupported"},
		{"v3TestVector.json", "unsupported"},
	};
	AUTO_FREE char *folder = public_vector_path("web3signer/keystores");

	(void)state;
	if (!folder)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		AUTO_JSON json_t *entry =
			json_pack("{s:s, s:s, s:s}", "file", files[i][0], "expect", files[i][1], "password", "testpassword");

		check_keystore(folder, entry);
	}
}

static void encodes_passwords(void **state)
{
	AUTO_JSON json_t *cases = load_public_json("keystore/password_encoding.json");
	json_t *entry;
	size_t i;

	(void)state;
	json_array_foreach(cases, i, entry) check_password(entry);
	assert_true(i > 20);
}

static void refuses_passwords_that_are_no_text(void **state)
{
	static const char *const texts[] = {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80", "\xf5\x80\x80\x80"};
	static uint8_t large[KEYSTORE_PASSWORD_MAX_SIZE + 1];
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_SECRET struct secret encoded = {0};

		assert_false(keystore_password_encode(view_of_text(texts[i]), &encoded, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_string_equal(error.message, "password: not UTF-8");
		assert_null(encoded.data);
	}
	memset(large, 'a', sizeof large);
	for (size_t size = KEYSTORE_PASSWORD_MAX_SIZE; size <= sizeof large; size++) {
		AUTO_SECRET struct secret encoded = {0};

		assert_int_equal(keystore_password_encode(view_of(large, size), &encoded, &error),
				 size == KEYSTORE_PASSWORD_MAX_SIZE);
	}
	assert_message_contains(&error, "at most 4096");
}

/* U+FDFA becomes 18 characters: the worst that NFKD does. */
static void has_room_for_the_longest_decomposition(void **state)
{
	AUTO_BUFFER struct buffer password = {0};
	AUTO_SECRET struct secret encoded = {0};
	struct error error = {0};

	(void)state;
	while (password.size + 3 <= KEYSTORE_PASSWORD_MAX_SIZE)
		buffer_append_text(&password, "\xef\xb7\xba");
	assert_ok(keystore_password_encode(buffer_view(&password), &encoded, &error), &error);
	assert_int_equal(encoded.size, password.size / 3 * 33);
}

static void derives_known_keys(void **state)
{
	AUTO_JSON json_t *cases = load_public_json("keystore/kdf.json");
	json_t *entry;
	size_t i;

	(void)state;
	json_array_foreach(cases, i, entry)
	{
		struct keystore_kdf_parameters kdf = {
			.function = strcmp(name_of(entry, "function"), "scrypt") == 0 ? KEYSTORE_KDF_SCRYPT : KEYSTORE_KDF_PBKDF2,
			.n = (uint64_t)json_integer_value(json_object_get(entry, "n")),
			.r = (uint64_t)json_integer_value(json_object_get(entry, "r")),
			.p = (uint64_t)json_integer_value(json_object_get(entry, "p")),
			.count = (uint64_t)json_integer_value(json_object_get(entry, "c")),
			.salt = unhex(name_of(entry, "salt")),
		};
		AUTO_SECRET struct secret password = {0};
		AUTO_SECRET struct secret key = {0};
		struct error error = {0};

		assert_ok(secret_init_copy(&password, text_of(entry, "password_utf8"), &error), &error);
		assert_ok(keystore_kdf_check(&kdf, &error), &error);
		assert_ok(keystore_kdf_derive(&kdf, &password, &key, &error), &error);
		assert_hex(secret_view(&key), name_of(entry, "key"));
		buffer_done(&kdf.salt);
	}
	assert_int_equal(i, 2);
}

#define SCRYPT .function = KEYSTORE_KDF_SCRYPT
#define PBKDF2 .function = KEYSTORE_KDF_PBKDF2

static void bounds_the_cost(void **state)
{
	static const struct {
		struct keystore_kdf_parameters kdf;
		const char *message; /* NULL: fine */
	} cases[] = {
		{{SCRYPT, .n = 262144, .r = 8, .p = 1}, NULL},
		{{SCRYPT, .n = 1 << 20, .r = 8, .p = 1}, NULL},
		{{SCRYPT, .n = 1 << 20, .r = 8, .p = 4}, NULL},
		{{SCRYPT, .n = 1 << 20, .r = 8, .p = 5}, "too costly"},
		{{SCRYPT, .n = 1 << 21, .r = 8, .p = 1}, "too costly"},
		{{SCRYPT, .n = 1 << 20, .r = 9, .p = 1}, "too costly"},
		{{SCRYPT, .n = 2, .r = 1 << 22, .p = 1}, NULL},
		{{SCRYPT, .n = 2, .r = (1 << 22) + 1, .p = 1}, "too costly"},
		{{SCRYPT, .n = 2, .r = 1, .p = 1 << 24}, "too costly"},
		{{SCRYPT, .n = 1ull << 63, .r = 1ull << 63, .p = 1ull << 63}, "too costly"},
		{{SCRYPT, .n = 1ull << 62, .r = 4, .p = 1}, "too costly"},
		{{SCRYPT, .n = 2, .r = UINT64_MAX, .p = 1}, "too costly"},
		{{SCRYPT, .n = 2, .r = 1, .p = UINT64_MAX}, "too costly"},
		{{SCRYPT, .n = 1 << 16, .r = 1, .p = 1}, "not below 2^(16 r)"},
		{{SCRYPT, .n = 1 << 15, .r = 1, .p = 1}, NULL},
		{{SCRYPT, .n = 1, .r = 8, .p = 1}, "power of two"},
		{{SCRYPT, .n = 3, .r = 8, .p = 1}, "power of two"},
		{{PBKDF2, .count = 1}, NULL},
		{{PBKDF2, .count = KEYSTORE_PBKDF2_COUNT_MAX}, NULL},
		{{PBKDF2, .count = KEYSTORE_PBKDF2_COUNT_MAX + 1}, "too costly"},
		{{PBKDF2, .count = UINT64_MAX}, "too costly"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {0};

		assert_int_equal(keystore_kdf_check(&cases[i].kdf, &error), cases[i].message == NULL);
		if (!cases[i].message)
			continue;
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decrypts_or_refuses_our_vectors),
		cmocka_unit_test(decrypts_or_refuses_the_vectors_of_others),
		cmocka_unit_test(refuses_texts_that_are_no_keystore),
		cmocka_unit_test(opens_the_keystores_of_web3signer),
		cmocka_unit_test(refuses_what_web3signer_refuses),
		cmocka_unit_test(encodes_passwords),
		cmocka_unit_test(refuses_passwords_that_are_no_text),
		cmocka_unit_test(has_room_for_the_longest_decomposition),
		cmocka_unit_test(derives_known_keys),
		cmocka_unit_test(bounds_the_cost),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
