/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <openssl/ec.h>
#include <openssl/x509v3.h>

#include "attestation/document.h"
#include "base/clock.h"
#include "base/file.h"
#include "crypto/cbor_writer.h"
#include "crypto/cose.h"

#define AWS_FOLDER "nitro/attestation"
#define HOUR_S 3600
#define TEST_TIME_S 1800000000
#define TEST_TIME_MS (UINT64_C(1000) * TEST_TIME_S)

/* ---- documents of AWS ---- */

/* False when the public vectors are not here. */
static bool load_aws(const char *name, struct buffer *ret_bytes)
{
	AUTO_FREE char *relative = memory_format("%s/%s", AWS_FOLDER, name);
	AUTO_FREE char *path = public_vector_path(relative);
	struct error error = {0};

	if (!path)
		return false;
	assert_ok(file_read(path, COSE_MAX_SIZE, ret_bytes, &error), &error);
	return true;
}

static json_t *load_expected(void)
{
	AUTO_FREE char *path = public_vector_path(AWS_FOLDER "/expected.json");

	return path ? load_json(path) : NULL;
}

static void assert_hex(struct view bytes, const char *hex)
{
	AUTO_BUFFER struct buffer expected = unhex(hex);

	assert_true(view_equal(bytes, buffer_view(&expected)));
}

static void assert_sha256(struct view bytes, const char *hex)
{
	uint8_t digest[32];

	assert_int_equal(EVP_Digest(bytes.data, bytes.size, digest, NULL, EVP_sha256(), NULL), 1);
	assert_hex(view_of(digest, sizeof digest), hex);
}

static void assert_optional(bool present, struct view bytes, const json_t *expected)
{
	assert_int_equal(present, json_is_string(expected));
	if (!present)
		assert_int_equal(bytes.size, 0);
	if (present)
		assert_hex(bytes, json_string_value(expected));
}

static void assert_as_expected(const struct attestation_document *document, json_t *expected)
{
	json_t *bundle = json_object_get(expected, "cabundle_sha256");
	json_t *pcrs = json_object_get(expected, "pcrs");
	const char *index;
	json_t *value;
	uint32_t mask = 0;

	assert_string_equal(document->module_id, json_string_value(json_object_get(expected, "module_id")));
	assert_int_equal(document->timestamp_ms, json_integer_value(json_object_get(expected, "timestamp_ms")));
	assert_true(json_object_size(pcrs) >= 16);
	json_object_foreach(pcrs, index, value)
	{
		unsigned long i = strtoul(index, NULL, 10);

		mask |= UINT32_C(1) << i;
		assert_hex(view_of(document->pcrs[i], NSM_PCR_SIZE), json_string_value(value));
	}
	assert_int_equal(document->pcr_mask, mask);
	assert_sha256(document->certificate, json_string_value(json_object_get(expected, "certificate_sha256")));
	assert_int_equal(document->cabundle_count, json_array_size(bundle));
	for (size_t i = 0; i < document->cabundle_count; i++)
		assert_sha256(document->cabundle[i], json_string_value(json_array_get(bundle, i)));
	assert_optional(document->has_public_key, document->public_key, json_object_get(expected, "public_key_hex"));
	assert_optional(document->has_user_data, document->user_data, json_object_get(expected, "user_data_hex"));
	assert_optional(document->has_nonce, document->nonce, json_object_get(expected, "nonce_hex"));
}

static void assert_refused_at(struct view bytes, X509 *root, uint64_t at_ms, const char *message)
{
	struct attestation_document document = {.timestamp_ms = 1};
	struct error error = {0};

	assert_false(attestation_verify(bytes, root, at_ms, &document, &error));
	assert_true(error.code == ERROR_INPUT || error.code == ERROR_CRYPTO);
	assert_message_contains(&error, message);
	assert_int_equal(document.timestamp_ms, 1);
}

