/* SPDX-License-Identifier: Apache-2.0 */
#include "client_certificate.h"

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>

#include "vectors.h"

#define HOUR_S 3600

static void set_validity(gnutls_x509_crt_t certificate, const struct client_certificate_options *options)
{
	time_t now = time(NULL);
	bool is_default = options->valid_from_s == 0 && options->valid_until_s == 0;

	(void)gnutls_x509_crt_set_activation_time(certificate, now + (is_default ? -HOUR_S : options->valid_from_s));
	(void)gnutls_x509_crt_set_expiration_time(certificate, now + (is_default ? HOUR_S : options->valid_until_s));
}

static void set_usage(gnutls_x509_crt_t certificate, const struct client_certificate_options *options)
{
	(void)gnutls_x509_crt_set_basic_constraints(certificate, options->is_ca, -1);
	(void)gnutls_x509_crt_set_key_usage(certificate, options->is_ca ? GNUTLS_KEY_KEY_CERT_SIGN : GNUTLS_KEY_DIGITAL_SIGNATURE);
	if (options->purpose)
		(void)gnutls_x509_crt_set_key_purpose_oid(certificate, options->purpose, 0);
}

void client_certificate_make(struct client_certificate *ret_certificate, const struct client_certificate_options *options)
{
	const struct client_certificate *issuer = options->issuer ? options->issuer : ret_certificate;
	gnutls_x509_crt_t certificate;
	uint8_t serial[16];

	assert_int_equal(gnutls_x509_privkey_init(&ret_certificate->key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(ret_certificate->key, GNUTLS_PK_ECDSA,
						      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
			 0);
	assert_int_equal(gnutls_x509_crt_init(&ret_certificate->certificate), 0);
	certificate = ret_certificate->certificate;
	(void)gnutls_rnd(GNUTLS_RND_NONCE, serial, sizeof serial);
	serial[0] = 1;
	(void)gnutls_x509_crt_set_version(certificate, 3);
	(void)gnutls_x509_crt_set_serial(certificate, serial, sizeof serial);
	if (options->common_name)
		assert_int_equal(gnutls_x509_crt_set_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, options->common_name,
							       (unsigned)strlen(options->common_name)),
				 0);
	set_validity(certificate, options);
	set_usage(certificate, options);
	(void)gnutls_x509_crt_set_key(certificate, ret_certificate->key);
	assert_int_equal(gnutls_x509_crt_sign2(certificate, issuer->certificate, issuer->key, GNUTLS_DIG_SHA256, 0), 0);
}

void client_certificate_done(struct client_certificate *certificate)
{
	if (certificate->certificate)
		gnutls_x509_crt_deinit(certificate->certificate);
	if (certificate->key)
		gnutls_x509_privkey_deinit(certificate->key);
	*certificate = (struct client_certificate){0};
}

static void export_as(const struct client_certificate *certificate, gnutls_x509_crt_fmt_t format, struct buffer *ret_bytes)
{
	gnutls_datum_t bytes = {NULL, 0};

	assert_int_equal(gnutls_x509_crt_export2(certificate->certificate, format, &bytes), 0);
	buffer_append(ret_bytes, view_of(bytes.data, bytes.size));
	gnutls_free(bytes.data);
}

void client_certificate_der(const struct client_certificate *certificate, struct buffer *ret_der)
{
	export_as(certificate, GNUTLS_X509_FMT_DER, ret_der);
}

void client_certificate_pem(const struct client_certificate *certificate, struct buffer *ret_pem)
{
	export_as(certificate, GNUTLS_X509_FMT_PEM, ret_pem);
}

struct known_client client_certificate_known(const struct client_certificate *certificate, const char *common_name)
{
	struct known_client client = {0};
	size_t size = sizeof client.fingerprint;

	(void)snprintf(client.common_name, sizeof client.common_name, "%s", common_name);
	assert_int_equal(gnutls_x509_crt_get_fingerprint(certificate->certificate, GNUTLS_DIG_SHA256, client.fingerprint, &size),
			 0);
	return client;
}
