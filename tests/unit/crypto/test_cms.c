/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "base/file.h"
#include "crypto/cms.h"
#include "crypto/cms_fields.h"
#include "crypto/openssl_memory.h"

#include <openssl/cms.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#define DOES_NOT_OPEN "CMS: the blob does not open with this key"

/* Where the fields lie in a blob for RSA-2048 with a single chunk of less than 128 bytes. */
enum {
	AT_RECIPIENT_SET = 20,
	AT_RECIPIENT = 24,
	AT_RECIPIENT_VERSION = 30,
	AT_KEY_IDENTIFIER = 33,
	AT_KEY_HASH = 94,
	AT_ENCRYPTED_KEY = 131,
	AT_CONTENT = 387,
	AT_CONTENT_CIPHER = 412,
	AT_IV = 415,
	AT_CHUNKS = 431,
	AT_CIPHERTEXT = 435,
};

static EVP_PKEY *own_key;
static struct buffer own_spki;

static int prepare(void **state)
{
	struct error error = {0};

	(void)state;
	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error))
		return -1;
	own_key = cms_recipient_key_generate(&error);
	return own_key && cms_recipient_key_spki(own_key, &own_spki, &error) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	evp_pkey_done(&own_key);
	buffer_done(&own_spki);
	return 0;
}

static struct buffer load(const char *folder, const char *name, const char *suffix)
{
	AUTO_FREE char *path = memory_format("%s/%s.%s", folder, name, suffix);
	struct buffer bytes = {0};
	struct error error = {0};

	assert_ok(file_read(path, 65536, &bytes, &error), &error);
	return bytes;
}

static EVP_PKEY *load_key(const char *folder, const char *name)
{
	AUTO_BUFFER struct buffer pem = load(folder, name, "key.pem");
	BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.size);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	assert_non_null(key);
	return key;
}

static struct buffer seal(struct view plaintext)
{
	struct buffer blob = {0};
	struct error error = {0};

	assert_ok(cms_seal(buffer_view(&own_spki), plaintext, &blob, &error), &error);
	return blob;
}

static void assert_opens(EVP_PKEY *key, struct view blob, struct view plaintext)
{
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	assert_ok(cms_open(key, blob, &opened, &error), &error);
	assert_true(view_equal(secret_view(&opened), plaintext));
	assert_int_equal(ERR_peek_error(), 0);
}

static void assert_refused(EVP_PKEY *key, struct view blob, enum error_code code, const char *message)
{
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	assert_false(cms_open(key, blob, &opened, &error));
	assert_int_equal(error.code, code);
	assert_message_contains(&error, message);
	assert_null(opened.data);
	assert_int_equal(ERR_peek_error(), 0);
}

static void opens_the_blobs_of_kms(void **state)
{
	static const char *const names[] = {"edgebit", "enclaver", "ethsigner"};
	AUTO_FREE char *folder = public_vector_path("nitro/cms");

	(void)state;
	if (!folder)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_PKEY EVP_PKEY *key = load_key(folder, names[i]);
		AUTO_BUFFER struct buffer blob = load(folder, names[i], "cms.der");
		AUTO_BUFFER struct buffer plaintext = load(folder, names[i], "plaintext.bin");

		assert_opens(key, buffer_view(&blob), buffer_view(&plaintext));
		assert_refused(own_key, buffer_view(&blob), ERROR_CRYPTO, DOES_NOT_OPEN);
	}
}

