/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "net/frame.h"

#define TIMEOUT_MS 5000
#define SHORT_TIMEOUT_MS 100
/* Much more than a socket buffer holds, so that both sides must wait for each other. */
#define LARGE_SIZE (4u << 20)

struct pair {
	int here;
	int there;
};

static struct pair make_pair(int flags)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0, fds), 0);
	return (struct pair){.here = fds[0], .there = fds[1]};
}

static void close_pair(struct pair *pair)
{
	cleanup_fd(&pair->here);
	cleanup_fd(&pair->there);
}

static void hang_up(int *fd)
{
	assert_int_equal(close(*fd), 0);
	*fd = -1;
}

#define AUTO_PAIR CLEANUP(close_pair)

static void test_frames_in_turn(void **state)
{
	AUTO_PAIR struct pair pair = make_pair(0);
	AUTO_BUFFER struct buffer payload = {0};
	struct error error = {0};
	bool closed = true;

	(void)state;
	assert_ok(frame_write(pair.there, view_of_text("{\"a\":1}"), TIMEOUT_MS, &error), &error);
	assert_ok(frame_write(pair.there, view_of(NULL, 0), TIMEOUT_MS, &error), &error);
	assert_ok(frame_write(pair.there, view_of_text("x"), TIMEOUT_MS, &error), &error);
	assert_ok(frame_read(pair.here, 7, TIMEOUT_MS, &payload, &closed, &error), &error);
	assert_false(closed);
	assert_true(view_equal_text(buffer_view(&payload), "{\"a\":1}"));
	assert_ok(frame_read(pair.here, 7, TIMEOUT_MS, &payload, NULL, &error), &error);
	assert_int_equal(payload.size, 0);
	assert_ok(frame_read(pair.here, 7, TIMEOUT_MS, &payload, NULL, &error), &error);
	assert_true(view_equal_text(buffer_view(&payload), "x"));
}

static void test_wire_form(void **state)
{
	static const uint8_t expected[] = {0, 0, 0, 2, 'h', 'i'};
	AUTO_PAIR struct pair pair = make_pair(0);
	uint8_t bytes[sizeof expected];
	struct error error = {0};

	(void)state;
	assert_ok(frame_write(pair.there, view_of_text("hi"), TIMEOUT_MS, &error), &error);
	assert_true(fd_read_all(pair.here, bytes, sizeof bytes));
	assert_memory_equal(bytes, expected, sizeof expected);
}

struct writer {
	int fd;
	struct view payload;
	bool ok;
	struct error error;
};

static void *run_writer(void *context)
{
	struct writer *writer = (struct writer *)context;

	writer->ok = frame_write(writer->fd, writer->payload, TIMEOUT_MS, &writer->error);
	return NULL;
}

static void check_large_frame(int flags)
{
	AUTO_PAIR struct pair pair = make_pair(flags);
	AUTO_BUFFER struct buffer sent = {0};
	AUTO_BUFFER struct buffer payload = {0};
	struct error error = {0};
	struct writer writer = {.fd = pair.there};
	pthread_t thread;

	for (size_t i = 0; i < LARGE_SIZE; i++)
		buffer_append_byte(&sent, (uint8_t)(i * 31 >> 3));
	writer.payload = buffer_view(&sent);
	assert_int_equal(pthread_create(&thread, NULL, run_writer, &writer), 0);
	assert_ok(frame_read(pair.here, LARGE_SIZE, TIMEOUT_MS, &payload, NULL, &error), &error);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_ok(writer.ok, &writer.error);
	assert_true(view_equal(buffer_view(&payload), buffer_view(&sent)));
}

static void test_large_frames_on_blocking_and_non_blocking_sockets(void **state)
{
	(void)state;
	check_large_frame(0);
	check_large_frame(SOCK_NONBLOCK);
}

static void test_announcing_too_much_is_refused_before_memory_is_taken(void **state)
{
	static const uint8_t header[] = {0xff, 0xff, 0xff, 0xff};
	AUTO_PAIR struct pair pair = make_pair(0);
	AUTO_BUFFER struct buffer payload = {0};
	struct error error = {0};
	bool closed = true;

	(void)state;
	assert_true(fd_write_all(pair.there, header, sizeof header));
	assert_false(frame_read(pair.here, 65536, TIMEOUT_MS, &payload, &closed, &error));
	assert_int_equal(errno, EMSGSIZE);
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "4294967295");
	assert_false(closed);
	assert_null(payload.data);
}

