/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's side of TLS: its key and certificates, session tickets, and which clients may connect. The key is imported from
 * DER and handed out by a callback, so that no PEM text of it ever exists; GnuTLS keeps its numbers on the ordinary heap of
 * this hardened process and wipes them on release.
 *
 * The identity can be replaced at any time. A handshake keeps the one that it began with: each session holds what the callback
 * gave GnuTLS, which borrows it.
 *
 * Session tickets are sealed with a key of this process that GnuTLS changes every few hours. A ticket holds the client's
 * certificate, and whoever resumes with it is judged as if it had been shown again.
 */
#pragma once

#include <gnutls/abstract.h>

#include "base/bytes.h"
#include "enclave/frontend/client_rules.h"

/*
 * TLS 1.2 (Teku and Nimbus know no other) and 1.3, forward secrecy and authenticated encryption only; our order counts, and
 * begins with what CPUs do in hardware. Of the groups with X25519, which clients' first message has a share of already: another costs them a
 * round trip and us half a handshake more. No finite fields: a single handshake with a large one costs as much as ten of the others.
 */
#define HTTP_TLS_PRIORITIES                                                                                                        \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:"     \
	"+CHACHA20-POLY1305:-MAC-ALL:+AEAD:-GROUP-ALL:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1:"           \
	"+GROUP-X448:%SERVER_PRECEDENCE"

struct http_tls;
struct http_tls_session;

/*
 * `key` is PKCS#8 DER, `chain` PEM, leaf first; neither is kept. `rules` is borrowed; NULL: any client may connect, and none is
 * asked for a certificate. NULL, and ERROR_CRYPTO, when key or chain cannot be read or do not belong together.
 */
MUST_USE struct http_tls *http_tls_new(struct view key, struct view chain, struct client_rules *rules, struct error *error);
/* No session may be left. Accepts NULL. */
void http_tls_free(struct http_tls *tls);
/* For handshakes that begin from now on. Errors as above; then the old one stays. From any thread. */
MUST_USE bool http_tls_set_identity(struct http_tls *tls, struct view key, struct view chain, struct error *error);

/* A connection's socket, non-blocking. */
struct http_tls_socket {
	int fd;
	void (*wait)(void *context); /* called when a handshake lacks bytes that the socket does not have yet */
	void *context;
};

/*
 * Prepares GnuTLS's session of a new connection on this socket, before its handshake: takes its pointer (gnutls_session_set_ptr),
 * which libmicrohttpd uses for pre-shared keys only, and reads in its place, for a relay may say first whose the connection is
 * (net/proxy_protocol.h).
 */
struct http_tls_session *http_tls_session_new(struct http_tls *tls, gnutls_session_t session, const struct http_tls_socket *socket);
/* After GnuTLS's session is gone. Accepts NULL. */
void http_tls_session_free(struct http_tls_session *session);
/* A request has read some of what came; on the connection's thread. Without that a client is hung up on after a few handshakes' worth of bytes. */
void http_tls_session_note_read(struct http_tls_session *session);
/*
 * Whether the client may make a request, after its handshake: it was let in, and the list of known clients was not replaced by
 * one without it since.
 */
MUST_USE bool http_tls_session_is_admitted(struct http_tls_session *session);
/* Borrowed from the session. */
const struct http_client *http_tls_session_client(const struct http_tls_session *session);

/* For MHD_OPTION_HTTPS_CERT_CALLBACK. */
int http_tls_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
			 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_chain,
			 unsigned int *ret_chain_length, gnutls_privkey_t *ret_key);
