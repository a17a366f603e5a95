/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/mnemonic.h"

#include "json_support.h"

#include "eth/mnemonic_words.h"
#include "eth/ssz.h"

#define ABANDON_11 "abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon"

static void assert_text(const struct secret *mnemonic, struct view expected)
{
	assert_true(view_equal(secret_view(mnemonic), expected));
}

/* github.com/bitcoin/bips, bip-0039/english.txt. */
static void has_the_published_list(void **state)
{
	AUTO_BUFFER struct buffer list = {0};
	uint8_t digest[32];

	(void)state;
	for (size_t i = 0; i < MNEMONIC_WORD_LIST_SIZE; i++)
		buffer_append_format(&list, "%s\n", MNEMONIC_WORDS[i]);
	sha256(buffer_view(&list), digest);
	assert_hex(view_of(digest, sizeof digest), "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda");
	/* In order, so that each differs from the next within four letters: prefixes are unique. */
	for (size_t i = 1; i < MNEMONIC_WORD_LIST_SIZE; i++)
		assert_true(strncmp(MNEMONIC_WORDS[i - 1], MNEMONIC_WORDS[i], 4) < 0);
}

static void check_seed(json_t *entry)
{
	AUTO_SECRET struct secret seed = {0};
	struct error error = {0};

	assert_ok(mnemonic_derive_seed(text_of(entry, "mnemonic"), text_of(entry, "passphrase"), &seed, &error), &error);
	assert_hex(secret_view(&seed), name_of(entry, "seed"));
}

static void agrees_with_the_published_vectors(void **state)
{
	AUTO_JSON json_t *cases = load_public_json("keystore/bip39/vectors.json");
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) >= 18);
	json_array_foreach(cases, i, entry)
	{
		AUTO_SECRET struct secret entropy = {0};
		AUTO_SECRET struct secret mnemonic = {0};
		AUTO_SECRET struct secret again = {0};
		struct view hex = text_of(entry, "entropy");
		struct error error = {0};

		assert_ok(secret_init_hex(&entropy, hex, hex.size / 2, "entropy", &error), &error);
		assert_ok(mnemonic_encode_entropy(&entropy, &mnemonic, &error), &error);
		assert_text(&mnemonic, text_of(entry, "mnemonic"));
		assert_ok(mnemonic_normalize_text(secret_view(&mnemonic), &again, &error), &error);
		assert_text(&again, text_of(entry, "mnemonic"));
		check_seed(entry);
	}
}

static void normalizes_passphrases(void **state)
{
	AUTO_JSON json_t *cases = load_public_json("keystore/bip39/passphrases.json");
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) >= 12);
	json_array_foreach(cases, i, entry) check_seed(entry);
}

