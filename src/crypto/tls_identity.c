/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/tls_identity.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include "crypto/tls_identity_parts.h"

/* OpenSSL's own default. The password is 32 random bytes under KMS, so rounds add nothing; old readers balk at many more. */
#define PKCS12_ROUNDS 2048
/* A password in PKCS#12 is made for people; no tool writes a longer one. */
#define PKCS12_PASSWORD_MAX_SIZE 1024
#define RSA_BITS_MIN 2048

static void bio_done(BIO **bio)
{
	BIO_free(*bio);
}

static void pkcs8_done(PKCS8_PRIV_KEY_INFO **info)
{
	PKCS8_PRIV_KEY_INFO_free(*info);
}

static void pkcs12_done(PKCS12 **store)
{
	PKCS12_free(*store);
}

#define AUTO_BIO CLEANUP(bio_done)
#define AUTO_PKCS8 CLEANUP(pkcs8_done)
#define AUTO_PKCS12 CLEANUP(pkcs12_done)

/* For the error path: OpenSSL's queue may quote what it choked on, so it is dropped and not shown. */
static bool fail(struct error *error, enum error_code code, const char *message)
{
	ERR_clear_error();
	return error_set(error, code, "TLS identity: %s", message);
}

void tls_identity_done(struct tls_identity *identity)
{
	if (!identity)
		return;
	secret_done(&identity->key);
	buffer_done(&identity->chain);
}

bool tls_identity_append_pem(X509 *certificate, struct buffer *ret_pem, struct error *error)
{
	AUTO_BIO BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long size;

	if (!bio || PEM_write_bio_X509(bio, certificate) != 1)
		return fail(error, ERROR_CRYPTO, "cannot write a certificate");
	size = BIO_get_mem_data(bio, &text);
	buffer_append(ret_pem, view_of(text, (size_t)size));
	return true;
}

/* PKCS#8 straight into the secret; the PKCS8_PRIV_KEY_INFO in between wipes itself. */
static bool write_key(const EVP_PKEY *key, struct secret *ret_der, struct error *error)
{
	AUTO_PKCS8 PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
	int size = info ? i2d_PKCS8_PRIV_KEY_INFO(info, NULL) : 0;
	unsigned char *next;

	if (size <= 0)
		return fail(error, ERROR_CRYPTO, "cannot write the private key");
	if (size > TLS_IDENTITY_KEY_MAX_SIZE)
		return fail(error, ERROR_INPUT, "the private key is too large");
	if (!secret_init(ret_der, (size_t)size, error))
		return false;
	next = ret_der->data;
	(void)i2d_PKCS8_PRIV_KEY_INFO(info, &next);
	return true;
}

bool tls_identity_assemble(EVP_PKEY *key, STACK_OF(X509) * chain, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};

	for (int i = 0; i < sk_X509_num(chain); i++) {
		if (!tls_identity_append_pem(sk_X509_value(chain, i), &identity.chain, error))
			return false;
	}
	if (identity.chain.size > TLS_IDENTITY_CHAIN_MAX_SIZE)
		return fail(error, ERROR_INPUT, "the certificate chain is too large");
	if (!write_key(key, &identity.key, error))
		return false;
	*ret_identity = identity;
	identity = (struct tls_identity){0};
	return true;
}

EVP_PKEY *tls_identity_read_key(struct view der, struct error *error)
{
	const unsigned char *next = der.data;
	AUTO_PKCS8 PKCS8_PRIV_KEY_INFO *info = NULL;
	EVP_PKEY *key = NULL;

	if (der.size <= TLS_IDENTITY_KEY_MAX_SIZE)
		info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &next, (long)der.size);
	if (info && next == der.data + der.size)
		key = EVP_PKCS82PKEY(info);

	if (!key)
		(void)fail(error, ERROR_INPUT, "the private key is not PKCS#8");
	return key;
}

static bool read_chain(const struct buffer *pem, X509 **ret_leaf, STACK_OF(X509) * ret_others, struct error *error)
{
	AUTO_BIO BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	X509 *certificate;

	if (!bio)
		return fail(error, ERROR_CRYPTO, "cannot read the chain");
	*ret_leaf = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	if (!*ret_leaf)
		return fail(error, ERROR_INPUT, "the chain holds no certificate in PEM");
	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (sk_X509_push(ret_others, certificate) > 0)
			continue;
		X509_free(certificate);
		return fail(error, ERROR_CRYPTO, "cannot read the chain");
	}
	/* The end of the text is an error to PEM_read_bio_X509. */
	ERR_clear_error();
	return true;
}

/* OpenSSL's PKCS#12 functions want a C string. */
static bool terminate_password(struct view password, struct secret *ret_text, struct error *error)
{
	if (password.size > PKCS12_PASSWORD_MAX_SIZE || (password.size && memchr(password.data, 0, password.size)))
		return fail(error, ERROR_INPUT, "the password is too long or has a NUL in it");
	if (!secret_init(ret_text, password.size + 1, error))
		return false;
	if (password.size)
		memcpy(ret_text->data, password.data, password.size);
	return true;
}

