/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/messages.h"

#include <sys/socket.h>
#include <unistd.h>

#include "vectors.h"

static void make_pair(int pair[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
}

static void close_pair(const int pair[2])
{
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void every_type_has_a_size_and_arrives(void **state)
{
	union message sent;
	union message received;
	struct error error = {0};
	int pair[2];

	(void)state;
	make_pair(pair);
	for (uint32_t type = MESSAGE_START; type < MESSAGE_TYPE_COUNT; type++) {
		assert_in_range(message_size(type), sizeof(struct message_header), sizeof(union message));
		message_init(&sent, (enum message_type)type, 100 + type);
		assert_ok(message_send(pair[0], &sent, &error), &error);
		assert_ok(message_receive(pair[1], &received, sizeof received, NULL, &error), &error);
		assert_memory_equal(&sent, &received, message_size(type));
		assert_int_equal(received.header.id, 100 + type);
	}
	assert_int_equal(message_size(0), 0);
	assert_int_equal(message_size(MESSAGE_TYPE_COUNT), 0);
	close_pair(pair);
}

static void refuses_every_other_packet(void **state)
{
	struct message_header header = {MESSAGE_SIGN, sizeof(struct message_sign), 1};
	union message message;
	struct error error = {0};
	int pair[2];

	(void)state;
	make_pair(pair);
	for (size_t size = 1; size < sizeof(union message); size = size * 3 + 1) {
		memset(&message, 0, sizeof message);
		memcpy(&message, &header, sizeof header);
		if (size == sizeof(struct message_sign))
			continue;
		assert_int_equal(send(pair[0], &message, size, 0), size);
		assert_false(message_receive(pair[1], &message, sizeof message, NULL, &error));
		assert_int_equal(error.code, ERROR_PEER);
	}
	header = (struct message_header){MESSAGE_TYPE_COUNT, sizeof header, 1};
	assert_int_equal(send(pair[0], &header, sizeof header, 0), sizeof header);
	assert_false(message_receive(pair[1], &message, sizeof message, NULL, &error));
	close_pair(pair);
}

static void refuses_a_packet_larger_than_the_place_for_it(void **state)
{
	union message message;
	struct message_ready small;
	struct error error = {0};
	int pair[2];

	(void)state;
	make_pair(pair);
	message_init(&message, MESSAGE_TLS_IDENTITY, 1);
	assert_ok(message_send(pair[0], &message, &error), &error);
	assert_false(message_receive(pair[1], &small, sizeof small, NULL, &error));
	assert_message_contains(&error, "does not fit");
	close_pair(pair);
}

static void refuses_counts_beyond_their_fields(void **state)
{
	union message message;
	struct error error = {0};
	int pair[2];

	(void)state;
	make_pair(pair);
	message_init(&message, MESSAGE_KEYS, 1);
	message.keys.count = MESSAGE_KEYS_CAPACITY + 1;
	assert_ok(message_send(pair[0], &message, &error), &error);
	assert_false(message_receive(pair[1], &message, sizeof message, NULL, &error));
	message_init(&message, MESSAGE_TLS_IDENTITY, 1);
	message.tls_identity.chain_size = TLS_IDENTITY_CHAIN_MAX_SIZE + 1;
	assert_ok(message_send(pair[0], &message, &error), &error);
	assert_false(message_receive(pair[1], &message, sizeof message, NULL, &error));
	message_init(&message, MESSAGE_TLS_IDENTITY, 1);
	message.tls_identity.key_size = UINT32_MAX;
	assert_ok(message_send(pair[0], &message, &error), &error);
	assert_false(message_receive(pair[1], &message, sizeof message, NULL, &error));
	close_pair(pair);
}

static void tells_a_closed_peer_from_an_empty_socket(void **state)
{
	union message message;
	struct error error = {0};
	bool closed = true;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	assert_false(message_receive(pair[1], &message, sizeof message, &closed, &error));
	assert_false(closed);
	assert_int_equal(error.code, ERROR_NONE);
	(void)close(pair[0]);
	assert_false(message_receive(pair[1], &message, sizeof message, &closed, &error));
	assert_true(closed);
	assert_int_equal(error.code, ERROR_PEER);
	message_init(&message, MESSAGE_READY, 0);
	assert_false(message_send(pair[1], &message, &error));
	assert_int_equal(error.code, ERROR_PEER);
	(void)close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_has_a_size_and_arrives),
		cmocka_unit_test(refuses_every_other_packet),
		cmocka_unit_test(refuses_a_packet_larger_than_the_place_for_it),
		cmocka_unit_test(refuses_counts_beyond_their_fields),
		cmocka_unit_test(tells_a_closed_peer_from_an_empty_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
