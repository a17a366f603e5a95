/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's key and certificate chain as GnuTLS wants them. The key is imported from DER and handed out by a callback, so
 * that no PEM text of it ever exists. GnuTLS keeps its numbers on the ordinary heap of this hardened process and wipes them on
 * release. GnuTLS gives the callback no context, hence one identity a process.
 */
#pragma once

#include <gnutls/abstract.h>

#include "base/bytes.h"

/*
 * TLS 1.2 (Teku and Nimbus know no other) and 1.3, forward secrecy and authenticated encryption only; our order counts, and
 * begins with what CPUs do in hardware.
 */
#define HTTP_TLS_PRIORITIES                                                                                                        \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-KX-ALL:+ECDHE-ECDSA:+ECDHE-RSA:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:"     \
	"+CHACHA20-POLY1305:-MAC-ALL:+AEAD:%SERVER_PRECEDENCE"

/* PKCS#8 DER and PEM, leaf first. ERROR_CRYPTO when one cannot be read or they do not belong together. */
MUST_USE bool http_tls_set_identity(struct view key, struct view chain, struct error *error);
/* Wipes and frees. No handshake may be under way. Idempotent. */
void http_tls_clear_identity(void);
/* For MHD_OPTION_HTTPS_CERT_CALLBACK. */
int http_tls_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
			 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_chain,
			 unsigned int *ret_chain_length, gnutls_privkey_t *ret_key);
