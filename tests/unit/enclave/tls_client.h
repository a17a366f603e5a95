/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS client that can misbehave: it sends any bytes in any pieces, and shows answers with their headers. */
#pragma once

#include <gnutls/gnutls.h>

#include "base/bytes.h"
#include "net/address.h"

struct tls_client {
	int fd;
	gnutls_session_t session;
	gnutls_certificate_credentials_t credentials;
	struct buffer received; /* read, not yet taken as an answer */
};

struct answer {
	unsigned status;
	char *head;       /* status line and headers */
	struct view body; /* in `bytes` */
	struct buffer bytes;
};

/* Connects and shakes hands, checking the certificate for "localhost". `priorities` NULL: GnuTLS's own. */
MUST_USE bool tls_client_connect(struct tls_client *client, const struct address *address, struct view ca_pem,
				 const char *priorities, struct error *error);
/* What else a client may do. {0}: as above. */
struct tls_client_options {
	const char *priorities;
	gnutls_x509_privkey_t key; /* borrowed; NULL: no certificate */
	gnutls_x509_crt_t *chain;
	unsigned chain_length;
	const gnutls_datum_t *resume; /* what tls_client_session() gave */
	unsigned preamble_pause_us;   /* after each byte of it; 0: it is sent as one */
	struct view preamble;         /* sent before TLS */
	bool no_server_name;
};
MUST_USE bool tls_client_connect_with(struct tls_client *client, const struct address *address, struct view ca_pem,
				      const struct tls_client_options *options, struct error *error);
/* For resuming later, once something was received; the caller frees it with gnutls_free. */
void tls_client_session(struct tls_client *client, gnutls_datum_t *ret_session);
void tls_client_done(struct tls_client *client);
/* False when the server has hung up. */
MUST_USE bool tls_client_send(struct tls_client *client, struct view bytes);
/* One answer with a Content-Length, within a minute; false at the end of the stream. */
MUST_USE bool tls_client_receive(struct tls_client *client, struct answer *ret_answer);
/* Milliseconds until the server hangs up, at most max_ms. */
unsigned tls_client_wait_for_end(struct tls_client *client, unsigned max_ms);

void answer_done(struct answer *answer);
/* Value of a header of the answer, "" when there is none; in static memory. */
const char *answer_header(const struct answer *answer, const char *name);
#define AUTO_ANSWER CLEANUP(answer_done)
#define AUTO_TLS_CLIENT CLEANUP(tls_client_done)
