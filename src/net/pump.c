/* SPDX-License-Identifier: Apache-2.0 */
#include "net/pump.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/clock.h"

/* Reads in one turn: a fast sender must not keep the event loop from the other connections. */
#define READS_PER_TURN 4

/* One direction. */
struct flow {
	struct pump *pump;
	int from;
	int to;
	struct event *readable; /* of `from`; pending while we want to read */
	struct event *writable; /* of `to`; pending while there is something left to write */
	uint8_t *left;          /* what `to` did not take yet; owned */
	size_t left_start;
	size_t left_size;
	bool ended;   /* `from` sent its end of stream */
	bool closed;  /* and `to` was told */
	bool discard; /* `to` takes no more: what still comes is thrown away */
	uint64_t *counter;
};

struct pump {
	struct pump_options options;
	struct flow flows[2];
	int fds[2];
	struct event *idle_timer;
	uint64_t last_activity_ms;
};

static void close_both(struct pump *pump, bool reset)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	for (size_t i = 0; i < ARRAY_SIZE(pump->fds); i++) {
		if (pump->fds[i] < 0)
			continue;
		if (reset)
			(void)setsockopt(pump->fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		(void)close(take_fd(&pump->fds[i]));
	}
}

static void release(struct pump *pump, bool reset)
{
	for (size_t i = 0; i < ARRAY_SIZE(pump->flows); i++) {
		struct flow *flow = &pump->flows[i];

		if (flow->readable)
			event_free(flow->readable);
		if (flow->writable)
			event_free(flow->writable);
		free(flow->left);
		*flow = (struct flow){0};
	}
	if (pump->idle_timer)
		event_free(pump->idle_timer);
	pump->idle_timer = NULL;
	close_both(pump, reset);
}

/* The callee may free the pump, so nothing touches it after this. */
static void end(struct pump *pump, bool reset)
{
	release(pump, reset);
	pump->options.callback(pump->options.context);
}

/*
 * True with *size reduced by what was taken; a full socket is no failure. A receiver that has closed (EPIPE) is none either: it
 * may have answered before it closed, and that answer must still get through, so its own direction goes on. Reading on and
 * throwing away is what keeps the kernel from answering unread bytes with a reset that would overtake the answer.
 */
static bool write_some(struct flow *flow, const uint8_t **bytes, size_t *size)
{
	while (*size > 0 && !flow->discard) {
		size_t piece = *size < PUMP_WRITE_MAX_SIZE ? *size : PUMP_WRITE_MAX_SIZE;
		ssize_t put = send(flow->to, *bytes, piece, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0 && errno != EPIPE)
			return errno == EAGAIN;
		if (put < 0) {
			flow->discard = true;
			break;
		}
		*bytes += put;
		*size -= (size_t)put;
		*flow->counter += (uint64_t)put;
	}
	if (flow->discard)
		*size = 0;
	return true;
}

static bool write_left(struct flow *flow)
{
	const uint8_t *bytes = flow->left + flow->left_start;
	size_t size = flow->left_size;

	if (size == 0)
		return true;
	if (!write_some(flow, &bytes, &size))
		return false;
	flow->left_start += flow->left_size - size;
	flow->left_size = size;
	if (size > 0)
		return true;
	free(flow->left);
	flow->left = NULL;
	flow->left_start = 0;
	return true;
}

static void keep_left(struct flow *flow, const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return;
	flow->left = memory_allocate(size);
	memcpy(flow->left, bytes, size);
	flow->left_start = 0;
	flow->left_size = size;
}

/* One read and its write. False: broken. *ret_more tells whether another read is worth a try. */
static bool carry_once(struct flow *flow, bool *ret_more)
{
	uint8_t *scratch = flow->pump->options.scratch;
	const uint8_t *bytes = scratch;
	ssize_t got = recv(flow->from, scratch, PUMP_BUFFER_SIZE, MSG_DONTWAIT);
	size_t size;

	*ret_more = false;
	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0) {
		flow->ended = true;
		return true;
	}
	size = (size_t)got;
	if (!write_some(flow, &bytes, &size))
		return false;
	keep_left(flow, bytes, size);
	/* A short read has emptied the socket; the next event tells when there is more. */
	*ret_more = size == 0 && (size_t)got == PUMP_BUFFER_SIZE;
	return true;
}

