/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "vectors.h"

/* Stands where the operator's terminal would: standard error goes into a pipe until end_capture(). */
struct capture {
	int saved;
	int reader;
};

static struct capture begin_capture(void)
{
	struct capture capture;
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	capture.saved = dup(STDERR_FILENO);
	capture.reader = ends[0];
	assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
	assert_int_equal(close(ends[1]), 0);
	return capture;
}

/* What was written, at most a pipe's fill. */
static void end_capture(struct capture *capture, struct buffer *ret_text)
{
	ssize_t got;

	assert_true(dup2(capture->saved, STDERR_FILENO) >= 0);
	assert_int_equal(close(capture->saved), 0);
	do {
		buffer_reserve(ret_text, 65536);
		got = read(capture->reader, ret_text->data + ret_text->size, 65536);
		assert_true(got >= 0);
		ret_text->size += (size_t)got;
	} while (got > 0);
	assert_int_equal(close(capture->reader), 0);
	(void)buffer_text(ret_text);
}

static size_t count_of(const struct buffer *text, char wanted)
{
	size_t count = 0;

	for (size_t i = 0; i < text->size; i++)
		count += text->data[i] == (uint8_t)wanted;
	return count;
}

/* The line behind its time stamp and the blank. */
static const char *after_time(struct buffer *line)
{
	const char *text = buffer_text(line);
	char time[CLOCK_TEXT_SIZE];
	uint64_t realtime_ms;

	assert_true(line->size > CLOCK_TEXT_SIZE);
	memcpy(time, text, CLOCK_TEXT_SIZE - 1);
	time[CLOCK_TEXT_SIZE - 1] = 0;
	assert_true(clock_parse(time, &realtime_ms));
	assert_true(realtime_ms <= clock_realtime_ms() && clock_realtime_ms() - realtime_ms < 60000);
	assert_int_equal(text[CLOCK_TEXT_SIZE - 1], ' ');
	return text + CLOCK_TEXT_SIZE;
}

static void test_line(void **state)
{
	AUTO_BUFFER struct buffer line = {0};
	struct capture capture = begin_capture();

	(void)state;
	log_info("keys_loaded", "count=%d network=%s", 12, "mainnet");
	end_capture(&capture, &line);
	assert_string_equal(after_time(&line), "info keeper keys_loaded count=12 network=mainnet\n");
}

static void test_no_fields(void **state)
{
	AUTO_BUFFER struct buffer line = {0};
	struct capture capture = begin_capture();

	(void)state;
	log_warning("stopping", "%s", "");
	end_capture(&capture, &line);
	assert_string_equal(after_time(&line), "warning keeper stopping\n");
}

static void test_levels(void **state)
{
	AUTO_BUFFER struct buffer lines = {0};
	AUTO_BUFFER struct buffer debug = {0};
	AUTO_BUFFER struct buffer errors = {0};
	struct capture capture = begin_capture();

	(void)state;
	log_error("e", "%s", "");
	log_warning("w", "%s", "");
	log_info("i", "%s", "");
	log_debug("d", "%s", "");
	end_capture(&capture, &lines);
	assert_int_equal(count_of(&lines, '\n'), 3);
	assert_null(strstr(buffer_text(&lines), "debug"));

	capture = begin_capture();
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("d", "%s", "");
	end_capture(&capture, &debug);
	assert_string_equal(after_time(&debug), "debug keeper d\n");

	capture = begin_capture();
	log_set_level(LOG_LEVEL_ERROR);
	log_error("e", "%s", "");
	log_warning("w", "%s", "");
	end_capture(&capture, &errors);
	log_set_level(LOG_LEVEL_INFO);
	assert_string_equal(after_time(&errors), "error keeper e\n");
}

/* A peer's text can neither begin a line of its own nor talk to a terminal. */
static void test_escapes(void **state)
{
	AUTO_BUFFER struct buffer line = {0};
	struct capture capture = begin_capture();

	(void)state;
	log_info("peer", "path=%s", "/a\n2026-11-23T00:39:22.123Z error keeper forged\r\x1b[2J\x7f\t\xc3\xa9\x9b");
	end_capture(&capture, &line);
	assert_string_equal(after_time(&line), "info keeper peer path=/a\\x0a2026-11-23T00:39:22.123Z error keeper forged\\x0d"
					       "\\x1b[2J\\x7f\\x09\\xc3\\xa9\\x9b\n");
}

