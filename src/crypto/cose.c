/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cose.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "crypto/cbor_reader.h"
#include "crypto/cbor_writer.h"

#define COORDINATE_SIZE (COSE_ES384_SIGNATURE_SIZE / 2)
#define COSE_SIGN1_TAG_BYTE 0xd2 /* tag 18 */
#define ENVELOPE_ITEMS 4
/* The specification's bound on the payload alone. */
#define PAYLOAD_MAX_SIZE 16384
/* SEQUENCE of two INTEGERs of up to 49 bytes each. */
#define DER_SIGNATURE_MAX_SIZE 112

/* {1: -35}: algorithm ES384. Every AWS document has these bytes; any other spelling of the same map is refused as well. */
static const uint8_t protected_es384[] = {0xa1, 0x01, 0x38, 0x22};

static void ecdsa_sig_done(ECDSA_SIG **signature)
{
	ECDSA_SIG_free(*signature);
}

static void md_ctx_done(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static bool envelope_enter(struct cbor_reader *reader, struct error *error)
{
	struct cbor_collection envelope;

	/* By hand: libcbor 0.8 knows only some tags. */
	if (reader->rest.size > 0 && reader->rest.data[0] == COSE_SIGN1_TAG_BYTE)
		reader->rest = view_of(reader->rest.data + 1, reader->rest.size - 1);
	if (!cbor_enter_array(reader, "COSE_Sign1", ENVELOPE_ITEMS, &envelope, error))
		return false;
	if (envelope.indefinite || envelope.left != ENVELOPE_ITEMS)
		return error_set(error, ERROR_INPUT, "COSE_Sign1: not an array of exactly 4 items");
	return true;
}

static bool unprotected_read(struct cbor_reader *reader, struct error *error)
{
	struct cbor_collection map;

	if (!cbor_enter_map(reader, "COSE_Sign1: unprotected header", 0, &map, error))
		return false;
	if (map.indefinite)
		return error_set(error, ERROR_INPUT, "COSE_Sign1: unprotected header: not an empty map");
	return true;
}

bool cose_sign1_parse(struct view bytes, struct cose_sign1 *ret_message, struct error *error)
{
	struct cbor_reader reader = cbor_reader_of(bytes);
	struct cose_sign1 message = {0};

	if (bytes.size > COSE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "COSE_Sign1: larger than %d bytes", COSE_MAX_SIZE);
	if (!envelope_enter(&reader, error) ||
	    !cbor_read_bytes(&reader, "COSE_Sign1: protected header", 0, PAYLOAD_MAX_SIZE, &message.protected_header, error))
		return false;
	if (!view_equal(message.protected_header, view_of(protected_es384, sizeof protected_es384)))
		return error_set(error, ERROR_INPUT, "COSE_Sign1: protected header: not {1: -35} (ES384)");
	if (!unprotected_read(&reader, error) ||
	    !cbor_read_bytes(&reader, "COSE_Sign1: payload", 1, PAYLOAD_MAX_SIZE, &message.payload, error) ||
	    !cbor_read_bytes(&reader, "COSE_Sign1: signature", COSE_ES384_SIGNATURE_SIZE, COSE_ES384_SIGNATURE_SIZE,
			     &message.signature, error) ||
	    !cbor_read_end(&reader, "COSE_Sign1", error))
		return false;
	*ret_message = message;
	return true;
}

/* RFC 9052 section 4.4, with no external data. */
static void sig_structure_append(struct view protected_header, struct view payload, struct buffer *ret_bytes)
{
	cbor_append_array(ret_bytes, 4);
	cbor_append_name(ret_bytes, "Signature1");
	cbor_append_bytes(ret_bytes, protected_header);
	cbor_append_bytes(ret_bytes, (struct view){0});
	cbor_append_bytes(ret_bytes, payload);
}

static bool key_is_p384(const EVP_PKEY *key)
{
	char group[64] = "";

	return key && EVP_PKEY_get_group_name(key, group, sizeof group, NULL) == 1 && OBJ_sn2nid(group) == NID_secp384r1;
}

/* r ‖ s as OpenSSL wants it. Returns the size, 0 on failure. */
static size_t signature_to_der(struct view signature, uint8_t ret_der[DER_SIGNATURE_MAX_SIZE])
{
	CLEANUP(ecdsa_sig_done) ECDSA_SIG *parsed = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(signature.data, COORDINATE_SIZE, NULL);
	BIGNUM *s = BN_bin2bn(signature.data + COORDINATE_SIZE, COORDINATE_SIZE, NULL);
	uint8_t *end = ret_der;
	int size;

	if (!parsed || !r || !s || ECDSA_SIG_set0(parsed, r, s) != 1) {
		BN_free(r);
		BN_free(s);
		return 0;
	}
	if (i2d_ECDSA_SIG(parsed, NULL) > DER_SIGNATURE_MAX_SIZE)
		return 0;
	size = i2d_ECDSA_SIG(parsed, &end);
	return size > 0 ? (size_t)size : 0;
}

static bool signature_from_der(struct view der, uint8_t ret_signature[COSE_ES384_SIGNATURE_SIZE])
{
	const uint8_t *next = der.data;
	CLEANUP(ecdsa_sig_done) ECDSA_SIG *parsed = d2i_ECDSA_SIG(NULL, &next, (long)der.size);

	return parsed && BN_bn2binpad(ECDSA_SIG_get0_r(parsed), ret_signature, COORDINATE_SIZE) == COORDINATE_SIZE &&
	       BN_bn2binpad(ECDSA_SIG_get0_s(parsed), ret_signature + COORDINATE_SIZE, COORDINATE_SIZE) == COORDINATE_SIZE;
}

bool cose_sign1_verify(const struct cose_sign1 *message, EVP_PKEY *key, struct error *error)
{
	CLEANUP(md_ctx_done) EVP_MD_CTX *context = EVP_MD_CTX_new();
	AUTO_BUFFER struct buffer signed_bytes = {0};
	uint8_t der[DER_SIGNATURE_MAX_SIZE];
	size_t der_size;

	if (!key_is_p384(key))
		return error_set(error, ERROR_CRYPTO, "COSE_Sign1: the signing key is not on P-384");
	if (message->signature.size != COSE_ES384_SIGNATURE_SIZE)
		return error_set(error, ERROR_CRYPTO, "COSE_Sign1: signature of %zu bytes", message->signature.size);
	sig_structure_append(message->protected_header, message->payload, &signed_bytes);
	der_size = signature_to_der(message->signature, der);
	if (!context || der_size == 0 || EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, key) != 1 ||
	    EVP_DigestVerify(context, der, der_size, signed_bytes.data, signed_bytes.size) != 1)
		return error_set(error, ERROR_CRYPTO, "COSE_Sign1: the signature does not verify");
	return true;
}

