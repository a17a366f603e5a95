/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_sign.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "crypto/cbor_reader.h"
#include "crypto/cbor_writer.h"
#include "crypto/cose.h"

#define CERTIFICATE_NAME "signing_certificate"
#define SIGNATURE_NAME "signature"
#define INDEX_NAME "register_index"
#define VALUE_NAME "register_value"
/* The longest name, twice over. */
#define NAME_MAX_SIZE 40
/* The section's own limit: each byte takes one or two. */
#define BYTES_MAX EIF_SIGNATURE_MAX_SIZE
#define SIGNED_REGISTER 0

void eif_signature_done(struct eif_signature *signature)
{
	if (!signature)
		return;
	X509_free(signature->certificate);
	buffer_done(&signature->certificate_der);
	buffer_done(&signature->cose);
	*signature = (struct eif_signature){0};
}

static void write_numbers(const char *name, struct view bytes, struct buffer *ret_cbor)
{
	cbor_append_name(ret_cbor, name);
	cbor_append_array(ret_cbor, bytes.size);
	for (size_t i = 0; i < bytes.size; i++)
		cbor_append_uint(ret_cbor, bytes.data[i]);
}

static bool read_numbers(struct cbor_reader *reader, const char *name, size_t max_size, struct buffer *ret_bytes,
			 struct error *error)
{
	struct cbor_collection array;
	uint64_t number;
	bool more;

	if (ret_bytes->size > 0)
		return error_set(error, ERROR_INPUT, "%s: there twice", name);
	if (!cbor_enter_array(reader, name, max_size, &array, error))
		return false;
	for (;;) {
		if (!cbor_next_entry(reader, name, &array, &more, error))
			return false;
		if (!more)
			return ret_bytes->size > 0 || error_set(error, ERROR_INPUT, "%s: empty", name);
		if (!cbor_read_uint(reader, name, UINT8_MAX, &number, error))
			return false;
		buffer_append_byte(ret_bytes, (uint8_t)number);
	}
}

/* A map of exactly two entries. */
static bool enter_pair(struct cbor_reader *reader, const char *field, struct error *error)
{
	struct cbor_collection map;

	if (!cbor_enter_map(reader, field, 2, &map, error))
		return false;
	return (!map.indefinite && map.left == 2) || error_set(error, ERROR_INPUT, "%s: not a map of 2 entries", field);
}

static bool read_certificate(struct view pem, struct eif_signature *signature, struct error *error)
{
	BIO *file = BIO_new_mem_buf(pem.data, (int)pem.size);
	unsigned char *der = NULL;
	int size;

	signature->certificate = file ? PEM_read_bio_X509(file, NULL, NULL, NULL) : NULL;
	(void)BIO_free(file);
	size = signature->certificate ? i2d_X509(signature->certificate, &der) : 0;
	ERR_clear_error();
	if (size <= 0)
		return error_set(error, ERROR_INPUT, CERTIFICATE_NAME ": no certificate in PEM");
	buffer_append(&signature->certificate_der, view_of(der, (size_t)size));
	OPENSSL_free(der);
	return true;
}

static bool read_entries(struct view section, struct buffer *pem, struct buffer *cose, struct error *error)
{
	struct cbor_reader reader = cbor_reader_of(section);
	struct cbor_collection list;
	struct view name;

	if (!cbor_enter_array(&reader, "signatures", 1, &list, error))
		return false;
	if (list.indefinite || list.left != 1)
		return error_set(error, ERROR_INPUT, "signatures: not an array of exactly one");
	if (!enter_pair(&reader, "signatures[0]", error))
		return false;
	for (int i = 0; i < 2; i++) {
		if (!cbor_read_text(&reader, "signatures[0]", NAME_MAX_SIZE, &name, error))
			return false;
		if (!view_equal_text(name, CERTIFICATE_NAME) && !view_equal_text(name, SIGNATURE_NAME))
			return error_set(error, ERROR_INPUT, "signatures[0]: %.*s: unknown", (int)name.size,
					 (const char *)name.data);
		if (view_equal_text(name, CERTIFICATE_NAME) ? !read_numbers(&reader, CERTIFICATE_NAME, BYTES_MAX, pem, error)
							    : !read_numbers(&reader, SIGNATURE_NAME, COSE_MAX_SIZE, cose, error))
			return false;
	}
	return cbor_read_end(&reader, "signatures", error);
}

bool eif_signature_read(struct view section, struct eif_signature *ret_signature, struct error *error)
{
	AUTO_EIF_SIGNATURE struct eif_signature signature = {0};
	AUTO_BUFFER struct buffer pem = {0};

	if (section.size > EIF_SIGNATURE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "larger than %d bytes", EIF_SIGNATURE_MAX_SIZE);
	if (!read_entries(section, &pem, &signature.cose, error) || !read_certificate(buffer_view(&pem), &signature, error))
		return false;
	*ret_signature = signature;
	signature = (struct eif_signature){0};
	return true;
}

