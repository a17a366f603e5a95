/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/client_statement.h"

#include <openssl/sha.h>

static const char label[] = "ensign client 1";

_Static_assert(CLIENT_STATEMENT_SIZE == sizeof label - 1 + sizeof(struct client_statement), "label and digests, and nothing else");

static int compare_keys(const void *a, const void *b)
{
	return memcmp(a, b, BLS_PUBLIC_KEY_SIZE);
}

void client_statement_digest_keys(uint8_t (*public_keys)[BLS_PUBLIC_KEY_SIZE], size_t count, uint8_t ret_digest[CLIENT_DIGEST_SIZE])
{
	if (count > 0)
		qsort(public_keys, count, sizeof *public_keys, compare_keys);
	(void)SHA256((const uint8_t *)public_keys, count * sizeof *public_keys, ret_digest);
}

void client_statement_write(const struct client_statement *statement, uint8_t ret_user_data[CLIENT_STATEMENT_SIZE])
{
	memcpy(ret_user_data, label, sizeof label - 1);
	memcpy(ret_user_data + sizeof label - 1, statement->tls_digest, CLIENT_DIGEST_SIZE);
	memcpy(ret_user_data + sizeof label - 1 + CLIENT_DIGEST_SIZE, statement->keys_digest, CLIENT_DIGEST_SIZE);
}

bool client_statement_read(struct view user_data, struct client_statement *ret_statement, struct error *error)
{
	const uint8_t *digests = user_data.data + sizeof label - 1;

	if (user_data.size != CLIENT_STATEMENT_SIZE || memcmp(user_data.data, label, sizeof label - 1) != 0)
		return error_set(error, ERROR_CRYPTO, "user_data: attests something else");
	memcpy(ret_statement->tls_digest, digests, CLIENT_DIGEST_SIZE);
	memcpy(ret_statement->keys_digest, digests + CLIENT_DIGEST_SIZE, CLIENT_DIGEST_SIZE);
	return true;
}