static void test_documents_of_aws(void **state)
{
	AUTO_JSON json_t *expected = load_expected();
	struct error error = {0};
	X509 *root = attestation_aws_root(&error);
	const char *name;
	json_t *value;

	(void)state;
	assert_ok(root != NULL, &error);
	if (!expected) {
		X509_free(root);
		skip();
	}
	json_object_foreach(expected, name, value)
	{
		AUTO_BUFFER struct buffer bytes = {0};
		struct attestation_document document;
		uint64_t from_ms = 1000 * (uint64_t)json_integer_value(json_object_get(value, "chain_valid_from_unix"));
		uint64_t until_ms = 1000 * (uint64_t)json_integer_value(json_object_get(value, "chain_valid_until_unix"));

		assert_true(load_aws(name, &bytes));
		assert_ok(attestation_parse(buffer_view(&bytes), &document, &error), &error);
		assert_as_expected(&document, value);
		assert_ok(attestation_verify(buffer_view(&bytes), root, document.timestamp_ms, &document, &error), &error);
		assert_as_expected(&document, value);
		assert_int_equal(attestation_is_debug(&document), strncmp(name, "debug", 5) == 0);
		assert_ok(attestation_verify(buffer_view(&bytes), root, from_ms, &document, &error), &error);
		assert_ok(attestation_verify(buffer_view(&bytes), root, until_ms - 1000, &document, &error), &error);
		assert_refused_at(buffer_view(&bytes), root, from_ms - 1000, "not yet valid");
		assert_refused_at(buffer_view(&bytes), root, until_ms + 1000, "expired");
		assert_refused_at(buffer_view(&bytes), root, clock_realtime_ms(), "expired");
	}
	X509_free(root);
}

static void test_mutations_of_aws_documents(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};
	X509 *root = attestation_aws_root(&error);
	struct attestation_document document;
	uint64_t at_ms;

	(void)state;
	assert_non_null(root);
	if (!load_aws("prod-2025-01-06.cose", &bytes)) {
		X509_free(root);
		skip();
	}
	assert_ok(attestation_parse(buffer_view(&bytes), &document, &error), &error);
	at_ms = document.timestamp_ms;
	/* A prime step, so that the flips fall into every field: names, PCRs, certificates, public key, signature. */
	for (size_t i = 0; i < bytes.size; i += 61) {
		bytes.data[i] ^= 1;
		assert_refused_at(buffer_view(&bytes), root, at_ms, "");
		bytes.data[i] ^= 1;
	}
	bytes.data[bytes.size - 1] ^= 1;
	assert_refused_at(buffer_view(&bytes), root, at_ms, "signature does not verify");
	bytes.data[bytes.size - 1] ^= 1;
	/* The payload ends in "nonce" and null, before the signature and its head of two bytes. */
	bytes.data[bytes.size - COSE_ES384_SIGNATURE_SIZE - 2 - 2] ^= 0x01;
	assert_refused_at(buffer_view(&bytes), root, at_ms, "noncd: unknown key");
	bytes.data[bytes.size - COSE_ES384_SIGNATURE_SIZE - 2 - 2] ^= 0x01;
	for (size_t size = 0; size < bytes.size; size += 61)
		assert_refused_at(view_of(bytes.data, size), root, at_ms, "");
	buffer_append_byte(&bytes, 0);
	assert_refused_at(buffer_view(&bytes), root, at_ms, "behind the end");
	X509_free(root);
}

static void test_aws_root_is_the_published_one(void **state)
{
	AUTO_FREE char *path = public_vector_path("nitro/aws-nitro-root-g1.pem");
	struct error error = {0};
	X509 *root = attestation_aws_root(&error);
	uint8_t digest[32];

	(void)state;
	assert_ok(root != NULL, &error);
	assert_int_equal(X509_digest(root, EVP_sha256(), digest, NULL), 1);
	assert_hex(view_of(digest, sizeof digest), "641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b");
	/* Self-signed: its own signature holds, so no byte of it was lost. */
	assert_int_equal(X509_verify(root, X509_get0_pubkey(root)), 1);
	X509_free(root);
	if (!path)
		skip();
}

/* ---- payloads, parsed only ---- */

