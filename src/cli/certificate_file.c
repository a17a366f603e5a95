/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/certificate_file.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/file.h"

#define FILE_MAX_SIZE (64u << 10)

static BIO *open_file(const char *path, struct buffer *bytes, struct error *error)
{
	if (!file_read(path, FILE_MAX_SIZE, bytes, error))
		return error->code = ERROR_INPUT, NULL;
	return BIO_new_mem_buf(bytes->data, (int)bytes->size);
}

X509 *certificate_file_read(const char *path, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};
	BIO *file = open_file(path, &bytes, error);
	X509 *certificate;

	if (!file)
		return NULL;
	certificate = PEM_read_bio_X509(file, NULL, NULL, NULL);
	(void)BIO_free(file);
	ERR_clear_error();
	if (!certificate)
		(void)error_set(error, ERROR_INPUT, "%s: no certificate in PEM", path);
	return certificate;
}

bool certificate_bundle_read(const char *path, size_t max_size, struct buffer *ret_pem, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};
	X509 *first;
	BIO *file;

	if (!file_read(path, max_size, &bytes, error))
		return error->code = ERROR_INPUT, false;
	file = BIO_new_mem_buf(bytes.data, (int)bytes.size);
	first = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
	(void)BIO_free(file);
	ERR_clear_error();
	if (!first)
		return error_set(error, ERROR_INPUT, "%s: no certificate in PEM", path);
	X509_free(first);
	buffer_append(ret_pem, buffer_view(&bytes));
	return true;
}

bool public_key_file_read(const char *path, struct buffer *ret_spki, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};
	BIO *file = open_file(path, &bytes, error);
	unsigned char *der = NULL;
	EVP_PKEY *key;
	int size;

	if (!file)
		return false;
	key = PEM_read_bio_PUBKEY(file, NULL, NULL, NULL);
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

/* OpenSSL would ask on the terminal. */
static int refuse_password(char *text, int size, int is_writing, void *context)
{
	(void)text;
	(void)size;
	(void)is_writing;
	*(bool *)context = true;
	return -1;
}

EVP_PKEY *private_key_file_read(const char *path, struct error *error)
{
	AUTO_SECRET struct secret text = {0};
	bool is_encrypted = false;
	EVP_PKEY *key;
	BIO *file;

	if (!file_read_secret(path, FILE_MAX_SIZE, &text, error))
		return error->code = ERROR_INPUT, NULL;
	file = BIO_new_mem_buf(text.data, (int)text.size);
	key = file ? PEM_read_bio_PrivateKey(file, NULL, refuse_password, &is_encrypted) : NULL;
	(void)BIO_free(file);
	ERR_clear_error();
	if (!key)
		(void)error_set(error, ERROR_INPUT, "%s: %s", path,
				is_encrypted ? "the key is encrypted: openssl pkey -in KEY gives it without"
					     : "no private key in PEM");
	return key;
}