static void refuses(struct view typed, const char *message)
{
	AUTO_SECRET struct secret mnemonic = {0};
	AUTO_SECRET struct secret seed = {0};
	struct error error = {0};

	assert_false(mnemonic_normalize_text(typed, &mnemonic, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
	assert_null(mnemonic.data);
	assert_false(mnemonic_derive_seed(typed, view_of_text(""), &seed, &error));
	assert_message_contains(&error, message);
	assert_null(seed.data);
}

static void takes(struct view typed, const char *canonical)
{
	AUTO_SECRET struct secret mnemonic = {0};
	struct error error = {0};

	assert_ok(mnemonic_normalize_text(typed, &mnemonic, &error), &error);
	assert_text(&mnemonic, view_of_text(canonical));
}

static const char *message_of(const char *reason)
{
	static const struct {
		const char *reason;
		const char *message;
	} messages[] = {
		{"checksum", "mnemonic: the checksum is wrong"},
		{"word_count", "words, expected 12, 15, 18, 21 or 24"},
		{"unknown_word", "mnemonic: word 12 is not in the English list"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		if (strcmp(messages[i].reason, reason) == 0)
			return messages[i].message;
	}
	fail_msg("unknown reason %s", reason);
	return NULL;
}

static void judges_as_the_vectors_say(void **state)
{
	AUTO_JSON json_t *cases = load_public_json("keystore/bip39/invalid.json");
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(json_object_get(cases, "invalid")) >= 10);
	json_array_foreach(json_object_get(cases, "invalid"), i, entry)
		refuses(text_of(entry, "mnemonic"), message_of(name_of(entry, "reason")));
	json_array_foreach(json_object_get(cases, "policy"), i, entry)
		takes(text_of(entry, "mnemonic"), name_of(entry, "canonical_mnemonic"));
}

static void takes_what_people_type(void **state)
{
	static const char canonical[] = ABANDON_11 " about";

	(void)state;
	takes(view_of_text(canonical), canonical);
	takes(view_of_text("\n" ABANDON_11 "\r\n\tabout\v\f\n"), canonical);
	takes(view_of_text(ABANDON_11 " ABOU"), canonical);
	takes(view_of_text("aband abando ABANDo abandon aban aban aban aban aban aban aban aBoUt"), canonical);
	/* No-break, ideographic and em space; wide letters. */
	takes(view_of_text(ABANDON_11 "\xc2\xa0"
				      "about"),
	      canonical);
	takes(view_of_text(ABANDON_11 "\xe3\x80\x80\xe2\x80\x83"
				      "about"),
	      canonical);
	takes(view_of_text(ABANDON_11 " \xef\xbd\x81"
				      "bout"),
	      canonical);
	/* Words of three letters, one of which begins another: "add" and "addict", "act" and "action". */
	refuses(view_of_text(ABANDON_11 " add"), "checksum");
	refuses(view_of_text(ABANDON_11 " act"), "checksum");
	refuses(view_of_text(ABANDON_11 " acti"), "checksum");
}

static void refuses_what_is_no_mnemonic(void **state)
{
	static const char zero_inside[] = ABANDON_11 " act\0";
	static const char zero_behind[] = ABANDON_11 " about\0";
	AUTO_BUFFER struct buffer large = {0};

	(void)state;
	refuses(view_of_text(ABANDON_11 " abo"), "word 12 is not");
	refuses(view_of_text(ABANDON_11 " abouttt"), "word 12 is not");
	refuses(view_of_text("zoology " ABANDON_11 " about"), "13 words");
	refuses(view_of_text("zoology " ABANDON_11), "word 1 is not");
	refuses(view_of_text(ABANDON_11 "\xff"), "not UTF-8");
	refuses(view_of_text(ABANDON_11 ",about"), "11 words");
	refuses(view_of(zero_inside, sizeof zero_inside - 1), "word 12 is not");
	refuses(view_of(zero_behind, sizeof zero_behind - 1), "word 12 is not");
	refuses(view_of_text(""), "0 words");
	refuses(view_of_text(" \t "), "0 words");
	buffer_reserve(&large, MNEMONIC_TEXT_MAX_SIZE + 1);
	memset(large.data, ' ', MNEMONIC_TEXT_MAX_SIZE + 1);
	refuses(view_of(large.data, MNEMONIC_TEXT_MAX_SIZE + 1), "at most");
}

/* A mistake of one word is found fifteen times of sixteen, of 24 words 255 of 256: the checksum is looked at in full. */
static void finds_wrong_words(void **state)
{
	size_t taken_12 = 0;
	size_t taken_24 = 0;

	(void)state;
	for (size_t i = 0; i < MNEMONIC_WORD_LIST_SIZE; i++) {
		AUTO_FREE char *twelve = memory_format(ABANDON_11 " %s", MNEMONIC_WORDS[i]);
		AUTO_FREE char *twenty_four = memory_format(ABANDON_11 " %s " ABANDON_11 " art", MNEMONIC_WORDS[i]);
		AUTO_SECRET struct secret mnemonic = {0};
		AUTO_SECRET struct secret long_mnemonic = {0};

		taken_12 += mnemonic_normalize_text(view_of_text(twelve), &mnemonic, NULL);
		taken_24 += mnemonic_normalize_text(view_of_text(twenty_four), &long_mnemonic, NULL);
	}
	assert_int_equal(taken_12, MNEMONIC_WORD_LIST_SIZE / 16);
	/* "abandon" itself among them. */
	assert_in_range(taken_24, 1, 32);
}

static void makes_new_ones_of_every_length(void **state)
{
	(void)state;
	for (size_t count = 0; count <= 30; count++) {
		AUTO_SECRET struct secret mnemonic = {0};
		AUTO_SECRET struct secret other = {0};
		AUTO_SECRET struct secret again = {0};
		struct error error = {0};

		if (count < 12 || count > 24 || count % 3 != 0) {
			assert_false(mnemonic_generate(count, &mnemonic, &error));
			assert_message_contains(&error, "expected 12");
			continue;
		}
		assert_ok(mnemonic_generate(count, &mnemonic, &error), &error);
		assert_ok(mnemonic_normalize_text(secret_view(&mnemonic), &again, &error), &error);
		assert_true(secret_equal(secret_view(&mnemonic), secret_view(&again)));
		assert_ok(mnemonic_generate(count, &other, &error), &error);
		assert_false(secret_equal(secret_view(&mnemonic), secret_view(&other)));
	}
}

static void refuses_entropy_of_other_sizes(void **state)
{
	(void)state;
	for (size_t size = 0; size <= 40; size++) {
		AUTO_SECRET struct secret entropy = {0};
		AUTO_SECRET struct secret mnemonic = {0};
		struct error error = {0};
		bool legal = size >= 16 && size <= 32 && size % 4 == 0;

		assert_ok(secret_init(&entropy, size, &error), &error);
		assert_int_equal(mnemonic_encode_entropy(&entropy, &mnemonic, &error), legal);
		if (!legal)
			assert_message_contains(&error, "entropy: ");
	}
}

static void refuses_a_passphrase_that_is_no_text(void **state)
{
	AUTO_SECRET struct secret seed = {0};
	AUTO_BUFFER struct buffer large = {0};
	struct error error = {0};

	(void)state;
	assert_false(mnemonic_derive_seed(view_of_text(ABANDON_11 " about"), view_of_text("\xc3"), &seed, &error));
	assert_message_contains(&error, "passphrase: not UTF-8");
	buffer_reserve(&large, MNEMONIC_PASSPHRASE_MAX_SIZE + 1);
	memset(large.data, 'a', MNEMONIC_PASSPHRASE_MAX_SIZE + 1);
	assert_false(mnemonic_derive_seed(view_of_text(ABANDON_11 " about"), view_of(large.data, MNEMONIC_PASSPHRASE_MAX_SIZE + 1),
					  &seed, &error));
	assert_message_contains(&error, "passphrase: ");
	assert_null(seed.data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(has_the_published_list),
		cmocka_unit_test(agrees_with_the_published_vectors),
		cmocka_unit_test(normalizes_passphrases),
		cmocka_unit_test(judges_as_the_vectors_say),
		cmocka_unit_test(takes_what_people_type),
		cmocka_unit_test(refuses_what_is_no_mnemonic),
		cmocka_unit_test(finds_wrong_words),
		cmocka_unit_test(makes_new_ones_of_every_length),
		cmocka_unit_test(refuses_entropy_of_other_sizes),
		cmocka_unit_test(refuses_a_passphrase_that_is_no_text),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
