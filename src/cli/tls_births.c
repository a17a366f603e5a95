/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tls_births.h"

#include "attestation/tls_statement.h"
#include "base/file.h"
#include "crypto/certificate_facts.h"
#include "crypto/x509_cleanup.h"

/*
 * A P-256 key in PKCS#8 has 138 bytes, and KMS adds less than 200 to what it seals. The smallest certificate with its key, in base64 twice, is
 * above 900.
 */
#define KEY_ALONE_MAX_SIZE 768

bool tls_birth_is_key_alone(const struct tls_row *row)
{
	return base64_decoded_size(view_of_text(row->encrypted_tls_key_b64)) <= KEY_ALONE_MAX_SIZE;
}

/* Named after the certificate's digest; caller frees. NULL on failure. */
static char *path_of(const struct local_folder *folder, struct view chain_pem, struct error *error)
{
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	char hex[2 * CERTIFICATE_DIGEST_SIZE + 1];

	if (!certificate_facts_read(chain_pem, &facts, error))
		return NULL;
	hex_encode(view_of(facts.certificate_sha256, sizeof facts.certificate_sha256), hex);
	return memory_format("%s/%s.cbor", folder->tls_births, hex);
}

bool tls_birth_keep(const struct inventory *inventory, struct view chain_pem, struct view document, struct error *error)
{
	AUTO_FREE char *path = NULL;

	if (inventory->fleet)
		return true;
	path = path_of(&inventory->folder, chain_pem, error);
	return path && folder_make(inventory->folder.tls_births, 0700, error) && file_write_atomic(path, document, 0644, error);
}

bool tls_birth_find(struct inventory *inventory, const struct tls_identity_row *row, char ret_pcr0[NSM_PCR_TEXT_SIZE])
{
	struct view chain_pem = buffer_view(&row->chain);
	struct attestation_document attested;
	AUTO_BUFFER struct buffer document = {0};
	AUTO_FREE char *path = NULL;
	AUTO_X509 X509 *root = NULL;
	struct error ignored;

	if (inventory->fleet || !tls_birth_is_key_alone(&row->row))
		return false;
	path = path_of(&inventory->folder, chain_pem, &ignored);
	if (!path || !file_exists(path) || !file_read(path, ATTESTATION_DOCUMENT_MAX_SIZE, &document, &ignored))
		return false;
	root = inventory_attestation_root(inventory, NULL, &ignored);
	if (!root || !tls_statement_verify(chain_pem, buffer_view(&document), root, &attested, &ignored) ||
	    attestation_is_debug(&attested))
		return false;
	hex_encode(view_of(attested.pcrs[0], NSM_PCR_SIZE), ret_pcr0);
	return true;
}