static void test_every_byte_is_printable(void **state)
{
	AUTO_BUFFER struct buffer line = {0};
	char text[256];
	struct capture capture;

	(void)state;
	for (int i = 1; i < 256; i++)
		text[i - 1] = (char)i;
	text[255] = 0;
	capture = begin_capture();
	log_info("bytes", "%s", text);
	end_capture(&capture, &line);
	assert_int_equal(count_of(&line, '\n'), 1);
	for (size_t i = 0; i + 1 < line.size; i++)
		assert_true(line.data[i] >= 0x20 && line.data[i] < 0x7f);
}

/* A line too long is cut, whole escapes only, and still ends with its newline. */
static void test_long_lines_are_cut(void **state)
{
	static const char fills[] = {'x', '\n', '\xff'};
	char text[4 * LOG_LINE_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fills); i++) {
		for (size_t shift = 0; shift < 5; shift++) {
			AUTO_BUFFER struct buffer line = {0};
			struct capture capture;
			const char *backslash;

			memset(text, fills[i], sizeof text - 1);
			memset(text, 'y', shift);
			text[sizeof text - 1] = 0;
			capture = begin_capture();
			log_info("long", "%s", text);
			end_capture(&capture, &line);
			assert_true(line.size <= LOG_LINE_SIZE);
			assert_true(line.size > LOG_LINE_SIZE - 16);
			assert_int_equal(line.data[line.size - 1], '\n');
			assert_int_equal(count_of(&line, '\n'), 1);
			backslash = strrchr(buffer_text(&line), '\\');
			if (backslash)
				assert_int_equal(strlen(backslash), sizeof "\\x0a\n" - 1);
		}
	}
}

static void test_failure(void **state)
{
	AUTO_BUFFER struct buffer line = {0};
	struct error error = {0};
	struct capture capture = begin_capture();

	(void)state;
	assert_false(error_set(&error, ERROR_PEER, "frame: \"x\" count=9 \\ end\n"));
	log_failure(LOG_LEVEL_ERROR, "request_failed", &error);
	end_capture(&capture, &line);
	assert_string_equal(after_time(&line),
			    "error keeper request_failed code=peer error=\"frame: \\\"x\\\" count=9 \\\\ end\\x0a\"\n");
}

static void test_failure_of_any_length(void **state)
{
	AUTO_BUFFER struct buffer line = {0};
	struct error error = {.code = ERROR_PEER};
	struct capture capture = begin_capture();

	(void)state;
	memset(error.message, '"', sizeof error.message - 1);
	log_failure(LOG_LEVEL_ERROR, "request_failed", &error);
	end_capture(&capture, &line);
	assert_int_equal(count_of(&line, '\n'), 1);
	assert_true(line.size <= LOG_LINE_SIZE);
}

static void test_keeps_errno(void **state)
{
	AUTO_BUFFER struct buffer line = {0};
	struct capture capture = begin_capture();

	(void)state;
	errno = ENOTTY;
	log_info("x", "%s", "");
	assert_int_equal(errno, ENOTTY);
	end_capture(&capture, &line);
	/* Nor may a log that cannot be written do harm. */
	capture = begin_capture();
	assert_int_equal(close(STDERR_FILENO), 0);
	errno = ENOTTY;
	log_info("x", "%s", "");
	assert_int_equal(errno, ENOTTY);
	end_capture(&capture, &line);
	assert_int_equal(count_of(&line, '\n'), 1);
	/* but the next one says that it is missing */
	line.size = 0;
	capture = begin_capture();
	log_info("x", "%s", "");
	end_capture(&capture, &line);
	assert_string_equal(after_time(&line), "info keeper x dropped=1\n");
}

/* ---- limits ---- */

static void test_limit_counts_by_the_second(void **state)
{
	struct log_limit limit = {.per_second = 3};
	uint64_t suppressed;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		suppressed = 99;
		assert_true(log_limit_take(&limit, 5000 + i, &suppressed));
		assert_int_equal(suppressed, 0);
	}
	suppressed = 99;
	for (unsigned i = 0; i < 7; i++)
		assert_false(log_limit_take(&limit, 5999, &suppressed));
	assert_int_equal(suppressed, 99);
	/* a new second; it says once what is missing */
	assert_true(log_limit_take(&limit, 6000, &suppressed));
	assert_int_equal(suppressed, 7);
	assert_true(log_limit_take(&limit, 6001, &suppressed));
	assert_int_equal(suppressed, 0);
	/* a thread that comes late with an old time does not bring an allowance with it */
	assert_true(log_limit_take(&limit, 5500, &suppressed));
	assert_false(log_limit_take(&limit, 5500, &suppressed));
	assert_false(log_limit_take(&limit, 6500, &suppressed));
	assert_true(log_limit_take(&limit, UINT32_MAX * 1000ull, &suppressed));
	assert_int_equal(suppressed, 2);
}

