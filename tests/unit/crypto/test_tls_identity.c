/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <arpa/inet.h>
#include <malloc.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "crypto/openssl_memory.h"
#include "crypto/tls_identity.h"
#include "crypto/tls_identity_parts.h"

/* KMS Encrypt takes this much plaintext. */
#define KMS_PLAINTEXT_MAX 4096

static const char *const NAMES[] = {"signer.example.org", "*.signers.example.org", "localhost", "127.0.0.1", "10.1.2.3", "::1"};

/*
 * Every free() of the libraries under test, and through openssl_use_wiping_memory() every one of OpenSSL, comes through
 * here (ld --wrap): a block that still holds `needle` is a copy of the private key left on the heap.
 */
static uint8_t needle[32];
static bool needle_known;
static unsigned leaked_copies;

void __real_free(void *memory);
void __wrap_free(void *memory);

void __wrap_free(void *memory)
{
	if (memory && needle_known && memmem(memory, malloc_usable_size(memory), needle, sizeof needle))
		leaked_copies++;
	__real_free(memory);
}

static int prepare(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

static void create(struct tls_identity *ret_identity, struct buffer *ret_ca)
{
	struct error error = {0};

	assert_ok(tls_identity_create("signer.example.org", NAMES, ARRAY_SIZE(NAMES), 365, ret_identity, ret_ca, &error), &error);
	assert_int_equal(ERR_peek_error(), 0);
}

static STACK_OF(X509) * certificates_of(const struct buffer *pem)
{
	STACK_OF(X509) *list = sk_X509_new_null();
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	X509 *certificate;

	while ((certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)))
		assert_true(sk_X509_push(list, certificate) > 0);
	ERR_clear_error();
	BIO_free(bio);
	return list;
}

static EVP_PKEY *key_of(const struct tls_identity *identity)
{
	const unsigned char *next = identity->key.data;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &next, (long)identity->key.size);
	EVP_PKEY *key;

	assert_non_null(info);
	assert_ptr_equal(next, identity->key.data + identity->key.size);
	key = EVP_PKCS82PKEY(info);
	PKCS8_PRIV_KEY_INFO_free(info);
	assert_non_null(key);
	return key;
}

/* As a TLS client checks: X509_V_OK or the reason. */
static int verify(X509 *leaf, const struct buffer *ca_pem, const char *host, const char *address)
{
	AUTO_X509_STACK STACK_OF(X509) *roots = certificates_of(ca_pem);
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	X509_VERIFY_PARAM *parameters;
	int result;

	assert_int_equal(sk_X509_num(roots), 1);
	assert_int_equal(X509_STORE_add_cert(store, sk_X509_value(roots, 0)), 1);
	assert_int_equal(X509_STORE_CTX_init(context, store, leaf, NULL), 1);
	parameters = X509_STORE_CTX_get0_param(context);
	assert_int_equal(X509_VERIFY_PARAM_set_purpose(parameters, X509_PURPOSE_SSL_SERVER), 1);
	X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT);
	if (host)
		assert_int_equal(X509_VERIFY_PARAM_set1_host(parameters, host, 0), 1);
	if (address)
		assert_int_equal(X509_VERIFY_PARAM_set1_ip_asc(parameters, address), 1);
	result = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
	X509_STORE_CTX_free(context);
	X509_STORE_free(store);
	ERR_clear_error();
	return result;
}

