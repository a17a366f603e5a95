/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "enclave/frontend/keeper_client.h"

#define PATIENCE_MS 5000

/* What came back for one request. */
struct outcome {
	_Atomic int answers;
	_Atomic int errors;
	_Atomic uint64_t marker; /* first byte of the signature */
	char message[ERROR_MESSAGE_SIZE];
};

static void note(void *context, const union message *answer, const struct error *error)
{
	struct outcome *outcome = (struct outcome *)context;

	if (answer) {
		outcome->marker = answer->sign_result.signature[0];
		outcome->answers++;
		return;
	}
	(void)snprintf(outcome->message, sizeof outcome->message, "%s", error->message);
	outcome->errors++;
}

static void wait_until(const _Atomic int *counter, int value)
{
	uint64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;

	while (atomic_load(counter) < value && clock_monotonic_ms() < end_ms)
		(void)poll(NULL, 0, 1);
	assert_int_equal(atomic_load(counter), value);
}

struct pair {
	int fds[2]; /* the client's, the keeper's */
	struct keeper_client *client;
};

static void pair_start(struct pair *pair, size_t capacity, unsigned deadline_ms)
{
	struct error error;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair->fds), 0);
	pair->client = keeper_client_new(
		&(struct keeper_client_options){.fd = pair->fds[0], .capacity = capacity, .deadline_ms = deadline_ms}, &error);
	assert_ok(pair->client != NULL, &error);
}

static void pair_stop(struct pair *pair)
{
	keeper_client_free(pair->client);
	(void)close(pair->fds[0]);
	if (pair->fds[1] >= 0)
		(void)close(pair->fds[1]);
}

static bool send_sign(struct pair *pair, uint64_t slot, struct outcome *outcome, struct error *error)
{
	struct message_sign message;

	message_init(&message, MESSAGE_SIGN, 0);
	message.object.slot = slot;
	return keeper_client_send(pair->client, &message, note, outcome, error);
}

static void must_send(struct pair *pair, uint64_t slot, struct outcome *outcome)
{
	struct error error;

	assert_ok(send_sign(pair, slot, outcome, &error), &error);
}

static void receive_sign(struct pair *pair, struct message_sign *ret_message)
{
	struct error error;

	assert_ok(message_receive(pair->fds[1], ret_message, sizeof *ret_message, NULL, &error), &error);
}

static void answer(struct pair *pair, uint64_t id, uint8_t marker)
{
	struct message_sign_result result;
	struct error error;

	message_init(&result, MESSAGE_SIGN_RESULT, id);
	result.signature[0] = marker;
	assert_ok(message_send(pair->fds[1], &result, &error), &error);
}

static void answers_find_their_requests_in_any_order(void **state)
{
	struct outcome outcomes[3] = {0};
	struct message_sign requests[3];
	struct pair pair;

	(void)state;
	pair_start(&pair, 8, PATIENCE_MS);
	for (size_t i = 0; i < 3; i++)
		must_send(&pair, i, &outcomes[i]);
	for (size_t i = 0; i < 3; i++)
		receive_sign(&pair, &requests[i]);
	for (size_t i = 3; i-- > 0;)
		answer(&pair, requests[i].header.id, (uint8_t)(10 + requests[i].object.slot));
	for (size_t i = 0; i < 3; i++) {
		wait_until(&outcomes[i].answers, 1);
		assert_int_equal(outcomes[i].marker, 10 + i);
	}
	pair_stop(&pair);
}

static void places_are_used_again_with_new_ids(void **state)
{
	struct pair pair;
	uint64_t last_id = 0;

	(void)state;
	pair_start(&pair, 1, PATIENCE_MS);
	for (size_t i = 0; i < 5; i++) {
		struct outcome outcome = {0};
		struct message_sign request;

		must_send(&pair, i, &outcome);
		receive_sign(&pair, &request);
		assert_true(request.header.id != last_id);
		last_id = request.header.id;
		answer(&pair, last_id, 1);
		wait_until(&outcome.answers, 1);
		assert_int_equal(outcome.errors, 0);
	}
	pair_stop(&pair);
}

