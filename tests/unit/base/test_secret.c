/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "vectors.h"

#define HEAP_SIZE (64u << 10)
#define NOBODY 65534

/* Runs `body` in a child, since a process has one heap for life; returns the wait status. A body answers 0 when all is well. */
static int run_in_child(int (*body)(void))
{
	int status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(body());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static int body_without_heap(void)
{
	struct secret secret = {0};
	struct error error = {0};

	if (secret_init(&secret, 32, &error) || error.code != ERROR_BUG || secret.data)
		return 1;
	if (secret_init_copy(&secret, view_of_text("x"), &error) || secret_init_hex(&secret, view_of_text("00"), 1, "f", &error))
		return 2;
	if (secret_init_base64(&secret, view_of_text("Zg=="), "f", &error))
		return 3;
	return 0;
}

static void test_needs_the_heap(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(body_without_heap), 0);
}

/* Memory that cannot be locked is an error, the second time too, and gives no heap. */
static int body_locking_forbidden(void)
{
	const struct rlimit none = {0, 0};
	struct secret secret = {0};
	struct error error = {0};

	/* Root may lock whatever the limit says. */
	if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setresuid(NOBODY, NOBODY, NOBODY) != 0))
		return 1;
	for (int i = 0; i < 2; i++) {
		if (secret_heap_init(HEAP_SIZE, &error) || error.code != ERROR_IO || !strstr(error.message, "ulimit -l"))
			return 2;
	}
	if (secret_init(&secret, 32, &error))
		return 3;
	/* Where the operator's own machine forbids it, the tools go on. */
	if (!secret_heap_init_unlocked_ok(HEAP_SIZE, &error) || !secret_init(&secret, 32, &error))
		return 4;
	secret_done(&secret);
	return 0;
}

static void test_locking_forbidden(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(body_locking_forbidden), 0);
}

static int body_heap_full(void)
{
	struct secret secrets[HEAP_SIZE / 1024];
	struct secret huge = {0};
	struct error error = {0};
	size_t count = 0;

	if (!secret_heap_init_unlocked_ok(HEAP_SIZE, &error))
		return 1;
	if (secret_init(&huge, 2 * HEAP_SIZE, &error) || error.code != ERROR_IO || huge.data)
		return 2;
	while (count < ARRAY_SIZE(secrets) && secret_init(&secrets[count], 1024, &error))
		count++;
	if (count == ARRAY_SIZE(secrets))
		secret_done(&secrets[--count]);
	if (count < ARRAY_SIZE(secrets) / 2)
		return 3;
	/* What is given back can be had again. */
	while (count > 0)
		secret_done(&secrets[--count]);
	return secret_init(&huge, HEAP_SIZE / 2, &error) ? 0 : 4;
}

static void test_full_heap_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(run_in_child(body_heap_full), 0);
}

static void test_init(void **state)
{
	AUTO_SECRET struct secret secret = {0};
	AUTO_SECRET struct secret empty = {0};
	const uint8_t zero[100] = {0};
	struct error error = {0};

	(void)state;
	assert_ok(secret_init(&secret, sizeof zero, &error), &error);
	assert_int_equal(secret.size, sizeof zero);
	assert_memory_equal(secret.data, zero, sizeof zero);
	assert_true(CRYPTO_secure_allocated(secret.data));
	assert_ok(secret_init(&empty, 0, &error), &error);
	assert_int_equal(empty.size, 0);
	assert_non_null(empty.data);
	/* The heap is made once; a second call is fine and changes nothing. */
	assert_ok(secret_heap_init_unlocked_ok(HEAP_SIZE, &error), &error);
	assert_true(CRYPTO_secure_allocated(secret.data));
}

static void test_done(void **state)
{
	struct secret secret = {0};
	struct error error = {0};

	(void)state;
	secret_done(NULL);
	secret_done(&secret);
	assert_ok(secret_init(&secret, 16, &error), &error);
	secret_done(&secret);
	assert_null(secret.data);
	assert_int_equal(secret.size, 0);
	secret_done(&secret);
}

/* The heap keeps the pages of a released secret, so that one can look whether its bytes are gone. */
static void test_wiped_on_release(void **state)
{
	struct secret secret = {0};
	struct error error = {0};
	uintptr_t place;

	(void)state;
	assert_ok(secret_init(&secret, 1000, &error), &error);
	memset(secret.data, 0x5a, secret.size);
	place = (uintptr_t)secret.data;
	secret_done(&secret);
	for (size_t i = 0; i < 1000; i++)
		assert_int_not_equal(((const volatile uint8_t *)place)[i], 0x5a);
}

static void test_wipe(void **state)
{
	uint8_t bytes[64];
	const uint8_t zero[64] = {0};

	(void)state;
	memset(bytes, 0x5a, sizeof bytes);
	secret_wipe(bytes, 32);
	assert_memory_equal(bytes, zero, 32);
	assert_int_equal(bytes[32], 0x5a);
	secret_wipe(bytes, sizeof bytes);
	assert_memory_equal(bytes, zero, 64);
	secret_wipe(NULL, 0);
}

/* That the memory is wiped cannot be looked at once it is released; that what is left is empty, and nothing is no error, can. */
static void test_buffer_wipe_done(void **state)
{
	struct buffer buffer = {0};

	(void)state;
	buffer_wipe_done(NULL);
	buffer_wipe_done(&buffer);
	buffer_append_text(&buffer, "a password");
	buffer_clear(&buffer);
	buffer_wipe_done(&buffer);
	assert_null(buffer.data);
	assert_int_equal(buffer.size + buffer.capacity, 0);
}