static void parse_payload(struct view payload, struct attestation_document *ret_document, struct error *ret_error, bool *ret_ok)
{
	AUTO_BUFFER struct buffer bytes = {0};
	uint8_t signature[COSE_ES384_SIGNATURE_SIZE] = {0};
	const uint8_t protected_header[] = {0xa1, 0x01, 0x38, 0x22};

	cbor_append_array(&bytes, 4);
	cbor_append_bytes(&bytes, view_of(protected_header, sizeof protected_header));
	cbor_append_map(&bytes, 0);
	cbor_append_bytes(&bytes, payload);
	cbor_append_bytes(&bytes, view_of(signature, sizeof signature));
	*ret_ok = attestation_parse(buffer_view(&bytes), ret_document, ret_error);
}

static void assert_payload_ok(const char *hex)
{
	AUTO_BUFFER struct buffer payload = unhex(hex);
	struct attestation_document document;
	struct error error = {0};
	bool ok;

	parse_payload(buffer_view(&payload), &document, &error, &ok);
	assert_ok(ok, &error);
}

static void assert_payload_refused(const char *hex, const char *message)
{
	AUTO_BUFFER struct buffer payload = unhex(hex);
	struct attestation_document document;
	struct error error = {0};
	bool ok;

	parse_payload(buffer_view(&payload), &document, &error, &ok);
	if (ok)
		fail_msg("taken, but should be refused (%s): %s", message, hex);
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, message);
}

#define ZERO_PCR "5830" ZERO_16 ZERO_16 ZERO_16
#define ZERO_16 "00000000000000000000000000000000"
#define MODULE_ID "696d6f64756c655f6964"
#define DIGEST "66646967657374"
#define TIMESTAMP "6974696d657374616d70"
#define PCRS "6470637273"
#define CERTIFICATE "6b6365727469666963617465"
#define CABUNDLE "68636162756e646c65"
#define PUBLIC_KEY "6a7075626c69635f6b6579"
#define USER_DATA "69757365725f64617461"
#define NONCE "656e6f6e6365"
#define SHA384_TEXT "66534841333834"
/* module_id and digest; timestamp; pcrs; certificate and cabundle */
#define PART_1 MODULE_ID "6161" DIGEST SHA384_TEXT
#define PART_2 TIMESTAMP "01"
#define PART_3 PCRS "a100" ZERO_PCR
#define PART_4 CERTIFICATE "4101" CABUNDLE "814101"

static void test_both_map_encodings_and_any_order(void **state)
{
	(void)state;
	assert_payload_ok("a9" PART_1 PART_2 PART_3 PART_4 PUBLIC_KEY "f6" USER_DATA "f6" NONCE "f6");
	assert_payload_ok("bf" PART_1 PART_2 PART_3 PART_4 PUBLIC_KEY "f6" USER_DATA "f6" NONCE "f6ff");
	assert_payload_ok("a9" NONCE "f6" PART_4 PART_3 PUBLIC_KEY "4101" PART_2 USER_DATA "40" PART_1);
	assert_payload_ok("a6" PART_1 PART_2 PART_3 PART_4);
	assert_payload_ok("a6" PART_1 PART_2 PCRS "bf00" ZERO_PCR "ff" CERTIFICATE "4101" CABUNDLE "9f4101ff");
	assert_payload_ok("a6" PART_1 TIMESTAMP "1b7fffffffffffffff" PART_3 PART_4);
	assert_payload_ok("a6" PART_1 PART_2 PCRS "a2181f" ZERO_PCR "00" ZERO_PCR PART_4);
}