static void clients_accept_the_leaf_for_its_names(void **state)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca = {0};
	AUTO_TLS_IDENTITY struct tls_identity other = {0};
	AUTO_BUFFER struct buffer other_ca = {0};
	AUTO_X509_STACK STACK_OF(X509) *chain = NULL;
	X509 *leaf;

	(void)state;
	create(&identity, &ca);
	create(&other, &other_ca);
	chain = certificates_of(&identity.chain);
	assert_int_equal(sk_X509_num(chain), 2);
	leaf = sk_X509_value(chain, 0);
	assert_int_equal(verify(leaf, &ca, "signer.example.org", NULL), X509_V_OK);
	assert_int_equal(verify(leaf, &ca, "a.signers.example.org", NULL), X509_V_OK);
	assert_int_equal(verify(leaf, &ca, "localhost", NULL), X509_V_OK);
	assert_int_equal(verify(leaf, &ca, NULL, "127.0.0.1"), X509_V_OK);
	assert_int_equal(verify(leaf, &ca, NULL, "10.1.2.3"), X509_V_OK);
	assert_int_equal(verify(leaf, &ca, NULL, "::1"), X509_V_OK);
	assert_int_equal(verify(leaf, &ca, "example.org", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_equal(verify(leaf, &ca, NULL, "10.1.2.4"), X509_V_ERR_IP_ADDRESS_MISMATCH);
	assert_int_not_equal(verify(leaf, &other_ca, "localhost", NULL), X509_V_OK);
}

static void the_chain_is_leaf_then_ca(void **state)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca = {0};
	AUTO_X509_STACK STACK_OF(X509) *chain = NULL;
	AUTO_X509_STACK STACK_OF(X509) *roots = NULL;
	AUTO_PKEY EVP_PKEY *key = NULL;
	char group[32] = "";

	(void)state;
	create(&identity, &ca);
	chain = certificates_of(&identity.chain);
	roots = certificates_of(&ca);
	key = key_of(&identity);
	assert_int_equal(X509_check_private_key(sk_X509_value(chain, 0), key), 1);
	assert_int_equal(EVP_PKEY_get_group_name(key, group, sizeof group, NULL), 1);
	assert_string_equal(group, "prime256v1");
	assert_int_equal(X509_cmp(sk_X509_value(chain, 1), sk_X509_value(roots, 0)), 0);
	/* The CA's key is another one, and it is nowhere. */
	assert_int_equal(X509_check_private_key(sk_X509_value(chain, 1), key), 0);
	ERR_clear_error();
}

static void certificates_have_the_right_contents(void **state)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca_pem = {0};
	AUTO_X509_STACK STACK_OF(X509) *chain = NULL;
	time_t now = (time_t)(clock_realtime_ms() / 1000);
	X509 *leaf;
	X509 *ca;
	char name[64];

	(void)state;
	create(&identity, &ca_pem);
	chain = certificates_of(&identity.chain);
	leaf = sk_X509_value(chain, 0);
	ca = sk_X509_value(chain, 1);
	assert_int_equal(X509_check_ca(ca), 1);
	assert_int_equal(X509_get_pathlen(ca), 0);
	assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
	assert_int_equal(X509_check_ca(leaf), 0);
	assert_int_equal(X509_get_key_usage(leaf), KU_DIGITAL_SIGNATURE);
	assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER);
	assert_non_null(X509_get0_subject_key_id(leaf));
	assert_int_equal(ASN1_OCTET_STRING_cmp(X509_get0_authority_key_id(leaf), X509_get0_subject_key_id(ca)), 0);
	assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(leaf), NID_commonName, name, sizeof name) > 0);
	assert_string_equal(name, "signer.example.org");
	for (int i = 0; i < 2; i++) {
		X509 *certificate = sk_X509_value(chain, i);
		const ASN1_INTEGER *serial = X509_get0_serialNumber(certificate);
		time_t hour_ago = now - 3600;
		time_t later = now + 365 * 86400;

		assert_int_equal(X509_get_version(certificate), X509_VERSION_3);
		assert_in_range(ASN1_STRING_length(serial), 12, 16);
		assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER);
		assert_true(ASN1_TIME_cmp_time_t(X509_get0_notBefore(certificate), hour_ago - 5) >= 0);
		assert_true(ASN1_TIME_cmp_time_t(X509_get0_notBefore(certificate), hour_ago + 60) <= 0);
		assert_true(ASN1_TIME_cmp_time_t(X509_get0_notAfter(certificate), later - 5) >= 0);
		assert_true(ASN1_TIME_cmp_time_t(X509_get0_notAfter(certificate), later + 60) <= 0);
	}
	assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(leaf), X509_get0_serialNumber(ca)), 0);
}