static uint64_t walk_sum;

/* Walk up from a secret until memory ends. */
static int body_run_over_the_end(void)
{
	struct secret secret = {0};
	struct error error = {0};
	const volatile uint8_t *byte;

	(void)signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would turn it into an exit */
	if (!secret_init(&secret, 32, &error))
		return 1;
	byte = secret.data;
	for (size_t i = 0; i <= 2 * HEAP_SIZE; i++)
		walk_sum += byte[i];
	return 2;
}

static void test_guard_page(void **state)
{
	int status;

	(void)state;
	status = run_in_child(body_run_over_the_end);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

/* Whether the mapping that holds `address` has a flag (" lo": locked, " dd": not dumped), from /proc/self/smaps. */
static bool mapping_has_flag(uintptr_t address, const char *flag)
{
	AUTO_FILE FILE *maps = fopen("/proc/self/smaps", "re");
	char line[512];
	bool here = false;

	if (!maps)
		return false;
	while (fgets(line, sizeof line, maps)) {
		uintptr_t start;
		uintptr_t end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = start <= address && address < end;
		if (here && strncmp(line, "VmFlags:", 8) == 0)
			return strstr(line, flag) != NULL;
	}
	return false;
}

static void test_left_out_of_core_dumps(void **state)
{
	AUTO_SECRET struct secret secret = {0};
	struct error error = {0};

	(void)state;
	assert_ok(secret_init(&secret, 32, &error), &error);
	assert_true(mapping_has_flag((uintptr_t)secret.data, " dd"));
}

static int body_locked(void)
{
	struct secret secret = {0};
	struct error error = {0};

	/* Where the limit is too low for even this, locking cannot be looked at. */
	if (!secret_heap_init(HEAP_SIZE, &error))
		return 77;
	if (!secret_init(&secret, 32, &error))
		return 1;
	return mapping_has_flag((uintptr_t)secret.data, " lo") ? 0 : 2;
}

static void test_locked_in_memory(void **state)
{
	int status = run_in_child(body_locked);

	(void)state;
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("skipped: this machine lets nothing be locked (ulimit -l)\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_copies_and_decodes(void **state)
{
	AUTO_SECRET struct secret copy = {0};
	AUTO_SECRET struct secret base64 = {0};
	AUTO_SECRET struct secret hex = {0};
	AUTO_SECRET struct secret empty = {0};
	struct error error = {0};

	(void)state;
	assert_ok(secret_init_copy(&copy, view_of("a\0b", 3), &error), &error);
	assert_true(secret_equal(secret_view(&copy), view_of("a\0b", 3)));
	assert_ok(secret_init_base64(&base64, view_of_text("Zm9vYg=="), "field", &error), &error);
	assert_true(secret_equal(secret_view(&base64), view_of_text("foob")));
	assert_ok(secret_init_hex(&hex, view_of_text("0x00ff"), 2, "field", &error), &error);
	assert_true(secret_equal(secret_view(&hex), view_of("\0\xff", 2)));
	assert_ok(secret_init_copy(&empty, view_of(NULL, 0), &error), &error);
	assert_int_equal(empty.size, 0);
}

/* The error names the field, never what was in it. */
static void test_decoding_refuses(void **state)
{
	struct secret secret = {.data = NULL, .size = 7};
	struct error error = {0};

	(void)state;
	assert_false(secret_init_base64(&secret, view_of_text("hunter2"), "password_b64", &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_string_equal(error.message, "password_b64: not base64");
	assert_null(secret.data);
	assert_int_equal(secret.size, 0);
	assert_false(secret_init_hex(&secret, view_of_text("0xhunter2"), 4, "secret_key", &error));
	assert_string_equal(error.message, "secret_key: not 4 bytes of hex");
	assert_false(secret_init_hex(&secret, view_of_text("aabb"), 3, "secret_key", &error));
	assert_null(secret.data);
	assert_int_equal(secret.size, 0);
}

static void test_equal(void **state)
{
	(void)state;
	assert_true(secret_equal(view_of("ab", 2), view_of("ab", 2)));
	assert_false(secret_equal(view_of("ab", 2), view_of("ac", 2)));
	assert_false(secret_equal(view_of("ab", 2), view_of("abc", 3)));
	assert_true(secret_equal(view_of(NULL, 0), view_of("x", 0)));
}

/* Refused decodes and released secrets leave nothing in use. */
static void test_nothing_leaks(void **state)
{
	(void)state;
	assert_int_equal(CRYPTO_secure_used(), 0);
}

/* The tests that need a process without a heap come first and fork; then the heap is made. */
static void test_heap_is_made(void **state)
{
	struct error error = {0};

	(void)state;
	assert_ok(secret_heap_init_unlocked_ok(HEAP_SIZE, &error), &error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_needs_the_heap),
		cmocka_unit_test(test_locking_forbidden),
		cmocka_unit_test(test_locked_in_memory),
		cmocka_unit_test(test_full_heap_is_an_error),
		cmocka_unit_test(test_heap_is_made),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_done),
		cmocka_unit_test(test_wiped_on_release),
		cmocka_unit_test(test_wipe),
		cmocka_unit_test(test_buffer_wipe_done),
		cmocka_unit_test(test_guard_page),
		cmocka_unit_test(test_left_out_of_core_dumps),
		cmocka_unit_test(test_copies_and_decodes),
		cmocka_unit_test(test_decoding_refuses),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_nothing_leaks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
