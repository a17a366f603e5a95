/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a connection, as far as TLS and the relay in front of the server say. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct http_client {
	bool has_certificate;    /* one that the server checked; what follows about it is else zero */
	char common_name[65];    /* the first of its subject; "" when there is none, or a longer one */
	uint8_t fingerprint[32]; /* SHA-256 of the certificate's DER */
	bool has_address;        /* of the relay's word: for logs, never for permissions */
	char address[64];        /* "192.0.2.1:50000" or "[2001:db8::1]:50000" */
};
