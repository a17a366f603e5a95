/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <openssl/ec.h>
#include <openssl/pem.h>

#include "crypto/cbor_writer.h"
#include "crypto/cose.h"
#include "image/eif_sign.h"

#define HOUR_S 3600
#define NOW_MS UINT64_C(1800000000000)

static EVP_PKEY *key, *other_key;
static X509 *certificate;
static const uint8_t pcr0[NSM_PCR_SIZE] = {1, 2, 3, 255};

/* Valid for an hour around NOW_MS. */
static X509 *make_certificate(EVP_PKEY *of)
{
	X509 *made = X509_new();
	X509_NAME *name = X509_get_subject_name(made);

	assert_int_equal(X509_set_version(made, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(made), 1), 1);
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"signer", -1, -1, 0), 1);
	assert_int_equal(X509_set_issuer_name(made, name), 1);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(made), (time_t)(NOW_MS / 1000) - HOUR_S));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(made), (time_t)(NOW_MS / 1000) + HOUR_S));
	assert_int_equal(X509_set_pubkey(made, of), 1);
	assert_true(X509_sign(made, of, EVP_sha384()) > 0);
	return made;
}

static int group_setup(void **state)
{
	(void)state;
	key = EVP_EC_gen("P-384");
	other_key = EVP_EC_gen("P-384");
	certificate = make_certificate(key);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	X509_free(certificate);
	EVP_PKEY_free(other_key);
	EVP_PKEY_free(key);
	return 0;
}

static struct buffer sign(void)
{
	struct buffer section = {0};
	struct error error = {0};

	assert_ok(eif_signature_write(pcr0, certificate, key, NOW_MS, &section, &error), &error);
	return section;
}

static void round_trip(void **state)
{
	AUTO_EIF_SIGNATURE struct eif_signature signature = {0};
	AUTO_BUFFER struct buffer section = sign();
	unsigned char *der = NULL;
	int size = i2d_X509(certificate, &der);
	struct error error = {0};

	(void)state;
	/* [{"signing_certificate": [45, 45, …: numbers, not a byte string. */
	assert_memory_equal(section.data, "\x81\xa2\x73signing_certificate\x99", 23);
	assert_memory_equal(section.data + 25,
			    "\x18-\x18-\x18-\x18-\x18-\x18"
			    "B\x18"
			    "E",
			    14);
	assert_ok(eif_signature_read(buffer_view(&section), &signature, &error), &error);
	assert_true(view_equal(buffer_view(&signature.certificate_der), view_of(der, (size_t)size)));
	assert_ok(eif_signature_verify(&signature, pcr0, NOW_MS, &error), &error);
	OPENSSL_free(der);
}

static void assert_fails(const struct eif_signature *signature, const uint8_t pcr[NSM_PCR_SIZE], uint64_t at_ms,
			 const char *message)
{
	struct error error = {0};

	assert_false(eif_signature_verify(signature, pcr, at_ms, &error));
	assert_int_equal(error.code, ERROR_CRYPTO);
	assert_message_contains(&error, message);
}

static void is_of_one_image_and_one_time(void **state)
{
	static const uint8_t other[NSM_PCR_SIZE] = {1, 2, 3, 254};
	AUTO_EIF_SIGNATURE struct eif_signature signature = {0};
	AUTO_BUFFER struct buffer section = sign();
	struct error error = {0};

	(void)state;
	assert_ok(eif_signature_read(buffer_view(&section), &signature, &error), &error);
	assert_fails(&signature, other, NOW_MS, "another image");
	assert_fails(&signature, pcr0, NOW_MS + UINT64_C(2000) * HOUR_S, "expired");
	assert_fails(&signature, pcr0, NOW_MS - UINT64_C(2000) * HOUR_S, "not valid yet");
	signature.cose.data[signature.cose.size - 1] ^= 1;
	assert_fails(&signature, pcr0, NOW_MS, "does not verify");
}

/* A section of a payload, signed with a key, beside the good certificate; either may be bent before. */
static struct buffer section_of(struct view payload, EVP_PKEY *with)
{
	AUTO_BUFFER struct buffer cose = {0};
	BIO *pem = BIO_new(BIO_s_mem());
	struct buffer section = {0};
	struct error error = {0};
	char *text = NULL;
	long size;

	assert_ok(cose_sign1_sign(payload, with, &cose, &error), &error);
	assert_int_equal(PEM_write_bio_X509(pem, certificate), 1);
	size = BIO_get_mem_data(pem, &text);
	cbor_append_array(&section, 1);
	cbor_append_map(&section, 2);
	/* The other way round than we write them. */
	cbor_append_name(&section, "signature");
	cbor_append_array(&section, cose.size);
	for (size_t i = 0; i < cose.size; i++)
		cbor_append_uint(&section, cose.data[i]);
	cbor_append_name(&section, "signing_certificate");
	cbor_append_array(&section, (size_t)size);
	for (long i = 0; i < size; i++)
		cbor_append_uint(&section, (uint8_t)text[i]);
	(void)BIO_free(pem);
	return section;
}

static void payload(struct buffer *ret_payload, const char *index_name, uint64_t index, size_t value_size)
{
	cbor_append_map(ret_payload, 2);
	cbor_append_name(ret_payload, "register_value");
	cbor_append_array(ret_payload, value_size);
	for (size_t i = 0; i < value_size; i++)
		cbor_append_uint(ret_payload, pcr0[i]);
	cbor_append_name(ret_payload, index_name);
	cbor_append_uint(ret_payload, index);
}

