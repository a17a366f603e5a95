/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/key_import.h"
#include "vectors.h"

#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "tables/sealed_key.h"

#define FOLDER "test_key_import_keystores"
#define PASSWORDS "test_key_import_passwords"
#define KEY_COUNT 3

static const uint8_t data_key[AEAD_KEY_SIZE] = {1, 2, 3};
static const struct key_seal seal = {
	.web3signer_uuid = "local",
	.chain = "hoodi",
	.data_key = {data_key, sizeof data_key},
	.data_key_b64 = "d3JhcHBlZA==",
};

static void write_text(const char *path, const char *text)
{
	struct error error = {0};

	assert_ok(file_write_atomic(path, view_of_text(text), 0600, &error), &error);
}

static void write_keystore(const char *name, uint8_t last_byte, const char *password)
{
	AUTO_FREE char *path = memory_format("%s/%s.json", FOLDER, name);
	uint8_t bytes[BLS_SECRET_KEY_SIZE] = {0};
	AUTO_SECRET struct secret secret = {0};
	AUTO_BUFFER struct buffer json = {0};
	struct error error = {0};

	bytes[31] = last_byte;
	assert_ok(secret_init_copy(&secret, view_of(bytes, sizeof bytes), &error), &error);
	assert_ok(keystore_encrypt(&secret, view_of_text(password), KEYSTORE_KDF_PBKDF2, 10, "", "test", &json, &error), &error);
	assert_ok(file_write_atomic(path, buffer_view(&json), 0600, &error), &error);
}

static int clean(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2; i++) {
		static const char *const folders[] = {FOLDER, PASSWORDS};
		static const char *const names[] = {"a.json", "b.json", "c.json", "d.json", "a.txt", "b.txt", "c.txt", "one.txt"};

		for (size_t j = 0; j < ARRAY_SIZE(names); j++) {
			AUTO_FREE char *path = memory_format("%s/%s", folders[i], names[j]);

			(void)unlink(path);
		}
		(void)rmdir(folders[i]);
	}
	return 0;
}

static int prepare(void **state)
{
	(void)clean(state);
	assert_int_equal(mkdir(FOLDER, 0700), 0);
	assert_int_equal(mkdir(PASSWORDS, 0700), 0);
	write_keystore("a", 1, "first");
	write_keystore("b", 2, "second");
	write_keystore("c", 3, "third");
	write_text(PASSWORDS "/a.txt", "first\n");
	write_text(PASSWORDS "/b.txt", "second\r\n");
	write_text(PASSWORDS "/c.txt", "third");
	write_text(PASSWORDS "/one.txt", "first\n");
	return 0;
}

static const struct key_source source = {.keystores = FOLDER, .passwords = PASSWORDS};

static void import_fails(const struct key_source *from, enum error_code code, const char *text)
{
	struct key_rows rows = {0};
	struct error error = {0};

	assert_false(key_import(from, &seal, NULL, &rows, &error));
	assert_int_equal(error.code, code);
	assert_message_contains(&error, text);
	assert_null(rows.rows);
}

static void rows_open_again(void **state)
{
	AUTO_KEY_ROWS struct key_rows rows = {0};
	struct error error = {0};

	(void)state;
	assert_ok(key_import(&source, &seal, NULL, &rows, &error), &error);
	assert_int_equal(rows.count, KEY_COUNT);
	for (size_t i = 0; i < rows.count; i++) {
		AUTO_SECRET struct secret secret = {0};
		AUTO_BUFFER struct buffer sealed = {0};

		assert_string_equal(rows.rows[i].chain, "hoodi");
		assert_string_equal(rows.rows[i].data_key_b64, "d3JhcHBlZA==");
		assert_true(rows.rows[i].active);
		assert_true(base64_decode(view_of_text(rows.rows[i].sealed_key_b64), &sealed));
		assert_ok(sealed_key_open(view_of(data_key, sizeof data_key), rows.rows[i].pubkey, "hoodi", buffer_view(&sealed),
					  &secret, &error),
			  &error);
		assert_int_equal(secret.data[31], i + 1);
	}
}

static void bad_sources_are_named(void **state)
{
	const struct key_source one_password = {.keystores = FOLDER, .password_file = PASSWORDS "/one.txt"};
	const struct key_source empty = {.keystores = PASSWORDS, .passwords = PASSWORDS};
	const struct key_source missing = {.keystores = "nonexistent", .passwords = PASSWORDS};

	(void)state;
	import_fails(&one_password, ERROR_CRYPTO, "b.json");
	import_fails(&empty, ERROR_INPUT, "no *.json");
	import_fails(&missing, ERROR_INPUT, "nonexistent");
	(void)unlink(PASSWORDS "/c.txt");
	import_fails(&source, ERROR_NOT_FOUND, "c.txt");
	write_text(PASSWORDS "/c.txt", "third");
	write_text(FOLDER "/c.json", "{\"crypto\":");
	import_fails(&source, ERROR_INPUT, "c.json");
	write_keystore("c", 1, "third");
	import_fails(&source, ERROR_INPUT, "same key");
}

static void password_line_end_is_cut(void **state)
{
	static const struct {
		const char *text;
		const char *password;
	} cases[] = {
		{"a b\n", "a b"}, {"a b\r\n", "a b"}, {"a b", "a b"}, {"a b \n\n", "a b \n"}, {" x", " x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SECRET struct secret password = {0};
		struct error error = {0};

		write_text(PASSWORDS "/one.txt", cases[i].text);
		assert_ok(password_file_read(PASSWORDS "/one.txt", &password, &error), &error);
		assert_true(view_equal_text(secret_view(&password), cases[i].password));
	}
}

static void new_keys_differ(void **state)
{
	AUTO_KEY_ROWS struct key_rows one = {0};
	AUTO_KEY_ROWS struct key_rows two = {0};
	struct error error = {0};

	(void)state;
	assert_ok(key_import_new(&seal, &one, &error), &error);
	assert_ok(key_import_new(&seal, &two, &error), &error);
	assert_string_not_equal(one.rows[0].pubkey, two.rows[0].pubkey);
	assert_string_not_equal(one.rows[0].sealed_key_b64, two.rows[0].sealed_key_b64);
}

static int group_setup(void **state)
{
	struct error error = {0};

	(void)state;
	assert_ok(secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error), &error);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_open_again, prepare, clean),
		cmocka_unit_test_setup_teardown(bad_sources_are_named, prepare, clean),
		cmocka_unit_test_setup_teardown(password_line_end_is_cut, prepare, clean),
		cmocka_unit_test_setup_teardown(new_keys_differ, prepare, clean),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
