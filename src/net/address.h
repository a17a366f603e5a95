/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One notation for every place a byte stream can go:
 *
 *   vsock:CID:PORT     AF_VSOCK (CID 3 is the parent instance on EC2, "any" listens for every peer)
 *   unix:PATH          a unix stream socket
 *   tcp:HOST:PORT      an IPv4/IPv6 address or a name; [v6] in brackets
 *   hybrid:PATH:PORT   vsock as vhost-device-vsock and Firecracker show it to the host: connect to the unix socket PATH and
 *                      say "CONNECT PORT"; listen on the unix socket PATH_PORT
 *
 * Everything above this line of the tree talks in addresses, so the same enclave and host run over vsock and over unix sockets.
 */
#pragma once

#include <sys/un.h>

#include "base/bytes.h"

enum address_kind { ADDRESS_VSOCK, ADDRESS_UNIX, ADDRESS_TCP, ADDRESS_HYBRID };

#define ADDRESS_PATH_SIZE 1024 /* longer than sun_path: long paths are opened through their folder */
#define ADDRESS_HOST_SIZE 256  /* RFC 1035: names have at most 255 octets */
#define ADDRESS_TEXT_SIZE (ADDRESS_PATH_SIZE + 32)

struct address {
	enum address_kind kind;
	uint32_t cid;  /* vsock */
	uint32_t port; /* vsock, tcp, hybrid; 0 lets the kernel choose when listening on tcp */
	char path[ADDRESS_PATH_SIZE];
	char host[ADDRESS_HOST_SIZE];
};

MUST_USE bool address_parse(const char *text, struct address *ret_address, struct error *error);
void address_format(const struct address *address, char ret_text[ADDRESS_TEXT_SIZE]);

/*
 * A bound socket, close-on-exec, blocking; a stale unix socket file is removed first, the new one has mode 0600. It refuses
 * connections until somebody calls listen(). -1 on failure.
 */
MUST_USE int address_bind(const struct address *address, struct error *error);
/* address_bind + listen. */
MUST_USE int address_listen(const struct address *address, int backlog, struct error *error);
/* The TCP port that a bound socket really has (for port 0); 0 when it is no TCP socket. */
uint16_t address_bound_port(int fd);
/* A connected socket, close-on-exec, blocking. Gives up after timeout_ms (ERROR_PEER). -1 on failure. */
MUST_USE int address_connect(const struct address *address, unsigned timeout_ms, struct error *error);