static void full_table_refuses(void **state)
{
	struct outcome outcomes[3] = {0};
	struct pair pair;
	struct error error;

	(void)state;
	pair_start(&pair, 2, PATIENCE_MS);
	must_send(&pair, 0, &outcomes[0]);
	must_send(&pair, 1, &outcomes[1]);
	assert_false(send_sign(&pair, 2, &outcomes[2], &error));
	assert_message_contains(&error, "too many requests");
	pair_stop(&pair);
	assert_int_equal(outcomes[0].errors, 1);
	assert_int_equal(outcomes[1].errors, 1);
	assert_int_equal(outcomes[2].errors, 0);
}

/* Far more than the socket holds while the keeper does not read: nothing is lost, and order is kept. */
static void burst_is_queued(void **state)
{
	enum { BURST = 2000 };
	struct outcome outcome = {0};
	struct pair pair;

	(void)state;
	pair_start(&pair, BURST, PATIENCE_MS);
	for (size_t i = 0; i < BURST; i++)
		must_send(&pair, i, &outcome);
	for (size_t i = 0; i < BURST; i++) {
		struct message_sign request;

		receive_sign(&pair, &request);
		assert_int_equal(request.object.slot, i);
		answer(&pair, request.header.id, 1);
	}
	wait_until(&outcome.answers, BURST);
	assert_int_equal(outcome.errors, 0);
	pair_stop(&pair);
}

static bool send_of_type(struct pair *pair, uint32_t artifact_type, uint64_t slot, struct outcome *outcome, struct error *error)
{
	struct message_sign message;

	message_init(&message, MESSAGE_SIGN, 0);
	message.artifact_type = artifact_type;
	message.object.slot = slot;
	return keeper_client_send(pair->client, &message, note, outcome, error);
}

/* What a socket holds goes as it came; of what waits for it the block goes first and the votes before the rest. */
static void block_overtakes_a_burst(void **state)
{
	enum { BURST = 2000 };
	struct outcome outcome = {0};
	size_t places[ARTIFACT_TYPE_COUNT] = {0};
	struct pair pair;
	struct error error;

	(void)state;
	pair_start(&pair, BURST + 2, PATIENCE_MS);
	for (size_t i = 0; i < BURST; i++)
		assert_ok(send_of_type(&pair, ARTIFACT_AGGREGATION_SLOT, i, &outcome, &error), &error);
	assert_ok(send_of_type(&pair, ARTIFACT_ATTESTATION, 0, &outcome, &error), &error);
	assert_ok(send_of_type(&pair, ARTIFACT_BLOCK, 0, &outcome, &error), &error);
	for (size_t i = 0; i < BURST + 2; i++) {
		struct message_sign request;

		receive_sign(&pair, &request);
		places[request.artifact_type] = i;
		answer(&pair, request.header.id, 1);
	}
	wait_until(&outcome.answers, BURST + 2);
	assert_true(places[ARTIFACT_BLOCK] < BURST / 2);
	assert_int_equal(places[ARTIFACT_ATTESTATION], places[ARTIFACT_BLOCK] + 1);
	assert_int_equal(places[ARTIFACT_AGGREGATION_SLOT], BURST + 1);
	pair_stop(&pair);
}

static void late_answer_is_ignored(void **state)
{
	struct outcome late = {0};
	struct outcome next = {0};
	struct message_sign requests[2];
	struct pair pair;

	(void)state;
	pair_start(&pair, 1, 100);
	must_send(&pair, 0, &late);
	receive_sign(&pair, &requests[0]);
	wait_until(&late.errors, 1);
	assert_non_null(strstr(late.message, "did not answer within 100 ms"));
	must_send(&pair, 1, &next);
	receive_sign(&pair, &requests[1]);
	answer(&pair, requests[0].header.id, 66);
	answer(&pair, 0xffffffffffff, 66);
	answer(&pair, requests[1].header.id, 77);
	wait_until(&next.answers, 1);
	assert_int_equal(next.marker, 77);
	assert_int_equal(late.answers, 0);
	pair_stop(&pair);
}

static void keeper_gone_fails_all(void **state)
{
	struct outcome outcomes[2] = {0};
	struct pair pair;
	struct error error;

	(void)state;
	pair_start(&pair, 8, PATIENCE_MS);
	must_send(&pair, 0, &outcomes[0]);
	must_send(&pair, 1, &outcomes[1]);
	(void)close(pair.fds[1]);
	pair.fds[1] = -1;
	wait_until(&outcomes[0].errors, 1);
	wait_until(&outcomes[1].errors, 1);
	assert_non_null(strstr(outcomes[0].message, "keeper"));
	assert_false(send_sign(&pair, 2, &outcomes[0], &error));
	assert_int_equal(error.code, ERROR_PEER);
	pair_stop(&pair);
	assert_int_equal(outcomes[0].errors, 1);
}