bool cose_sign1_sign(struct view payload, EVP_PKEY *key, struct buffer *ret_bytes, struct error *error)
{
	const struct view protected_header = view_of(protected_es384, sizeof protected_es384);
	CLEANUP(md_ctx_done) EVP_MD_CTX *context = EVP_MD_CTX_new();
	AUTO_BUFFER struct buffer signed_bytes = {0};
	uint8_t signature[COSE_ES384_SIGNATURE_SIZE];
	uint8_t der[DER_SIGNATURE_MAX_SIZE];
	size_t der_size = sizeof der;

	if (payload.size == 0 || payload.size > PAYLOAD_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "COSE_Sign1: payload of %zu bytes, not 1 to %d", payload.size,
				 PAYLOAD_MAX_SIZE);
	if (!key_is_p384(key))
		return error_set(error, ERROR_CRYPTO, "COSE_Sign1: the signing key is not on P-384");
	sig_structure_append(protected_header, payload, &signed_bytes);
	if (!context || EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key) != 1 ||
	    EVP_DigestSign(context, der, &der_size, signed_bytes.data, signed_bytes.size) != 1 ||
	    !signature_from_der(view_of(der, der_size), signature))
		return error_set(error, ERROR_CRYPTO, "COSE_Sign1: signing failed");
	cbor_append_array(ret_bytes, ENVELOPE_ITEMS);
	cbor_append_bytes(ret_bytes, protected_header);
	cbor_append_map(ret_bytes, 0);
	cbor_append_bytes(ret_bytes, payload);
	cbor_append_bytes(ret_bytes, view_of(signature, sizeof signature));
	return true;
}
