/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of nitro-cli; e2e_nitro has a stand-in for the program. */
#include <sys/eventfd.h>

#include "host/child_output.h"
#include "host/nitro_cli.h"
#include "vectors.h"

#define ID "i-0000000000000000-enc18c5f3a1b2c3d4e5"
#define ENCLAVE(name) "\"EnclaveName\":\"" name "\",\"EnclaveID\":\"" ID "\",\"ProcessID\":4242,\"EnclaveCID\":16"

static void reads_an_enclave(void **state)
{
	struct nitro_enclave enclave;
	struct error error = {0};
	bool found;

	(void)state;
	assert_ok(nitro_enclave_parse(view_of_text("{" ENCLAVE("ensign") ",\"CPUIDs\":[1,3]}"), &enclave, &error), &error);
	assert_string_equal(enclave.id, ID);
	assert_int_equal(enclave.process_id, 4242);
	assert_int_equal(enclave.cid, 16);
	assert_string_equal(enclave.pcr0, "");
	assert_ok(
		nitro_enclaves_find(
			view_of_text("[{\"EnclaveName\":7},{" ENCLAVE("other") "},{" ENCLAVE(
				"ensign") ",\"State\":\"RUNNING\",\"Flags\":\"DEBUG_MODE\",\"Measurements\":{\"PCR0\":\"00ff\"}}]"),
			"ensign", &found, &enclave, &error),
		&error);
	assert_true(found && enclave.is_running && enclave.is_debug);
	assert_string_equal(enclave.pcr0, "00ff");
	assert_ok(nitro_enclaves_find(view_of_text("[{" ENCLAVE("other") "}]"), "ensign", &found, &enclave, &error), &error);
	assert_false(found);
	assert_ok(nitro_enclaves_find(view_of_text("[{" ENCLAVE("ensign") ",\"State\":\"TERMINATING\",\"Flags\":\"NONE\"}]"),
				      "ensign", &found, &enclave, &error),
		  &error);
	assert_true(found && !enclave.is_running && !enclave.is_debug);
}

static void refuses_what_is_none(void **state)
{
	static const struct {
		const char *json, *message;
	} cases[] = {
		{"", "output"},
		{"[]", "output"},
		{"{}", "EnclaveID: missing"},
		{"{\"EnclaveID\":\"--help me\"}", "EnclaveID: not 1 to"},
		{"{\"EnclaveID\":\"\"}", "EnclaveID: not 1 to"},
		{"{\"EnclaveID\":\"i-1\",\"EnclaveName\":\"ensign\"}", "EnclaveCID: missing"},
		{"{\"EnclaveID\":\"i-1\",\"EnclaveName\":\"ensign\",\"EnclaveCID\":4294967296}", "EnclaveCID: larger"},
		{"{\"EnclaveID\":\"i-1\",\"EnclaveName\":\"ensign\",\"EnclaveCID\":4,\"ProcessID\":4194305}", "ProcessID: larger"},
		{"{" ENCLAVE("ensign") ",\"Measurements\":{\"PCR0\":\"xyz\"}}", "Measurements: PCR0"},
		{"{" ENCLAVE("ensign") ",\"State\":1}", "State"},
	};
	struct nitro_enclave enclave;
	bool found;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {0};

		assert_false(nitro_enclave_parse(view_of_text(cases[i].json), &enclave, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, cases[i].message);
	}
	{
		struct error error = {0};

		assert_false(nitro_enclaves_find(view_of_text("{}"), "ensign", &found, &enclave, &error));
		assert_message_contains(&error, "not a list");
	}
}

