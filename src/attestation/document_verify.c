/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/ec.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "attestation/document.h"
#include "crypto/cose.h"
#include "crypto/x509_cleanup.h"

/* What the chain needs besides signatures: OpenSSL does not insist on extensions being there. */
static const struct certificate_role {
	const char *name;
	bool is_ca;
	uint32_t key_usage;
	const char *key_usage_name;
} leaf_role = {"certificate", false, KU_DIGITAL_SIGNATURE, "digitalSignature"},
  ca_role = {"cabundle", true, KU_KEY_CERT_SIGN, "keyCertSign"};

static const char other_root[] = "cabundle: the root is not the pinned one";

/* The message is all that an error carries besides its code. */
bool attestation_is_other_root(const struct error *error)
{
	return strstr(error->message, other_root) != NULL;
}

static void store_done(X509_STORE **store)
{
	X509_STORE_free(*store);
}

static void store_context_done(X509_STORE_CTX **context)
{
	X509_STORE_CTX_free(*context);
}

static X509 *certificate_parse(struct view der, const char *field, struct error *error)
{
	AUTO_X509 X509 *certificate = NULL;
	const uint8_t *next = der.data;
	X509 *parsed;

	certificate = d2i_X509(NULL, &next, (long)der.size);
	if (!certificate || next != der.data + der.size)
		return error_set(error, ERROR_CRYPTO, "%s: not one DER certificate", field), NULL;
	parsed = certificate;
	certificate = NULL;
	return parsed;
}

static bool certificate_check(X509 *certificate, const struct certificate_role *role, struct error *error)
{
	uint32_t flags = X509_get_extension_flags(certificate);
	char group[64] = "";

	if (flags & EXFLAG_INVALID)
		return error_set(error, ERROR_CRYPTO, "%s: malformed extensions", role->name);
	if (X509_get_version(certificate) != X509_VERSION_3 || !(flags & EXFLAG_BCONS))
		return error_set(error, ERROR_CRYPTO, "%s: without basicConstraints", role->name);
	if (((flags & EXFLAG_CA) != 0) != role->is_ca)
		return error_set(error, ERROR_CRYPTO, "%s: CA flag is %s", role->name, role->is_ca ? "missing" : "set");
	/* Without the extension every usage would be allowed. */
	if (!(flags & EXFLAG_KUSAGE) || !(X509_get_key_usage(certificate) & role->key_usage))
		return error_set(error, ERROR_CRYPTO, "%s: keyUsage without %s", role->name, role->key_usage_name);
	if (X509_get_signature_nid(certificate) != NID_ecdsa_with_SHA384)
		return error_set(error, ERROR_CRYPTO, "%s: not signed with ECDSA and SHA-384", role->name);
	if (EVP_PKEY_get_group_name(X509_get0_pubkey(certificate), group, sizeof group, NULL) != 1 ||
	    OBJ_sn2nid(group) != NID_secp384r1)
		return error_set(error, ERROR_CRYPTO, "%s: key not on P-384", role->name);
	return true;
}

/* cabundle[1 …] in its order. The first entry only claims to be the root: it must equal the pinned one and is not used. */
static bool intermediates_parse(const struct attestation_document *document, X509 *root, STACK_OF(X509) * intermediates,
				struct error *error)
{
	AUTO_X509 X509 *claimed_root = certificate_parse(document->cabundle[0], "cabundle: root", error);

	if (!claimed_root)
		return false;
	if (X509_cmp(claimed_root, root) != 0)
		return error_set(error, ERROR_CRYPTO, "%s", other_root);
	for (size_t i = 1; i < document->cabundle_count; i++) {
		AUTO_X509 X509 *certificate = certificate_parse(document->cabundle[i], "cabundle", error);

		if (!certificate || !certificate_check(certificate, &ca_role, error))
			return false;
		if (sk_X509_push(intermediates, certificate) == 0)
			return error_set(error, ERROR_CRYPTO, "cabundle: out of memory");
		certificate = NULL;
	}
	return true;
}

/* OpenSSL may find another path through the bundle than the one that was sent: only leaf, cabundle[n-1] … [1], root will do. */
static bool chain_is_in_order(X509_STORE_CTX *context, X509 *leaf, STACK_OF(X509) * intermediates, X509 *root)
{
	STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(context);
	int count = sk_X509_num(intermediates);

	if (sk_X509_num(chain) != count + 2 || X509_cmp(sk_X509_value(chain, 0), leaf) != 0 ||
	    X509_cmp(sk_X509_value(chain, count + 1), root) != 0)
		return false;
	for (int i = 0; i < count; i++) {
		if (X509_cmp(sk_X509_value(chain, i + 1), sk_X509_value(intermediates, count - 1 - i)) != 0)
			return false;
	}
	return true;
}

static bool chain_verify(X509 *leaf, STACK_OF(X509) * intermediates, X509 *root, uint64_t at_ms, struct error *error)
{
	CLEANUP(store_done) X509_STORE *store = X509_STORE_new();
	CLEANUP(store_context_done) X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *parameters;

	if (!store || !context || X509_STORE_add_cert(store, root) != 1 ||
	    X509_STORE_CTX_init(context, store, leaf, intermediates) != 1)
		return error_set(error, ERROR_CRYPTO, "the certificate chain cannot be set up");
	parameters = X509_STORE_CTX_get0_param(context);
	/* No CRLs: AWS says that checking has to be off for these chains. */
	X509_VERIFY_PARAM_set_time(parameters, (time_t)(at_ms / 1000));
	X509_VERIFY_PARAM_set_depth(parameters, ATTESTATION_CABUNDLE_MAX);
	if (X509_verify_cert(context) != 1)
		return error_set(error, ERROR_CRYPTO, "the certificate chain does not verify: %s (certificate %d from the leaf)",
				 X509_verify_cert_error_string(X509_STORE_CTX_get_error(context)),
				 X509_STORE_CTX_get_error_depth(context));
	if (!chain_is_in_order(context, leaf, intermediates, root))
		return error_set(error, ERROR_CRYPTO, "cabundle: not the chain from the root to the leaf");
	return true;
}

static bool document_verify(const struct cose_sign1 *message, const struct attestation_document *document, X509 *root,
			    uint64_t at_ms, struct error *error)
{
	AUTO_X509_STACK STACK_OF(X509) *intermediates = sk_X509_new_null();
	AUTO_X509 X509 *leaf = certificate_parse(document->certificate, "certificate", error);

	if (!leaf || !certificate_check(leaf, &leaf_role, error))
		return false;
	if (!intermediates)
		return error_set(error, ERROR_CRYPTO, "cabundle: out of memory");
	return certificate_check(root, &ca_role, error) && intermediates_parse(document, root, intermediates, error) &&
	       chain_verify(leaf, intermediates, root, at_ms, error) && cose_sign1_verify(message, X509_get0_pubkey(leaf), error);
}

bool attestation_verify(struct view bytes, X509 *root, uint64_t at_ms, struct attestation_document *ret_document,
			struct error *error)
{
	struct attestation_document document;
	struct cose_sign1 message;

	if (!attestation_parse(bytes, &document, error))
		return false;
	if (!cose_sign1_parse(bytes, &message, error) || !document_verify(&message, &document, root, at_ms, error))
		return error_prefix(error, "attestation document");
	*ret_document = document;
	return true;
}
