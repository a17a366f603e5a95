/* SPDX-License-Identifier: Apache-2.0 */
#include "keystore_support.h"

#define LOW_COST_LOG2 10

static struct secret make_secret_key(void)
{
	struct secret secret_key = {0};
	struct error error = {0};

	assert_ok(bls_secret_key_generate(&secret_key, &error), &error);
	return secret_key;
}

static void opens_what_it_encrypted(void **state)
{
	static const enum keystore_kdf kdfs[] = {KEYSTORE_KDF_SCRYPT, KEYSTORE_KDF_PBKDF2};
	static const char *const passwords[] = {"", " ", "p\xc3\xa4ssw\xc3\xb6rd \xf0\x9f\x94\x91"};
	AUTO_SECRET struct secret secret_key = make_secret_key();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kdfs) * ARRAY_SIZE(passwords); i++) {
		struct view password = view_of_text(passwords[i / ARRAY_SIZE(kdfs)]);
		AUTO_BUFFER struct buffer json = {0};
		AUTO_KEYSTORE_SECRET struct keystore_secret opened = {0};
		AUTO_KEYSTORE_SECRET struct keystore_secret not_opened = {0};
		struct error error = {0};

		assert_ok(keystore_encrypt(&secret_key, password, kdfs[i % ARRAY_SIZE(kdfs)], LOW_COST_LOG2, "m/12381/3600/0/0/0",
					   "a \"description\"", &json, &error),
			  &error);
		assert_ok(keystore_decrypt(buffer_view(&json), password, &opened, &error), &error);
		assert_true(view_equal(secret_view(&opened.secret_key), secret_view(&secret_key)));
		assert_false(keystore_decrypt(buffer_view(&json), view_of_text("another"), &not_opened, &error));
		assert_int_equal(error.code, ERROR_CRYPTO);
		assert_string_equal(error.message, "wrong password");
	}
}

static json_t *encrypt_to_json(const struct secret *secret_key, enum keystore_kdf kdf, const char *description)
{
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};
	json_t *json;

	assert_ok(keystore_encrypt(secret_key, view_of_text("password"), kdf, LOW_COST_LOG2, "m/12381/3600/1/0/0", description,
				   &text, &error),
		  &error);
	json = json_parse_object(buffer_view(&text), "keystore", &error);
	assert_ok(json != NULL, &error);
	return json;
}

static const char *text_at(json_t *json, const char *one, const char *two, const char *three, const char *four)
{
	const char *const names[] = {one, two, three, four};

	for (size_t i = 0; i < ARRAY_SIZE(names) && names[i]; i++)
		json = json_object_get(json, names[i]);
	assert_true(json_is_string(json));
	return json_string_value(json);
}

static json_int_t number_at(json_t *json, const char *name)
{
	json_t *parameters = json_object_get(json_object_get(json_object_get(json, "crypto"), "kdf"), "params");

	assert_true(json_is_integer(json_object_get(parameters, name)));
	return json_integer_value(json_object_get(parameters, name));
}

