/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "attestation/nsm_wire.h"
#include "base/file.h"
#include "net/frame.h"

#define PEER_TIMEOUT_MS 5000
#define ZERO_16 "00000000000000000000000000000000"
#define BYTES_16 "000102030405060708090a0b0c0d0e0f"

static const uint8_t sixteen[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* ---- the wire ---- */

static void assert_bytes(const struct buffer *bytes, const char *hex)
{
	AUTO_BUFFER struct buffer expected = unhex(hex);

	assert_int_equal(bytes->size, expected.size);
	assert_memory_equal(bytes->data, expected.data, expected.size);
}

/* The exact bytes that nsm-api writes. */
static const struct {
	struct nsm_request request;
	const char *hex;
} request_cases[] = {
	{{.operation = NSM_DESCRIBE_NSM}, "6b44657363726962654e534d"},
	{{.operation = NSM_GET_RANDOM}, "6947657452616e646f6d"},
	{{.operation = NSM_DESCRIBE_PCR, .index = 0}, "a16b4465736372696265504352a165696e64657800"},
	{{.operation = NSM_EXTEND_PCR, .index = 16, .data = {sixteen, 16}},
	 "a169457874656e64504352a265696e64657810646461746150" BYTES_16},
	{{.operation = NSM_LOCK_PCR, .index = 16}, "a1674c6f636b504352a165696e64657810"},
	{{.operation = NSM_LOCK_PCRS, .range = 17}, "a1684c6f636b50435273a16572616e676511"},
	{{.operation = NSM_ATTESTATION},
	 "a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365f66a7075626c69635f6b6579f6"},
	{{.operation = NSM_ATTESTATION, .user_data = {true, {sixteen, 0}}, .nonce = {true, {sixteen, 16}}},
	 "a16b4174746573746174696f6ea369757365725f6461746140656e6f6e636550" BYTES_16 "6a7075626c69635f6b6579f6"},
};

static void assert_same_optional(const struct nsm_optional *a, const struct nsm_optional *b)
{
	assert_int_equal(a->present, b->present);
	assert_true(view_equal(a->bytes, b->bytes));
}

static void test_requests_have_the_bytes_of_nsm_api(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(request_cases); i++) {
		const struct nsm_request *request = &request_cases[i].request;
		AUTO_BUFFER struct buffer bytes = {0};
		struct nsm_request decoded;
		struct error error = {0};

		nsm_request_encode(request, &bytes);
		assert_bytes(&bytes, request_cases[i].hex);
		assert_ok(nsm_request_decode(buffer_view(&bytes), &decoded, &error), &error);
		assert_int_equal(decoded.operation, request->operation);
		assert_int_equal(decoded.index, request->index);
		assert_int_equal(decoded.range, request->range);
		assert_true(view_equal(decoded.data, request->data));
		assert_same_optional(&decoded.user_data, &request->user_data);
		assert_same_optional(&decoded.nonce, &request->nonce);
		assert_same_optional(&decoded.public_key, &request->public_key);
		/* Every truncation fails: a message is never guessed. */
		for (size_t size = 0; size < bytes.size; size++)
			assert_false(nsm_request_decode(view_of(bytes.data, size), &decoded, &error));
	}
}

static void test_attestation_request_with_a_public_key(void **state)
{
	struct nsm_request request = {.operation = NSM_ATTESTATION, .public_key.present = true};
	AUTO_BUFFER struct buffer expected =
		unhex("a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e6365f66a7075626c69635f6b6579590126");
	AUTO_BUFFER struct buffer bytes = {0};
	uint8_t spki[294];

	(void)state;
	memset(spki, 0xaa, sizeof spki);
	buffer_append(&expected, view_of(spki, sizeof spki));
	request.public_key.bytes = view_of(spki, sizeof spki);
	nsm_request_encode(&request, &bytes);
	assert_true(view_equal(buffer_view(&bytes), buffer_view(&expected)));
}

