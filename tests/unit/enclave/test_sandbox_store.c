/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The DynamoDB store inside the filter of the role that may connect to the parent: with a relay and trust anchors of its own it opens no
 * file, makes no internet socket and no thread, on new connections as on kept ones.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "enclave/sandbox.h"
#include "http_test_server.h"
#include "slashing/store_dynamodb.h"
#include "vectors.h"

#define HOST "dynamodb.us-east-1.invalid"
#define GROUP 40 /* several transactions */
#define ROUNDS 3
/* The handshakes of as many connections at one time, under a sanitizer on a machine at work. */
#define DEADLINE_MS 60000

enum { ENDED_WELL, CANNOT_PREPARE, CANNOT_ENTER, NOT_DURABLE };

static struct address relay = {.kind = ADDRESS_UNIX};
static struct test_certificate certificate;

static bool commit_group(struct slashing_store *store, uint64_t slot)
{
	struct store_commit commits[GROUP];
	struct store_result results[GROUP];
	struct error error = {0};
	bool ok;

	for (size_t i = 0; i < GROUP; i++)
		commits[i] = (struct store_commit){
			.duty = STORE_DUTY_BLOCK, .public_key = {(uint8_t)i}, .slot = slot, .may_begin = true};
	ok = slashing_store_commit(store, commits, GROUP, results, &error);
	if (!ok)
		print_error("%s\n", error.message);
	return ok;
}

/* The exit status; a call that the filter forbids kills instead. */
static int commit_in_sandbox(void)
{
	AUTO_JSON json_t *keys =
		json_pack("{s:s,s:s,s:s}", "access_key_id", "AKIDEXAMPLE", "secret_access_key", "example", "token", "token");
	struct credentials credentials;
	const struct store_dynamodb_options options = {
		.endpoint = {.region = "us-east-1",
			     .host = HOST,
			     .via = &relay,
			     .ca_pem = buffer_view(&certificate.certificate_pem),
			     .timeout_ms = DEADLINE_MS},
		.credentials = &credentials,
		.deadline_ms = DEADLINE_MS,
	};
	struct slashing_store *store;
	struct error error;

	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) || !credentials_from_json(keys, &credentials, &error))
		return CANNOT_PREPARE;
	store = slashing_store_open_dynamodb(&options, &error);
	if (!store)
		return CANNOT_PREPARE;
	if (!sandbox_enter(SANDBOX_LEDGER_REMOTE, &error))
		return CANNOT_ENTER;
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		if (!commit_group(store, round))
			return NOT_DURABLE;
	}
	slashing_store_free(store);
	return ENDED_WELL;
}

static void the_store_works_in_a_sandbox(void **state)
{
	static const struct test_answer answer = {.status = 200, .body = "{}"};
	char folder[] = "/tmp/ensign-sandbox-XXXXXX";
	struct test_server *server;
	int ready[2];
	pid_t child;
	int status;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN); /* as init does for its roles */
	assert_non_null(mkdtemp(folder));
	(void)snprintf(relay.path, sizeof relay.path, "%s/s", folder);
	test_certificate_make(HOST, &certificate);
	assert_int_equal(pipe(ready), 0);
	/* Before the server and its threads: a filter is for all of a process. */
	child = fork();
	if (child == 0) {
		(void)close(ready[1]);
		(void)!read(ready[0], &status, 1);
		_exit(commit_in_sandbox());
	}
	server = test_server_new(&certificate, &relay, &answer, 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), ENDED_WELL);
	assert_true(test_server_request_count(server) >= ROUNDS);
	assert_true(test_server_connection_count(server) < test_server_request_count(server));
	test_server_free(&server);
	test_certificate_done(&certificate);
	(void)unlink(relay.path);
	(void)rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_store_works_in_a_sandbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
