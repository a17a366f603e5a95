/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/tls_identity.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "crypto/tls_identity_parts.h"

#define SERIAL_SIZE 16         /* 128 random bits; the CA/Browser Forum asks for 64, RFC 5280 allows 160 */
#define COMMON_NAME_MAX 64     /* ub-common-name, RFC 5280 appendix A */
#define DNS_NAME_MAX 253       /* RFC 1035, in text */
#define DNS_LABEL_MAX 63       /* RFC 1035 */
#define DAYS_MAX 36500         /* a century: beyond it somebody mistyped */
#define CLOCK_SKEW_S (60 * 60) /* clients' clocks may be late by as much */

static void names_done(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}

static void bignum_done(BIGNUM **number)
{
	BN_free(*number);
}

#define AUTO_NAMES CLEANUP(names_done)
#define AUTO_BIGNUM CLEANUP(bignum_done)

struct extension {
	int nid;
	const char *value; /* in the syntax of x509v3_config(5) */
};

static const struct extension CA_EXTENSIONS[] = {
	{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
	{NID_key_usage, "critical,keyCertSign,cRLSign"},
	{NID_subject_key_identifier, "hash"},
};

static const struct extension LEAF_EXTENSIONS[] = {
	{NID_basic_constraints, "critical,CA:FALSE"},
	{NID_key_usage, "critical,digitalSignature"},
	{NID_ext_key_usage, "serverAuth"},
	{NID_subject_key_identifier, "hash"},
	{NID_authority_key_identifier, "keyid:always"},
};

static bool add_extensions(X509 *certificate, X509 *issuer, const struct extension *extensions, size_t count)
{
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	for (size_t i = 0; i < count; i++) {
		X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, extensions[i].nid, extensions[i].value);
		bool added = extension && X509_add_ext(certificate, extension, -1) == 1;

		X509_EXTENSION_free(extension);
		if (!added)
			return false;
	}
	return true;
}

/* Letters, digits and hyphens in labels of 1 to 63, the leftmost of which may be a star alone. */
static bool is_dns_name(const char *name)
{
	size_t size = strlen(name);
	size_t label = 0;

	if (size > DNS_NAME_MAX)
		return false;
	if (name[0] == '*' && name[1] == '.')
		name += 2;
	for (;; name++) {
		char c = *name;
		bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (c == '.' || c == 0) {
			if (label == 0 || label > DNS_LABEL_MAX || name[-1] == '-')
				return false;
			if (c == 0)
				return true;
			label = 0;
			continue;
		}
		if (!letter_or_digit && (c != '-' || label == 0))
			return false;
		label++;
	}
}

static bool push_name(GENERAL_NAMES *names, int type, const void *bytes, int size)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_STRING *value = type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();

	if (!name || !value || ASN1_STRING_set(value, bytes, size) != 1) {
		GENERAL_NAME_free(name);
		ASN1_STRING_free(value);
		return false;
	}
	GENERAL_NAME_set0_value(name, type, value);
	if (sk_GENERAL_NAME_push(names, name) > 0)
		return true;
	GENERAL_NAME_free(name);
	return false;
}

static bool add_name(GENERAL_NAMES *names, const char *name, size_t index, struct error *error)
{
	struct in6_addr v6;
	struct in_addr v4;
	bool pushed;

	if (inet_pton(AF_INET, name, &v4) == 1)
		pushed = push_name(names, GEN_IPADD, &v4, sizeof v4);
	else if (inet_pton(AF_INET6, name, &v6) == 1)
		pushed = push_name(names, GEN_IPADD, &v6, sizeof v6);
	else if (is_dns_name(name))
		pushed = push_name(names, GEN_DNS, name, (int)strlen(name));
	else
		return error_set(error, ERROR_INPUT, "names[%zu]: neither a DNS name nor an IP address", index);
	return pushed || error_set(error, ERROR_CRYPTO, "TLS identity: cannot add a name");
}

static bool add_subject_alt_names(X509 *certificate, const char *const *names, size_t name_count, struct error *error)
{
	AUTO_NAMES GENERAL_NAMES *list = GENERAL_NAMES_new();

	for (size_t i = 0; i < name_count; i++) {
		if (!list || !add_name(list, names[i], i, error))
			return false;
	}
	return X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1 ||
	       error_set(error, ERROR_CRYPTO, "TLS identity: cannot add the names");
}

static bool set_name(X509_NAME *name, const char *field, const char *value)
{
	return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1;
}

static bool set_serial(X509 *certificate)
{
	uint8_t bytes[SERIAL_SIZE];
	AUTO_BIGNUM BIGNUM *number = NULL;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return false;
	number = BN_bin2bn(bytes, sizeof bytes, NULL);
	return number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
}

/* Everything but subject, issuer, names and signature. */
static X509 *new_certificate(EVP_PKEY *key, unsigned days)
{
	X509 *certificate = X509_new();

	if (certificate && X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
	    X509_gmtime_adj(X509_getm_notBefore(certificate), -CLOCK_SKEW_S) &&
	    X509_time_adj_ex(X509_getm_notAfter(certificate), (int)days, 0, NULL) && X509_set_pubkey(certificate, key) == 1)
		return certificate;
	X509_free(certificate);
	return NULL;
}

