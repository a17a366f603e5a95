/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/private_key.h"
#include "crypto/tls_identity_parts.h"

/* More than any chain that fits the limit has; each costs a comparison with each other. */
#define CERTIFICATES_MAX 32

static void bio_done(BIO **bio)
{
	BIO_free(*bio);
}

#define AUTO_BIO CLEANUP(bio_done)

/* For the error path: OpenSSL's queue may quote what it choked on, so it is dropped and not shown. */
static bool fail(struct error *error, const char *message)
{
	ERR_clear_error();
	return error_set(error, ERROR_INPUT, "TLS identity: %s", message);
}

static EVP_PKEY *read_key(struct view pem, struct error *error)
{
	bool is_encrypted;
	EVP_PKEY *key = private_key_from_pem(pem, &is_encrypted);

	if (!key)
		(void)fail(error, is_encrypted ? "the private key is encrypted; give it without a password, or as PKCS#12"
					       : "no private key in PEM");
	return key;
}

static bool read_certificates(struct view pem, STACK_OF(X509) * ret_certificates, struct error *error)
{
	AUTO_BIO BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	X509 *certificate;

	if (!bio)
		return fail(error, "no certificate in PEM");
	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (sk_X509_num(ret_certificates) < CERTIFICATES_MAX && sk_X509_push(ret_certificates, certificate) > 0)
			continue;
		X509_free(certificate);
		return fail(error, "too many certificates");
	}
	/* The end of the text is an error to PEM_read_bio_X509, and the only one that may be. */
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
		return fail(error, "a certificate cannot be read");
	ERR_clear_error();
	return sk_X509_num(ret_certificates) > 0 || fail(error, "no certificate in PEM");
}

/* Files begin with the leaf by custom only. */
static X509 *take_leaf(STACK_OF(X509) * certificates, const EVP_PKEY *key, struct error *error)
{
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		if (X509_check_private_key(sk_X509_value(certificates, i), key) == 1)
			return ERR_clear_error(), sk_X509_delete(certificates, i);
	}
	return (void)fail(error, "none of the certificates is that of the private key"), NULL;
}

static bool join(EVP_PKEY *key, struct view chain_pem, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_X509_STACK STACK_OF(X509) *certificates = sk_X509_new_null();
	AUTO_X509 X509 *leaf = NULL;

	if (chain_pem.size > TLS_IDENTITY_CHAIN_MAX_SIZE)
		return fail(error, "the chain is too large");
	if (!read_certificates(chain_pem, certificates, error))
		return false;
	leaf = take_leaf(certificates, key, error);
	return leaf && tls_identity_of_parts(key, leaf, certificates, ret_identity, error);
}

bool tls_identity_from_pem(struct view key_pem, struct view chain_pem, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_PKEY EVP_PKEY *key = NULL;

	if (key_pem.size > TLS_IDENTITY_KEY_PEM_MAX_SIZE)
		return fail(error, "the key is too large");
	key = read_key(key_pem, error);
	return key && join(key, chain_pem, ret_identity, error);
}

bool tls_identity_from_der(struct view key_der, struct view chain_pem, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_PKEY EVP_PKEY *key = tls_identity_read_key(key_der, error);

	return key && join(key, chain_pem, ret_identity, error);
}

bool tls_identity_key_to_pem(const struct tls_identity *identity, struct secret *ret_pem, struct error *error)
{
	const unsigned char *next = identity->key.data;
	AUTO_PKEY EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &next, (long)identity->key.size);
	AUTO_BIO BIO *bio = BIO_new(BIO_s_secmem());
	char *text = NULL;
	long size;

	if (!key || !bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		return fail(error, "cannot write the private key");
	size = BIO_get_mem_data(bio, &text);
	return secret_init_copy(ret_pem, view_of(text, (size_t)size), error);
}

bool tls_identity_leaf(struct view chain_pem, struct buffer *ret_pem, struct error *error)
{
	AUTO_X509_STACK STACK_OF(X509) *chain = sk_X509_new_null();

	return read_certificates(chain_pem, chain, error) && tls_identity_append_pem(sk_X509_value(chain, 0), ret_pem, error);
}

bool tls_identity_anchor(const struct tls_identity *identity, struct buffer *ret_pem, struct error *error)
{
	AUTO_X509_STACK STACK_OF(X509) *chain = sk_X509_new_null();

	return read_certificates(buffer_view(&identity->chain), chain, error) &&
	       tls_identity_append_pem(sk_X509_value(chain, sk_X509_num(chain) - 1), ret_pem, error);
}
