/* SPDX-License-Identifier: Apache-2.0 */
#include "net/frame.h"

#include <errno.h>

#include "base/secret.h"
#include "net/deadline.h"

#define FRAME_HEADER_SIZE 4

static bool read_failed(const char *what, unsigned timeout_ms, struct error *error)
{
	if (errno == 0)
		return error_set(error, ERROR_PEER, "frame: the peer closed the connection in the middle of the %s", what);
	if (errno == ETIMEDOUT)
		return error_set(error, ERROR_PEER, "frame: the %s did not arrive within %u ms", what, timeout_ms);
	return error_set_errno(error, ERROR_PEER, "frame: reading the %s failed", what);
}

/* realloc() would leave what the last frame held in freed memory. */
static void make_room(struct buffer *payload, size_t size)
{
	buffer_clear(payload);
	if (payload->capacity <= size)
		buffer_wipe_done(payload);
	buffer_reserve(payload, size);
}

bool frame_read(int fd, size_t max_size, unsigned timeout_ms, struct buffer *ret_payload, bool *ret_closed, struct error *error)
{
	uint64_t deadline_ms = deadline_after(timeout_ms);
	uint8_t header[FRAME_HEADER_SIZE];
	size_t got = 0;
	size_t size;

	if (ret_closed)
		*ret_closed = false;
	buffer_clear(ret_payload);
	if (!deadline_read(fd, header, sizeof header, deadline_ms, &got)) {
		if (errno != 0 || got != 0)
			return read_failed("header", timeout_ms, error);
		if (ret_closed)
			*ret_closed = true;
		return error_set(error, ERROR_PEER, "frame: the peer closed the connection");
	}
	size = load_be32(header);
	if (size > max_size) {
		(void)error_set(error, ERROR_PEER, "frame: the peer announces %zu bytes, at most %zu are allowed", size, max_size);
		errno = EMSGSIZE;
		return false;
	}
	make_room(ret_payload, size);
	if (!deadline_read(fd, ret_payload->data, size, deadline_ms, NULL))
		return read_failed("payload", timeout_ms, error);
	ret_payload->size = size;
	return true;
}

bool frame_write(int fd, struct view payload, unsigned timeout_ms, struct error *error)
{
	uint8_t header[FRAME_HEADER_SIZE];
	struct iovec pieces[] = {
		{.iov_base = header, .iov_len = sizeof header},
		{.iov_base = (void *)(uintptr_t)payload.data, .iov_len = payload.size},
	};

	if (payload.size > UINT32_MAX)
		return error_set(error, ERROR_BUG, "frame: %zu bytes do not fit in one frame", payload.size);
	store_be32(header, (uint32_t)payload.size);
	/* One call for both: newer kernels drop vsock connections that queue many small packets. */
	if (deadline_write(fd, pieces, ARRAY_SIZE(pieces), deadline_after(timeout_ms)))
		return true;
	if (errno == ETIMEDOUT)
		return error_set(error, ERROR_PEER, "frame: the peer did not take %zu bytes within %u ms", payload.size,
				 timeout_ms);
	return error_set_errno(error, ERROR_PEER, "frame: writing failed");
}