static void test_malformed_payloads(void **state)
{
	static const struct {
		const char *payload, *message;
	} cases[] = {
		{"80", "payload: not a map"},
		{"a5" PART_1 PART_3 PART_4, "timestamp: missing"},
		{"a5" PART_1 PART_2 PART_4, "pcrs: missing"},
		{"a4" PART_1 PART_2 PART_3, "certificate: missing"},
		{"a4" PART_2 PART_3 PART_4, "module_id: missing"},
		{"a7" PART_1 PART_2 PART_3 PART_4 MODULE_ID "6161", "module_id: twice"},
		{"a7" PART_1 PART_2 PART_3 PART_4 PCRS "a101" ZERO_PCR, "pcrs: twice"},
		{"a8" PART_1 PART_2 PART_3 PART_4 NONCE "f6" NONCE "f6", "nonce: twice"},
		{"bf" PART_1 PART_2 PART_3 PART_4 PART_2 "ff", "timestamp: twice"},
		{"a7" PART_1 PART_2 PART_3 PART_4 "6178f6", "x: unknown key"},
		{"a7" PART_1 PART_2 PART_3 PART_4 "4178f6", "key: not text"},
		{"a7" PART_1 PART_2 PART_3 PART_4 "00f6", "key: not text"},
		{"aa" PART_1 PART_2 PART_3 PART_4, "more than 9"},
		{"a7" PART_1 PART_2 PART_3 PART_4, "cut short"},
		{"bf" PART_1 PART_2 PART_3 PART_4, "cut short"},
		{"a6" PART_1 PART_2 PART_3 PART_4 "00", "behind the end"},
		{"bf" PART_1 PART_2 PART_3 PART_4 "ff00", "behind the end"},
		{"a6" PART_1 PART_2 PART_3 PART_4 "ff", "behind the end"},
		{"bf" PART_1 PART_2 PART_3 PART_4 NONCE "ff", "nonce: not a byte string"},
		{"a6" MODULE_ID "60" DIGEST SHA384_TEXT PART_2 PART_3 PART_4, "module_id: 0 bytes"},
		{"a6" MODULE_ID "4161" DIGEST SHA384_TEXT PART_2 PART_3 PART_4, "module_id: not text"},
		{"a6" MODULE_ID "7f6161ff" DIGEST SHA384_TEXT PART_2 PART_3 PART_4, "module_id: not text"},
		{"a6" MODULE_ID "6100" DIGEST SHA384_TEXT PART_2 PART_3 PART_4, "module_id: text that is not"},
		{"a6" MODULE_ID "6161" DIGEST "66534841323536" PART_2 PART_3 PART_4, "digest: not SHA384"},
		{"a6" PART_1 TIMESTAMP "00" PART_3 PART_4, "timestamp: zero"},
		{"a6" PART_1 TIMESTAMP "20" PART_3 PART_4, "timestamp: not an unsigned"},
		{"a6" PART_1 TIMESTAMP "fb3ff0000000000000" PART_3 PART_4, "timestamp: not an unsigned"},
		{"a6" PART_1 TIMESTAMP "c100" PART_3 PART_4, "timestamp:"},
		{"a6" PART_1 TIMESTAMP "1b8000000000000000" PART_3 PART_4, "timestamp: larger"},
		{"a6" PART_1 PART_2 PCRS "a0" PART_4, "pcrs: empty"},
		{"a6" PART_1 PART_2 PCRS "a200" ZERO_PCR "00" ZERO_PCR PART_4, "pcrs: 0: twice"},
		{"a6" PART_1 PART_2 PCRS "a200" ZERO_PCR "1800" ZERO_PCR PART_4, "pcrs: 0: twice"},
		{"a6" PART_1 PART_2 PCRS "a11820" ZERO_PCR PART_4, "pcrs: index: larger than 31"},
		{"a6" PART_1 PART_2 PCRS "a120" ZERO_PCR PART_4, "pcrs: index: not an unsigned"},
		{"a6" PART_1 PART_2 PCRS "a1005820" ZERO_16 ZERO_16 PART_4, "pcrs: 32 bytes"},
		{"a6" PART_1 PART_2 PCRS "b821" PART_4, "pcrs: more than 32"},
		{"a6" PART_1 PART_2 PART_3 CERTIFICATE "40" CABUNDLE "814101", "certificate: 0 bytes"},
		{"a6" PART_1 PART_2 PART_3 CERTIFICATE "f6" CABUNDLE "814101", "certificate: not a byte string"},
		{"a6" PART_1 PART_2 PART_3 CERTIFICATE "5f4101ff" CABUNDLE "814101", "certificate: not a byte string"},
		{"a6" PART_1 PART_2 PART_3 CERTIFICATE "4101" CABUNDLE "80", "cabundle: empty"},
		{"a6" PART_1 PART_2 PART_3 CERTIFICATE "4101" CABUNDLE "9fff", "cabundle: empty"},
		{"a6" PART_1 PART_2 PART_3 CERTIFICATE "4101" CABUNDLE "8140", "cabundle: 0 bytes"},
		{"a6" PART_1 PART_2 PART_3 CERTIFICATE "4101" CABUNDLE "89", "cabundle: more than 8"},
		{"a6" PART_1 PART_2 PART_3 CERTIFICATE "4101" CABUNDLE "9f410141014101410141014101410141014101ff",
		 "cabundle: too many entries"},
		{"a7" PART_1 PART_2 PART_3 PART_4 PUBLIC_KEY "40", "public_key: 0 bytes"},
		{"a7" PART_1 PART_2 PART_3 PART_4 PUBLIC_KEY "f5", "public_key: not a byte string"},
		{"a7" PART_1 PART_2 PART_3 PART_4 USER_DATA "80", "user_data: not a byte string"},
		{"a7" PART_1 PART_2 PART_3 PART_4 NONCE "6161", "nonce: not a byte string"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_payload_refused(cases[i].payload, cases[i].message);
}

static void test_sizes_of_the_specification(void **state)
{
	static const struct {
		const char *key;
		size_t max_size;
	} cases[] = {{PUBLIC_KEY, 1024}, {USER_DATA, 1024}, {NONCE, 1024}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t extra = 0; extra <= 1; extra++) {
			AUTO_BUFFER struct buffer payload = unhex("a7" PART_1 PART_2 PART_3 PART_4);
			AUTO_BUFFER struct buffer key = unhex(cases[i].key);
			AUTO_BUFFER struct buffer value = {0};
			struct attestation_document document;
			struct error error = {0};
			bool ok;

			buffer_append(&payload, buffer_view(&key));
			for (size_t j = 0; j < cases[i].max_size + extra; j++)
				buffer_append_byte(&value, 7);
			cbor_append_bytes(&payload, buffer_view(&value));
			parse_payload(buffer_view(&payload), &document, &error, &ok);
			assert_int_equal(ok, extra == 0);
		}
	}
}

/* What QEMU's nitro-enclave machine writes: all the right fields, and no signature at all. */
static void test_unsigned_documents_of_qemu_are_refused(void **state)
{
	static const uint8_t zero[96];
	const uint8_t no_algorithm[] = {0xa1, 0x01, 0x20};
	const uint8_t es384[] = {0xa1, 0x01, 0x38, 0x22};
	struct attestation_document document = {.module_id = "i-234-enc5678", .timestamp_ms = TEST_TIME_MS, .pcr_mask = 0xffff};
	struct error error = {0};
	X509 *root = attestation_aws_root(&error);
	AUTO_BUFFER struct buffer payload = {0};
	AUTO_BUFFER struct buffer qemu = {0};
	AUTO_BUFFER struct buffer dressed_up = {0};

	(void)state;
	assert_non_null(root);
	document.certificate = view_of(zero, 64);
	document.cabundle[0] = view_of(zero, 64);
	document.cabundle_count = 1;
	assert_ok(attestation_build_payload(&document, &payload, &error), &error);

	cbor_append_array(&qemu, 4);
	cbor_append_bytes(&qemu, view_of(no_algorithm, sizeof no_algorithm));
	cbor_append_map(&qemu, 0);
	cbor_append_bytes(&qemu, buffer_view(&payload));
	cbor_append_bytes(&qemu, view_of(zero, 64));
	assert_refused_at(buffer_view(&qemu), root, TEST_TIME_MS, "protected header");

	cbor_append_array(&dressed_up, 4);
	cbor_append_bytes(&dressed_up, view_of(es384, sizeof es384));
	cbor_append_map(&dressed_up, 0);
	cbor_append_bytes(&dressed_up, buffer_view(&payload));
	cbor_append_bytes(&dressed_up, view_of(zero, 96));
	assert_refused_at(buffer_view(&dressed_up), root, TEST_TIME_MS, "certificate: not one DER certificate");
	X509_free(root);
}

/* ---- chains of our own, each with one thing wrong ---- */

#define CHAIN_MAX 5

struct link {
	const char *basic_constraints, *key_usage;
	const char *curve;
	const EVP_MD *(*digest)(void);
	long from_s, until_s; /* from TEST_TIME_S */
};

struct chain {
	EVP_PKEY *keys[CHAIN_MAX];
	X509 *certificates[CHAIN_MAX]; /* root first, leaf last */
	size_t count;
};

static const struct link good_links[CHAIN_MAX] = {
	{"critical,CA:TRUE", "critical,digitalSignature,keyCertSign,cRLSign", "P-384", EVP_sha384, -HOUR_S, HOUR_S},
	{"critical,CA:TRUE,pathlen:2", "critical,digitalSignature,keyCertSign,cRLSign", "P-384", EVP_sha384, -HOUR_S, HOUR_S},
	{"critical,CA:TRUE,pathlen:1", "critical,digitalSignature,keyCertSign,cRLSign", "P-384", EVP_sha384, -HOUR_S, HOUR_S},
	{"critical,CA:TRUE,pathlen:0", "critical,keyCertSign", "P-384", EVP_sha384, -HOUR_S, HOUR_S},
	{"critical,CA:FALSE", "digitalSignature,nonRepudiation", "P-384", EVP_sha384, -HOUR_S, HOUR_S},
};

static void add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension;

	if (!value)
		return;
	extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static void chain_add(struct chain *chain, const struct link *link)
{
	size_t i = chain->count++;
	size_t issuer = i > 0 ? i - 1 : 0;
	AUTO_FREE char *name = memory_format("level %zu", i);
	X509 *certificate = X509_new();

	chain->keys[i] = EVP_EC_gen(link->curve);
	chain->certificates[i] = certificate;
	assert_non_null(chain->keys[i]);
	assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), (long)i + 1), 1);
	assert_int_equal(
		X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC, (uint8_t *)name, -1, -1, 0), 1);
	assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(chain->certificates[issuer])), 1);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(certificate), TEST_TIME_S + link->from_s));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(certificate), TEST_TIME_S + link->until_s));
	assert_int_equal(X509_set_pubkey(certificate, chain->keys[i]), 1);
	add_extension(certificate, NID_basic_constraints, link->basic_constraints);
	add_extension(certificate, NID_key_usage, link->key_usage);
	assert_true(X509_sign(certificate, chain->keys[issuer], link->digest()) > 0);
}