static void refuses_bad_requests(void **state)
{
	static const char long_label[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org"; /* 64 */
	static const char *const bad_names[] = {
		"",  ".",       "a..b",   "a.",        "-a.org", "a-.org",  "a b",          "a,DNS:b",  "a/b",
		"*", "a.*.org", "*a.org", "1.2.3.4/8", "::1::",  "a_b.org", "b\xc3\xbc.de", long_label, "https://a.org"};
	const char *too_many[TLS_IDENTITY_NAMES_MAX + 1];
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca = {0};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_names); i++) {
		const char *names[] = {"good.org", bad_names[i]};

		memset(&error, 0, sizeof error);
		assert_false(tls_identity_create("name", names, 2, 1, &identity, &ca, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "names[1]: neither a DNS name nor an IP address");
	}
	for (size_t i = 0; i < ARRAY_SIZE(too_many); i++)
		too_many[i] = "a.org";
	assert_false(tls_identity_create("name", too_many, ARRAY_SIZE(too_many), 1, &identity, &ca, &error));
	assert_message_contains(&error, "names: 33 given");
	assert_false(tls_identity_create("name", NAMES, 0, 1, &identity, &ca, &error));
	assert_message_contains(&error, "names: 0 given");
	assert_false(tls_identity_create("", NAMES, 1, 1, &identity, &ca, &error));
	assert_message_contains(&error, "common_name");
	assert_false(tls_identity_create(long_label, NAMES, 1, 1, &identity, &ca, &error));
	assert_message_contains(&error, "common_name");
	assert_false(tls_identity_create("\xff\xfe", NAMES, 1, 1, &identity, &ca, &error));
	assert_message_contains(&error, "common_name");
	assert_false(tls_identity_create("name", NAMES, 1, 0, &identity, &ca, &error));
	assert_message_contains(&error, "days");
	assert_false(tls_identity_create("name", NAMES, 1, 40000, &identity, &ca, &error));
	assert_message_contains(&error, "days");
	assert_null(identity.key.data);
	assert_int_equal(ca.size, 0);
	assert_int_equal(ERR_peek_error(), 0);
}

static void survives_pkcs12(void **state)
{
	static const char *const passwords[] = {"", "correct horse battery staple", "p\xc3\xa4ss\xf0\x9f\x94\x91"};
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca = {0};

	(void)state;
	create(&identity, &ca);
	for (size_t i = 0; i < ARRAY_SIZE(passwords); i++) {
		AUTO_TLS_IDENTITY struct tls_identity again = {0};
		AUTO_BUFFER struct buffer der = {0};
		struct error error = {0};

		assert_ok(tls_identity_to_pkcs12(&identity, view_of_text(passwords[i]), &der, &error), &error);
		assert_ok(tls_identity_from_pkcs12(buffer_view(&der), view_of_text(passwords[i]), &again, &error), &error);
		assert_true(view_equal(secret_view(&again.key), secret_view(&identity.key)));
		assert_true(view_equal(buffer_view(&again.chain), buffer_view(&identity.chain)));
		assert_false(tls_identity_from_pkcs12(buffer_view(&der), view_of_text("wrong"), &again, &error));
		assert_int_equal(error.code, ERROR_CRYPTO);
		assert_message_contains(&error, "does not open with this password");
		assert_int_equal(ERR_peek_error(), 0);
	}
}