static void test_the_limit_itself_is_allowed_and_one_more_is_not(void **state)
{
	AUTO_PAIR struct pair pair = make_pair(0);
	AUTO_BUFFER struct buffer payload = {0};
	struct error error = {0};

	(void)state;
	assert_ok(frame_write(pair.there, view_of_text("four"), TIMEOUT_MS, &error), &error);
	assert_ok(frame_read(pair.here, 4, TIMEOUT_MS, &payload, NULL, &error), &error);
	assert_ok(frame_write(pair.there, view_of_text("fives"), TIMEOUT_MS, &error), &error);
	assert_false(frame_read(pair.here, 4, TIMEOUT_MS, &payload, NULL, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_int_equal(payload.size, 0);
}

/* The peer says `bytes` and closes. */
static void check_close_after(const uint8_t *bytes, size_t size, bool expect_clean)
{
	AUTO_PAIR struct pair pair = make_pair(0);
	AUTO_BUFFER struct buffer payload = {0};
	struct error error = {0};
	bool closed = !expect_clean;

	assert_true(fd_write_all(pair.there, bytes, size));
	hang_up(&pair.there);
	assert_false(frame_read(pair.here, 64, TIMEOUT_MS, &payload, &closed, &error));
	assert_int_not_equal(errno, EMSGSIZE);
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "closed");
	assert_int_equal(closed, expect_clean);
	assert_int_equal(payload.size, 0);
}

static void test_clean_close_differs_from_a_cut_frame(void **state)
{
	static const uint8_t bytes[] = {0, 0, 0, 2, 'h'};

	(void)state;
	check_close_after(bytes, 0, true);
	check_close_after(bytes, 1, false);
	check_close_after(bytes, 4, false);
	check_close_after(bytes, 5, false);
}

static void test_silence_hits_the_deadline(void **state)
{
	AUTO_PAIR struct pair pair = make_pair(0);
	AUTO_BUFFER struct buffer payload = {0};
	struct error error = {0};
	bool closed = true;

	(void)state;
	assert_false(frame_read(pair.here, 64, SHORT_TIMEOUT_MS, &payload, &closed, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "header did not arrive within 100 ms");
	assert_false(closed);
}

/* One byte every 10 ms: a time-out for each read would never end this. */
static void *run_trickle(void *context)
{
	static const uint8_t header[] = {0, 0, 16, 0};
	const struct timespec pause = {.tv_nsec = 10000000};
	int fd = *(const int *)context;

	(void)!send(fd, header, sizeof header, MSG_NOSIGNAL);
	while (send(fd, "x", 1, MSG_NOSIGNAL) == 1)
		(void)nanosleep(&pause, NULL);
	return NULL;
}

static void test_trickling_hits_the_deadline(void **state)
{
	AUTO_PAIR struct pair pair = make_pair(0);
	AUTO_BUFFER struct buffer payload = {0};
	struct error error = {0};
	uint64_t start_ms = clock_monotonic_ms();
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, run_trickle, &pair.there), 0);
	assert_false(frame_read(pair.here, 65536, SHORT_TIMEOUT_MS, &payload, NULL, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "payload did not arrive within 100 ms");
	/* 4096 bytes at that pace take 40 s. */
	assert_true(clock_monotonic_ms() - start_ms < 20000);
	hang_up(&pair.here);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void test_a_reader_that_does_not_read_hits_the_deadline(void **state)
{
	AUTO_PAIR struct pair pair = make_pair(0);
	AUTO_BUFFER struct buffer payload = {0};
	struct error error = {0};

	(void)state;
	buffer_reserve(&payload, LARGE_SIZE);
	memset(payload.data, 7, LARGE_SIZE);
	payload.size = LARGE_SIZE;
	assert_false(frame_write(pair.here, buffer_view(&payload), SHORT_TIMEOUT_MS, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_message_contains(&error, "within 100 ms");
}

/* Without MSG_NOSIGNAL this would end the test. */
static void test_writing_to_a_closed_peer_fails(void **state)
{
	AUTO_PAIR struct pair pair = make_pair(0);
	struct error error = {0};

	(void)state;
	hang_up(&pair.there);
	assert_false(frame_write(pair.here, view_of_text("x"), TIMEOUT_MS, &error));
	assert_int_equal(error.code, ERROR_PEER);
}

static void test_a_used_buffer_is_taken_again(void **state)
{
	AUTO_PAIR struct pair pair = make_pair(0);
	AUTO_BUFFER struct buffer payload = {0};
	AUTO_BUFFER struct buffer longer = {0};
	struct error error = {0};

	(void)state;
	buffer_append_text(&payload, "old");
	for (int i = 0; i < 1000; i++)
		buffer_append_byte(&longer, 'n');
	assert_ok(frame_write(pair.there, buffer_view(&longer), TIMEOUT_MS, &error), &error);
	assert_ok(frame_read(pair.here, 1000, TIMEOUT_MS, &payload, NULL, &error), &error);
	assert_true(view_equal(buffer_view(&payload), buffer_view(&longer)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_in_turn),
		cmocka_unit_test(test_wire_form),
		cmocka_unit_test(test_large_frames_on_blocking_and_non_blocking_sockets),
		cmocka_unit_test(test_announcing_too_much_is_refused_before_memory_is_taken),
		cmocka_unit_test(test_the_limit_itself_is_allowed_and_one_more_is_not),
		cmocka_unit_test(test_clean_close_differs_from_a_cut_frame),
		cmocka_unit_test(test_silence_hits_the_deadline),
		cmocka_unit_test(test_trickling_hits_the_deadline),
		cmocka_unit_test(test_a_reader_that_does_not_read_hits_the_deadline),
		cmocka_unit_test(test_writing_to_a_closed_peer_fails),
		cmocka_unit_test(test_a_used_buffer_is_taken_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
