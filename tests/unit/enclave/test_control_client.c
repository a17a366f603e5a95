/* SPDX-License-Identifier: Apache-2.0 */
/* The frontend's side of its pair with control, and what /reload knows; control is this test. */
#include "enclave/frontend/control_client.h"

#include <sys/socket.h>

#include "enclave/frontend/reload_state.h"
#include "vectors.h"

struct outcome {
	unsigned calls;
	enum import_status status;
	char message[ERROR_MESSAGE_SIZE];
};

static int control_fd;
static int frontend_fd;

static void note(void *context, enum import_status status, const char *message)
{
	struct outcome *outcome = context;

	outcome->calls++;
	outcome->status = status;
	(void)snprintf(outcome->message, sizeof outcome->message, "%s", message);
}

static void note_reload(void *context, const struct message_reload_result *result)
{
	memcpy(context, result, sizeof *result);
}

static struct control_client *start(void)
{
	struct control_client *client;
	struct error error = {0};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	frontend_fd = pair[0];
	control_fd = pair[1];
	client = control_client_new(frontend_fd, &error);
	assert_ok(client != NULL, &error);
	return client;
}

static void stop(struct control_client *client)
{
	control_client_free(client);
	(void)close(frontend_fd);
	(void)close(control_fd);
}

static bool import(struct control_client *client, const char *keystore, struct outcome *outcome, struct error *error)
{
	return control_client_import(client, view_of_text(keystore), view_of_text("password"), note, outcome, error);
}

static struct message_import_keystore receive_import(void)
{
	struct message_import_keystore message;
	struct error error = {0};

	assert_ok(message_receive(control_fd, &message, sizeof message, NULL, &error), &error);
	assert_int_equal(message.header.type, MESSAGE_IMPORT_KEYSTORE);
	return message;
}

static void answer(uint64_t id, uint32_t status, const char *text)
{
	struct message_import_result message;
	struct error error = {0};

	message_init(&message, MESSAGE_IMPORT_RESULT, id);
	message.status = status;
	(void)snprintf(message.message, sizeof message.message, "%s", text);
	assert_ok(message_send(control_fd, &message, &error), &error);
}

static void each_import_has_its_own_answer(void **state)
{
	struct control_client *client = start();
	struct outcome first = {0}, second = {0};
	struct message_import_keystore one, two;
	struct error error = {0};

	(void)state;
	assert_ok(import(client, "{\"a\":1}", &first, &error), &error);
	assert_ok(import(client, "{\"b\":2}", &second, &error), &error);
	one = receive_import();
	two = receive_import();
	assert_memory_equal(one.keystore, "{\"a\":1}", one.keystore_size);
	assert_memory_equal(one.password, "password", one.password_size);
	assert_int_not_equal(one.header.id, two.header.id);
	answer(two.header.id, IMPORT_OK, "");
	answer(one.header.id, IMPORT_FAILED, "no");
	answer(one.header.id, IMPORT_OK, "again");      /* too late */
	answer(UINT64_C(999), IMPORT_OK, "for nobody"); /* never asked */
	answer(0, IMPORT_OK, "");
	assert_ok(control_client_receive(client, &error), &error);
	assert_int_equal(first.calls, 1);
	assert_int_equal(first.status, IMPORT_FAILED);
	assert_string_equal(first.message, "no");
	assert_int_equal(second.calls, 1);
	assert_int_equal(second.status, IMPORT_OK);
	stop(client);
}

static void imports_are_bounded(void **state)
{
	static char large[IMPORT_KEYSTORE_MAX_SIZE + 2];
	struct control_client *client = start();
	struct outcome outcomes[IMPORTS_MAX] = {0};
	struct outcome other = {0};
	struct error error = {0};

	(void)state;
	memset(large, 'x', sizeof large - 1);
	assert_false(import(client, large, &other, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		assert_ok(import(client, "{}", &outcomes[i], &error), &error);
		(void)receive_import();
	}
	assert_false(import(client, "{}", &other, &error));
	assert_message_contains(&error, "try again");
	/* at the end nobody is left waiting */
	control_client_close(client);
	assert_false(import(client, "{}", &other, &error));
	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		assert_int_equal(outcomes[i].calls, 1);
		assert_int_equal(outcomes[i].status, IMPORT_FAILED);
	}
	assert_int_equal(other.calls, 0);
	stop(client);
}

