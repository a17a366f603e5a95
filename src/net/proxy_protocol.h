/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PROXY protocol, version 2 (haproxy's doc/proxy-protocol.txt, section 2.2): a few bytes in front of a connection, in which a relay
 * says whose it is. Whoever reads it has only the relay's word for it.
 */
#pragma once

#include <sys/socket.h>

#include "base/bytes.h"

/* "[v6]:port" */
#define PROXY_ADDRESS_SIZE 64
/* The fixed part. */
#define PROXY_HEADER_MIN_SIZE 16
/* Section 2.2: senders keep to what one segment of 536 bytes carries. With TLVs, which are passed over. */
#define PROXY_HEADER_MAX_SIZE 536

/* The first byte of a header, and of a TLS handshake. */
#define PROXY_FIRST_BYTE 0x0d
#define TLS_FIRST_BYTE 0x16

/*
 * For a connection accepted as `fd` from `peer`: its header, appended. LOCAL where there is no address to tell (unix sockets).
 */
void proxy_header_write(int fd, const struct sockaddr *peer, struct buffer *ret_header);

/*
 * How many bytes are still missing after these: read as many and ask again; 0: it is complete. ERROR_INPUT when it is none, as soon as
 * that shows. So a reader never takes a byte of what follows.
 */
MUST_USE bool proxy_header_missing(struct view so_far, size_t *ret_missing, struct error *error);
/* The client's address in a complete header, "192.0.2.1:50000" or "[2001:db8::1]:50000"; "" when it names none. */
void proxy_header_address(struct view header, char ret_address[PROXY_ADDRESS_SIZE]);