static void reads_the_fields_of_both_content_forms(void **state)
{
	static const char *const names[] = {"sdkc-constructed", "sdkc-primitive"};
	AUTO_FREE char *folder = public_vector_path("nitro/cms");

	(void)state;
	if (!folder)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_BUFFER struct buffer blob = load(folder, names[i], "cms.der");
		AUTO_BUFFER struct buffer encrypted_key = load(folder, names[i], "encrypted-key.bin");
		AUTO_BUFFER struct buffer iv = load(folder, names[i], "iv.bin");
		AUTO_BUFFER struct buffer ciphertext = load(folder, names[i], "ciphertext.bin");
		AUTO_CMS_FIELDS struct cms_fields fields = {0};
		struct error error = {0};

		assert_ok(cms_parse_fields(buffer_view(&blob), &fields, &error), &error);
		assert_true(view_equal(buffer_view(&fields.encrypted_key), buffer_view(&encrypted_key)));
		assert_true(view_equal(buffer_view(&fields.ciphertext), buffer_view(&ciphertext)));
		assert_true(view_equal(view_of(fields.iv, sizeof fields.iv), buffer_view(&iv)));
		assert_refused(own_key, buffer_view(&blob), ERROR_CRYPTO, DOES_NOT_OPEN);
	}
}

/* A seal of as many bytes to the same key differs from KMS's blob in the random fields only. */
static void seals_in_the_byte_layout_of_kms(void **state)
{
	static const char *const names[] = {"edgebit", "enclaver", "ethsigner"};
	AUTO_FREE char *folder = public_vector_path("nitro/cms");

	(void)state;
	if (!folder)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_PKEY EVP_PKEY *key = load_key(folder, names[i]);
		AUTO_BUFFER struct buffer theirs = load(folder, names[i], "cms.der");
		AUTO_BUFFER struct buffer plaintext = load(folder, names[i], "plaintext.bin");
		AUTO_BUFFER struct buffer spki = {0};
		AUTO_BUFFER struct buffer ours = {0};
		struct error error = {0};
		size_t ciphertext_size = (plaintext.size / 16 + 1) * 16;
		size_t at_ciphertext = AT_CIPHERTEXT + (ciphertext_size > 127 ? 1 : 0);

		assert_ok(cms_recipient_key_spki(key, &spki, &error), &error);
		assert_ok(cms_seal(buffer_view(&spki), buffer_view(&plaintext), &ours, &error), &error);
		assert_int_equal(ours.size, theirs.size);
		assert_opens(key, buffer_view(&ours), buffer_view(&plaintext));
		assert_memory_not_equal(ours.data + AT_ENCRYPTED_KEY, theirs.data + AT_ENCRYPTED_KEY, 256);
		memcpy(ours.data + AT_ENCRYPTED_KEY, theirs.data + AT_ENCRYPTED_KEY, 256);
		memcpy(ours.data + AT_IV, theirs.data + AT_IV, 16);
		memcpy(ours.data + at_ciphertext, theirs.data + at_ciphertext, ciphertext_size);
		assert_memory_equal(ours.data, theirs.data, ours.size);
	}
}

static void opens_what_it_sealed(void **state)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 32, 110, 111, 112, 127, 128, 255, 256, 4096, 15000};
	static uint8_t text[15000];

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (uint8_t)(i * 7);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO_BUFFER struct buffer blob = seal(view_of(text, sizes[i]));

		assert_opens(own_key, buffer_view(&blob), view_of(text, sizes[i]));
	}
}

static void seals_to_larger_keys(void **state)
{
	AUTO_PKEY EVP_PKEY *key = EVP_RSA_gen(3072);
	AUTO_BUFFER struct buffer spki = {0};
	AUTO_BUFFER struct buffer blob = {0};
	struct error error = {0};

	(void)state;
	assert_ok(cms_recipient_key_spki(key, &spki, &error), &error);
	assert_ok(cms_seal(buffer_view(&spki), view_of_text("larger"), &blob, &error), &error);
	assert_opens(key, buffer_view(&blob), view_of_text("larger"));
}

/* An implementation that is not ours agrees: OpenSSL's own CMS_decrypt. */
static void openssl_opens_what_it_sealed(void **state)
{
	AUTO_BUFFER struct buffer blob = seal(view_of_text("for another implementation"));
	const unsigned char *next = blob.data;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &next, (long)blob.size);
	BIO *bio = BIO_new(BIO_s_mem());
	const char *text = NULL;
	long size;

	(void)state;
	assert_non_null(cms);
	assert_ptr_equal(next, blob.data + blob.size);
	assert_int_equal(CMS_decrypt(cms, own_key, NULL, NULL, bio, 0), 1);
	size = BIO_get_mem_data(bio, &text);
	assert_true(view_equal_text(view_of(text, (size_t)size), "for another implementation"));
	BIO_free(bio);
	CMS_ContentInfo_free(cms);
}

