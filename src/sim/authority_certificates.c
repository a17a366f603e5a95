/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/authority_certificates.h"

#include <openssl/ec.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "sim/authority.h"

#define DAY_S UINT64_C(86400)
#define SERIAL_SIZE 16

/* Lifetimes and extensions as observed in AWS's documents, without the CRL distribution points: nothing would answer there. */
static const struct profile {
	uint64_t lifetime_s;
	const char *basic_constraints;
	const char *key_usage;
	bool has_key_identifiers;
} profiles[AUTHORITY_LEVEL_COUNT] = {
	[AUTHORITY_ROOT] = {30 * 365 * DAY_S, "critical,CA:TRUE", "critical,digitalSignature,keyCertSign,cRLSign", true},
	[AUTHORITY_REGIONAL] = {20 * DAY_S + 3600, "critical,CA:TRUE,pathlen:2", "critical,digitalSignature,keyCertSign,cRLSign",
				true},
	[AUTHORITY_ZONAL] = {6 * DAY_S, "critical,CA:TRUE,pathlen:1", "critical,digitalSignature,keyCertSign,cRLSign", true},
	[AUTHORITY_INSTANCE] = {DAY_S, "critical,CA:TRUE,pathlen:0", "critical,keyCertSign", true},
	[AUTHORITY_LEAF] = {AUTHORITY_LEAF_LIFETIME_S, "critical,CA:FALSE", "digitalSignature,nonRepudiation", false},
};

void certified_key_done(struct certified_key *certified)
{
	if (!certified)
		return;
	EVP_PKEY_free(certified->key);
	X509_free(certified->certificate);
	*certified = (struct certified_key){0};
}

uint64_t authority_lifetime_s(enum authority_level level)
{
	return profiles[level].lifetime_s;
}

static void extension_done(X509_EXTENSION **extension)
{
	X509_EXTENSION_free(*extension);
}

static void bignum_done(BIGNUM **number)
{
	BN_free(*number);
}

static bool set_serial(X509 *certificate, struct view serial)
{
	uint8_t random[SERIAL_SIZE];
	CLEANUP(bignum_done) BIGNUM *number = NULL;

	if (serial.size == 0) {
		if (RAND_bytes(random, sizeof random) != 1)
			return false;
		serial = view_of(random, sizeof random);
	}
	number = BN_bin2bn(serial.data, (int)serial.size, NULL);
	return number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate));
}

static bool set_subject(X509 *certificate, const char *common_name)
{
	X509_NAME *name = X509_get_subject_name(certificate);

	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"Ensign simulator", -1, -1, 0) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)common_name, -1, -1, 0) == 1;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	CLEANUP(extension_done) X509_EXTENSION *extension = NULL;
	X509V3_CTX context;

	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	return extension && X509_add_ext(certificate, extension, -1) == 1;
}

static bool add_extensions(X509 *certificate, X509 *issuer, const struct profile *profile)
{
	if (!add_extension(certificate, issuer, NID_basic_constraints, profile->basic_constraints) ||
	    !add_extension(certificate, issuer, NID_key_usage, profile->key_usage))
		return false;
	if (!profile->has_key_identifiers)
		return true;
	if (!add_extension(certificate, issuer, NID_subject_key_identifier, "hash"))
		return false;
	/* AWS's root has none of itself either. */
	return issuer == certificate || add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
}

bool certified_key_make(enum authority_level level, const char *common_name, uint64_t not_before_s, struct view serial,
			const struct certified_key *issuer, struct certified_key *ret_certified, struct error *error)
{
	CLEANUP(certified_key_done) struct certified_key made = {.key = EVP_EC_gen("P-384"), .certificate = X509_new()};
	const struct certified_key *signer = issuer ? issuer : &made;
	const struct profile *profile = &profiles[level];
	X509 *certificate = made.certificate;
	bool ok;

	if (!made.key || !certificate)
		return error_set(error, ERROR_CRYPTO, "simulated authority: no key for %s", common_name);
	ok = X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate, serial) &&
	     set_subject(certificate, common_name) &&
	     X509_set_issuer_name(certificate, X509_get_subject_name(signer->certificate)) == 1 &&
	     ASN1_TIME_set(X509_getm_notBefore(certificate), (time_t)not_before_s) &&
	     ASN1_TIME_set(X509_getm_notAfter(certificate), (time_t)(not_before_s + profile->lifetime_s)) &&
	     X509_set_pubkey(certificate, made.key) == 1 && add_extensions(certificate, signer->certificate, profile) &&
	     X509_sign(certificate, signer->key, EVP_sha384()) > 0;
	if (!ok)
		return error_set(error, ERROR_CRYPTO, "simulated authority: no certificate for %s", common_name);
	*ret_certified = certified_key_take(&made);
	return true;
}

bool certificate_encode(X509 *certificate, struct buffer *ret_der, struct error *error)
{
	int size = i2d_X509(certificate, NULL);
	uint8_t *end;

	if (size <= 0)
		return error_set(error, ERROR_CRYPTO, "simulated authority: a certificate does not encode");
	buffer_reserve(ret_der, (size_t)size);
	end = ret_der->data + ret_der->size;
	if (i2d_X509(certificate, &end) != size)
		return error_set(error, ERROR_CRYPTO, "simulated authority: a certificate does not encode");
	ret_der->size += (size_t)size;
	return true;
}
