/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/birth_statement.h"

#include <openssl/sha.h>

static const char label[] = "ensign birth 1";

void birth_statement_digest(const struct birth_statement *statement, uint8_t ret_digest[BIRTH_DIGEST_SIZE])
{
	AUTO_BUFFER struct buffer text = {0};
	uint8_t recovery[BIRTH_DIGEST_SIZE] = {0};
	uint8_t count[4];

	if (statement->recovery_spki.size > 0)
		(void)SHA256(statement->recovery_spki.data, statement->recovery_spki.size, recovery);
	buffer_append(&text, view_of_text(label));
	store_be32(count, (uint32_t)statement->count);
	buffer_append(&text, view_of(count, sizeof count));
	buffer_append(&text, view_of(statement->public_keys, statement->count * sizeof *statement->public_keys));
	buffer_append(&text, view_of(statement->withdrawal_credentials, sizeof statement->withdrawal_credentials));
	buffer_append(&text, view_of(recovery, sizeof recovery));
	(void)SHA256(text.data, text.size, ret_digest);
}

bool birth_statement_verify(const struct birth_statement *statement, struct view document, X509 *root,
			    struct attestation_document *ret_document, struct error *error)
{
	struct attestation_document claimed;
	uint8_t digest[BIRTH_DIGEST_SIZE];

	if (!attestation_parse(document, &claimed, error) ||
	    !attestation_verify(document, root, claimed.timestamp_ms, ret_document, error))
		return false;
	birth_statement_digest(statement, digest);
	return (ret_document->has_user_data && view_equal(ret_document->user_data, view_of(digest, sizeof digest))) ||
	       error_set(error, ERROR_CRYPTO,
			 "user_data: it attests other keys, other withdrawal credentials or another recovery key");
}
