/* SPDX-License-Identifier: Apache-2.0 */
/* Rows opened side by side: each ends as what it is and in its turn, whatever its neighbours are. The linker puts a counter before the KDF. */
#include "enclave/opener/opener.h"
#include "vectors.h"

#include <stdatomic.h>
#include <sys/wait.h>

#include "enclave/sandbox.h"
#include "eth/keystore_parts.h"

#define COUNT 40
#define COST_LOG2 6

static atomic_uint kdf_count;

bool __real_keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				struct error *error);
bool __wrap_keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				struct error *error);

bool __wrap_keystore_kdf_derive(const struct keystore_kdf_parameters *kdf, const struct secret *password, struct secret *ret_key,
				struct error *error)
{
	(void)atomic_fetch_add(&kdf_count, 1);
	return __real_keystore_kdf_derive(kdf, password, ret_key, error);
}

static int prepare(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

static struct derivations *start(struct keystore_kdf_cache *cache)
{
	struct error error = {0};
	struct derivations *derivations = derivations_new(cache, &error);

	assert_ok(derivations != NULL, &error);
	return derivations;
}

static struct keystore_batch *make_batch(enum keystore_kdf kdf)
{
	struct error error = {0};
	struct keystore_batch *batch = keystore_batch_new(view_of_text("good"), kdf, COST_LOG2, &error);

	assert_ok(batch != NULL, &error);
	return batch;
}

/* As KMS has decrypted it. */
static void make_row(const struct keystore_batch *batch, const char *password, size_t number, struct secret *ret_secret_key,
		     struct row_opening *ret_row)
{
	AUTO_BUFFER struct buffer keystore = {0};
	AUTO_BUFFER struct buffer keystore_b64 = {0};
	AUTO_BUFFER struct buffer password_b64 = {0};
	AUTO_FREE char *text = NULL;
	struct error error = {0};

	*ret_row = (struct row_opening){.number = number};
	assert_ok(bls_secret_key_generate(ret_secret_key, &error), &error);
	assert_ok(bls_public_key_derive(ret_secret_key->data, ret_row->row.public_key, &error), &error);
	assert_ok(keystore_batch_encrypt(batch, ret_secret_key, "", "", &keystore, &error), &error);
	base64_encode(buffer_view(&keystore), &keystore_b64);
	base64_encode(view_of_text(password), &password_b64);
	text = memory_format("{\"keystore_b64\":\"%s\",\"password_b64\":\"%s\"}", buffer_text(&keystore_b64),
			     buffer_text(&password_b64));
	assert_ok(secret_init_copy(&ret_row->plaintext, view_of_text(text), &error), &error);
}

/* With a salt of its own. */
static void make_lone_row(enum keystore_kdf kdf, const char *password, size_t number, struct secret *ret_secret_key,
			  struct row_opening *ret_row)
{
	AUTO_KEYSTORE_BATCH struct keystore_batch *batch = make_batch(kdf);

	make_row(batch, password, number, ret_secret_key, ret_row);
}

/* Good ones of both functions, a wrong password, another's key, one that is open already, one that failed before. */
enum kind { SCRYPT, PBKDF2, WRONG_PASSWORD, ANOTHERS, OPEN, FAILED, KIND_COUNT };

static void make_kind(size_t number, struct secret *ret_secret_key, struct row_opening *ret_row)
{
	enum kind kind = number % KIND_COUNT;
	struct error error = {0};

	make_lone_row(kind == PBKDF2 ? KEYSTORE_KDF_PBKDF2 : KEYSTORE_KDF_SCRYPT, kind == WRONG_PASSWORD ? "bad" : "good", number,
		      ret_secret_key, ret_row);
	if (kind == ANOTHERS)
		ret_row->row.public_key[BLS_PUBLIC_KEY_SIZE - 1] ^= 1;
	if (kind == OPEN || kind == FAILED)
		secret_done(&ret_row->plaintext);
	if (kind == OPEN)
		assert_ok(secret_init_copy(&ret_row->secret_key, secret_view(ret_secret_key), &error), &error);
	if (kind == FAILED)
		(void)error_set(&ret_row->error, ERROR_AWS, "denied");
}

static void take_kind(struct derivations *derivations, size_t number, struct secret *secret_key)
{
	static const struct {
		enum error_code code;
		const char *message;
	} failures[KIND_COUNT] = {
		[WRONG_PASSWORD] = {ERROR_CRYPTO, "wrong password"},
		[ANOTHERS] = {ERROR_CRYPTO, "holds the key of "},
		[FAILED] = {ERROR_AWS, "denied"},
	};
	enum kind kind = number % KIND_COUNT;
	AUTO_ROW_OPENING struct row_opening row = {0};

	derivations_take(derivations, &row);
	assert_int_equal(row.number, number);
	assert_null(row.plaintext.data);
	assert_int_equal(row.error.code, failures[kind].code);
	if (failures[kind].message) {
		assert_message_contains(&row.error, failures[kind].message);
		assert_null(row.secret_key.data);
	} else {
		assert_true(secret_equal(secret_view(&row.secret_key), secret_view(secret_key)));
	}
	secret_done(secret_key);
}

static void each_ends_as_what_it_is_and_in_its_turn(void **state)
{
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
	struct derivations *derivations = start(&cache);
	struct secret secret_keys[COUNT] = {0};
	size_t taken = 0;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		AUTO_ROW_OPENING struct row_opening row = {0};

		make_kind(i, &secret_keys[i], &row);
		if (derivations_count(derivations) == DERIVATIONS_MAX)
			take_kind(derivations, taken, &secret_keys[taken]), taken++;
		derivations_submit(derivations, &row);
		assert_null(row.plaintext.data);
		assert_null(row.secret_key.data);
	}
	for (; taken < COUNT; taken++)
		take_kind(derivations, taken, &secret_keys[taken]);
	assert_int_equal(derivations_count(derivations), 0);
	derivations_free(derivations);
}

