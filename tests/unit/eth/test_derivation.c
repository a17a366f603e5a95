/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/derivation.h"

#include "json_support.h"

#include "eth/mnemonic.h"

static void read_secret(json_t *object, const char *name, struct secret *ret_secret)
{
	struct view hex = text_of(object, name);
	size_t prefix = hex.size >= 2 && hex.data[1] == 'x' ? 2 : 0;
	struct error error = {0};

	assert_ok(secret_init_hex(ret_secret, hex, (hex.size - prefix) / 2, name, &error), &error);
}

static void check_master_and_child(json_t *entry)
{
	AUTO_SECRET struct secret seed = {0};
	AUTO_SECRET struct secret master = {0};
	AUTO_SECRET struct secret child = {0};
	struct error error = {0};

	read_secret(entry, "seed", &seed);
	assert_ok(derivation_derive_master(&seed, &master, &error), &error);
	assert_hex(secret_view(&master), name_of(entry, "master_SK"));
	assert_ok(derivation_derive_child(&master, (uint32_t)json_integer_value(json_object_get(entry, "child_index")), &child,
					  &error),
		  &error);
	assert_hex(secret_view(&child), name_of(entry, "child_SK"));
}

static void agrees_with_the_standard(void **state)
{
	AUTO_FREE char *path = public_vector_path("keystore/erc2333/tree_kdf.json");
	AUTO_FREE char *intermediate_path = public_vector_path("keystore/erc2333/tree_kdf_intermediate.json");
	AUTO_JSON json_t *cases = NULL;
	AUTO_JSON json_t *intermediate = NULL;
	json_t *entry;
	size_t i;

	(void)state;
	if (!path || !intermediate_path)
		skip();
	cases = load_json(path);
	intermediate = load_json(intermediate_path);
	assert_int_equal(json_array_size(cases), 4);
	json_array_foreach(cases, i, entry) check_master_and_child(entry);
	check_master_and_child(intermediate);
}

/* The seed is given, or follows from a mnemonic, which must then make the same. */
static void read_seed(json_t *entry, struct secret *ret_seed)
{
	struct error error = {0};

	if (!json_object_get(entry, "mnemonic")) {
		read_secret(entry, "seed", ret_seed);
		return;
	}
	assert_ok(mnemonic_derive_seed(text_of(entry, "mnemonic"), text_of(entry, "passphrase"), ret_seed, &error), &error);
	assert_hex(secret_view(ret_seed), name_of(entry, "seed"));
}

static void check_key(const struct secret *seed, json_t *expected)
{
	AUTO_SECRET struct secret key = {0};
	struct derivation_path path;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct error error = {0};

	assert_ok(derivation_path_parse(text_of(expected, "path"), &path, &error), &error);
	assert_ok(derivation_derive_path(seed, &path, &key, &error), &error);
	assert_hex(secret_view(&key), name_of(expected, "secret"));
	assert_ok(bls_public_key_derive(key.data, public_key, &error), &error);
	assert_hex(view_of(public_key, sizeof public_key), name_of(expected, "pubkey"));
}

static void derives_keys_on_paths(void **state)
{
	AUTO_JSON json_t *cases = load_public_json("keystore/erc2333/derive.json");
	json_t *entry;
	json_t *expected;
	size_t checked = 0;
	size_t i;
	size_t j;

	(void)state;
	json_array_foreach(cases, i, entry)
	{
		AUTO_SECRET struct secret seed = {0};

		read_seed(entry, &seed);
		json_array_foreach(json_object_get(entry, "keys"), j, expected)
		{
			check_key(&seed, expected);
			checked++;
		}
	}
	assert_true(checked >= 79);
}

