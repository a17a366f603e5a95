/* SPDX-License-Identifier: Apache-2.0 */
/* POST /eth/v1/keystores in the frontend: what it holds while control works. What comes of imports is looked at end to end. */
#include "vectors.h"

#include <malloc.h>
#include <signal.h>
#include <sys/socket.h>

#include "enclave/frontend/control_client.h"
#include "server_fixture.h"

#define TOKEN "0123456789abcdef0123456789abcdef"
/* That no document has. */
#define OTHER_KEY 99999u
/* Their document takes 6 MB as text, parsed 6 MB more. */
#define DOCUMENT_KEYS 40000u
/* Beside that: one keystore, and what libraries take for a request. */
#define HELD_MAX_SIZE (1u << 20)
#define PATIENCE_S 20

static struct fixture fixture;

static int start(void **state)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){.request_deadline_ms = PATIENCE_S * 1000,
							  .keeper_deadline_ms = PATIENCE_S * 1000,
							  .manager_token = TOKEN});
	return setsockopt(fixture.control_fds[1], SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	return 0;
}

/* A document of many keys as a JSON text has it; the first is that of the keystore. */
static void append_document(unsigned count, struct buffer *body)
{
	buffer_append_format(body,
			     "\"{\\\"metadata\\\":{\\\"interchange_format_version\\\":\\\"5\\\","
			     "\\\"genesis_validators_root\\\":\\\"0x%064x\\\"},\\\"data\\\":[",
			     0);
	for (unsigned i = 0; i < count; i++)
		buffer_append_format(body,
				     "%s{\\\"pubkey\\\":\\\"0x%096x\\\",\\\"signed_blocks\\\":[],\\\"signed_attestations\\\":[]}",
				     i ? "," : "", i);
	buffer_append_text(body, "]}\"");
}

/* document_keys 0: without a document. */
static void make_request(unsigned key, unsigned document_keys, struct buffer *request)
{
	AUTO_BUFFER struct buffer body = {0};

	buffer_append_format(&body, "{\"keystores\":[\"{\\\"pubkey\\\":\\\"%096x\\\"}\"],\"passwords\":[\"x\"]", key);
	if (document_keys > 0) {
		buffer_append_text(&body, ",\"slashing_protection\":");
		append_document(document_keys, &body);
	}
	buffer_append_byte(&body, '}');
	buffer_append_format(request,
			     "POST /eth/v1/keystores HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer " TOKEN
			     "\r\nContent-Length: %zu\r\n\r\n",
			     body.size);
	buffer_append(request, buffer_view(&body));
}

/* In use on the heap; 0 under a sanitizer, which has a heap of its own. */
static size_t heap_in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void finish_import(uint64_t id, enum import_status status)
{
	struct message_import_result result;
	struct error error = {0};

	message_init(&result, MESSAGE_IMPORT_RESULT, id);
	result.status = status;
	(void)snprintf(result.message, sizeof result.message, "%s", status == IMPORT_OK ? "" : "as control says");
	assert_ok(message_send(fixture.control_fds[1], &result, &error), &error);
	assert_ok(control_client_receive(fixture.control, &error), &error);
}

/* Seconds may pass before control has opened a keystore, and others want memory meanwhile. */
static void a_large_document_is_gone_before_keystores_are_opened(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_BUFFER struct buffer request = {0};
	AUTO_ANSWER struct answer answer = {0};
	struct message_import_keystore import;
	struct error error = {0};
	size_t before, held;

	(void)state;
	fixture_connect(&fixture, &client);
	make_request(0, DOCUMENT_KEYS, &request);
	before = heap_in_use();
	assert_true(tls_client_send(&client, buffer_view(&request)));
	assert_ok(message_receive(fixture.control_fds[1], &import, sizeof import, NULL, &error), &error);
	assert_int_equal(import.header.type, MESSAGE_IMPORT_KEYSTORE);
	held = heap_in_use();
	finish_import(import.header.id, IMPORT_OK);
	assert_true(tls_client_receive(&client, &answer));
	assert_int_equal(answer.status, 200);
	assert_true(view_equal_text(answer.body, "{\"data\":[{\"status\":\"imported\",\"message\":\"\"}]}"));
	if (held > before + HELD_MAX_SIZE)
		fail_msg("%zu bytes are held while a keystore is opened", held - before);
}

/* What the last thing was that the keeper was asked, and the answer. */
static enum history_action import_one(unsigned key, unsigned document_keys, enum import_status status, const char *expected)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_BUFFER struct buffer request = {0};
	AUTO_ANSWER struct answer answer = {0};
	struct message_import_keystore import;
	struct error error = {0};

	fixture_connect(&fixture, &client);
	make_request(key, document_keys, &request);
	assert_true(tls_client_send(&client, buffer_view(&request)));
	assert_ok(message_receive(fixture.control_fds[1], &import, sizeof import, NULL, &error), &error);
	assert_int_equal(import.header.type, MESSAGE_IMPORT_KEYSTORE);
	finish_import(import.header.id, status);
	assert_true(tls_client_receive(&client, &answer));
	assert_int_equal(answer.status, 200);
	if (!memmem(answer.body.data, answer.body.size, expected, strlen(expected)))
		fail_msg("%.*s", (int)answer.body.size, (const char *)answer.body.data);
	return (enum history_action)fixture.last_history.action;
}

/* Whoever gives a document does not say of a key that is not in it that it never signed. */
static void a_key_that_the_document_leaves_out_does_not_begin(void **state)
{
	(void)state;
	assert_int_equal(import_one(1, 2, IMPORT_OK, "\"imported\""), HISTORY_ENABLE);
	assert_int_equal(fixture.last_history.known_only, 0);
	assert_int_equal(import_one(OTHER_KEY, 2, IMPORT_OK, "\"imported\""), HISTORY_ENABLE);
	assert_int_equal(fixture.last_history.known_only, 1);
	assert_int_equal(import_one(OTHER_KEY, 0, IMPORT_DUPLICATE, "\"duplicate\""), HISTORY_ENABLE);
	assert_int_equal(fixture.last_history.known_only, 0);
}

/* The host has its row and may load it tomorrow, when the client has long taken the key elsewhere. */
static void what_is_answered_as_an_error_never_signs(void **state)
{
	struct message_forget_key forget;
	struct error error = {0};

	(void)state;
	assert_int_equal(import_one(1, 2, IMPORT_FAILED, "\"error\",\"message\":\"as control says\""), HISTORY_RAISE);
	assert_int_equal(import_one(1, 2, IMPORT_STORED, "as control says; should it be loaded later, it signs nothing"),
			 HISTORY_RETIRE);
	assert_int_equal(fixture.last_history.public_key[BLS_PUBLIC_KEY_SIZE - 1], 1);
	assert_ok(message_receive(fixture.control_fds[1], &forget, sizeof forget, NULL, &error), &error);
	assert_int_equal(forget.header.type, MESSAGE_FORGET_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_large_document_is_gone_before_keystores_are_opened, start, stop),
		cmocka_unit_test_setup_teardown(a_key_that_the_document_leaves_out_does_not_begin, start, stop),
		cmocka_unit_test_setup_teardown(what_is_answered_as_an_error_never_signs, start, stop),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