static bool check_dates(const X509 *certificate, uint64_t at_ms, enum error_code code, struct error *error)
{
	time_t at = (time_t)(at_ms / 1000);

	/* 0 is an error of the comparison, too. */
	if (X509_cmp_time(X509_get0_notBefore(certificate), &at) >= 0)
		return error_set(error, code, "the signing certificate is not valid yet");
	if (X509_cmp_time(X509_get0_notAfter(certificate), &at) <= 0)
		return error_set(error, code, "the signing certificate has expired");
	return true;
}

static void write_payload(const uint8_t pcr0[NSM_PCR_SIZE], struct buffer *ret_payload)
{
	cbor_append_map(ret_payload, 2);
	cbor_append_name(ret_payload, INDEX_NAME);
	cbor_append_uint(ret_payload, SIGNED_REGISTER);
	write_numbers(VALUE_NAME, view_of(pcr0, NSM_PCR_SIZE), ret_payload);
}

static bool read_payload(struct view payload, uint64_t *ret_index, struct buffer *ret_value, struct error *error)
{
	struct cbor_reader reader = cbor_reader_of(payload);
	bool has_index = false;
	struct view name;

	if (!enter_pair(&reader, "payload", error))
		return false;
	for (int i = 0; i < 2; i++) {
		if (!cbor_read_text(&reader, "payload", NAME_MAX_SIZE, &name, error))
			return false;
		if (view_equal_text(name, INDEX_NAME) && !has_index) {
			has_index = cbor_read_uint(&reader, INDEX_NAME, NSM_PCR_COUNT - 1, ret_index, error);
			if (!has_index)
				return false;
			continue;
		}
		if (!view_equal_text(name, VALUE_NAME))
			return error_set(error, ERROR_INPUT, "payload: %.*s: unknown, or there twice", (int)name.size,
					 (const char *)name.data);
		if (!read_numbers(&reader, VALUE_NAME, NSM_PCR_SIZE, ret_value, error))
			return false;
	}
	return cbor_read_end(&reader, "payload", error);
}

bool eif_signature_verify(const struct eif_signature *signature, const uint8_t pcr0[NSM_PCR_SIZE], uint64_t at_ms,
			  struct error *error)
{
	AUTO_BUFFER struct buffer value = {0};
	struct cose_sign1 message;
	uint64_t index = UINT64_MAX;

	if (!cose_sign1_parse(buffer_view(&signature->cose), &message, error) ||
	    !cose_sign1_verify(&message, X509_get0_pubkey(signature->certificate), error) ||
	    !read_payload(message.payload, &index, &value, error))
		return false;
	if (index != SIGNED_REGISTER || !view_equal(buffer_view(&value), view_of(pcr0, NSM_PCR_SIZE)))
		return error_set(error, ERROR_CRYPTO, "the signature is of another image: its PCR%llu is not this image's PCR0",
				 (unsigned long long)index);
	return check_dates(signature->certificate, at_ms, ERROR_CRYPTO, error);
}

static bool write_certificate(X509 *certificate, struct buffer *ret_cbor, struct error *error)
{
	BIO *memory = BIO_new(BIO_s_mem());
	char *pem = NULL;
	long size;

	if (!memory || PEM_write_bio_X509(memory, certificate) != 1 || (size = BIO_get_mem_data(memory, &pem)) <= 0) {
		(void)BIO_free(memory);
		return error_set(error, ERROR_CRYPTO, "certificate: cannot be written as PEM");
	}
	write_numbers(CERTIFICATE_NAME, view_of(pem, (size_t)size), ret_cbor);
	(void)BIO_free(memory);
	return true;
}

bool eif_signature_write(const uint8_t pcr0[NSM_PCR_SIZE], X509 *certificate, EVP_PKEY *key, uint64_t at_ms,
			 struct buffer *ret_section, struct error *error)
{
	AUTO_BUFFER struct buffer section = {0};
	AUTO_BUFFER struct buffer payload = {0};
	AUTO_BUFFER struct buffer cose = {0};

	if (X509_check_private_key(certificate, key) != 1) {
		ERR_clear_error();
		return error_set(error, ERROR_INPUT, "the key is not the certificate's");
	}
	if (!check_dates(certificate, at_ms, ERROR_INPUT, error))
		return false;
	write_payload(pcr0, &payload);
	if (!cose_sign1_sign(buffer_view(&payload), key, &cose, error))
		return false;
	cbor_append_array(&section, 1);
	cbor_append_map(&section, 2);
	if (!write_certificate(certificate, &section, error))
		return false;
	write_numbers(SIGNATURE_NAME, buffer_view(&cose), &section);
	if (section.size > EIF_SIGNATURE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "certificate: too large: the signature would take %zu bytes, %d are allowed",
				 section.size, EIF_SIGNATURE_MAX_SIZE);
	buffer_append(ret_section, buffer_view(&section));
	return true;
}