static bool append_pkcs12(PKCS12 *store, struct buffer *ret_der, struct error *error)
{
	unsigned char *der = NULL;
	int size = store ? i2d_PKCS12(store, &der) : 0;

	if (size <= 0)
		return fail(error, ERROR_CRYPTO, "cannot write PKCS#12 (do the key and the first certificate belong together?)");
	if (size <= TLS_IDENTITY_PKCS12_MAX_SIZE)
		buffer_append(ret_der, view_of(der, (size_t)size));
	OPENSSL_free(der);
	return size <= TLS_IDENTITY_PKCS12_MAX_SIZE || fail(error, ERROR_INPUT, "the PKCS#12 file is too large");
}

bool tls_identity_to_pkcs12(const struct tls_identity *identity, struct view password, struct buffer *ret_der, struct error *error)
{
	AUTO_SECRET struct secret text = {0};
	AUTO_PKEY EVP_PKEY *key = NULL;
	AUTO_X509 X509 *leaf = NULL;
	AUTO_X509_STACK STACK_OF(X509) *others = sk_X509_new_null();
	AUTO_PKCS12 PKCS12 *store = NULL;

	key = tls_identity_read_key(secret_view(&identity->key), error);
	if (!key || !read_chain(&identity->chain, &leaf, others, error) || !terminate_password(password, &text, error))
		return false;
	store = PKCS12_create_ex((const char *)text.data, NULL, key, leaf, others, NID_aes_256_cbc, NID_aes_256_cbc, PKCS12_ROUNDS,
				 PKCS12_ROUNDS, 0, NULL, NULL);
	return append_pkcs12(store, ret_der, error);
}

static PKCS12 *read_pkcs12(struct view der, struct error *error)
{
	const unsigned char *next = der.data;
	AUTO_PKCS12 PKCS12 *store = NULL;
	PKCS12 *taken;

	if (der.size > TLS_IDENTITY_PKCS12_MAX_SIZE)
		return fail(error, ERROR_INPUT, "the PKCS#12 file is too large"), NULL;
	store = d2i_PKCS12(NULL, &next, (long)der.size);
	if (!store || next != der.data + der.size)
		return fail(error, ERROR_INPUT, "not a PKCS#12 file"), NULL;
	taken = store;
	store = NULL;
	return taken;
}

static bool check_key(const EVP_PKEY *key, struct error *error)
{
	int type = EVP_PKEY_get_base_id(key);

	if (type != EVP_PKEY_EC && type != EVP_PKEY_RSA)
		return fail(error, ERROR_INPUT, "the private key is neither EC nor RSA");
	if (type == EVP_PKEY_RSA && EVP_PKEY_get_bits(key) < RSA_BITS_MIN)
		return fail(error, ERROR_INPUT, "the RSA key has less than 2048 bits");
	return true;
}

/* The certificate of `pool` that issued `subject`, taken out of it; NULL when it is not there. */
static X509 *take_issuer(STACK_OF(X509) * pool, X509 *subject)
{
	for (int i = 0; i < sk_X509_num(pool); i++) {
		if (X509_check_issued(sk_X509_value(pool, i), subject) == X509_V_OK)
			return sk_X509_delete(pool, i);
	}
	return NULL;
}

/*
 * From the leaf upwards. Files hold the other certificates in any order, and servers must send them in this one (RFC 5246
 * section 7.4.2); what is not on the path is left out.
 */
static bool order_chain(X509 *leaf, STACK_OF(X509) * pool, STACK_OF(X509) * ret_chain, struct error *error)
{
	X509 *last = leaf;

	if (!X509_up_ref(leaf))
		return fail(error, ERROR_CRYPTO, "cannot order the chain");
	while (last) {
		if (sk_X509_push(ret_chain, last) <= 0) {
			X509_free(last);
			return fail(error, ERROR_CRYPTO, "cannot order the chain");
		}
		last = X509_check_issued(last, last) == X509_V_OK ? NULL : take_issuer(pool, last);
	}
	return true;
}

bool tls_identity_of_parts(EVP_PKEY *key, X509 *leaf, STACK_OF(X509) * pool, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_X509_STACK STACK_OF(X509) *chain = sk_X509_new_null();

	return check_key(key, error) && order_chain(leaf, pool, chain, error) &&
	       tls_identity_assemble(key, chain, ret_identity, error);
}

bool tls_identity_from_pkcs12(struct view der, struct view password, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_PKCS12 PKCS12 *store = read_pkcs12(der, error);
	AUTO_SECRET struct secret text = {0};
	AUTO_PKEY EVP_PKEY *key = NULL;
	AUTO_X509 X509 *leaf = NULL;
	AUTO_X509_STACK STACK_OF(X509) *pool = NULL;

	if (!store || !terminate_password(password, &text, error))
		return false;
	if (PKCS12_parse(store, (const char *)text.data, &key, &leaf, &pool) != 1)
		return fail(error, ERROR_CRYPTO, "the PKCS#12 file does not open with this password");
	ERR_clear_error();
	/* PKCS12_parse gives a leaf only when its public key is that of the private key. */
	if (!key || !leaf)
		return fail(error, ERROR_INPUT, "the PKCS#12 file does not hold a private key and its certificate");
	return tls_identity_of_parts(key, leaf, pool, ret_identity, error);
}
