/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/tls_statement.h"

#include <openssl/sha.h>

static const char label[] = "ensign tls 1";

void tls_statement_digest(struct view chain_pem, uint8_t ret_digest[TLS_STATEMENT_DIGEST_SIZE])
{
	AUTO_BUFFER struct buffer text = {0};

	buffer_append(&text, view_of_text(label));
	buffer_append(&text, chain_pem);
	(void)SHA256(text.data, text.size, ret_digest);
}

bool tls_statement_verify(struct view chain_pem, struct view document, X509 *root, struct attestation_document *ret_document,
			  struct error *error)
{
	struct attestation_document claimed;
	uint8_t digest[TLS_STATEMENT_DIGEST_SIZE];

	if (!attestation_parse(document, &claimed, error) ||
	    !attestation_verify(document, root, claimed.timestamp_ms, ret_document, error))
		return false;
	tls_statement_digest(chain_pem, digest);
	return (ret_document->has_user_data && view_equal(ret_document->user_data, view_of(digest, sizeof digest))) ||
	       error_set(error, ERROR_CRYPTO, "user_data: it attests another certificate chain");
}