static void a_batch_costs_one_derivation(void **state)
{
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
	AUTO_KEYSTORE_BATCH struct keystore_batch *batch = make_batch(KEYSTORE_KDF_SCRYPT);
	struct derivations *derivations = start(&cache);
	struct secret secret_keys[DERIVATIONS_MAX] = {0};

	(void)state;
	atomic_store(&kdf_count, 0);
	for (size_t i = 0; i < DERIVATIONS_MAX; i++) {
		AUTO_ROW_OPENING struct row_opening row = {0};

		make_row(batch, "good", i, &secret_keys[i], &row);
		derivations_submit(derivations, &row);
	}
	for (size_t i = 0; i < DERIVATIONS_MAX; i++) {
		AUTO_ROW_OPENING struct row_opening row = {0};

		derivations_take(derivations, &row);
		assert_int_equal(row.error.code, ERROR_NONE);
		assert_true(secret_equal(secret_view(&row.secret_key), secret_view(&secret_keys[i])));
		secret_done(&secret_keys[i]);
	}
	assert_int_equal(atomic_load(&kdf_count), 1);
	derivations_free(derivations);
}

/* A load that fails leaves some behind. */
static void ends_with_work_left(void **state)
{
	AUTO_KEYSTORE_KDF_CACHE struct keystore_kdf_cache cache = {0};
	struct derivations *derivations = start(&cache);

	(void)state;
	for (size_t i = 0; i < DERIVATIONS_MAX; i++) {
		AUTO_ROW_OPENING struct row_opening row = {0};
		AUTO_SECRET struct secret secret_key = {0};

		make_kind(i, &secret_key, &row);
		derivations_submit(derivations, &row);
	}
	derivations_free(derivations);
	derivations_free(NULL);
}

/* In a child: whatever a derivation, or the end of a thread, asks of the kernel must be allowed, or it is killed. */
static void works_in_the_sandbox(void **state)
{
	AUTO_SECRET struct secret secret_key = {0};
	AUTO_ROW_OPENING struct row_opening row = {0};
	int status = 0;
	pid_t child;

	(void)state;
	make_lone_row(KEYSTORE_KDF_SCRYPT, "good", 0, &secret_key, &row);
	child = fork();
	if (child == 0) {
		struct keystore_kdf_cache cache = {0};
		struct error error = {0};
		struct derivations *derivations = derivations_new(&cache, &error);

		if (!derivations || !sandbox_enter(SANDBOX_OPENER, &error))
			_exit(2);
		derivations_submit(derivations, &row);
		derivations_take(derivations, &row);
		derivations_free(derivations);
		_exit(row.error.code == ERROR_NONE ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_ends_as_what_it_is_and_in_its_turn),
		cmocka_unit_test(a_batch_costs_one_derivation),
		cmocka_unit_test(ends_with_work_left),
		cmocka_unit_test(works_in_the_sandbox),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