static void says_what_to_do(void **state)
{
	static const struct {
		const char *messages, *expected;
	} cases[] = {
		{"Start allocating memory...\n[ E27 ] Insufficient memory available.\nmore",
		 "run-enclave: E27: Insufficient memory available. (set aside"},
		{"[ E39 ] lost\n[ E36 ] Enclave boot failure.\n[ E22 ] x", "E36: Enclave boot failure. (the enclave did not boot"},
		{"[ E39 ] lost", "E39: lost (nitro-cli lost its process"},
		{"[ E51 ] rare", "E51: rare (see `nitro-cli explain"},
		{"[ Exx ] [ E1 ] [ E", "ended with status 7 and said no reason"},
		{"", "ended with status 7"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = {0};

		assert_false(nitro_messages_to_error(view_of_text(cases[i].messages), "run-enclave", 7, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, cases[i].expected);
	}
}

/* ---- running a program ---- */

struct ran {
	bool ok;
	int status;
	struct buffer output, messages;
	struct error error;
};

static void ran_done(struct ran *ran)
{
	buffer_done(&ran->output);
	buffer_done(&ran->messages);
}
#define AUTO_RAN CLEANUP(ran_done)

static struct ran run_shell(const char *script, unsigned timeout_ms, int cancel_fd)
{
	const char *const argv[] = {"/bin/sh", "-c", script, NULL};
	const struct child_call call = {
		.argv = argv, .timeout_ms = timeout_ms, .cancel_fd = cancel_fd, .output_max_size = 16, .messages_max_size = 8};
	struct ran ran = {0};

	ran.ok = child_output_read(&call, &ran.output, &ran.messages, &ran.status, &ran.error);
	return ran;
}

static void takes_both_streams_and_the_status(void **state)
{
	AUTO_RAN struct ran ran = run_shell("echo out; echo 'messages, much too long' >&2; exec >&- 2>&-; exit 3", 20000, -1);

	(void)state;
	assert_ok(ran.ok, &ran.error);
	assert_int_equal(ran.status, 3);
	assert_string_equal(buffer_text(&ran.output), "out\n");
	assert_string_equal(buffer_text(&ran.messages), "messages");
}

static void gives_it_nothing(void **state)
{
	AUTO_RAN struct ran ran = run_shell("read x || ls /proc/self/fd | wc -l; env | grep -c SECRET", 20000, -1);

	(void)state;
	assert_ok(ran.ok, &ran.error);
	/* The three, and the folder that ls reads. */
	assert_string_equal(buffer_text(&ran.output), "4\n0\n");
}

static void is_bounded(void **state)
{
	AUTO_FD int cancelled = eventfd(1, EFD_CLOEXEC);
	AUTO_RAN struct ran much = run_shell("while :; do echo more and more; done", 20000, -1);
	AUTO_RAN struct ran slow = run_shell("echo begun; exec sleep 600", 300, -1);
	AUTO_RAN struct ran unwanted = run_shell("exec sleep 600", 20000, cancelled);
	AUTO_RAN struct ran killed = run_shell("kill -9 $$", 20000, -1);

	(void)state;
	assert_false(much.ok);
	assert_message_contains(&much.error, "prints more than 16 bytes");
	assert_false(slow.ok);
	assert_message_contains(&slow.error, "not done within");
	assert_false(unwanted.ok);
	assert_message_contains(&unwanted.error, "given up");
	assert_true(killed.ok);
	assert_int_equal(killed.status, 128 + 9);
}

static void a_program_that_is_not_there(void **state)
{
	const char *const argv[] = {"/nonexistent/nitro-cli", NULL};
	const struct child_call call = {
		.argv = argv, .timeout_ms = 1000, .cancel_fd = -1, .output_max_size = 1, .messages_max_size = 1};
	AUTO_RAN struct ran ran = {0};

	(void)state;
	assert_false(child_output_read(&call, &ran.output, &ran.messages, &ran.status, &ran.error));
	assert_message_contains(&ran.error, "/nonexistent/nitro-cli");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_an_enclave),
		cmocka_unit_test(refuses_what_is_none),
		cmocka_unit_test(says_what_to_do),
		cmocka_unit_test(takes_both_streams_and_the_status),
		cmocka_unit_test(gives_it_nothing),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(a_program_that_is_not_there),
	};

	(void)setenv("SECRET", "of the parent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