static void uses_aes_and_sha256(void **state)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca = {0};
	AUTO_BUFFER struct buffer der = {0};
	AUTO_BUFFER struct buffer aes_256_cbc = unhex("060960864801650304012a");
	AUTO_BUFFER struct buffer sha_256 = unhex("0609608648016503040201");
	AUTO_BUFFER struct buffer pbkdf2 = unhex("06092a864886f70d01050c");
	struct buffer *wanted[] = {&aes_256_cbc, &sha_256, &pbkdf2};
	struct error error = {0};

	(void)state;
	create(&identity, &ca);
	assert_ok(tls_identity_to_pkcs12(&identity, view_of_text("password"), &der, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		assert_non_null(memmem(der.data, der.size, wanted[i]->data, wanted[i]->size));
}

/* {"tls_password_b64","tls_keystore_b64"} goes through KMS Encrypt in one piece. */
static void fits_into_a_kms_plaintext(void **state)
{
	static const char *const names[] = {"ensign-signer-0.validators.eu-central-1.compute.internal", "localhost", "127.0.0.1",
					    "10.100.200.30", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"};
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca = {0};
	AUTO_BUFFER struct buffer der = {0};
	AUTO_BUFFER struct buffer json = {0};
	uint8_t password[44];
	struct error error = {0};

	(void)state;
	memset(password, 'x', sizeof password);
	assert_ok(tls_identity_create("ensign-signer-0.validators.eu-central-1.compute.internal", names, ARRAY_SIZE(names), 3650,
				      &identity, &ca, &error),
		  &error);
	assert_ok(tls_identity_to_pkcs12(&identity, view_of(password, sizeof password), &der, &error), &error);
	buffer_append_text(&json, "{\"tls_password_b64\":\"");
	base64_encode(view_of(password, sizeof password), &json);
	buffer_append_text(&json, "\",\"tls_keystore_b64\":\"");
	base64_encode(buffer_view(&der), &json);
	buffer_append_text(&json, "\"}");
	print_message("%zu bytes of PKCS#12, %zu of JSON\n", der.size, json.size);
	assert_true(json.size <= KMS_PLAINTEXT_MAX);
}

static struct buffer pkcs12_of(EVP_PKEY *key, X509 *leaf, STACK_OF(X509) * others)
{
	PKCS12 *store = PKCS12_create("password", "friendly", key, leaf, others, 0, 0, 0, 0, 0);
	struct buffer der = {0};
	unsigned char *bytes = NULL;
	int size;

	assert_non_null(store);
	size = i2d_PKCS12(store, &bytes);
	assert_true(size > 0);
	buffer_append(&der, view_of(bytes, (size_t)size));
	OPENSSL_free(bytes);
	PKCS12_free(store);
	return der;
}

static X509 *self_signed(EVP_PKEY *key, const char *common_name)
{
	X509 *certificate = X509_new();

	assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, (const unsigned char *)common_name, -1,
				   -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	X509_set_pubkey(certificate, key);
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	return certificate;
}

static void assert_from_pkcs12(const struct buffer *der, enum error_code code, const char *message)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	struct error error = {0};
	bool opened = tls_identity_from_pkcs12(buffer_view(der), view_of_text("password"), &identity, &error);

	assert_int_equal(ERR_peek_error(), 0);
	if (code == ERROR_NONE) {
		assert_ok(opened, &error);
		return;
	}
	assert_false(opened);
	assert_int_equal(error.code, code);
	assert_message_contains(&error, message);
	assert_null(identity.key.data);
}

static void opens_rsa_but_not_weak_or_other_keys(void **state)
{
	struct {
		EVP_PKEY *key;
		enum error_code code;
		const char *message;
	} cases[] = {
		{EVP_RSA_gen(2048), ERROR_NONE, ""},
		{EVP_EC_gen("P-384"), ERROR_NONE, ""},
		{EVP_RSA_gen(1024), ERROR_INPUT, "less than 2048 bits"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_X509 X509 *leaf = self_signed(cases[i].key, "leaf");
		AUTO_BUFFER struct buffer der = pkcs12_of(cases[i].key, leaf, NULL);

		assert_from_pkcs12(&der, cases[i].code, cases[i].message);
		evp_pkey_done(&cases[i].key);
	}
}

/* The others come in any order and with strangers among them. */
static void puts_the_chain_in_order(void **state)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_TLS_IDENTITY struct tls_identity opened = {0};
	AUTO_BUFFER struct buffer ca = {0};
	AUTO_BUFFER struct buffer der = {0};
	AUTO_X509_STACK STACK_OF(X509) *chain = NULL;
	AUTO_X509_STACK STACK_OF(X509) *others = sk_X509_new_null();
	AUTO_PKEY EVP_PKEY *stranger_key = EVP_EC_gen("P-256");
	AUTO_PKEY EVP_PKEY *key = NULL;
	struct error error = {0};

	(void)state;
	create(&identity, &ca);
	chain = certificates_of(&identity.chain);
	key = key_of(&identity);
	sk_X509_push(others, self_signed(stranger_key, "stranger"));
	sk_X509_push(others, X509_dup(sk_X509_value(chain, 1)));
	sk_X509_push(others, self_signed(stranger_key, "another stranger"));
	der = pkcs12_of(key, sk_X509_value(chain, 0), others);
	assert_ok(tls_identity_from_pkcs12(buffer_view(&der), view_of_text("password"), &opened, &error), &error);
	assert_true(view_equal(buffer_view(&opened.chain), buffer_view(&identity.chain)));
}

static void refuses_stores_without_a_pair(void **state)
{
	AUTO_PKEY EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO_PKEY EVP_PKEY *other_key = EVP_EC_gen("P-256");
	AUTO_X509 X509 *certificate = self_signed(key, "leaf");
	AUTO_X509_STACK STACK_OF(X509) *others = sk_X509_new_null();
	AUTO_BUFFER struct buffer key_only = pkcs12_of(key, NULL, NULL);
	AUTO_BUFFER struct buffer certificate_only = pkcs12_of(NULL, certificate, NULL);
	AUTO_BUFFER struct buffer of_another = {0};

	(void)state;
	sk_X509_push(others, X509_dup(certificate));
	of_another = pkcs12_of(other_key, NULL, others);
	assert_from_pkcs12(&key_only, ERROR_INPUT, "does not hold a private key and its certificate");
	assert_from_pkcs12(&certificate_only, ERROR_INPUT, "does not hold a private key and its certificate");
	assert_from_pkcs12(&of_another, ERROR_INPUT, "does not hold a private key and its certificate");
}

/* ---- PEM ---- */

enum key_form { PKCS8, TRADITIONAL, WITH_PARAMETERS, ENCRYPTED };

static void append_key_pem(EVP_PKEY *key, enum key_form form, struct buffer *ret_pem)
{
	static const char parameters[] = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	long size;

	if (form == WITH_PARAMETERS)
		buffer_append_text(ret_pem, parameters);
	if (form == PKCS8)
		assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	else if (form == ENCRYPTED)
		assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "password", 8, NULL, NULL), 1);
	else
		assert_int_equal(PEM_write_bio_PrivateKey_traditional(bio, key, NULL, NULL, 0, NULL, NULL), 1);
	size = BIO_get_mem_data(bio, &text);
	buffer_append(ret_pem, view_of(text, (size_t)size));
	BIO_free(bio);
}