/* A keeper that answers with the wrong kind of message is as good as gone. */
static void wrong_answer_type_ends_it(void **state)
{
	struct outcome outcome = {0};
	struct message_sign request;
	struct message_keys keys;
	struct pair pair;
	struct error error;

	(void)state;
	pair_start(&pair, 8, PATIENCE_MS);
	must_send(&pair, 0, &outcome);
	receive_sign(&pair, &request);
	message_init(&keys, MESSAGE_KEYS, request.header.id);
	assert_ok(message_send(pair.fds[1], &keys, &error), &error);
	wait_until(&outcome.errors, 1);
	assert_non_null(strstr(outcome.message, "message of type"));
	assert_false(send_sign(&pair, 1, &outcome, &error));
	pair_stop(&pair);
}

static void only_requests_are_sent(void **state)
{
	struct message_load_key message;
	struct outcome outcome = {0};
	struct pair pair;
	struct error error;

	(void)state;
	pair_start(&pair, 8, PATIENCE_MS);
	message_init(&message, MESSAGE_LOAD_KEY, 0);
	assert_false(keeper_client_send(pair.client, &message, note, &outcome, &error));
	assert_int_equal(error.code, ERROR_BUG);
	keeper_client_close(pair.client);
	keeper_client_close(pair.client);
	assert_false(send_sign(&pair, 1, &outcome, &error));
	assert_message_contains(&error, "shutting down");
	pair_stop(&pair);
}

static void sizes_are_checked(void **state)
{
	struct error error;

	(void)state;
	assert_null(keeper_client_new(&(struct keeper_client_options){.fd = 0, .capacity = 0, .deadline_ms = 1}, &error));
	assert_null(keeper_client_new(
		&(struct keeper_client_options){.fd = 0, .capacity = KEEPER_CLIENT_CAPACITY_MAX + 1, .deadline_ms = 1}, &error));
	assert_null(keeper_client_new(&(struct keeper_client_options){.fd = -1, .capacity = 1, .deadline_ms = 1}, &error));
	assert_int_equal(error.code, ERROR_IO);
}

/* Several threads at once, as the server's are. */
enum { SENDERS = 4, EACH = 500 };

struct sender {
	struct pair *pair;
	struct outcome outcome;
};

static void *send_many(void *context)
{
	struct sender *sender = (struct sender *)context;
	struct error error;

	for (uint64_t i = 0; i < EACH; i++)
		if (!send_sign(sender->pair, i, &sender->outcome, &error))
			sender->outcome.errors++;
	return NULL;
}

static void threads_share_it(void **state)
{
	struct sender senders[SENDERS] = {0};
	pthread_t threads[SENDERS];
	struct pair pair;

	(void)state;
	pair_start(&pair, SENDERS * EACH, PATIENCE_MS);
	for (size_t i = 0; i < SENDERS; i++) {
		senders[i].pair = &pair;
		assert_int_equal(pthread_create(&threads[i], NULL, send_many, &senders[i]), 0);
	}
	for (size_t i = 0; i < SENDERS * EACH; i++) {
		struct message_sign request;

		receive_sign(&pair, &request);
		answer(&pair, request.header.id, 1);
	}
	for (size_t i = 0; i < SENDERS; i++) {
		(void)pthread_join(threads[i], NULL);
		wait_until(&senders[i].outcome.answers, EACH);
		assert_int_equal(senders[i].outcome.errors, 0);
	}
	pair_stop(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_find_their_requests_in_any_order),
		cmocka_unit_test(places_are_used_again_with_new_ids),
		cmocka_unit_test(full_table_refuses),
		cmocka_unit_test(burst_is_queued),
		cmocka_unit_test(block_overtakes_a_burst),
		cmocka_unit_test(late_answer_is_ignored),
		cmocka_unit_test(keeper_gone_fails_all),
		cmocka_unit_test(wrong_answer_type_ends_it),
		cmocka_unit_test(only_requests_are_sent),
		cmocka_unit_test(sizes_are_checked),
		cmocka_unit_test(threads_share_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
