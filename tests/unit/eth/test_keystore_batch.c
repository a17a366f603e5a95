/* SPDX-License-Identifier: Apache-2.0 */
/* One derivation for a batch, written and read. The linker puts a counter before keystore_kdf_derive(). */
#include "keystore_support.h"

#define LOW_COST_LOG2 4
#define BATCH_SIZE 5

static unsigned derivations;

bool __real_keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				struct error *error);
bool __wrap_keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				struct error *error);

bool __wrap_keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				struct error *error)
{
	derivations++;
	return __real_keystore_kdf_derive(kdf, password, ret_key, error);
}

static int begin(void **state)
{
	(void)state;
	derivations = 0;
	return 0;
}

struct written {
	struct secret secret_key;
	struct buffer json;
};

static struct keystore_batch *make_batch(const char *password, enum keystore_kdf kdf, unsigned cost_log2)
{
	struct error error = {0};
	struct keystore_batch *batch = keystore_batch_new(view_of_text(password), kdf, cost_log2, &error);

	assert_ok(batch != NULL, &error);
	return batch;
}

static void write_one(const struct keystore_batch *batch, struct written *ret_written)
{
	struct error error = {0};

	*ret_written = (struct written){0};
	assert_ok(bls_secret_key_generate(&ret_written->secret_key, &error), &error);
	assert_ok(keystore_batch_encrypt(batch, &ret_written->secret_key, "m/12381/3600/0/0/0", NULL, &ret_written->json, &error),
		  &error);
}

static void written_done(struct written *written)
{
	secret_done(&written->secret_key);
	buffer_done(&written->json);
}

#define AUTO_WRITTEN CLEANUP(written_done)

/* One keystore of a batch of its own. */
static void write_alone(const char *password, enum keystore_kdf kdf, unsigned cost_log2, struct written *ret_written)
{
	AUTO_KEYSTORE_BATCH struct keystore_batch *batch = make_batch(password, kdf, cost_log2);

	write_one(batch, ret_written);
}

static void opens(struct keystore_kdf_cache *cache, const struct written *written, const char *password)
{
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	struct error error = {0};

	assert_ok(keystore_decrypt_cached(cache, buffer_view(&written->json), view_of_text(password), &secret, &error), &error);
	assert_true(secret_equal(secret_view(&secret.secret_key), secret_view(&written->secret_key)));
}

static void does_not_open(struct keystore_kdf_cache *cache, const struct written *written, const char *password)
{
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	struct error error = {0};

	assert_string_equal(
		verdict_of(keystore_decrypt_cached(cache, buffer_view(&written->json), view_of_text(password), &secret, &error),
			   &error),
		"wrong_password");
	assert_null(secret.secret_key.data);
}

static json_t *member(json_t *json, const char *module, const char *name)
{
	return json_object_get(json_object_get(json_object_get(json_object_get(json, "crypto"), module), "params"), name);
}

/* Salts are one, IVs and uuids are not. */
static void assert_of_one_batch(const struct written *a, const struct written *b)
{
	AUTO_JSON json_t *first = json_loadb((const char *)a->json.data, a->json.size, 0, NULL);
	AUTO_JSON json_t *second = json_loadb((const char *)b->json.data, b->json.size, 0, NULL);

	assert_true(json_equal(member(first, "kdf", "salt"), member(second, "kdf", "salt")));
	assert_false(json_equal(member(first, "cipher", "iv"), member(second, "cipher", "iv")));
	assert_false(json_equal(json_object_get(first, "uuid"), json_object_get(second, "uuid")));
	assert_false(json_equal(json_object_get(first, "pubkey"), json_object_get(second, "pubkey")));
}

