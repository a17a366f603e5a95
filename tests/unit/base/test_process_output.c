/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/eventfd.h>

#include "base/file.h"
#include "base/process_output.h"
#include "vectors.h"

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
	const struct process_call call = {
		.argv = argv, .timeout_ms = timeout_ms, .cancel_fd = cancel_fd, .output_max_size = 16, .messages_max_size = 8};
	struct ran ran = {0};

	ran.ok = process_output_read(&call, &ran.output, &ran.messages, &ran.status, &ran.error);
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
	const struct process_call call = {
		.argv = argv, .timeout_ms = 1000, .cancel_fd = -1, .output_max_size = 1, .messages_max_size = 1};
	AUTO_RAN struct ran ran = {0};

	(void)state;
	assert_false(process_output_read(&call, &ran.output, &ran.messages, &ran.status, &ran.error));
	assert_message_contains(&ran.error, "/nonexistent/nitro-cli");
}

static void gives_it_an_environment_that_is_named(void **state)
{
	const char *const argv[] = {"/bin/sh", "-c", "echo $NAME", NULL};
	const char *const envp[] = {"NAME=given", NULL};
	const struct process_call call = {
		.argv = argv, .envp = envp, .timeout_ms = 20000, .cancel_fd = -1, .output_max_size = 16, .messages_max_size = 8};
	AUTO_RAN struct ran ran = {0};

	(void)state;
	assert_ok(process_output_read(&call, &ran.output, &ran.messages, &ran.status, &ran.error), &ran.error);
	assert_string_equal(buffer_text(&ran.output), "given\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_both_streams_and_the_status),     cmocka_unit_test(gives_it_nothing),
		cmocka_unit_test(gives_it_an_environment_that_is_named), cmocka_unit_test(is_bounded),
		cmocka_unit_test(a_program_that_is_not_there),
	};

	(void)setenv("SECRET", "of the parent", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