/* The short cut for many keys makes the keys that the paths do. */
static void tree_makes_the_keys_of_the_paths(void **state)
{
	static const uint32_t indices[] = {0, 1, 1023, UINT32_MAX};
	AUTO_SECRET struct secret seed = {0};
	AUTO_DERIVATION_TREE struct derivation_tree tree = {0};
	struct error error = {0};

	(void)state;
	assert_ok(secret_init_copy(&seed, view_of_text("a seed of thirty-two bytes or so."), &error), &error);
	assert_ok(derivation_tree_init(&tree, &seed, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(indices); i++) {
		AUTO_DERIVATION_KEYS struct derivation_keys keys = {0};
		AUTO_SECRET struct secret withdrawal_key = {0};
		AUTO_SECRET struct secret signing_key = {0};
		char withdrawal_text[DERIVATION_PATH_TEXT_SIZE];
		char signing_text[DERIVATION_PATH_TEXT_SIZE];
		struct derivation_path path;

		assert_ok(derivation_tree_derive_keys(&tree, indices[i], &keys, &error), &error);
		derivation_path_format_withdrawal(indices[i], withdrawal_text);
		derivation_path_format_signing(indices[i], signing_text);
		assert_ok(derivation_path_parse(view_of_text(withdrawal_text), &path, &error), &error);
		assert_ok(derivation_derive_path(&seed, &path, &withdrawal_key, &error), &error);
		assert_ok(derivation_path_parse(view_of_text(signing_text), &path, &error), &error);
		assert_ok(derivation_derive_path(&seed, &path, &signing_key, &error), &error);
		assert_true(secret_equal(secret_view(&keys.withdrawal_key), secret_view(&withdrawal_key)));
		assert_true(secret_equal(secret_view(&keys.signing_key), secret_view(&signing_key)));
	}
	assert_int_equal(derivation_tree_derive_keys(&(struct derivation_tree){0}, 0, &(struct derivation_keys){0}, &error), false);
	assert_message_contains(&error, "no BLS secret key");
}

static void writes_paths(void **state)
{
	char text[DERIVATION_PATH_TEXT_SIZE];

	(void)state;
	derivation_path_format_signing(7, text);
	assert_string_equal(text, "m/12381/3600/7/0/0");
	derivation_path_format_signing(UINT32_MAX, text);
	assert_string_equal(text, "m/12381/3600/4294967295/0/0");
	derivation_path_format_withdrawal(0, text);
	assert_string_equal(text, "m/12381/3600/0/0");
}

static void refuses_path(struct view text, const char *message)
{
	struct derivation_path path = {.depth = 77};
	struct error error = {0};

	if (derivation_path_parse(text, &path, &error))
		fail_msg("taken for a path: %.*s", (int)text.size, (const char *)text.data);
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
	assert_int_equal(path.depth, 77);
}

static void reads_paths_as_the_standard_does(void **state)
{
	AUTO_JSON json_t *cases = load_public_json("keystore/erc2334/paths.json");
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(json_object_get(cases, "valid")) >= 9);
	json_array_foreach(json_object_get(cases, "valid"), i, entry)
	{
		json_t *indices = json_object_get(entry, "indices");
		struct derivation_path parsed;
		struct error error = {0};

		assert_ok(derivation_path_parse(text_of(entry, "path"), &parsed, &error), &error);
		assert_int_equal(parsed.depth, json_array_size(indices));
		for (size_t level = 0; level < parsed.depth; level++)
			assert_int_equal(parsed.indices[level], json_integer_value(json_array_get(indices, level)));
	}
	assert_true(json_array_size(json_object_get(cases, "invalid")) >= 20);
	json_array_foreach(json_object_get(cases, "invalid"), i, entry)
		refuses_path(view_of(json_string_value(entry), json_string_length(entry)), "path: ");
}

static void says_which_level_is_wrong(void **state)
{
	AUTO_BUFFER struct buffer deep = {0};
	struct derivation_path path;
	struct error error = {0};

	(void)state;
	refuses_path(view_of_text("m/12381/3600'/0/0"), "level 2 is not");
	refuses_path(view_of_text("m/12381/3600/0/0/"), "level 5 is not");
	refuses_path(view_of_text("m/"), "level 1 is not");
	refuses_path(view_of_text("m/12381/4294967296"), "level 2 is not");
	refuses_path(view_of_text(" m/0"), "begin with m");
	refuses_path(view_of_text("mm"), "begin with m");
	buffer_append_text(&deep, "m");
	for (size_t i = 0; i < DERIVATION_PATH_MAX_DEPTH; i++)
		buffer_append_text(&deep, "/1");
	assert_ok(derivation_path_parse(buffer_view(&deep), &path, &error), &error);
	assert_int_equal(path.depth, DERIVATION_PATH_MAX_DEPTH);
	buffer_append_text(&deep, "/1");
	refuses_path(buffer_view(&deep), "more than 32 levels");
}

static void refuses_short_seeds_and_bad_parents(void **state)
{
	static const size_t key_sizes[] = {0, 31, 32, 33};
	struct error error = {0};

	(void)state;
	for (size_t size = 0; size < DERIVATION_SEED_MIN_SIZE + 2; size++) {
		AUTO_SECRET struct secret seed = {0};
		AUTO_SECRET struct secret key = {0};

		assert_ok(secret_init(&seed, size, &error), &error);
		assert_int_equal(derivation_derive_master(&seed, &key, &error), size >= DERIVATION_SEED_MIN_SIZE);
		if (size < DERIVATION_SEED_MIN_SIZE)
			assert_message_contains(&error, "seed: ");
	}
	/* Zeros are no key; nor are 33 bytes. */
	for (size_t i = 0; i < ARRAY_SIZE(key_sizes); i++) {
		AUTO_SECRET struct secret parent = {0};
		AUTO_SECRET struct secret key = {0};

		assert_ok(secret_init(&parent, key_sizes[i], &error), &error);
		assert_false(derivation_derive_child(&parent, 0, &key, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_standard),
		cmocka_unit_test(derives_keys_on_paths),
		cmocka_unit_test(tree_makes_the_keys_of_the_paths),
		cmocka_unit_test(writes_paths),
		cmocka_unit_test(reads_paths_as_the_standard_does),
		cmocka_unit_test(says_which_level_is_wrong),
		cmocka_unit_test(refuses_short_seeds_and_bad_parents),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