static void one_derivation_writes_and_one_reads(void **state)
{
	static const enum keystore_kdf kdfs[] = {KEYSTORE_KDF_SCRYPT, KEYSTORE_KDF_PBKDF2};

	(void)state;
	for (size_t k = 0; k < ARRAY_SIZE(kdfs); k++) {
		AUTO_KEYSTORE_BATCH struct keystore_batch *batch = NULL;
		AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
		struct written written[BATCH_SIZE];

		derivations = 0;
		batch = make_batch("p\xc3\xa4ssword", kdfs[k], LOW_COST_LOG2);
		for (size_t i = 0; i < BATCH_SIZE; i++)
			write_one(batch, &written[i]);
		assert_int_equal(derivations, 1);
		/* However the accent is typed. */
		for (size_t i = 0; i < BATCH_SIZE; i++)
			opens(&cache, &written[i], i % 2 ? "p\xc3\xa4ssword" : "pa\xcc\x88ssword");
		assert_int_equal(derivations, 2);
		for (size_t i = 0; i < BATCH_SIZE; i++) {
			opens(NULL, &written[i], "p\xc3\xa4ssword");
			if (i > 0)
				assert_of_one_batch(&written[0], &written[i]);
		}
		assert_int_equal(derivations, 2 + BATCH_SIZE);
		for (size_t i = 0; i < BATCH_SIZE; i++)
			written_done(&written[i]);
	}
}

static void plain_decryption_reads_batches(void **state)
{
	AUTO_WRITTEN struct written written = {0};
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	struct error error = {0};

	(void)state;
	write_alone("password", KEYSTORE_KDF_SCRYPT, LOW_COST_LOG2, &written);
	assert_ok(keystore_decrypt(buffer_view(&written.json), view_of_text("password"), &secret, &error), &error);
	assert_int_equal(derivations, 2);
}

/* A wrong password costs one derivation for the batch as well, and spoils nothing for the right one. */
static void keeps_wrong_passwords_apart(void **state)
{
	AUTO_KEYSTORE_BATCH struct keystore_batch *batch = make_batch("right", KEYSTORE_KDF_PBKDF2, LOW_COST_LOG2);
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
	AUTO_WRITTEN struct written first = {0};
	AUTO_WRITTEN struct written second = {0};

	(void)state;
	write_one(batch, &first);
	write_one(batch, &second);
	derivations = 0;
	does_not_open(&cache, &first, "wrong");
	does_not_open(&cache, &second, "wrong");
	assert_int_equal(derivations, 1);
	opens(&cache, &first, "right");
	does_not_open(&cache, &second, "wrong");
	opens(&cache, &second, "right");
	assert_int_equal(derivations, 2);
}

static void refuses_before_it_derives(void **state)
{
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
	AUTO_KEYSTORE_SECRET struct keystore_secret secret = {0};
	AUTO_KEYSTORE_BATCH struct keystore_batch *batch = make_batch("x", KEYSTORE_KDF_PBKDF2, LOW_COST_LOG2);
	AUTO_BUFFER struct buffer json = {0};
	AUTO_WRITTEN struct written written = {0};
	static uint8_t zeros[BLS_SECRET_KEY_SIZE];
	struct secret no_key = {zeros, sizeof zeros};
	struct error error = {0};

	(void)state;
	write_one(batch, &written);
	derivations = 0;
	assert_false(keystore_decrypt_cached(&cache, view_of_text("{}"), view_of_text("x"), &secret, &error));
	assert_false(keystore_decrypt_cached(&cache, buffer_view(&written.json), view_of_text("\xff"), &secret, &error));
	assert_message_contains(&error, "password: not UTF-8");
	assert_null(keystore_batch_new(view_of_text("\xff"), KEYSTORE_KDF_SCRYPT, LOW_COST_LOG2, &error));
	assert_null(keystore_batch_new(view_of_text("x"), KEYSTORE_KDF_SCRYPT, 40, &error));
	assert_message_contains(&error, "too costly");
	assert_false(keystore_encrypt(&no_key, view_of_text("x"), KEYSTORE_KDF_SCRYPT, LOW_COST_LOG2, "", NULL, &json, &error));
	assert_false(keystore_batch_encrypt(batch, &no_key, "", NULL, &json, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_int_equal(json.size, 0);
	assert_int_equal(derivations, 0);
}

static void derive(struct keystore_kdf_cache *cache, const struct keystore_kdf_parameters *kdf, const char *password,
		   struct secret *ret_key)
{
	AUTO_SECRET struct secret bytes = {0};
	struct error error = {0};

	assert_ok(secret_init_copy(&bytes, view_of_text(password), &error), &error);
	assert_ok(keystore_kdf_derive_cached(cache, kdf, &bytes, ret_key, &error), &error);
}

/* Whatever goes into the derivation tells entries apart; the bytes of salt and password do not run into each other. */
static void every_parameter_counts(void **state)
{
	uint8_t salt[] = "salt";
	uint8_t other_salt[] = "sals";
	const struct {
		struct keystore_kdf_parameters kdf;
		const char *password;
	} inputs[] = {
		{{KEYSTORE_KDF_SCRYPT, 2, 8, 1, 0, {salt, 4, 4}}, "password"},
		{{KEYSTORE_KDF_SCRYPT, 4, 8, 1, 0, {salt, 4, 4}}, "password"},
		{{KEYSTORE_KDF_SCRYPT, 2, 4, 1, 0, {salt, 4, 4}}, "password"},
		{{KEYSTORE_KDF_SCRYPT, 2, 8, 2, 0, {salt, 4, 4}}, "password"},
		{{KEYSTORE_KDF_SCRYPT, 2, 8, 1, 0, {other_salt, 4, 4}}, "password"},
		{{KEYSTORE_KDF_SCRYPT, 2, 8, 1, 0, {salt, 3, 3}}, "tpassword"},
		{{KEYSTORE_KDF_PBKDF2, 0, 0, 0, 1, {salt, 4, 4}}, "password"},
		{{KEYSTORE_KDF_PBKDF2, 0, 0, 0, 2, {salt, 4, 4}}, "password"},
	};
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
	struct secret keys[ARRAY_SIZE(inputs)] = {0};

	(void)state;
	assert_true(ARRAY_SIZE(inputs) <= KEYSTORE_KDF_CACHE_SIZE);
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		derive(&cache, &inputs[i].kdf, inputs[i].password, &keys[i]);
		assert_int_equal(derivations, i + 1);
		for (size_t j = 0; j < i; j++)
			assert_false(secret_equal(secret_view(&keys[i]), secret_view(&keys[j])));
	}
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		AUTO_SECRET struct secret again = {0};

		derive(&cache, &inputs[i].kdf, inputs[i].password, &again);
		assert_true(secret_equal(secret_view(&again), secret_view(&keys[i])));
		secret_done(&keys[i]);
	}
	assert_int_equal(derivations, ARRAY_SIZE(inputs));
}

