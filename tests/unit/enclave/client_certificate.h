/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates of clients, and CAs for them, of every kind that a server may meet. */
#pragma once

#include <gnutls/x509.h>

#include "enclave/messages.h"

struct client_certificate {
	gnutls_x509_privkey_t key;
	gnutls_x509_crt_t certificate;
};

struct client_certificate_options {
	const char *common_name;                 /* NULL: none */
	const struct client_certificate *issuer; /* NULL: itself */
	bool is_ca;
	const char *purpose; /* OID of its only extended key usage; NULL: it has none */
	int valid_from_s;    /* from now; both 0: an hour ago until in an hour */
	int valid_until_s;
};

void client_certificate_make(struct client_certificate *ret_certificate, const struct client_certificate_options *options);
void client_certificate_done(struct client_certificate *certificate);
#define AUTO_CLIENT_CERTIFICATE CLEANUP(client_certificate_done)

void client_certificate_der(const struct client_certificate *certificate, struct buffer *ret_der);
void client_certificate_pem(const struct client_certificate *certificate, struct buffer *ret_pem);
/* Its line in a list of known clients. */
struct known_client client_certificate_known(const struct client_certificate *certificate, const char *common_name);