static void test_requests_that_are_none(void **state)
{
	static const struct {
		const char *hex, *message;
	} cases[] = {
		{"f6", "not a map"},
		{"00", "not a map"},
		{"80", "not a map"},
		{"a0", "exactly one pair"},
		{"bf6947657452616e646f6dff", "exactly one pair"},
		{"6947657452616e", "cut short"},
		{"63466f6f", "unknown operation Foo"},
		{"a163466f6fa0", "unknown operation Foo"},
		/* a request with fields as text, one without as a map */
		{"674c6f636b504352", "unknown operation LockPCR"},
		{"a16947657452616e646f6da0", "unknown operation GetRandom"},
		{"6947657452616e646f6d00", "behind the end"},
		{"a1674c6f636b504352a165696e6465781000", "behind the end"},
		{"a1674c6f636b504352a0", "LockPCR: index: missing"},
		{"a1674c6f636b504352a265696e6465781065696e64657810", "LockPCR: index: twice"},
		{"a1674c6f636b504352a165696e6465781a00010000", "LockPCR: index: larger than 65535"},
		{"a1674c6f636b504352a165696e64657820", "LockPCR: index: not an unsigned"},
		{"a1674c6f636b504352a165696e6465784110", "LockPCR: index: not an unsigned"},
		{"a1674c6f636b504352a265696e64657810617880", "cannot be skipped"},
		{"a1674c6f636b50435210", "LockPCR: not a map"},
		{"a169457874656e64504352a165696e64657810", "ExtendPCR: data: missing"},
		{"a169457874656e64504352a265696e646578106464617461f6", "ExtendPCR: data: not a byte string"},
		{"a16b4174746573746174696f6ea269757365725f64617461f6656e6f6e6365f6", "public_key: missing"},
		{"a16b4174746573746174696f6ea369757365725f646174616161", "user_data: not a byte string"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes = unhex(cases[i].hex);
		struct nsm_request request = {.index = 7};
		struct error error = {0};

		if (nsm_request_decode(buffer_view(&bytes), &request, &error))
			fail_msg("taken: %s", cases[i].hex);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_int_equal(request.index, 7);
		assert_message_contains(&error, cases[i].message);
	}
}

static void test_fields_come_in_any_order_and_with_company(void **state)
{
	/* {"x": 1, "data": h'01', "index": 5}, and the same with an indefinite length */
	static const char *const cases[] = {"a169457874656e64504352a36178016464617461410165696e64657805",
					    "a169457874656e64504352bf6178016464617461410165696e64657805ff"};
	struct nsm_request request;
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes = unhex(cases[i]);

		assert_ok(nsm_request_decode(buffer_view(&bytes), &request, &error), &error);
		assert_int_equal(request.index, 5);
		assert_int_equal(request.data.size, 1);
	}
}

static void test_request_size_is_bounded(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct nsm_request request;
	struct error error = {0};

	(void)state;
	buffer_reserve(&bytes, NSM_REQUEST_MAX_SIZE + 1);
	memset(bytes.data, 0, NSM_REQUEST_MAX_SIZE + 1);
	assert_false(nsm_request_decode(view_of(bytes.data, NSM_REQUEST_MAX_SIZE + 1), &request, &error));
	assert_message_contains(&error, "larger");
}

