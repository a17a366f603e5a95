/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/private_key.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

/* There is nobody to ask; without this OpenSSL would ask the terminal. */
static int no_password(char *buffer, int size, int is_writing, void *context)
{
	(void)buffer;
	(void)size;
	(void)is_writing;
	*(bool *)context = true;
	return -1;
}

EVP_PKEY *private_key_from_pem(struct view pem, bool *ret_is_encrypted)
{
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	EVP_PKEY *key;

	*ret_is_encrypted = false;
	key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, ret_is_encrypted) : NULL;
	(void)BIO_free(bio);
	/* The queue may quote what it choked on. */
	ERR_clear_error();
	return key;
}