/* The same message in DER (definite lengths, primitive content), as OpenSSL writes it. */
static void opens_definite_lengths(void **state)
{
	AUTO_BUFFER struct buffer blob = seal(view_of_text("definite"));
	const unsigned char *next = blob.data;
	CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &next, (long)blob.size);
	unsigned char *der = NULL;
	int size = i2d_CMS_ContentInfo(cms, &der);

	(void)state;
	assert_true(size > 0 && der[1] != 0x80);
	assert_opens(own_key, view_of(der, (size_t)size), view_of_text("definite"));
	OPENSSL_free(der);
	CMS_ContentInfo_free(cms);
}

static void joins_the_chunks_of_the_content(void **state)
{
	AUTO_BUFFER struct buffer blob = seal(view_of_text("48 bytes of ciphertext in two chunks"));
	AUTO_BUFFER struct buffer chunked = {0};

	(void)state;
	assert_int_equal(blob.data[AT_CIPHERTEXT - 1], 48);
	buffer_append(&chunked, view_of(blob.data, AT_CIPHERTEXT - 2));
	buffer_append(&chunked, view_of("\x04\x07", 2));
	buffer_append(&chunked, view_of(blob.data + AT_CIPHERTEXT, 7));
	buffer_append(&chunked, view_of("\x04\x81\x29", 3));
	buffer_append(&chunked, view_of(blob.data + AT_CIPHERTEXT + 7, 41));
	buffer_append(&chunked, view_of(blob.data + AT_CIPHERTEXT + 48, 10));
	assert_opens(own_key, buffer_view(&chunked), view_of_text("48 bytes of ciphertext in two chunks"));
}

/* Wrong key identifier, wrong key, bad padding: nothing tells them apart. */
static void says_the_same_for_every_fault_inside(void **state)
{
	static const size_t places[] = {AT_KEY_IDENTIFIER,      AT_KEY_IDENTIFIER + 31, AT_ENCRYPTED_KEY,
					AT_ENCRYPTED_KEY + 128, AT_ENCRYPTED_KEY + 255, AT_CIPHERTEXT + 15};
	AUTO_BUFFER struct buffer blob = seal(view_of_text("a text of 16 B.."));

	(void)state;
	/* The last place is in the block in front of the padding: the padding's last byte becomes 0x10 ^ 0x80. */
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		AUTO_SECRET struct secret opened = {0};
		struct error error = {0};

		blob.data[places[i]] ^= 0x80;
		assert_false(cms_open(own_key, buffer_view(&blob), &opened, &error));
		assert_int_equal(error.code, ERROR_CRYPTO);
		assert_string_equal(error.message, DOES_NOT_OPEN);
		assert_int_equal(ERR_peek_error(), 0);
		blob.data[places[i]] ^= 0x80;
	}
	assert_opens(own_key, buffer_view(&blob), view_of_text("a text of 16 B.."));
}

/* A content key of 16 bytes under good OAEP is not taken for one of 32. */
static void refuses_a_content_key_of_another_size(void **state)
{
	AUTO_BUFFER struct buffer blob = seal(view_of_text("text"));
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new(own_key, NULL);
	uint8_t short_key[16] = {1};
	size_t size = 256;

	(void)state;
	assert_int_equal(EVP_PKEY_encrypt_init(context), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()), 1);
	assert_int_equal(EVP_PKEY_encrypt(context, blob.data + AT_ENCRYPTED_KEY, &size, short_key, sizeof short_key), 1);
	EVP_PKEY_CTX_free(context);
	assert_refused(own_key, buffer_view(&blob), ERROR_CRYPTO, DOES_NOT_OPEN);
}

