/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/file.h"
#include "crypto/private_key.h"
#include "crypto/x509_cleanup.h"

#define FILE_MAX_SIZE (64u << 10)

static bool read_file(const char *path, size_t max_size, struct buffer *ret_bytes, struct error *error)
{
	return file_read(path, max_size, ret_bytes, error) || (error->code = ERROR_INPUT, false);
}

/* The first one in it. */
static X509 *parse_certificate(const char *path, const struct buffer *bytes, struct error *error)
{
	BIO *file = BIO_new_mem_buf(bytes->data, (int)bytes->size);
	X509 *certificate = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;

	(void)BIO_free(file);
	ERR_clear_error();
	if (!certificate)
		(void)error_set(error, ERROR_INPUT, "%s: no certificate in PEM", path);
	return certificate;
}

X509 *certificate_file_read(const char *path, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};

	return read_file(path, FILE_MAX_SIZE, &bytes, error) ? parse_certificate(path, &bytes, error) : NULL;
}

bool certificate_bundle_read(const char *path, size_t max_size, struct buffer *ret_pem, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_X509 X509 *first = NULL;

	if (!read_file(path, max_size, &bytes, error))
		return false;
	first = parse_certificate(path, &bytes, error);
	if (!first)
		return false;
	buffer_append(ret_pem, buffer_view(&bytes));
	return true;
}

bool public_key_file_read(const char *path, struct buffer *ret_spki, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};
	unsigned char *der = NULL;
	EVP_PKEY *key;
	BIO *file;
	int size;

	if (!read_file(path, FILE_MAX_SIZE, &bytes, error))
		return false;
	file = BIO_new_mem_buf(bytes.data, (int)bytes.size);
	key = file ? PEM_read_bio_PUBKEY(file, NULL, NULL, NULL) : NULL;
	(void)BIO_free(file);
	size = key ? i2d_PUBKEY(key, &der) : 0;
	EVP_PKEY_free(key);
	ERR_clear_error();
	if (size <= 0)
		return error_set(error, ERROR_INPUT, "%s: no public key in PEM", path);
	buffer_append(ret_spki, view_of(der, (size_t)size));
	OPENSSL_free(der);
	return true;
}

EVP_PKEY *private_key_file_read(const char *path, struct error *error)
{
	AUTO_SECRET struct secret text = {0};
	bool is_encrypted;
	EVP_PKEY *key;

	if (!file_read_secret(path, FILE_MAX_SIZE, &text, error))
		return error->code = ERROR_INPUT, NULL;
	key = private_key_from_pem(secret_view(&text), &is_encrypted);
	if (!key)
		(void)error_set(error, ERROR_INPUT, "%s: %s", path,
				is_encrypted ? "the key is encrypted: openssl pkey -in KEY gives it without"
					     : "no private key in PEM");
	return key;
}