static void writes_the_members_of_the_standard(void **state)
{
	AUTO_SECRET struct secret secret_key = make_secret_key();
	AUTO_JSON json_t *scrypt = encrypt_to_json(&secret_key, KEYSTORE_KDF_SCRYPT, NULL);
	AUTO_JSON json_t *pbkdf2 = encrypt_to_json(&secret_key, KEYSTORE_KDF_PBKDF2, "text");
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	const char *uuid = text_at(scrypt, "uuid", NULL, NULL, NULL);
	struct error error = {0};

	(void)state;
	assert_ok(bls_public_key_derive(secret_key.data, public_key, &error), &error);
	assert_hex(view_of(public_key, sizeof public_key), text_at(scrypt, "pubkey", NULL, NULL, NULL));
	assert_int_equal(json_integer_value(json_object_get(scrypt, "version")), 4);
	assert_string_equal(text_at(scrypt, "path", NULL, NULL, NULL), "m/12381/3600/1/0/0");
	assert_null(json_object_get(scrypt, "description"));
	assert_string_equal(text_at(pbkdf2, "description", NULL, NULL, NULL), "text");
	assert_string_equal(text_at(scrypt, "crypto", "kdf", "function", NULL), "scrypt");
	assert_string_equal(text_at(scrypt, "crypto", "kdf", "message", NULL), "");
	assert_int_equal(number_at(scrypt, "dklen"), 32);
	assert_int_equal(number_at(scrypt, "n"), 1 << LOW_COST_LOG2);
	assert_int_equal(number_at(scrypt, "r"), 8);
	assert_int_equal(number_at(scrypt, "p"), 1);
	assert_int_equal(strlen(text_at(scrypt, "crypto", "kdf", "params", "salt")), 64);
	assert_string_equal(text_at(pbkdf2, "crypto", "kdf", "function", NULL), "pbkdf2");
	assert_string_equal(text_at(pbkdf2, "crypto", "kdf", "params", "prf"), "hmac-sha256");
	assert_int_equal(number_at(pbkdf2, "c"), 1 << LOW_COST_LOG2);
	assert_string_equal(text_at(scrypt, "crypto", "checksum", "function", NULL), "sha256");
	assert_string_equal(text_at(scrypt, "crypto", "cipher", "function", NULL), "aes-128-ctr");
	assert_int_equal(strlen(text_at(scrypt, "crypto", "cipher", "params", "iv")), 32);
	assert_int_equal(strlen(text_at(scrypt, "crypto", "cipher", "message", NULL)), 64);
	/* Version 4, variant 10. */
	assert_int_equal(strlen(uuid), 36);
	assert_true(uuid[8] == '-' && uuid[13] == '-' && uuid[18] == '-' && uuid[23] == '-' && uuid[14] == '4');
	assert_non_null(strchr("89ab", uuid[19]));
	/* Nothing random is used twice. */
	assert_string_not_equal(uuid, text_at(pbkdf2, "uuid", NULL, NULL, NULL));
	assert_string_not_equal(text_at(scrypt, "crypto", "kdf", "params", "salt"),
				text_at(pbkdf2, "crypto", "kdf", "params", "salt"));
	assert_string_not_equal(text_at(scrypt, "crypto", "cipher", "params", "iv"),
				text_at(pbkdf2, "crypto", "cipher", "params", "iv"));
}

/* The IV is not under the checksum. */
static void notices_a_changed_iv(void **state)
{
	AUTO_SECRET struct secret secret_key = make_secret_key();
	AUTO_JSON json_t *json = encrypt_to_json(&secret_key, KEYSTORE_KDF_PBKDF2, NULL);
	json_t *parameters = json_object_get(json_object_get(json_object_get(json, "crypto"), "cipher"), "params");
	AUTO_BUFFER struct buffer text = {0};
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	struct error error = {0};
	bool decrypted;

	(void)state;
	json_object_set_new(parameters, "iv", json_string("00000000000000000000000000000000"));
	json_write(json, &text);
	decrypted = keystore_decrypt(buffer_view(&text), view_of_text("password"), &secret, &error);
	/* Another key, or (about one time in two) no key at all. */
	if (strcmp(verdict_of(decrypted, &error), "bad_secret") != 0)
		assert_string_equal(verdict_of(decrypted, &error), "pubkey_mismatch");
	assert_null(secret.secret_key.data);
}

