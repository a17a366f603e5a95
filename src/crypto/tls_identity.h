/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's TLS identity: a P-256 key and its certificate chain. Stored as PKCS#12 or PEM under KMS (the TLS table), opened in the
 * enclave, handed to the frontend as PKCS#8 DER and PEM. Also makes identities: a private CA and a leaf for given names.
 * Processes that use it call openssl_use_wiping_memory() first, since OpenSSL copies private keys when it reads and writes them.
 */
#pragma once

#include "base/secret.h"

/* A PKCS#12 with one P-256 key and a chain of a few certificates; also bounded by KMS's 4 KiB of plaintext. */
#define TLS_IDENTITY_PKCS12_MAX_SIZE 8192
#define TLS_IDENTITY_KEY_PEM_MAX_SIZE 8192 /* as an operator has it, with the comments that tools write */
#define TLS_IDENTITY_KEY_MAX_SIZE 4096     /* PKCS#8 DER; RSA-4096 takes 2.4 KiB */
#define TLS_IDENTITY_CHAIN_MAX_SIZE 16384  /* PEM, leaf first */
#define TLS_IDENTITY_DAYS_MAX 825          /* browsers and some TLS stacks refuse a longer life */
#define TLS_IDENTITY_NAMES_MAX 32          /* names and addresses of one server; the certificate must fit under KMS's limit */

struct tls_identity {
	struct secret key;   /* PKCS#8 DER, unencrypted */
	struct buffer chain; /* PEM, leaf first, then upwards */
};

void tls_identity_done(struct tls_identity *identity);

#define AUTO_TLS_IDENTITY CLEANUP(tls_identity_done)

/*
 * A new CA (P-256, CA:TRUE pathlen 0, its key is thrown away) and a leaf under it for the given DNS names and IP addresses
 * (text; IPs are recognised), serverAuth, random serials, valid from one hour ago for `days`. ret_ca_pem is what clients trust.
 */
MUST_USE bool tls_identity_create(const char *common_name, const char *const *names, size_t name_count, unsigned days,
				  struct tls_identity *ret_identity, struct buffer *ret_ca_pem, struct error *error);
/* The same for a leaf key that is there already: PKCS#8 DER. */
MUST_USE bool tls_identity_create_for_key(struct view key_der, const char *common_name, const char *const *names, size_t name_count,
					  unsigned days, struct tls_identity *ret_identity, struct buffer *ret_ca_pem,
					  struct error *error);
/* PKCS#12 (AES-256-CBC, PBKDF2) under `password` (UTF-8, no NUL), appended. */
MUST_USE bool tls_identity_to_pkcs12(const struct tls_identity *identity, struct view password, struct buffer *ret_der,
				     struct error *error);
/*
 * Opens any PKCS#12 with one key and its certificate, RSA (2048 bits or more) or EC; checks that they belong together and puts
 * the chain in order. ERROR_CRYPTO when the password or the file's MAC is wrong.
 */
MUST_USE bool tls_identity_from_pkcs12(struct view der, struct view password, struct tls_identity *ret_identity,
				       struct error *error);
/*
 * The same from PEM: a key in PKCS#8 or the traditional form, not encrypted, and certificates in any order, one of them its own.
 * ERROR_INPUT when they are not that.
 */
MUST_USE bool tls_identity_from_pem(struct view key_pem, struct view chain_pem, struct tls_identity *ret_identity,
				    struct error *error);
/* The same of a key in PKCS#8 DER. */
MUST_USE bool tls_identity_from_der(struct view key_der, struct view chain_pem, struct tls_identity *ret_identity,
				    struct error *error);
/* The key in PEM, PKCS#8, not encrypted. */
MUST_USE bool tls_identity_key_to_pem(const struct tls_identity *identity, struct secret *ret_pem, struct error *error);
/* The first certificate of a chain, in PEM: the server's own. ERROR_INPUT. */
MUST_USE bool tls_identity_leaf(struct view chain_pem, struct buffer *ret_pem, struct error *error);
/*
 * The last certificate of the chain, in PEM, for those who are to trust the identity: a root, the certificate itself where that is all there
 * is, or the highest CA below a root that clients have.
 */
MUST_USE bool tls_identity_anchor(const struct tls_identity *identity, struct buffer *ret_pem, struct error *error);