/* A name of its own for each CA: clients that trust several look them up by name first. */
static bool name_ca(X509 *ca)
{
	uint8_t mark[4];
	char hex[2 * sizeof mark + 1];
	AUTO_FREE char *common_name = NULL;

	if (RAND_bytes(mark, sizeof mark) != 1)
		return false;
	hex_encode(view_of(mark, sizeof mark), hex);
	common_name = memory_format("Ensign CA %s", hex);
	return set_name(X509_get_subject_name(ca), "O", "Ensign") && set_name(X509_get_subject_name(ca), "CN", common_name) &&
	       X509_set_issuer_name(ca, X509_get_subject_name(ca)) == 1;
}

static X509 *create_ca(EVP_PKEY *ca_key, unsigned days, struct error *error)
{
	AUTO_X509 X509 *ca = new_certificate(ca_key, days);
	X509 *taken = ca;

	if (!ca || !name_ca(ca) || !add_extensions(ca, ca, CA_EXTENSIONS, ARRAY_SIZE(CA_EXTENSIONS)) ||
	    X509_sign(ca, ca_key, EVP_sha256()) <= 0)
		return error_set(error, ERROR_CRYPTO, "TLS identity: cannot make a CA"), NULL;
	ca = NULL;
	return taken;
}

struct leaf_request {
	const char *common_name;
	const char *const *names;
	size_t name_count;
	unsigned days;
};

static X509 *create_leaf(const struct leaf_request *request, EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, struct error *error)
{
	AUTO_X509 X509 *leaf = new_certificate(key, request->days);
	X509 *taken = leaf;

	if (!leaf || X509_set_issuer_name(leaf, X509_get_subject_name(ca)) != 1 ||
	    !add_extensions(leaf, ca, LEAF_EXTENSIONS, ARRAY_SIZE(LEAF_EXTENSIONS)))
		return error_set(error, ERROR_CRYPTO, "TLS identity: cannot make a certificate"), NULL;
	if (!set_name(X509_get_subject_name(leaf), "CN", request->common_name))
		return error_set(error, ERROR_INPUT, "common_name: not UTF-8"), NULL;
	if (!add_subject_alt_names(leaf, request->names, request->name_count, error))
		return NULL;
	if (X509_sign(leaf, ca_key, EVP_sha256()) <= 0)
		return error_set(error, ERROR_CRYPTO, "TLS identity: cannot sign a certificate"), NULL;
	leaf = NULL;
	return taken;
}

static bool check_request(const struct leaf_request *request, struct error *error)
{
	size_t size = strlen(request->common_name);

	if (size == 0 || size > COMMON_NAME_MAX)
		return error_set(error, ERROR_INPUT, "common_name: %zu bytes, 1 to %d are allowed", size, COMMON_NAME_MAX);
	if (request->name_count == 0 || request->name_count > TLS_IDENTITY_NAMES_MAX)
		return error_set(error, ERROR_INPUT, "names: %zu given, 1 to %d are allowed", request->name_count,
				 TLS_IDENTITY_NAMES_MAX);
	if (request->days == 0 || request->days > DAYS_MAX)
		return error_set(error, ERROR_INPUT, "days: %u, 1 to %d are allowed", request->days, DAYS_MAX);
	return true;
}

static bool create(const struct leaf_request *request, EVP_PKEY *key, struct tls_identity *ret_identity, struct buffer *ret_ca_pem,
		   struct error *error)
{
	AUTO_PKEY EVP_PKEY *ca_key = EVP_EC_gen("P-256");
	AUTO_X509_STACK STACK_OF(X509) *chain = sk_X509_new_reserve(NULL, 2);
	AUTO_X509 X509 *ca = NULL;
	X509 *leaf;

	if (!ca_key || !key || !chain)
		return error_set(error, ERROR_CRYPTO, "TLS identity: cannot generate a key");
	ca = create_ca(ca_key, request->days, error);
	leaf = ca ? create_leaf(request, key, ca, ca_key, error) : NULL;
	if (!leaf)
		return false;
	/* Cannot fail: the room is reserved. The stack owns the certificates from here on. */
	(void)sk_X509_push(chain, leaf);
	(void)sk_X509_push(chain, ca);
	(void)X509_up_ref(ca);
	if (!tls_identity_assemble(key, chain, ret_identity, error))
		return false;
	if (tls_identity_append_pem(ca, ret_ca_pem, error))
		return true;
	tls_identity_done(ret_identity);
	return false;
}

static bool check_and_create(const struct leaf_request *request, EVP_PKEY *key, struct tls_identity *ret_identity,
			     struct buffer *ret_ca_pem, struct error *error)
{
	bool created = check_request(request, error) && create(request, key, ret_identity, ret_ca_pem, error);

	ERR_clear_error();
	return created;
}

bool tls_identity_create(const char *common_name, const char *const *names, size_t name_count, unsigned days,
			 struct tls_identity *ret_identity, struct buffer *ret_ca_pem, struct error *error)
{
	const struct leaf_request request = {common_name, names, name_count, days};
	AUTO_PKEY EVP_PKEY *key = EVP_EC_gen("P-256");

	return check_and_create(&request, key, ret_identity, ret_ca_pem, error);
}

bool tls_identity_create_for_key(struct view key_der, const char *common_name, const char *const *names, size_t name_count,
				 unsigned days, struct tls_identity *ret_identity, struct buffer *ret_ca_pem, struct error *error)
{
	const struct leaf_request request = {common_name, names, name_count, days};
	AUTO_PKEY EVP_PKEY *key = tls_identity_read_key(key_der, error);

	return key && check_and_create(&request, key, ret_identity, ret_ca_pem, error);
}
