/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/http_tls.h"

/* Leaf, intermediates, root: longer chains do not fit TLS_IDENTITY_CHAIN_MAX_SIZE anyway. */
#define CHAIN_MAX_LENGTH 16

static struct {
	gnutls_privkey_t key;
	gnutls_pcert_st chain[CHAIN_MAX_LENGTH];
	unsigned chain_length;
} identity;

static gnutls_datum_t datum(struct view bytes)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)bytes.data, .size = (unsigned)bytes.size};
}

static bool failed(const char *what, int result, struct error *error)
{
	return error_set(error, ERROR_CRYPTO, "%s: %s", what, gnutls_strerror(result));
}

static bool import_key(struct view der, struct error *error)
{
	gnutls_datum_t data = datum(der);
	int result = gnutls_privkey_init(&identity.key);

	if (result == 0)
		result = gnutls_privkey_import_x509_raw(identity.key, &data, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN);
	return result == 0 ? true : failed("TLS key", result, error);
}

static bool import_chain(struct view pem, struct error *error)
{
	gnutls_datum_t data = datum(pem);
	unsigned length = CHAIN_MAX_LENGTH;
	int result = gnutls_pcert_list_import_x509_raw(identity.chain, &length, &data, GNUTLS_X509_FMT_PEM, 0);

	if (result != 0)
		return failed("TLS certificate chain", result, error);
	identity.chain_length = length;
	if (length == 0)
		return error_set(error, ERROR_CRYPTO, "TLS certificate chain: empty");
	return true;
}

/* The leaf must be that of the key: else every handshake would fail, one by one. */
static bool check_pair(struct error *error)
{
	unsigned char ids[2][64];
	size_t sizes[2] = {sizeof ids[0], sizeof ids[1]};
	gnutls_pubkey_t public_key;
	int result = gnutls_pubkey_init(&public_key);

	if (result != 0)
		return failed("TLS key", result, error);
	result = gnutls_pubkey_import_privkey(public_key, identity.key, 0, 0);
	if (result == 0)
		result = gnutls_pubkey_get_key_id(public_key, GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]);
	if (result == 0)
		result = gnutls_pubkey_get_key_id(identity.chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]);
	gnutls_pubkey_deinit(public_key);
	if (result != 0)
		return failed("TLS key", result, error);
	if (!view_equal(view_of(ids[0], sizes[0]), view_of(ids[1], sizes[1])))
		return error_set(error, ERROR_CRYPTO, "the TLS key is not that of the certificate");
	return true;
}

bool http_tls_set_identity(struct view key, struct view chain, struct error *error)
{
	http_tls_clear_identity();
	if (import_key(key, error) && import_chain(chain, error) && check_pair(error))
		return true;
	http_tls_clear_identity();
	return false;
}

void http_tls_clear_identity(void)
{
	for (unsigned i = 0; i < identity.chain_length; i++)
		gnutls_pcert_deinit(&identity.chain[i]);
	identity.chain_length = 0;
	if (identity.key)
		gnutls_privkey_deinit(identity.key);
	identity.key = NULL;
}

int http_tls_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
			 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_chain,
			 unsigned int *ret_chain_length, gnutls_privkey_t *ret_key)
{
	(void)session;
	(void)authorities;
	(void)authority_count;
	(void)algorithms;
	(void)algorithm_count;
	*ret_chain = identity.chain;
	*ret_chain_length = identity.chain_length;
	*ret_key = identity.key;
	return 0;
}