static void refuses_other_algorithms_before_decrypting(void **state)
{
	static const struct {
		size_t place;
		uint8_t value;
		const char *message;
	} cases[] = {
		{AT_RECIPIENT_VERSION, 0, "version of the recipient"},
		{19, 3, "version of EnvelopedData"},
		{AT_KEY_HASH, 2, "RSAES-OAEP SHA-256"},   /* sha384 */
		{77, 1, "RSAES-OAEP SHA-256"},            /* rsaEncryption: PKCS#1 v1.5 */
		{AT_CONTENT_CIPHER, 0x16, "AES-256-CBC"}, /* aes-192-cbc */
		{AT_CONTENT_CIPHER, 0x02, "AES-256-CBC"}, /* aes-128-cbc */
		{AT_CONTENT_CIPHER, 0x2e, "AES-256-CBC"}, /* aes-256-gcm */
		{12, 6, "not EnvelopedData"},             /* encryptedData */
		{AT_CONTENT + 12, 2, "content is not id-data"},
	};
	AUTO_BUFFER struct buffer blob = seal(view_of_text("text"));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint8_t before = blob.data[cases[i].place];

		blob.data[cases[i].place] = cases[i].value;
		assert_refused(own_key, buffer_view(&blob), ERROR_INPUT, cases[i].message);
		blob.data[cases[i].place] = before;
	}
	assert_opens(own_key, buffer_view(&blob), view_of_text("text"));
}

static void refuses_two_recipients(void **state)
{
	AUTO_BUFFER struct buffer blob = seal(view_of_text("text"));
	AUTO_BUFFER struct buffer doubled = {0};
	size_t size = AT_CONTENT - AT_RECIPIENT;
	uint8_t header[4] = {0x31, 0x82, (uint8_t)(2 * size >> 8), (uint8_t)(2 * size)};

	(void)state;
	buffer_append(&doubled, view_of(blob.data, AT_RECIPIENT_SET));
	buffer_append(&doubled, view_of(header, sizeof header));
	buffer_append(&doubled, view_of(blob.data + AT_RECIPIENT, size));
	buffer_append(&doubled, view_of(blob.data + AT_RECIPIENT, blob.size - AT_RECIPIENT));
	assert_refused(own_key, buffer_view(&doubled), ERROR_INPUT, "not exactly one recipient");
}

static void refuses_partial_blocks_and_no_content(void **state)
{
	static const uint8_t sizes[] = {0, 1, 15, 17, 31};
	AUTO_BUFFER struct buffer blob = seal(view_of_text("a text of 16 B.."));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		AUTO_BUFFER struct buffer cut = {0};

		buffer_append(&cut, view_of(blob.data, AT_CIPHERTEXT + sizes[i]));
		cut.data[AT_CIPHERTEXT - 1] = sizes[i];
		buffer_append(&cut, view_of(blob.data + AT_CIPHERTEXT + 32, 10));
		assert_refused(own_key, buffer_view(&cut), ERROR_INPUT, "whole blocks");
	}
}

/* Truncated anywhere, or longer than its structure. */
static void refuses_other_lengths(void **state)
{
	AUTO_BUFFER struct buffer blob = seal(view_of_text("text"));
	static uint8_t large[CMS_MAX_SIZE + 1];

	(void)state;
	for (size_t size = 0; size < blob.size; size++) {
		AUTO_FREE uint8_t *exact = (uint8_t *)memory_allocate(size);

		memcpy(exact, blob.data, size);
		assert_refused(own_key, view_of(exact, size), ERROR_INPUT, "CMS");
	}
	buffer_append_byte(&blob, 0);
	assert_refused(own_key, buffer_view(&blob), ERROR_INPUT, "not EnvelopedData");
	assert_refused(own_key, view_of(large, sizeof large), ERROR_INPUT, "at most 16384");
}

