/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames on a stream: a 4-byte big-endian length, then that many bytes. Used on the control channel (one JSON object a
 * frame, docs/protocols.md) and by the simulated NSM (one CBOR item a frame). Blocking, with one deadline for the whole
 * frame, so a peer that trickles bytes is cut off as surely as one that sends none. The descriptor is a stream socket (blocking or
 * not); a closed peer is an error, never SIGPIPE.
 */
#pragma once

#include "base/bytes.h"

/* Of the control channel, for both of its ends: 100,000 sealed rows are some 60 MB. */
#define CONTROL_FRAME_MAX_SIZE (64u << 20)
/* A frame is written from memory; half a minute is enough on the slowest emulated machine. */
#define CONTROL_FRAME_TIMEOUT_MS 30000u
/* Deleted keys that one answer names for the host to forget; the others are named when these are forgotten. */
#define CONTROL_FORGET_LISTED_MAX 64
/* Rows of the key table that could not be loaded and that an answer tells the reason of; the others are only counted. */
#define CONTROL_FAILURES_LISTED_MAX 10

/*
 * Read one frame of at most max_size bytes into ret_payload (cleared first; its memory is taken once, so no stale copies of
 * what may be secret stay behind). ERROR_PEER when the peer closes, stalls or announces more than max_size; errno is EMSGSIZE only
 * for the last.
 * *ret_closed (may be NULL) tells a clean end of stream before the first byte from everything else.
 */
MUST_USE bool frame_read(int fd, size_t max_size, unsigned timeout_ms, struct buffer *ret_payload, bool *ret_closed,
			 struct error *error);
MUST_USE bool frame_write(int fd, struct view payload, unsigned timeout_ms, struct error *error);