static void chain_done(struct chain *chain)
{
	for (size_t i = 0; i < chain->count; i++) {
		EVP_PKEY_free(chain->keys[i]);
		X509_free(chain->certificates[i]);
	}
}

/* A document signed by the last of the chain, with cabundle = the certificates named by `order` (indices, root first). */
static struct buffer chain_document(const struct chain *chain, const size_t *order, size_t count)
{
	struct attestation_document document = {.module_id = "i-1-enc2", .timestamp_ms = TEST_TIME_MS, .pcr_mask = 1};
	struct buffer der[CHAIN_MAX + 1] = {0};
	AUTO_BUFFER struct buffer payload = {0};
	struct buffer bytes = {0};
	struct error error = {0};

	for (size_t i = 0; i <= count; i++) {
		X509 *certificate = chain->certificates[i < count ? order[i] : chain->count - 1];
		uint8_t *encoded = NULL;
		int size = i2d_X509(certificate, &encoded);

		assert_true(size > 0);
		buffer_append(&der[i], view_of(encoded, (size_t)size));
		OPENSSL_free(encoded);
		if (i < count)
			document.cabundle[i] = buffer_view(&der[i]);
	}
	document.cabundle_count = count;
	document.certificate = buffer_view(&der[count]);
	assert_ok(attestation_build_payload(&document, &payload, &error), &error);
	assert_ok(cose_sign1_sign(buffer_view(&payload), chain->keys[chain->count - 1], &bytes, &error), &error);
	for (size_t i = 0; i <= count; i++)
		buffer_done(&der[i]);
	return bytes;
}