static bool carry(struct flow *flow)
{
	bool more = true;

	if (!write_left(flow))
		return false;
	for (int i = 0; i < READS_PER_TURN && more && flow->left_size == 0 && !flow->ended; i++) {
		if (!carry_once(flow, &more))
			return false;
	}
	if (flow->ended && flow->left_size == 0 && !flow->closed) {
		/* It may be gone altogether by now; then there is nobody left to tell. */
		(void)shutdown(flow->to, SHUT_WR);
		flow->closed = true;
	}
	return true;
}

static bool want(struct event *event, short what, bool wanted)
{
	bool pending = event_pending(event, what, NULL) != 0;

	if (wanted == pending)
		return true;
	return (wanted ? event_add(event, NULL) : event_del(event)) == 0;
}

static bool watch(struct flow *flow)
{
	return want(flow->readable, EV_READ, !flow->ended && flow->left_size == 0) &&
	       want(flow->writable, EV_WRITE, flow->left_size > 0);
}

static void on_ready(int fd, short what, void *context)
{
	struct flow *flow = context;
	struct pump *pump = flow->pump;

	(void)fd;
	(void)what;
	pump->last_activity_ms = clock_monotonic_ms();
	if (!carry(flow) || !watch(flow)) {
		end(pump, true);
		return;
	}
	if (pump->flows[0].closed && pump->flows[1].closed)
		end(pump, false);
}

static void set_idle_timer(struct pump *pump, uint64_t delay_ms)
{
	struct timeval delay = {.tv_sec = (time_t)(delay_ms / 1000), .tv_usec = (suseconds_t)(delay_ms % 1000) * 1000};

	(void)evtimer_add(pump->idle_timer, &delay);
}

/* Activity does not move the timer, which would cost on every byte: it looks at the time when it fires. */
static void on_idle_timer(int fd, short what, void *context)
{
	struct pump *pump = context;
	uint64_t idle_ms = clock_monotonic_ms() - pump->last_activity_ms;

	(void)fd;
	(void)what;
	if (idle_ms >= pump->options.idle_timeout_ms) {
		end(pump, true);
		return;
	}
	set_idle_timer(pump, pump->options.idle_timeout_ms - idle_ms);
}

static bool start_flow(struct pump *pump, size_t index, uint64_t *counter)
{
	struct flow *flow = &pump->flows[index];
	struct event_base *base = pump->options.base;

	flow->pump = pump;
	flow->from = pump->fds[index];
	flow->to = pump->fds[1 - index];
	flow->counter = counter;
	flow->readable = event_new(base, flow->from, EV_READ | EV_PERSIST, on_ready, flow);
	flow->writable = event_new(base, flow->to, EV_WRITE | EV_PERSIST, on_ready, flow);
	return flow->readable && flow->writable && event_add(flow->readable, NULL) == 0;
}

struct pump *pump_start(const struct pump_options *options, int first_fd, int second_fd, struct error *error)
{
	struct pump *pump = memory_allocate_zeroed(1, sizeof *pump);

	pump->options = *options;
	pump->fds[0] = first_fd;
	pump->fds[1] = second_fd;
	pump->last_activity_ms = clock_monotonic_ms();
	pump->idle_timer = evtimer_new(options->base, on_idle_timer, pump);
	if (!pump->idle_timer || !start_flow(pump, 0, options->bytes_to_second) || !start_flow(pump, 1, options->bytes_to_first)) {
		pump_free(pump);
		return error_set(error, ERROR_IO, "cannot watch a connection"), NULL;
	}
	set_idle_timer(pump, options->idle_timeout_ms);
	return pump;
}

void pump_free(struct pump *pump)
{
	if (!pump)
		return;
	release(pump, true);
	free(pump);
}