/* CBC has no authentication: a changed blob may open to another text, but nothing worse happens and no error is left. */
static void survives_every_changed_byte(void **state)
{
	AUTO_BUFFER struct buffer blob = seal(view_of_text("text"));

	(void)state;
	for (size_t i = 0; i < blob.size; i++) {
		AUTO_SECRET struct secret opened = {0};
		struct error error = {0};

		/* The middle of the encrypted key is covered above and each try there costs an RSA operation. */
		if (i > AT_ENCRYPTED_KEY + 4 && i < AT_CONTENT - 4)
			continue;
		blob.data[i] ^= 0x21;
		if (!cms_open(own_key, buffer_view(&blob), &opened, &error))
			assert_true(error.code == ERROR_INPUT || error.code == ERROR_CRYPTO);
		assert_int_equal(ERR_peek_error(), 0);
		blob.data[i] ^= 0x21;
	}
}

static void seals_to_rsa_only(void **state)
{
	AUTO_PKEY EVP_PKEY *curve = EVP_EC_gen("P-256");
	AUTO_PKEY EVP_PKEY *weak = EVP_RSA_gen(1024);
	EVP_PKEY *keys[] = {curve, weak};
	AUTO_BUFFER struct buffer blob = {0};
	static uint8_t large[CMS_MAX_SIZE];
	AUTO_SECRET struct secret opened = {0};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		AUTO_BUFFER struct buffer spki = {0};

		assert_ok(cms_recipient_key_spki(keys[i], &spki, &error), &error);
		assert_false(cms_seal(buffer_view(&spki), view_of_text("text"), &blob, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "public_key: not an RSA key of at least 2048 bits");
	}
	assert_false(cms_seal(view_of_text("no key"), view_of_text("text"), &blob, &error));
	assert_message_contains(&error, "public_key: not a SubjectPublicKeyInfo");
	assert_false(cms_seal(view_of(own_spki.data, own_spki.size - 1), view_of_text("text"), &blob, &error));
	assert_false(cms_seal(buffer_view(&own_spki), view_of(large, sizeof large), &blob, &error));
	assert_message_contains(&error, "too many");
	assert_int_equal(blob.size, 0);
	assert_false(cms_open(curve, view_of_text("text"), &opened, &error));
	assert_int_equal(error.code, ERROR_BUG);
	assert_int_equal(ERR_peek_error(), 0);
}

static void makes_fresh_2048_bit_keys(void **state)
{
	struct error error = {0};
	AUTO_PKEY EVP_PKEY *other = cms_recipient_key_generate(&error);

	(void)state;
	assert_non_null(other);
	assert_int_equal(EVP_PKEY_get_bits(own_key), 2048);
	assert_int_equal(own_spki.size, 294);
	assert_int_equal(EVP_PKEY_eq(own_key, other), 0);
}

/* Here OpenSSL is in use already; test_tls_identity is where it works. */
static void wiping_memory_comes_first_or_not_at_all(void **state)
{
	struct error error = {0};

	(void)state;
	assert_false(openssl_use_wiping_memory(&error));
	assert_int_equal(error.code, ERROR_BUG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_the_blobs_of_kms),
		cmocka_unit_test(reads_the_fields_of_both_content_forms),
		cmocka_unit_test(seals_in_the_byte_layout_of_kms),
		cmocka_unit_test(opens_what_it_sealed),
		cmocka_unit_test(seals_to_larger_keys),
		cmocka_unit_test(openssl_opens_what_it_sealed),
		cmocka_unit_test(opens_definite_lengths),
		cmocka_unit_test(joins_the_chunks_of_the_content),
		cmocka_unit_test(says_the_same_for_every_fault_inside),
		cmocka_unit_test(refuses_a_content_key_of_another_size),
		cmocka_unit_test(refuses_other_algorithms_before_decrypting),
		cmocka_unit_test(refuses_two_recipients),
		cmocka_unit_test(refuses_partial_blocks_and_no_content),
		cmocka_unit_test(refuses_other_lengths),
		cmocka_unit_test(survives_every_changed_byte),
		cmocka_unit_test(seals_to_rsa_only),
		cmocka_unit_test(makes_fresh_2048_bit_keys),
		cmocka_unit_test(wiping_memory_comes_first_or_not_at_all),
	};

	return cmocka_run_group_tests(tests, prepare, tear_down);
}