static void append_certificate_pem(X509 *certificate, struct buffer *ret_pem)
{
	struct error error;

	assert_ok(tls_identity_append_pem(certificate, ret_pem, &error), &error);
}

static void reads_keys_in_every_form(void **state)
{
	static const enum key_form forms[] = {PKCS8, TRADITIONAL, WITH_PARAMETERS};
	EVP_PKEY *keys[] = {EVP_EC_gen("P-256"), EVP_RSA_gen(2048)};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys) * ARRAY_SIZE(forms); i++) {
		EVP_PKEY *key = keys[i % 2];
		AUTO_X509 X509 *leaf = self_signed(key, "leaf");
		AUTO_TLS_IDENTITY struct tls_identity identity = {0};
		AUTO_BUFFER struct buffer key_pem = {0};
		AUTO_BUFFER struct buffer chain = {0};
		AUTO_PKEY EVP_PKEY *again = NULL;
		AUTO_SECRET struct secret written = {0};
		AUTO_TLS_IDENTITY struct tls_identity reread = {0};
		struct error error = {0};

		append_key_pem(key, forms[i / 2], &key_pem);
		append_certificate_pem(leaf, &chain);
		assert_ok(tls_identity_from_pem(buffer_view(&key_pem), buffer_view(&chain), &identity, &error), &error);
		assert_int_equal(ERR_peek_error(), 0);
		again = key_of(&identity);
		assert_int_equal(EVP_PKEY_eq(again, key), 1);
		assert_true(view_equal(buffer_view(&identity.chain), buffer_view(&chain)));
		/* and written it is the same */
		assert_ok(tls_identity_key_to_pem(&identity, &written, &error), &error);
		assert_ok(tls_identity_from_pem(secret_view(&written), buffer_view(&chain), &reread, &error), &error);
		assert_true(secret_equal(secret_view(&reread.key), secret_view(&identity.key)));
		buffer_clear(&chain);
		assert_ok(tls_identity_anchor(&identity, &chain, &error), &error);
		assert_true(view_equal(buffer_view(&identity.chain), buffer_view(&chain)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		evp_pkey_done(&keys[i]);
}

/* As from PKCS#12, whatever comes first in the file and whatever else is in it. */
static void puts_certificates_in_order(void **state)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_TLS_IDENTITY struct tls_identity opened = {0};
	AUTO_BUFFER struct buffer ca = {0};
	AUTO_BUFFER struct buffer key_pem = {0};
	AUTO_BUFFER struct buffer certificates = {0};
	AUTO_X509_STACK STACK_OF(X509) *chain = NULL;
	AUTO_PKEY EVP_PKEY *stranger_key = EVP_EC_gen("P-256");
	AUTO_X509 X509 *stranger = self_signed(stranger_key, "stranger");
	AUTO_PKEY EVP_PKEY *key = NULL;
	struct error error = {0};

	(void)state;
	create(&identity, &ca);
	chain = certificates_of(&identity.chain);
	key = key_of(&identity);
	append_key_pem(key, PKCS8, &key_pem);
	buffer_append_text(&certificates, "comments may stand between\n");
	append_certificate_pem(sk_X509_value(chain, 1), &certificates);
	append_certificate_pem(stranger, &certificates);
	append_certificate_pem(sk_X509_value(chain, 0), &certificates);
	assert_ok(tls_identity_from_pem(buffer_view(&key_pem), buffer_view(&certificates), &opened, &error), &error);
	assert_true(view_equal(buffer_view(&opened.chain), buffer_view(&identity.chain)));
	assert_true(secret_equal(secret_view(&opened.key), secret_view(&identity.key)));
}

static void refuses_pem_that_is_no_identity(void **state)
{
	AUTO_PKEY EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO_PKEY EVP_PKEY *weak = EVP_RSA_gen(1024);
	AUTO_PKEY EVP_PKEY *odd = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	AUTO_X509 X509 *leaf = self_signed(key, "leaf");
	AUTO_X509 X509 *weak_leaf = self_signed(weak, "weak");
	AUTO_BUFFER struct buffer good_key = {0}, good = {0}, weak_key = {0}, weak_chain = {0}, odd_key = {0}, encrypted = {0};
	AUTO_BUFFER struct buffer torn = {0}, large = {0};

	(void)state;
	append_key_pem(key, PKCS8, &good_key);
	append_key_pem(key, ENCRYPTED, &encrypted);
	append_key_pem(weak, PKCS8, &weak_key);
	append_key_pem(odd, PKCS8, &odd_key);
	append_certificate_pem(leaf, &good);
	append_certificate_pem(weak_leaf, &weak_chain);
	buffer_append(&torn, buffer_view(&good));
	buffer_append_text(&torn, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	while (large.size <= TLS_IDENTITY_CHAIN_MAX_SIZE)
		buffer_append_byte(&large, '\n');
	{
		const struct {
			const struct buffer *key, *chain;
			const char *message;
		} cases[] = {
			{&weak_key, &weak_chain, "less than 2048 bits"},
			{&weak_key, &good, "none of the certificates"},
			{&odd_key, &good, "none of the certificates"},
			{&encrypted, &good, "is encrypted"},
			{&good, &good, "no private key"},
			{&good_key, &good_key, "no certificate"},
			{&good_key, &torn, "cannot be read"},
			{&good_key, &large, "too large"},
			{&large, &good, "too large"},
			{&(struct buffer){0}, &good, "no private key"},
			{&good_key, &(struct buffer){0}, "no certificate"},
		};

		for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
			AUTO_TLS_IDENTITY struct tls_identity identity = {0};
			struct error error = {0};

			assert_false(
				tls_identity_from_pem(buffer_view(cases[i].key), buffer_view(cases[i].chain), &identity, &error));
			assert_int_equal(ERR_peek_error(), 0);
			assert_int_equal(error.code, ERROR_INPUT);
			assert_message_contains(&error, cases[i].message);
		}
	}
}

static void refuses_malformed_stores(void **state)
{
	AUTO_PKEY EVP_PKEY *key = EVP_EC_gen("P-256");
	AUTO_X509 X509 *certificate = self_signed(key, "leaf");
	AUTO_BUFFER struct buffer der = pkcs12_of(key, certificate, NULL);
	AUTO_BUFFER struct buffer large = {0};
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	struct error error = {0};
	size_t size = der.size;

	(void)state;
	for (der.size = 0; der.size < size; der.size += 13)
		assert_from_pkcs12(&der, ERROR_INPUT, "not a PKCS#12 file");
	der.size = size;
	/* In the middle is the encrypted key; the MAC covers it. */
	der.data[size / 2] ^= 1;
	assert_from_pkcs12(&der, ERROR_CRYPTO, "does not open");
	der.data[size / 2] ^= 1;
	assert_from_pkcs12(&der, ERROR_NONE, "");
	buffer_append_byte(&der, 0);
	assert_from_pkcs12(&der, ERROR_INPUT, "not a PKCS#12 file");
	buffer_reserve(&large, TLS_IDENTITY_PKCS12_MAX_SIZE + 1);
	memset(large.data, 0x30, TLS_IDENTITY_PKCS12_MAX_SIZE + 1);
	large.size = TLS_IDENTITY_PKCS12_MAX_SIZE + 1;
	assert_from_pkcs12(&large, ERROR_INPUT, "too large");
	der.size = size;
	assert_false(tls_identity_from_pkcs12(buffer_view(&der), view_of("pass\0word", 9), &identity, &error));
	assert_message_contains(&error, "NUL");
}

static void refuses_to_store_a_foreign_certificate(void **state)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_TLS_IDENTITY struct tls_identity other = {0};
	AUTO_BUFFER struct buffer ca = {0};
	AUTO_BUFFER struct buffer der = {0};
	struct buffer chain;
	struct error error = {0};

	(void)state;
	create(&identity, &ca);
	create(&other, &ca);
	chain = identity.chain;
	identity.chain = other.chain;
	other.chain = chain;
	assert_false(tls_identity_to_pkcs12(&identity, view_of_text("x"), &der, &error));
	assert_message_contains(&error, "belong together");
	buffer_clear(&identity.chain);
	assert_false(tls_identity_to_pkcs12(&identity, view_of_text("x"), &der, &error));
	assert_message_contains(&error, "no certificate");
	identity.key.data[0] ^= 1;
	assert_false(tls_identity_to_pkcs12(&identity, view_of_text("x"), &der, &error));
	assert_message_contains(&error, "not PKCS#8");
	assert_int_equal(der.size, 0);
	assert_int_equal(ERR_peek_error(), 0);
}

