/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives libcurl a socket that is connected already, of any family; part of http_client. It is connected when libcurl wants one: a
 * transfer over a kept connection never does.
 *
 * The documented way is to hand the socket over in CURLOPT_OPENSOCKETFUNCTION and to say CURL_SOCKOPT_ALREADY_CONNECTED. Releases
 * 7.88.0 and 7.88.1 (Debian 12) forget the latter and connect again, which fails on unix and vsock sockets (curl issue #10626). For
 * them libcurl connects a unix socket of ours that leads nowhere, and just before the first byte is sent that descriptor is
 * made to mean the real connection. Seen to work with 7.88.1 (that way) and 8.23.0 (the documented way).
 */
#pragma once

#include <curl/curl.h>

#include "base/cleanup.h"
#include "net/address.h"

struct curl_socket {
	const struct address *via; /* where to connect to; borrowed */
	uint64_t deadline_ms;      /* net/deadline.h; connecting blocks until then at most */
	struct error problem;      /* why it could not be connected; no code: it could, or nobody tried */
	int connected_fd;          /* not taken by libcurl yet; -1: none, or taken */
	int listener_fd;           /* what the stand-in connects to; -1: none */
	int stand_in_fd;           /* owned by libcurl; -1: none */
	bool is_given;             /* libcurl has asked for it */
};

#define CURL_SOCKET_NONE ((struct curl_socket){.connected_fd = -1, .listener_fd = -1, .stand_in_fd = -1})

void curl_socket_done(struct curl_socket *socket);
/* Make `curl` use a socket that is connected to socket->via. `socket` must outlive the transfer. */
MUST_USE bool curl_socket_use(struct curl_socket *socket, CURL *curl);
/* To be called from CURLOPT_SSL_CTX_FUNCTION, before TLS says its first word. Without TLS it happens by itself. */
MUST_USE bool curl_socket_before_first_byte(struct curl_socket *socket);
