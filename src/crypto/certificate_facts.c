/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/certificate_facts.h"

#include <arpa/inet.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "crypto/x509_cleanup.h"

static void names_done(GENERAL_NAMES **names)
{
	GENERAL_NAMES_free(*names);
}

void certificate_facts_done(struct certificate_facts *facts)
{
	for (size_t i = 0; i < facts->name_count; i++)
		free(facts->names[i]);
	free(facts->issuer);
	*facts = (struct certificate_facts){0};
}

static bool fail(struct error *error, const char *message)
{
	ERR_clear_error();
	return error_set(error, ERROR_INPUT, "certificate: %s", message);
}

static X509 *read_first(struct view pem)
{
	BIO *bio = pem.size <= TLS_IDENTITY_CHAIN_MAX_SIZE ? BIO_new_mem_buf(pem.data, (int)pem.size) : NULL;
	X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, NULL, NULL) : NULL;

	(void)BIO_free(bio);
	return certificate;
}

static char *text_of_address(const ASN1_OCTET_STRING *address)
{
	char text[INET6_ADDRSTRLEN];
	int size = ASN1_STRING_length(address);

	if ((size != 4 && size != 16) ||
	    !inet_ntop(size == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text))
		return NULL;
	return memory_copy_text(text);
}

static char *text_of_name(const GENERAL_NAME *name)
{
	int type;
	const void *value = GENERAL_NAME_get0_value(name, &type);

	if (type == GEN_IPADD)
		return text_of_address(value);
	if (type != GEN_DNS)
		return NULL;
	return memory_format("%.*s", ASN1_STRING_length(value), (const char *)ASN1_STRING_get0_data(value));
}

static void read_names(X509 *certificate, struct certificate_facts *facts)
{
	CLEANUP(names_done) GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names) && facts->name_count < TLS_IDENTITY_NAMES_MAX; i++) {
		char *text = text_of_name(sk_GENERAL_NAME_value(names, i));

		if (text)
			facts->names[facts->name_count++] = text;
	}
}

static bool read_issuer(X509 *certificate, struct certificate_facts *facts)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text = NULL;
	long size;

	if (!bio || X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0, XN_FLAG_RFC2253) < 0) {
		(void)BIO_free(bio);
		return false;
	}
	size = BIO_get_mem_data(bio, &text);
	facts->issuer = memory_format("%.*s", (int)size, text);
	(void)BIO_free(bio);
	return true;
}

static bool read_time(const ASN1_TIME *time, int64_t *ret_s)
{
	struct tm parts;

	if (ASN1_TIME_to_tm(time, &parts) != 1)
		return false;
	*ret_s = timegm(&parts);
	return true;
}

static bool read_digests(X509 *certificate, struct certificate_facts *facts)
{
	unsigned char *spki = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &spki);
	bool ok = size > 0 && EVP_Digest(spki, (size_t)size, facts->public_key_sha256, NULL, EVP_sha256(), NULL) == 1;

	OPENSSL_free(spki);
	return ok && X509_digest(certificate, EVP_sha256(), facts->certificate_sha256, NULL) == 1;
}

bool certificate_facts_read(struct view chain_pem, struct certificate_facts *ret_facts, struct error *error)
{
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	AUTO_X509 X509 *certificate = read_first(chain_pem);

	if (!certificate)
		return fail(error, "none in PEM");
	read_names(certificate, &facts);
	if (!read_issuer(certificate, &facts) || !read_time(X509_get0_notBefore(certificate), &facts.not_before_s) ||
	    !read_time(X509_get0_notAfter(certificate), &facts.not_after_s) || !read_digests(certificate, &facts))
		return fail(error, "cannot be read");
	ERR_clear_error();
	*ret_facts = facts;
	facts = (struct certificate_facts){0};
	return true;
}