/* A control that reads nothing holds nobody up. */
static void sending_never_waits(void **state)
{
	static const uint8_t key[BLS_PUBLIC_KEY_SIZE];
	struct control_client *client = start();
	struct error error = {0};
	unsigned sent = 0;

	(void)state;
	while (sent < 100000 && control_client_forget(client, key, &error))
		sent++;
	assert_in_range(sent, 1, 99999);
	assert_int_equal(error.code, ERROR_PEER);
	assert_false(control_client_reload(client, &error));
	stop(client);
}

static void every_reload_is_told(void **state)
{
	struct control_client *client = start();
	struct message_reload_result result, seen = {0};
	struct error error = {0};

	(void)state;
	control_client_on_reload(client, note_reload, &seen);
	message_init(&result, MESSAGE_RELOAD_RESULT, 0);
	result.key_count = 7;
	(void)snprintf(result.message, sizeof result.message, "why not");
	assert_ok(message_send(control_fd, &result, &error), &error);
	assert_ok(control_client_receive(client, &error), &error);
	assert_int_equal(seen.key_count, 7);
	assert_string_equal(seen.message, "why not");
	stop(client);
}

static void nonsense_is_an_error(void **state)
{
	struct control_client *client = start();
	struct message_forget_key forget;
	struct error error = {0};

	(void)state;
	message_init(&forget, MESSAGE_FORGET_KEY, 0);
	assert_ok(message_send(control_fd, &forget, &error), &error);
	assert_false(control_client_receive(client, &error));
	assert_int_equal(error.code, ERROR_PEER);
	answer(1, IMPORT_STATUS_COUNT, "");
	assert_false(control_client_receive(client, &error));
	(void)shutdown(control_fd, SHUT_RDWR);
	assert_false(control_client_receive(client, &error));
	stop(client);
}

static void one_reload_at_a_time(void **state)
{
	struct reload_state reload, seen;

	(void)state;
	reload_state_init(&reload);
	reload_state_read(&reload, &seen);
	assert_int_equal(seen.progress, RELOAD_IDLE);
	assert_int_equal(seen.ended_ms, 0);
	assert_true(reload_state_begin(&reload));
	assert_false(reload_state_begin(&reload));
	reload_state_end(&reload, RELOAD_FAILED, "why not");
	reload_state_read(&reload, &seen);
	assert_int_equal(seen.progress, RELOAD_FAILED);
	assert_string_equal(seen.failure, "why not");
	assert_true(seen.ended_ms > 0);
	/* one that the host did not carry out is given up */
	assert_true(reload_state_begin(&reload));
	reload.since_ms -= RELOAD_PATIENCE_MS + 1;
	reload_state_read(&reload, &seen);
	assert_int_equal(seen.progress, RELOAD_FAILED);
	assert_non_null(strstr(seen.failure, "host"));
	assert_true(reload_state_begin(&reload));
	reload_state_end(&reload, RELOAD_COMPLETED, "");
	reload_state_read(&reload, &seen);
	assert_int_equal(seen.progress, RELOAD_COMPLETED);
	assert_string_equal(seen.failure, "");
	reload_state_end(&reload, RELOAD_WITH_ERRORS, "one row");
	reload_state_read(&reload, &seen);
	assert_int_equal(seen.progress, RELOAD_WITH_ERRORS);
	assert_string_equal(seen.failure, "one row");
	reload_state_done(&reload);
}

static int make_heap(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_import_has_its_own_answer),
		cmocka_unit_test(imports_are_bounded),
		cmocka_unit_test(sending_never_waits),
		cmocka_unit_test(every_reload_is_told),
		cmocka_unit_test(nonsense_is_an_error),
		cmocka_unit_test(one_reload_at_a_time),
	};

	return cmocka_run_group_tests(tests, make_heap, NULL);
}