static void judges_the_payload(void **state)
{
	static const struct {
		const char *index_name;
		uint64_t index;
		size_t value_size;
		enum error_code code;
		const char *message;
	} cases[] = {
		{"register_index", 0, NSM_PCR_SIZE, ERROR_NONE, ""},
		{"register_index", 8, NSM_PCR_SIZE, ERROR_CRYPTO, "PCR8"},
		{"register_index", 0, NSM_PCR_SIZE - 1, ERROR_CRYPTO, "another image"},
		{"register_index", 32, NSM_PCR_SIZE, ERROR_INPUT, "register_index: larger"},
		{"register_index", 0, 0, ERROR_INPUT, "register_value: empty"},
		{"register_value", 0, NSM_PCR_SIZE, ERROR_INPUT, "register_value: there twice"},
		{"index", 0, NSM_PCR_SIZE, ERROR_INPUT, "payload: index: unknown"},
	};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_EIF_SIGNATURE struct eif_signature signature = {0};
		AUTO_BUFFER struct buffer signed_bytes = {0};
		AUTO_BUFFER struct buffer section = {0};

		payload(&signed_bytes, cases[i].index_name, cases[i].index, cases[i].value_size);
		section = section_of(buffer_view(&signed_bytes), key);
		assert_ok(eif_signature_read(buffer_view(&section), &signature, &error), &error);
		error = (struct error){0};
		assert_int_equal(eif_signature_verify(&signature, pcr0, NOW_MS, &error), cases[i].code == ERROR_NONE);
		assert_int_equal(error.code, cases[i].code);
		assert_message_contains(&error, cases[i].message);
	}
}

static void is_by_the_certificates_key(void **state)
{
	AUTO_EIF_SIGNATURE struct eif_signature signature = {0};
	AUTO_BUFFER struct buffer signed_bytes = {0};
	AUTO_BUFFER struct buffer section = {0};
	struct error error = {0};

	(void)state;
	payload(&signed_bytes, "register_index", 0, NSM_PCR_SIZE);
	section = section_of(buffer_view(&signed_bytes), other_key);
	assert_ok(eif_signature_read(buffer_view(&section), &signature, &error), &error);
	assert_fails(&signature, pcr0, NOW_MS, "does not verify");
}

static void refuses_to_sign(void **state)
{
	EVP_PKEY *p256 = EVP_EC_gen("P-256");
	X509 *of_p256 = make_certificate(p256);
	AUTO_BUFFER struct buffer section = {0};
	struct error error = {0};

	(void)state;
	assert_false(eif_signature_write(pcr0, certificate, other_key, NOW_MS, &section, &error));
	assert_message_contains(&error, "not the certificate's");
	assert_false(eif_signature_write(pcr0, of_p256, p256, NOW_MS, &section, &error));
	assert_message_contains(&error, "P-384");
	assert_false(eif_signature_write(pcr0, certificate, key, NOW_MS * 2, &section, &error));
	assert_message_contains(&error, "expired");
	assert_int_equal(error.code, ERROR_INPUT);
	assert_int_equal(section.size, 0);
	X509_free(of_p256);
	EVP_PKEY_free(p256);
}

static void assert_malformed(struct view section, const char *message)
{
	AUTO_EIF_SIGNATURE struct eif_signature signature = {0};
	struct error error = {0};

	assert_false(eif_signature_read(section, &signature, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
	assert_null(signature.certificate);
}

static void refuses_what_is_malformed(void **state)
{
	static const struct {
		const char *hex;
		const char *message;
	} cases[] = {
		{"", "signatures: the CBOR is cut short"},
		{"a0", "signatures: not an array"},
		{"80", "not an array of exactly one"},
		{"82", "signatures: more than 1"},
		{"9fa0ff", "not an array of exactly one"},
		{"81a1", "signatures[0]: not a map of 2"},
		{"81bf", "signatures[0]: not a map of 2"},
		{"81a26178", "signatures[0]: x: unknown"},
		{"81a2697369676e617475726580", "signature: empty"},
		{"81a2697369676e617475726540", "signature: not an array"},
		{"81a2697369676e617475726581190100", "signature: larger than 255"},
		{"81a2697369676e61747572658120", "signature: not an unsigned integer"},
		{"81a2697369676e61747572659b7fffffffffffffff", "signature: more than 20480 entries"},
		{"81a2697369676e61747572658101697369676e61747572658101", "signature: there twice"},
		{"81a2697369676e61747572658101737369676e696e675f63657274696669636174658101", "signing_certificate: no certificate"},
	};
	AUTO_BUFFER struct buffer good = sign();
	AUTO_BUFFER struct buffer large = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes = unhex(cases[i].hex);

		assert_malformed(buffer_view(&bytes), cases[i].message);
	}
	for (size_t size = 0; size < good.size; size++)
		assert_malformed(view_of(good.data, size), "");
	buffer_append_byte(&good, 0);
	assert_malformed(buffer_view(&good), "1 bytes behind the end");
	buffer_reserve(&large, EIF_SIGNATURE_MAX_SIZE + 1);
	memset(large.data, 0, EIF_SIGNATURE_MAX_SIZE + 1);
	assert_malformed(view_of(large.data, EIF_SIGNATURE_MAX_SIZE + 1), "larger than 32768");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(round_trip),         cmocka_unit_test(is_of_one_image_and_one_time),
		cmocka_unit_test(judges_the_payload), cmocka_unit_test(is_by_the_certificates_key),
		cmocka_unit_test(refuses_to_sign),    cmocka_unit_test(refuses_what_is_malformed),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