static void leaves_no_copy_of_the_key_behind(void **state)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_TLS_IDENTITY struct tls_identity again = {0};
	AUTO_BUFFER struct buffer ca = {0};
	AUTO_BUFFER struct buffer der = {0};
	AUTO_BUFFER struct buffer planted = {0};
	AUTO_BUFFER struct buffer key_pem = {0};
	BIGNUM *scalar = NULL;
	EVP_PKEY *key;
	struct error error = {0};

	(void)state;
	create(&identity, &ca);
	key = key_of(&identity);
	assert_int_equal(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar), 1);
	assert_int_equal(BN_bn2binpad(scalar, needle, sizeof needle), sizeof needle);
	BN_clear_free(scalar);
	append_key_pem(key, PKCS8, &key_pem);
	needle_known = true;
	evp_pkey_done(&key);
	assert_ok(tls_identity_from_pem(buffer_view(&key_pem), buffer_view(&identity.chain), &again, &error), &error);
	assert_non_null(memmem(again.key.data, again.key.size, needle, sizeof needle));
	tls_identity_done(&again);
	assert_ok(tls_identity_to_pkcs12(&identity, view_of_text("password"), &der, &error), &error);
	assert_ok(tls_identity_from_pkcs12(buffer_view(&der), view_of_text("password"), &again, &error), &error);
	assert_non_null(memmem(again.key.data, again.key.size, needle, sizeof needle));
	tls_identity_done(&again);
	assert_int_equal(leaked_copies, 0);
	/* The trap does work. */
	buffer_append_text(&planted, "a copy: ");
	buffer_append(&planted, view_of(needle, sizeof needle));
	buffer_done(&planted);
	needle_known = false;
	assert_int_equal(leaked_copies, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clients_accept_the_leaf_for_its_names),
		cmocka_unit_test(the_chain_is_leaf_then_ca),
		cmocka_unit_test(certificates_have_the_right_contents),
		cmocka_unit_test(refuses_bad_requests),
		cmocka_unit_test(survives_pkcs12),
		cmocka_unit_test(uses_aes_and_sha256),
		cmocka_unit_test(fits_into_a_kms_plaintext),
		cmocka_unit_test(opens_rsa_but_not_weak_or_other_keys),
		cmocka_unit_test(puts_the_chain_in_order),
		cmocka_unit_test(refuses_stores_without_a_pair),
		cmocka_unit_test(reads_keys_in_every_form),
		cmocka_unit_test(puts_certificates_in_order),
		cmocka_unit_test(refuses_pem_that_is_no_identity),
		cmocka_unit_test(refuses_malformed_stores),
		cmocka_unit_test(refuses_to_store_a_foreign_certificate),
		cmocka_unit_test(leaves_no_copy_of_the_key_behind),
	};
	struct error error = {0};

	if (!openssl_use_wiping_memory(&error))
		return EXIT_FAILURE;
	return cmocka_run_group_tests(tests, prepare, NULL);
}
