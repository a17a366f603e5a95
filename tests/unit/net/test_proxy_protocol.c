/* SPDX-License-Identifier: Apache-2.0 */
#include "net/proxy_protocol.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/address.h"
#include "vectors.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define HEADER(bytes) view_of(SIGNATURE bytes, sizeof(SIGNATURE bytes) - 1)

/* As a reader does it: never more than is missing. */
static bool read_all(struct view bytes, size_t *ret_taken, struct error *error)
{
	size_t missing;

	for (*ret_taken = 0;; *ret_taken += missing > bytes.size - *ret_taken ? bytes.size - *ret_taken : missing) {
		if (!proxy_header_missing(view_of(bytes.data, *ret_taken), &missing, error))
			return false;
		if (missing == 0 || *ret_taken == bytes.size)
			return missing == 0 || error_set(error, ERROR_PEER, "incomplete");
	}
}

static void headers_are_read(void **state)
{
	const struct {
		struct view bytes;
		const char *address;
	} cases[] = {
		{HEADER("\x21\x11\0\x0c\xc0\0\2\1\x0a\0\0\7\xc3\x50\x20\xfb"), "192.0.2.1:50000"},
		{HEADER("\x21\x21\0\x24\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\x20\xfb"),
		 "[2001:db8::1]:1"},
		/* with TLVs */
		{HEADER("\x21\x11\0\x10\xc0\0\2\1\x0a\0\0\7\xc3\x50\x20\xfb\4\0\1\0"), "192.0.2.1:50000"},
		{HEADER("\x20\0\0\0"), ""},
		{HEADER("\x20\0\0\4\4\0\1\0"), ""},
		{HEADER("\x20\x11\0\x0c\xc0\0\2\1\x0a\0\0\7\xc3\x50\x20\xfb"), ""}, /* LOCAL: they mean nothing */
		{HEADER("\x21\0\0\0"), ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer more = {0};
		char address[PROXY_ADDRESS_SIZE];
		struct error error;
		size_t taken;

		buffer_append(&more, cases[i].bytes);
		buffer_append_text(&more, "\x16\3\1 what follows is not touched");
		assert_ok(read_all(buffer_view(&more), &taken, &error), &error);
		assert_int_equal(taken, cases[i].bytes.size);
		proxy_header_address(view_of(more.data, taken), address);
		assert_string_equal(address, cases[i].address);
		/* cut anywhere it is only incomplete */
		for (size_t size = 0; size < cases[i].bytes.size; size++) {
			assert_false(read_all(view_of(more.data, size), &taken, &error));
			assert_int_equal(error.code, ERROR_PEER);
		}
	}
}

static void nonsense_is_refused(void **state)
{
	const struct {
		struct view bytes;
		size_t seen_after; /* at the latest */
	} cases[] = {
		{{(const uint8_t *)"PROXY TCP4 192.0.2.1", 20}, 1}, /* version 1 */
		{{(const uint8_t *)"GET / HTTP/1.1\r\n\r\n", 18}, 1},
		{{(const uint8_t *)"\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n\r\n", 18}, 16},
		{HEADER("\x11\x11\0\x0c"), 16},                                     /* version 1 */
		{HEADER("\x22\x11\0\x0c"), 16},                                     /* command 2 */
		{HEADER("\x21\x12\0\x0c\xc0\0\2\1\x0a\0\0\7\xc3\x50\x20\xfb"), 16}, /* UDP */
		{HEADER("\x21\x11\0\x0b\xc0\0\2\1\x0a\0\0\7\xc3\x50\x20"), 16},     /* too short for its family */
		{HEADER("\x21\x21\0\x0c\xc0\0\2\1\x0a\0\0\7\xc3\x50\x20\xfb"), 16},
		{HEADER("\x21\x11\xff\xff"), 16}, /* 64 KiB of TLVs */
		{HEADER("\x20\0\2\x09"), 16},     /* one more than is taken */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error;
		size_t taken;

		assert_false(read_all(cases[i].bytes, &taken, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_true(taken <= cases[i].seen_after + PROXY_HEADER_MIN_SIZE - 1);
	}
}

static void longest_is_taken(void **state)
{
	uint8_t bytes[PROXY_HEADER_MAX_SIZE] = SIGNATURE "\x20\0\2\x08";
	struct error error;
	size_t taken;

	(void)state;
	assert_ok(read_all(view_of(bytes, sizeof bytes), &taken, &error), &error);
	assert_int_equal(taken, sizeof bytes);
}

/* Over real sockets: what is written can be read, and is the client's end. */
static void written_headers_are_read(void **state)
{
	static const char *const listeners[] = {"tcp:127.0.0.1:0", "tcp:[::1]:0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(listeners); i++) {
		struct sockaddr_storage peer = {0}, own = {0};
		socklen_t size = sizeof peer, own_size = sizeof own;
		AUTO_BUFFER struct buffer header = {0};
		char address[PROXY_ADDRESS_SIZE], expected[PROXY_ADDRESS_SIZE];
		AUTO_FD int listener = -1, client = -1, server = -1;
		struct address where;
		struct error error;
		size_t taken;

		assert_ok(address_parse(listeners[i], &where, &error), &error);
		listener = address_listen(&where, 1, &error);
		if (listener < 0 && i == 1)
			continue; /* no IPv6 here */
		assert_ok(listener >= 0, &error);
		where.port = address_bound_port(listener);
		client = address_connect(&where, 1000, &error);
		assert_ok(client >= 0, &error);
		server = accept(listener, (struct sockaddr *)&peer, &size);
		assert_true(server >= 0);
		proxy_header_write(server, (const struct sockaddr *)&peer, &header);
		assert_ok(read_all(buffer_view(&header), &taken, &error), &error);
		assert_int_equal(taken, header.size);
		proxy_header_address(buffer_view(&header), address);
		assert_int_equal(getsockname(client, (struct sockaddr *)&own, &own_size), 0);
		(void)snprintf(expected, sizeof expected, i ? "[::1]:%u" : "127.0.0.1:%u",
			       ntohs(i ? ((struct sockaddr_in6 *)&own)->sin6_port : ((struct sockaddr_in *)&own)->sin_port));
		assert_string_equal(address, expected);
	}
}

static void unix_sockets_are_local(void **state)
{
	struct sockaddr_storage peer = {.ss_family = AF_UNIX};
	AUTO_BUFFER struct buffer header = {0};
	char address[PROXY_ADDRESS_SIZE];
	struct error error;
	size_t taken;
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	proxy_header_write(pair[0], (const struct sockaddr *)&peer, &header);
	assert_ok(read_all(buffer_view(&header), &taken, &error), &error);
	assert_int_equal(taken, PROXY_HEADER_MIN_SIZE);
	proxy_header_address(buffer_view(&header), address);
	assert_string_equal(address, "");
	(void)close(pair[0]);
	(void)close(pair[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_read),       cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(longest_is_taken),       cmocka_unit_test(written_headers_are_read),
		cmocka_unit_test(unix_sockets_are_local),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