#define TAKERS 4
#define TAKES 5000

struct taker {
	struct log_limit *limit;
	uint64_t allowed;
	uint64_t suppressed;
};

static void *take_often(void *context)
{
	struct taker *taker = (struct taker *)context;

	for (unsigned i = 0; i < TAKES; i++) {
		uint64_t suppressed;

		if (!log_limit_take(taker->limit, 1000 + i, &suppressed))
			continue;
		taker->allowed++;
		taker->suppressed += suppressed;
	}
	return NULL;
}

static void test_limit_is_for_all_threads_together(void **state)
{
	struct log_limit limit = {.per_second = 100};
	struct taker takers[TAKERS] = {0};
	pthread_t threads[TAKERS];
	uint64_t allowed = 1;
	uint64_t suppressed;

	(void)state;
	for (size_t i = 0; i < TAKERS; i++) {
		takers[i].limit = &limit;
		assert_int_equal(pthread_create(&threads[i], NULL, take_often, &takers[i]), 0);
	}
	for (size_t i = 0; i < TAKERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_true(log_limit_take(&limit, 60000, &suppressed));
	for (size_t i = 0; i < TAKERS; i++) {
		allowed += takers[i].allowed;
		suppressed += takers[i].suppressed;
	}
	/* five seconds, not one line more, and every other is accounted for */
	assert_in_range(allowed, 101, 5 * 100 + 1);
	assert_int_equal(allowed + suppressed, TAKERS * TAKES + 1);
}

static void test_limited_lines(void **state)
{
	static struct log_limit limit = {.per_second = 2};
	AUTO_BUFFER struct buffer many = {0};
	AUTO_BUFFER struct buffer next = {0};
	struct capture capture = begin_capture();
	uint64_t lines;

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		log_write_limited(&limit, LOG_LEVEL_WARNING, "refused", "status=%u", 412);
	/* what the level leaves out takes nothing */
	for (unsigned i = 0; i < 100; i++)
		log_write_limited(&limit, LOG_LEVEL_DEBUG, "refused", "status=%u", 400);
	end_capture(&capture, &many);
	lines = count_of(&many, '\n');
	assert_in_range(lines, 2, 20);
	(void)poll(NULL, 0, 1100);
	capture = begin_capture();
	log_write_limited(&limit, LOG_LEVEL_WARNING, "refused", "status=%u", 412);
	end_capture(&capture, &next);
	if (lines == 2) /* else they took more than a second, and a line among them said it */
		assert_string_equal(after_time(&next), "warning keeper refused suppressed=98 status=412\n");
}

/* ---- a reader that has stopped ---- */

static void test_full_pipe_does_not_block(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct capture capture = begin_capture();
	int flags = fcntl(STDERR_FILENO, F_GETFL);
	char piece[4096];
	ssize_t got;

	(void)state;
	memset(piece, '.', sizeof piece);
	assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK), 0);
	while (write(STDERR_FILENO, piece, sizeof piece) > 0)
		;
	assert_int_equal(fcntl(STDERR_FILENO, F_SETFL, flags), 0);
	/* without a look for room the first would wait for ever */
	(void)alarm(20);
	for (unsigned i = 0; i < 3; i++)
		log_info("lost", "i=%u", i);
	(void)alarm(0);
	/* room again */
	for (unsigned i = 0; i < 4; i++) {
		got = read(capture.reader, piece, sizeof piece);
		assert_int_equal(got, sizeof piece);
	}
	log_info("found", "i=%u", 3);
	log_info("found", "i=%u", 4);
	end_capture(&capture, &text);
	assert_null(strstr(buffer_text(&text), "lost"));
	assert_non_null(strstr(buffer_text(&text), "info keeper found dropped=3 i=3\n"));
	assert_non_null(strstr(buffer_text(&text), "info keeper found i=4\n"));
}

static int set_up(void **state)
{
	(void)state;
	log_init("keeper");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_no_fields),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_every_byte_is_printable),
		cmocka_unit_test(test_long_lines_are_cut),
		cmocka_unit_test(test_failure),
		cmocka_unit_test(test_failure_of_any_length),
		cmocka_unit_test(test_keeps_errno),
		cmocka_unit_test(test_limit_counts_by_the_second),
		cmocka_unit_test(test_limit_is_for_all_threads_together),
		cmocka_unit_test(test_limited_lines),
		cmocka_unit_test(test_full_pipe_does_not_block),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