static const size_t root_first[] = {0, 1, 2, 3};

static void chain_make(struct chain *ret_chain, const struct link *links)
{
	*ret_chain = (struct chain){0};
	for (size_t i = 0; i < CHAIN_MAX; i++)
		chain_add(ret_chain, &links[i]);
}

static void test_a_good_chain_verifies(void **state)
{
	struct attestation_document document;
	struct error error = {0};
	struct chain chain;
	AUTO_BUFFER struct buffer bytes = {0};

	(void)state;
	chain_make(&chain, good_links);
	bytes = chain_document(&chain, root_first, 4);
	assert_ok(attestation_verify(buffer_view(&bytes), chain.certificates[0], TEST_TIME_MS, &document, &error), &error);
	assert_string_equal(document.module_id, "i-1-enc2");
	assert_true(attestation_is_debug(&document));
	assert_refused_at(buffer_view(&bytes), chain.certificates[0], TEST_TIME_MS + 2000 * HOUR_S, "expired");
	assert_refused_at(buffer_view(&bytes), chain.certificates[0], TEST_TIME_MS - 2000 * HOUR_S, "not yet valid");
	chain_done(&chain);
}

static void test_each_rule_of_the_chain(void **state)
{
	static const struct {
		size_t level;
		struct link link;
		const char *message;
	} cases[] = {
		{4, {"critical,CA:TRUE", "digitalSignature", "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "CA flag is set"},
		{4, {"critical,CA:FALSE", NULL, "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "keyUsage without digitalSignature"},
		{4,
		 {"critical,CA:FALSE", "keyAgreement", "P-384", EVP_sha384, -HOUR_S, HOUR_S},
		 "keyUsage without digitalSignature"},
		{4, {NULL, "digitalSignature", "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "without basicConstraints"},
		{4, {"critical,CA:FALSE", "digitalSignature", "P-384", EVP_sha256, -HOUR_S, HOUR_S}, "SHA-384"},
		{4, {"critical,CA:FALSE", "digitalSignature", "P-384", EVP_sha384, -HOUR_S, -1}, "expired"},
		{4, {"critical,CA:FALSE", "digitalSignature", "P-384", EVP_sha384, 1, HOUR_S}, "not yet valid"},
		{3, {"critical,CA:FALSE", "keyCertSign", "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "CA flag is missing"},
		{3, {NULL, "keyCertSign", "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "without basicConstraints"},
		{3, {"critical,CA:TRUE", "digitalSignature", "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "keyUsage without keyCertSign"},
		{3, {"critical,CA:TRUE", NULL, "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "keyUsage without keyCertSign"},
		{3, {"critical,CA:TRUE", "keyCertSign", "P-384", EVP_sha384, -HOUR_S, -1}, "expired"},
		{3, {"critical,CA:TRUE", "keyCertSign", "P-256", EVP_sha384, -HOUR_S, HOUR_S}, "key not on P-384"},
		{2, {"critical,CA:TRUE,pathlen:0", "keyCertSign", "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "path length"},
		{1, {"critical,CA:TRUE,pathlen:1", "keyCertSign", "P-384", EVP_sha384, -HOUR_S, HOUR_S}, "path length"},
		{1, {"critical,CA:TRUE", "keyCertSign", "P-384", EVP_sha256, -HOUR_S, HOUR_S}, "SHA-384"},
		{0, {"critical,CA:TRUE", "keyCertSign", "P-384", EVP_sha384, -HOUR_S, -1}, "expired"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct link links[CHAIN_MAX];
		AUTO_BUFFER struct buffer bytes = {0};
		struct chain chain;

		memcpy(links, good_links, sizeof links);
		links[cases[i].level] = cases[i].link;
		chain_make(&chain, links);
		bytes = chain_document(&chain, root_first, 4);
		assert_refused_at(buffer_view(&bytes), chain.certificates[0], TEST_TIME_MS, cases[i].message);
		chain_done(&chain);
	}
}

static void test_the_bundle_must_be_the_chain(void **state)
{
	static const struct {
		size_t order[5];
		size_t count;
		const char *message;
	} cases[] = {
		{{0, 2, 1, 3}, 4, "not the chain"},
		{{1, 0, 2, 3}, 4, "the root is not the pinned one"},
		{{1, 2, 3}, 3, "the root is not the pinned one"},
		{{0, 1, 3}, 3, "does not verify"},
		{{0, 1, 2}, 3, "does not verify"},
		{{0}, 1, "does not verify"},
		{{0, 0, 1, 2, 3}, 5, "not the chain"},
		{{0, 1, 2, 3, 3}, 5, "not the chain"},
	};
	struct chain chain;
	struct chain other;

	(void)state;
	chain_make(&chain, good_links);
	chain_make(&other, good_links);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_BUFFER struct buffer bytes = chain_document(&chain, cases[i].order, cases[i].count);

		assert_refused_at(buffer_view(&bytes), chain.certificates[0], TEST_TIME_MS, cases[i].message);
	}
	{
		/* Same names, same profile, another root. */
		AUTO_BUFFER struct buffer bytes = chain_document(&chain, root_first, 4);

		assert_refused_at(buffer_view(&bytes), other.certificates[0], TEST_TIME_MS, "the root is not the pinned one");
		/* Pinning an intermediate does not make it a root. */
		assert_refused_at(buffer_view(&bytes), chain.certificates[1], TEST_TIME_MS, "the root is not the pinned one");
		/* The right root in the bundle, but the chain is another's. */
		X509_free(chain.certificates[0]);
		chain.certificates[0] = other.certificates[0];
		assert_int_equal(X509_up_ref(other.certificates[0]), 1);
	}
	{
		AUTO_BUFFER struct buffer bytes = chain_document(&chain, root_first, 4);

		assert_refused_at(buffer_view(&bytes), other.certificates[0], TEST_TIME_MS, "does not verify");
	}
	chain_done(&chain);
	chain_done(&other);
}

static void test_build_refuses_what_parse_refuses(void **state)
{
	static const uint8_t bytes[ATTESTATION_CERTIFICATE_MAX_SIZE + 1];
	struct attestation_document good = {.module_id = "m", .timestamp_ms = 1, .pcr_mask = 1, .cabundle_count = 1};
	AUTO_BUFFER struct buffer payload = {0};
	struct attestation_document bad;
	struct error error = {0};

	(void)state;
	good.certificate = view_of(bytes, 1);
	good.cabundle[0] = view_of(bytes, 1);
	bad = good;
	bad.certificate.size = sizeof bytes;
	assert_false(attestation_build_payload(&bad, &payload, &error));
	bad = good;
	bad.cabundle_count = ATTESTATION_CABUNDLE_MAX + 1;
	assert_false(attestation_build_payload(&bad, &payload, &error));
	bad = good;
	bad.pcr_mask = 0;
	assert_false(attestation_build_payload(&bad, &payload, &error));
	bad = good;
	bad.has_public_key = true;
	assert_false(attestation_build_payload(&bad, &payload, &error));
	bad = good;
	bad.has_nonce = true;
	bad.nonce = view_of(bytes, sizeof bytes);
	assert_false(attestation_build_payload(&bad, &payload, &error));
	assert_int_equal(payload.size, 0);
	assert_ok(attestation_build_payload(&good, &payload, &error), &error);
	assert_int_equal(payload.data[0], 0xa9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents_of_aws),
		cmocka_unit_test(test_mutations_of_aws_documents),
		cmocka_unit_test(test_aws_root_is_the_published_one),
		cmocka_unit_test(test_both_map_encodings_and_any_order),
		cmocka_unit_test(test_malformed_payloads),
		cmocka_unit_test(test_sizes_of_the_specification),
		cmocka_unit_test(test_unsigned_documents_of_qemu_are_refused),
		cmocka_unit_test(test_a_good_chain_verifies),
		cmocka_unit_test(test_each_rule_of_the_chain),
		cmocka_unit_test(test_the_bundle_must_be_the_chain),
		cmocka_unit_test(test_build_refuses_what_parse_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