/* One batch more than there is room for: the oldest makes place, the others stay. */
static void is_bounded_and_forgets_the_oldest(void **state)
{
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
	struct written written[KEYSTORE_KDF_CACHE_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		write_alone("x", KEYSTORE_KDF_PBKDF2, LOW_COST_LOG2, &written[i]);
	derivations = 0;
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		opens(&cache, &written[i], "x");
	assert_int_equal(derivations, ARRAY_SIZE(written));
	for (size_t i = 1; i < ARRAY_SIZE(written); i++)
		opens(&cache, &written[i], "x");
	assert_int_equal(derivations, ARRAY_SIZE(written));
	opens(&cache, &written[0], "x");
	assert_int_equal(derivations, ARRAY_SIZE(written) + 1);
	for (size_t i = 0; i < ARRAY_SIZE(written); i++)
		written_done(&written[i]);
}

static void is_empty_once_done(void **state)
{
	struct keystore_kdf_cache cache = {0};
	AUTO_WRITTEN struct written written = {0};

	(void)state;
	write_alone("x", KEYSTORE_KDF_PBKDF2, LOW_COST_LOG2, &written);
	opens(&cache, &written, "x");
	keystore_kdf_cache_done(&cache);
	for (size_t i = 0; i < KEYSTORE_KDF_CACHE_SIZE; i++)
		assert_null(cache.entries[i].data);
	derivations = 0;
	opens(&cache, &written, "x");
	assert_int_equal(derivations, 1);
	keystore_kdf_cache_done(&cache);
	keystore_kdf_cache_done(&cache);
	keystore_kdf_cache_done(NULL);
	keystore_batch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_derivation_writes_and_one_reads, begin),
		cmocka_unit_test_setup(plain_decryption_reads_batches, begin),
		cmocka_unit_test_setup(keeps_wrong_passwords_apart, begin),
		cmocka_unit_test_setup(refuses_before_it_derives, begin),
		cmocka_unit_test_setup(every_parameter_counts, begin),
		cmocka_unit_test_setup(is_bounded_and_forgets_the_oldest, begin),
		cmocka_unit_test_setup(is_empty_once_done, begin),
	};

	return cmocka_run_group_tests(tests, prepare_secret_heap, NULL);
}
