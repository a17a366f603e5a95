/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Socket input and output against one point in time on the monotonic clock, so that a peer that trickles bytes gains nothing.
 * For stream sockets, blocking or not: every call is made with MSG_DONTWAIT after poll(), and none raises SIGPIPE.
 *
 * False sets errno: ETIMEDOUT when the time is over, 0 when the peer closed the stream, else the system's reason.
 */
#pragma once

#include <sys/uio.h>

#include "base/error.h"

/* The point in time, in milliseconds of clock_monotonic_ms(). */
uint64_t deadline_after(unsigned timeout_ms);
/* Milliseconds until then, 0 when it has passed. */
unsigned deadline_left_ms(uint64_t deadline_ms);
/* Wait for `events` of poll(); true as well when the descriptor has an error to report, which the next call then returns. */
MUST_USE bool deadline_wait(int fd, short events, uint64_t deadline_ms);
/* All of `size` bytes; *ret_got (may be NULL) counts those that came, also on failure. */
MUST_USE bool deadline_read(int fd, void *bytes, size_t size, uint64_t deadline_ms, size_t *ret_got);
/* All of the pieces, in as few calls as the kernel takes; `pieces` is used up. */
MUST_USE bool deadline_write(int fd, struct iovec *pieces, size_t count, uint64_t deadline_ms);