static void test_responses_have_the_bytes_of_nsm_api(void **state)
{
	uint8_t pcr[NSM_PCR_SIZE] = {0};
	const struct nsm_response random = {.operation = NSM_GET_RANDOM, .random = view_of(sixteen, 16)};
	const struct nsm_response document = {.operation = NSM_ATTESTATION, .document = view_of(sixteen, 16)};
	const struct nsm_response described = {.operation = NSM_DESCRIBE_PCR, .lock = true, .data = view_of(pcr, sizeof pcr)};
	const struct nsm_response locked = {.operation = NSM_LOCK_PCR};
	const struct nsm_response failed = {.operation = NSM_LOCK_PCR, .status = NSM_INVALID_ARGUMENT};
	const struct {
		const struct nsm_response *response;
		const char *hex;
	} cases[] = {
		{&random, "a16947657452616e646f6da16672616e646f6d50" BYTES_16},
		{&document, "a16b4174746573746174696f6ea168646f63756d656e7450" BYTES_16},
		{&described, "a16b4465736372696265504352a2646c6f636bf564646174615830" ZERO_16 ZERO_16 ZERO_16},
		{&locked, "674c6f636b504352"},
		{&failed, "a1654572726f726f496e76616c6964417267756d656e74"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes = {0};
		struct nsm_response decoded;
		struct error error = {0};

		nsm_response_encode(cases[i].response, &bytes);
		assert_bytes(&bytes, cases[i].hex);
		assert_ok(nsm_response_decode(buffer_view(&bytes), &decoded, &error), &error);
		assert_int_equal(decoded.status, cases[i].response->status);
		assert_true(view_equal(decoded.random, cases[i].response->random));
		assert_true(view_equal(decoded.document, cases[i].response->document));
		assert_true(view_equal(decoded.data, cases[i].response->data));
	}
}

static void test_describe_nsm_round_trip(void **state)
{
	const struct nsm_response response = {
		.operation = NSM_DESCRIBE_NSM,
		.version_major = 1,
		.version_minor = 2,
		.version_patch = 300,
		.max_pcrs = 32,
		.module_id = view_of_text("i-1-enc2"),
		.locked_pcrs = 0x8001ffff,
		.digest = view_of_text("SHA384"),
	};
	AUTO_BUFFER struct buffer bytes = {0};
	struct nsm_response decoded;
	struct error error = {0};

	(void)state;
	nsm_response_encode(&response, &bytes);
	assert_ok(nsm_response_decode(buffer_view(&bytes), &decoded, &error), &error);
	assert_int_equal(decoded.version_major, 1);
	assert_int_equal(decoded.version_minor, 2);
	assert_int_equal(decoded.version_patch, 300);
	assert_int_equal(decoded.max_pcrs, 32);
	assert_int_equal(decoded.locked_pcrs, 0x8001ffff);
	assert_true(view_equal_text(decoded.module_id, "i-1-enc2"));
	assert_true(view_equal_text(decoded.digest, "SHA384"));
}

static void test_every_error_name_round_trips(void **state)
{
	(void)state;
	for (unsigned i = NSM_SUCCESS + 1; i < NSM_STATUS_COUNT; i++) {
		const struct nsm_response response = {.status = (enum nsm_status)i};
		AUTO_BUFFER struct buffer bytes = {0};
		struct nsm_response decoded;
		struct error error = {0};

		nsm_response_encode(&response, &bytes);
		assert_ok(nsm_response_decode(buffer_view(&bytes), &decoded, &error), &error);
		assert_int_equal(decoded.status, i);
	}
	assert_string_equal(nsm_status_name((enum nsm_status)99), "InternalError");
}

static void test_responses_that_are_none(void **state)
{
	static const char *const cases[] = {
		"a1654572726f726753756363657373",                         /* Error: Success */
		"a1654572726f7263466f6f",                                 /* Error: Foo */
		"a1654572726f7201",                                       /* Error: 1 */
		"654572726f72",                                           /* Error alone */
		"a16947657452616e646f6da16672616e646f6d40",               /* no random bytes */
		"a16b4174746573746174696f6ea168646f63756d656e74f6",       /* no document */
		"a16b4465736372696265504352a2646c6f636bf564646174614100", /* a short PCR */
		"a16b4465736372696265504352a2646c6f636b0164646174614100", /* lock: 1 */
		"674c6f636b50435200",                                     /* a byte too many */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes = unhex(cases[i]);
		struct nsm_response response;
		struct error error = {0};

		if (nsm_response_decode(buffer_view(&bytes), &response, &error))
			fail_msg("taken: %s", cases[i]);
		assert_int_equal(error.code, ERROR_INPUT);
	}
}

/* ---- the client, against a peer that says what the test wants ---- */

struct peer {
	int fd;
	pthread_t thread;
	const char *const *answers; /* hex, one a request */
	size_t count;
	struct buffer last_request;
};

static void *peer_main(void *context)
{
	struct peer *peer = (struct peer *)context;
	struct error error = {0};

	for (size_t i = 0; i < peer->count; i++) {
		AUTO_BUFFER struct buffer answer = unhex(peer->answers[i]);

		if (!frame_read(peer->fd, NSM_REQUEST_MAX_SIZE, PEER_TIMEOUT_MS, &peer->last_request, NULL, &error) ||
		    !frame_write(peer->fd, buffer_view(&answer), PEER_TIMEOUT_MS, &error))
			break;
	}
	(void)close(peer->fd);
	return NULL;
}

static struct nsm *peer_start(struct peer *peer, const char *const *answers, size_t count)
{
	struct error error = {0};
	struct nsm *nsm;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	*peer = (struct peer){.fd = pair[1], .answers = answers, .count = count};
	assert_int_equal(pthread_create(&peer->thread, NULL, peer_main, peer), 0);
	nsm = nsm_from_fd(pair[0], false, &error);
	assert_ok(nsm != NULL, &error);
	assert_int_equal(nsm_fd(nsm), pair[0]);
	return nsm;
}

static void peer_stop(struct peer *peer)
{
	assert_int_equal(pthread_join(peer->thread, NULL), 0);
	buffer_done(&peer->last_request);
}

static void test_client_gathers_random_bytes(void **state)
{
	static const char *const answers[] = {
		"a16947657452616e646f6da16672616e646f6d50" BYTES_16,
		"a16947657452616e646f6da16672616e646f6d50" BYTES_16,
	};
	uint8_t bytes[20] = {0};
	struct error error = {0};
	struct peer peer;
	AUTO_NSM struct nsm *nsm = peer_start(&peer, answers, ARRAY_SIZE(answers));

	(void)state;
	assert_ok(nsm_random(nsm, bytes, sizeof bytes, &error), &error);
	assert_memory_equal(bytes, sixteen, 16);
	assert_memory_equal(bytes + 16, sixteen, 4);
	peer_stop(&peer);
}

static void test_client_leaves_nothing_when_random_bytes_run_out(void **state)
{
	static const char *const answers[] = {
		"a16947657452616e646f6da16672616e646f6d50" BYTES_16,
		"a1654572726f726d496e7465726e616c4572726f72",
	};
	uint8_t bytes[20] = {0};
	struct error error = {0};
	struct peer peer;
	AUTO_NSM struct nsm *nsm = peer_start(&peer, answers, ARRAY_SIZE(answers));

	(void)state;
	assert_false(nsm_random(nsm, bytes, sizeof bytes, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "InternalError");
	for (size_t i = 0; i < sizeof bytes; i++)
		assert_int_equal(bytes[i], 0);
	peer_stop(&peer);
}

static void test_client_attests(void **state)
{
	static const char *const answers[] = {"a16b4174746573746174696f6ea168646f63756d656e7450" BYTES_16};
	AUTO_BUFFER struct buffer document = {0};
	struct error error = {0};
	struct peer peer;
	AUTO_NSM struct nsm *nsm = peer_start(&peer, answers, 1);

	(void)state;
	buffer_append_text(&document, "kept");
	assert_ok(nsm_attest(nsm, (struct view){0}, view_of(sixteen, 16), (struct view){0}, &document, &error), &error);
	assert_int_equal(document.size, 20);
	assert_memory_equal(document.data + 4, sixteen, 16);
	assert_int_equal(pthread_join(peer.thread, NULL), 0);
	assert_bytes(&peer.last_request,
		     "a16b4174746573746174696f6ea369757365725f64617461f6656e6f6e636550" BYTES_16 "6a7075626c69635f6b6579f6");
	buffer_done(&peer.last_request);
}

static void test_client_bounds_its_fields(void **state)
{
	static const uint8_t large[NSM_FIELD_MAX_SIZE + 1];
	AUTO_BUFFER struct buffer document = {0};
	struct error error = {0};
	uint8_t pcr[NSM_PCR_SIZE];
	struct peer peer;
	AUTO_NSM struct nsm *nsm = peer_start(&peer, NULL, 0);
	bool locked;

	(void)state;
	assert_false(nsm_attest(nsm, view_of(large, sizeof large), (struct view){0}, (struct view){0}, &document, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_false(nsm_describe_pcr(nsm, NSM_PCR_COUNT, pcr, &locked, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	peer_stop(&peer);
}

static void test_client_does_not_believe_its_peer(void **state)
{
	static const char *const answers[][1] = {
		{"a16947657452616e646f6da16672616e646f6d50" BYTES_16}, /* an answer to something else */
		{"ff"},
		{""},
		{"a1654572726f726f496e76616c6964417267756d656e74"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		uint8_t pcr[NSM_PCR_SIZE] = {9};
		struct error error = {0};
		struct peer peer;
		AUTO_NSM struct nsm *nsm = peer_start(&peer, answers[i], 1);
		bool locked = true;

		assert_false(nsm_describe_pcr(nsm, 0, pcr, &locked, &error));
		assert_int_equal(error.code, ERROR_PEER);
		assert_message_contains(&error, "NSM");
		assert_int_equal(pcr[0], 9);
		peer_stop(&peer);
	}
}

static void test_client_sees_the_peer_go(void **state)
{
	struct error error = {0};
	uint8_t byte;
	struct peer peer;
	AUTO_NSM struct nsm *nsm = peer_start(&peer, NULL, 0);

	(void)state;
	peer_stop(&peer);
	assert_false(nsm_random(nsm, &byte, 1, &error));
	assert_int_equal(error.code, ERROR_PEER);
}

static void test_device_is_a_device(void **state)
{
	AUTO_FD int file = open("/dev/null", O_RDWR | O_CLOEXEC);
	struct error error = {0};
	uint8_t byte;
	struct nsm *nsm;

	(void)state;
	assert_null(nsm_from_fd(-1, true, &error));
	assert_int_equal(error.code, ERROR_IO);
	/* A descriptor that does not know the ioctl: an error, not random bytes. */
	nsm = nsm_from_fd(file, true, &error);
	assert_ok(nsm != NULL, &error);
	(void)take_fd(&file);
	assert_false(nsm_random(nsm, &byte, 1, &error));
	assert_int_equal(error.code, ERROR_IO);
	nsm_free(nsm);
	nsm_free(NULL);
	if (!file_exists("/dev/nsm")) {
		assert_null(nsm_open_device(&error));
		assert_int_equal(error.code, ERROR_NOT_FOUND);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests_have_the_bytes_of_nsm_api),
		cmocka_unit_test(test_attestation_request_with_a_public_key),
		cmocka_unit_test(test_requests_that_are_none),
		cmocka_unit_test(test_fields_come_in_any_order_and_with_company),
		cmocka_unit_test(test_request_size_is_bounded),
		cmocka_unit_test(test_responses_have_the_bytes_of_nsm_api),
		cmocka_unit_test(test_describe_nsm_round_trip),
		cmocka_unit_test(test_every_error_name_round_trips),
		cmocka_unit_test(test_responses_that_are_none),
		cmocka_unit_test(test_client_gathers_random_bytes),
		cmocka_unit_test(test_client_leaves_nothing_when_random_bytes_run_out),
		cmocka_unit_test(test_client_attests),
		cmocka_unit_test(test_client_bounds_its_fields),
		cmocka_unit_test(test_client_does_not_believe_its_peer),
		cmocka_unit_test(test_client_sees_the_peer_go),
		cmocka_unit_test(test_device_is_a_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