static void refuses_to_encrypt_nonsense(void **state)
{
	static uint8_t zero[BLS_SECRET_KEY_SIZE];
	static uint8_t ones[BLS_SECRET_KEY_SIZE];
	static const struct {
		unsigned cost_log2;
		const char *path;
		const char *description;
		const char *message;
	} cases[] = {
		{0, "", NULL, "power of two"},
		{21, "", NULL, "too costly"},
		{63, "", NULL, "too costly"},
		{4000000000u, "", NULL, "too costly"},
		{LOW_COST_LOG2, "m/12381'/3600'/0'/0/0", NULL, "path"},
		{LOW_COST_LOG2, "m/4294967296", NULL, "path"},
		{LOW_COST_LOG2, "m//1", NULL, "path"},
		{LOW_COST_LOG2, "m/1/", NULL, "path"},
		{LOW_COST_LOG2, "12381/3600", NULL, "path"},
		{LOW_COST_LOG2, "mm", NULL, "path"},
		{LOW_COST_LOG2, "m/+1", NULL, "path"},
		{LOW_COST_LOG2, "", "\xff", "description"},
	};
	AUTO_SECRET struct secret secret_key = make_secret_key();
	struct secret bad_keys[] = {{zero, 32}, {ones, 32}, {secret_key.data, 31}};
	AUTO_BUFFER struct buffer json = {0};
	struct error error = {0};

	(void)state;
	memset(ones, 0xff, sizeof ones);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_false(keystore_encrypt(&secret_key, view_of_text("x"), KEYSTORE_KDF_SCRYPT, cases[i].cost_log2,
					      cases[i].path, cases[i].description, &json, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad_keys); i++) {
		assert_false(keystore_encrypt(&bad_keys[i], view_of_text("x"), KEYSTORE_KDF_PBKDF2, 1, "", NULL, &json, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
	assert_false(keystore_encrypt(&secret_key, view_of_text("\xff"), KEYSTORE_KDF_PBKDF2, 1, "", NULL, &json, &error));
	assert_message_contains(&error, "password");
	assert_int_equal(json.size, 0);
}

static void reads_paths_as_the_standard_does(void **state)
{
	AUTO_JSON json_t *cases = load_public_json("keystore/erc2334/paths.json");
	AUTO_SECRET struct secret secret_key = make_secret_key();
	json_t *entry;
	size_t i;

	(void)state;
	json_array_foreach(json_object_get(cases, "valid"), i, entry)
	{
		AUTO_BUFFER struct buffer json = {0};
		struct error error = {0};

		assert_ok(keystore_encrypt(&secret_key, view_of_text("x"), KEYSTORE_KDF_PBKDF2, 1, name_of(entry, "path"), NULL,
					   &json, &error),
			  &error);
	}
	json_array_foreach(json_object_get(cases, "invalid"), i, entry)
	{
		AUTO_BUFFER struct buffer json = {0};
		struct error error = {0};

		/* "" means unknown here, and C strings end at a NUL. */
		if (json_string_length(entry) == 0 || strlen(json_string_value(entry)) != json_string_length(entry))
			continue;
		assert_false(keystore_encrypt(&secret_key, view_of_text("x"), KEYSTORE_KDF_PBKDF2, 1, json_string_value(entry),
					      NULL, &json, &error));
		assert_message_contains(&error, "path");
	}
}

/* Every member is checked and named: take each away, or make it something else. */
static void names_the_member_at_fault(void **state)
{
	static const struct {
		const char *modules[3];
		const char *name;
	} members[] = {
		{{NULL}, "version"},
		{{NULL}, "crypto"},
		{{"crypto"}, "kdf"},
		{{"crypto"}, "checksum"},
		{{"crypto"}, "cipher"},
		{{"crypto", "kdf"}, "function"},
		{{"crypto", "kdf"}, "params"},
		{{"crypto", "kdf", "params"}, "dklen"},
		{{"crypto", "kdf", "params"}, "salt"},
		{{"crypto", "kdf", "params"}, "n"},
		{{"crypto", "kdf", "params"}, "r"},
		{{"crypto", "kdf", "params"}, "p"},
		{{"crypto", "checksum"}, "function"},
		{{"crypto", "checksum"}, "message"},
		{{"crypto", "cipher"}, "function"},
		{{"crypto", "cipher"}, "message"},
		{{"crypto", "cipher", "params"}, "iv"},
	};
	AUTO_SECRET struct secret secret_key = make_secret_key();
	AUTO_JSON json_t *good = encrypt_to_json(&secret_key, KEYSTORE_KDF_SCRYPT, NULL);

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(members); i++) {
		AUTO_JSON json_t *json = json_deep_copy(good);
		AUTO_BUFFER struct buffer text = {0};
		AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
		AUTO_FREE char *named = memory_format("%s: ", members[i / 2].name);
		struct error error = {0};
		json_t *module = json;

		for (size_t j = 0; j < 3 && members[i / 2].modules[j]; j++)
			module = json_object_get(module, members[i / 2].modules[j]);
		assert_int_equal(json_object_del(module, members[i / 2].name), 0);
		if (i % 2)
			json_object_set_new(module, members[i / 2].name, json_true());
		json_write(json, &text);
		assert_false(keystore_decrypt(buffer_view(&text), view_of_text("password"), &secret, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, named);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_what_it_encrypted),
		cmocka_unit_test(writes_the_members_of_the_standard),
		cmocka_unit_test(notices_a_changed_iv),
		cmocka_unit_test(refuses_to_encrypt_nonsense),
		cmocka_unit_test(reads_paths_as_the_standard_does),
		cmocka_unit_test(names_the_member_at_fault),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
