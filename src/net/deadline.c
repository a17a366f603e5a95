/* SPDX-License-Identifier: Apache-2.0 */
#include "net/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"

uint64_t deadline_after(unsigned timeout_ms)
{
	return clock_monotonic_ms() + timeout_ms;
}

unsigned deadline_left_ms(uint64_t deadline_ms)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (now_ms >= deadline_ms)
		return 0;
	return deadline_ms - now_ms > INT_MAX ? INT_MAX : (unsigned)(deadline_ms - now_ms);
}

bool deadline_wait(int fd, short events, uint64_t deadline_ms)
{
	struct pollfd entry = {.fd = fd, .events = events};

	for (;;) {
		int ready = poll(&entry, 1, (int)deadline_left_ms(deadline_ms));

		if (ready > 0)
			return true;
		if (ready < 0 && errno != EINTR)
			return false;
		if (deadline_left_ms(deadline_ms) == 0) {
			errno = ETIMEDOUT;
			return false;
		}
	}
}

/* The last call found nothing to do: not a failure, only a reason to wait. */
static bool should_wait(void)
{
	return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

bool deadline_read(int fd, void *bytes, size_t size, uint64_t deadline_ms, size_t *ret_got)
{
	uint8_t *next = (uint8_t *)bytes;
	size_t ignored;
	size_t *got = ret_got ? ret_got : &ignored;

	*got = 0;
	while (*got < size) {
		ssize_t count;

		if (!deadline_wait(fd, POLLIN, deadline_ms))
			return false;
		count = recv(fd, next + *got, size - *got, MSG_DONTWAIT);
		if (count < 0 && should_wait())
			continue;
		if (count == 0)
			errno = 0;
		if (count <= 0)
			return false;
		*got += (size_t)count;
		/* poll() lets a peer that always has one more byte ready pass for ever. */
		if (*got < size && deadline_left_ms(deadline_ms) == 0) {
			errno = ETIMEDOUT;
			return false;
		}
	}
	return true;
}

/* Take `sent` bytes off the front of the pieces; the number of pieces that are done with. */
static size_t skip_sent(struct iovec *pieces, size_t count, size_t sent)
{
	size_t done = 0;

	while (done < count && sent >= pieces[done].iov_len) {
		sent -= pieces[done].iov_len;
		done++;
	}
	if (done < count) {
		pieces[done].iov_base = (uint8_t *)pieces[done].iov_base + sent;
		pieces[done].iov_len -= sent;
	}
	return done;
}

bool deadline_write(int fd, struct iovec *pieces, size_t count, uint64_t deadline_ms)
{
	size_t done = skip_sent(pieces, count, 0);

	while (done < count) {
		struct msghdr message = {.msg_iov = pieces + done, .msg_iovlen = count - done};
		ssize_t sent;

		if (!deadline_wait(fd, POLLOUT, deadline_ms))
			return false;
		sent = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && should_wait())
			continue;
		if (sent < 0)
			return false;
		done += skip_sent(pieces + done, count - done, (size_t)sent);
		if (done < count && deadline_left_ms(deadline_ms) == 0) {
			errno = ETIMEDOUT;
			return false;
		}
	}
	return true;
}
