/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cms_fields.h"

#include <openssl/asn1t.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "crypto/cms.h"

/* KeyTransRecipientInfo and EnvelopedData are of version 2 exactly when the recipient is named by subjectKeyIdentifier. */
#define CMS_VERSION 2

const uint8_t CMS_RSAES_OAEP_SHA256[] = {
	0x30, 0x3c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, /* id-RSAES-OAEP */
	0x30, 0x2f,                                                                   /* RSAES-OAEP-params */
	0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, /* SHA-256 */
	0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08,             /* MGF1 of … */
	0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00,             /* … SHA-256 */
};
const size_t CMS_RSAES_OAEP_SHA256_SIZE = sizeof CMS_RSAES_OAEP_SHA256;

struct recipient_info {
	ASN1_INTEGER *version;
	ASN1_OCTET_STRING *key_identifier;
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *encrypted_key;
};

struct encrypted_content_info {
	ASN1_OBJECT *type;
	X509_ALGOR *algorithm;
	ASN1_OCTET_STRING *ciphertext;
};

struct enveloped_data {
	ASN1_INTEGER *version;
	OPENSSL_STACK *recipients; /* of struct recipient_info */
	struct encrypted_content_info *content;
};

struct content_info {
	ASN1_OBJECT *type;
	struct enveloped_data *enveloped;
};

/* clang-format off */
ASN1_SEQUENCE(RECIPIENT_INFO) = {
	ASN1_SIMPLE(struct recipient_info, version, ASN1_INTEGER),
	ASN1_IMP(struct recipient_info, key_identifier, ASN1_OCTET_STRING, 0),
	ASN1_SIMPLE(struct recipient_info, algorithm, X509_ALGOR),
	ASN1_SIMPLE(struct recipient_info, encrypted_key, ASN1_OCTET_STRING),
} static_ASN1_SEQUENCE_END_name(struct recipient_info, RECIPIENT_INFO)

ASN1_SEQUENCE(ENCRYPTED_CONTENT_INFO) = {
	ASN1_SIMPLE(struct encrypted_content_info, type, ASN1_OBJECT),
	ASN1_SIMPLE(struct encrypted_content_info, algorithm, X509_ALGOR),
	ASN1_IMP(struct encrypted_content_info, ciphertext, ASN1_OCTET_STRING, 0),
} static_ASN1_SEQUENCE_END_name(struct encrypted_content_info, ENCRYPTED_CONTENT_INFO)

ASN1_SEQUENCE(ENVELOPED_DATA) = {
	ASN1_SIMPLE(struct enveloped_data, version, ASN1_INTEGER),
	ASN1_SET_OF(struct enveloped_data, recipients, RECIPIENT_INFO),
	ASN1_SIMPLE(struct enveloped_data, content, ENCRYPTED_CONTENT_INFO),
} static_ASN1_SEQUENCE_END_name(struct enveloped_data, ENVELOPED_DATA)

ASN1_SEQUENCE(CONTENT_INFO) = {
	ASN1_SIMPLE(struct content_info, type, ASN1_OBJECT),
	ASN1_EXP(struct content_info, enveloped, ENVELOPED_DATA, 0),
} static_ASN1_SEQUENCE_END_name(struct content_info, CONTENT_INFO)
	/* clang-format on */

	static void content_info_done(struct content_info * *info)
{
	ASN1_item_free((ASN1_VALUE *)*info, ASN1_ITEM_rptr(CONTENT_INFO));
}

#define AUTO_CONTENT_INFO CLEANUP(content_info_done)

static struct content_info *decode(struct view blob)
{
	const unsigned char *next = blob.data;
	struct content_info *info =
		(struct content_info *)ASN1_item_d2i(NULL, &next, (long)blob.size, ASN1_ITEM_rptr(CONTENT_INFO));

	ERR_clear_error();
	if (info && next != blob.data + blob.size)
		content_info_done(&info), info = NULL;
	return info;
}

static struct view octets(const ASN1_STRING *string)
{
	return view_of(ASN1_STRING_get0_data(string), (size_t)ASN1_STRING_length(string));
}

static bool is_rsaes_oaep_sha256(const X509_ALGOR *algorithm)
{
	unsigned char *der = NULL;
	int size = i2d_X509_ALGOR(algorithm, &der);
	bool same = size > 0 && view_equal(view_of(der, (size_t)size), view_of(CMS_RSAES_OAEP_SHA256, CMS_RSAES_OAEP_SHA256_SIZE));

	OPENSSL_free(der);
	return same;
}

/* The initialisation vector of AES-256-CBC, or an empty view when the algorithm is another. */
static struct view aes_256_cbc_iv(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *name;
	const void *parameter;
	int parameter_type;

	X509_ALGOR_get0(&name, &parameter_type, &parameter, algorithm);
	if (OBJ_obj2nid(name) != NID_aes_256_cbc || parameter_type != V_ASN1_OCTET_STRING)
		return view_of(NULL, 0);
	return octets((const ASN1_STRING *)parameter);
}

static bool check_recipient(const struct recipient_info *recipient, struct error *error)
{
	if (ASN1_INTEGER_get(recipient->version) != CMS_VERSION)
		return error_set(error, ERROR_INPUT, "CMS: version of the recipient is not %d", CMS_VERSION);
	if (octets(recipient->key_identifier).size != CMS_KEY_IDENTIFIER_SIZE)
		return error_set(error, ERROR_INPUT, "CMS: subjectKeyIdentifier is not a SHA-256");
	if (!is_rsaes_oaep_sha256(recipient->algorithm))
		return error_set(error, ERROR_INPUT, "CMS: the key is not encrypted with RSAES-OAEP SHA-256");
	return true;
}

static bool check_content(const struct encrypted_content_info *content, struct error *error)
{
	size_t size = octets(content->ciphertext).size;

	if (OBJ_obj2nid(content->type) != NID_pkcs7_data)
		return error_set(error, ERROR_INPUT, "CMS: the content is not id-data");
	if (aes_256_cbc_iv(content->algorithm).size != CMS_IV_SIZE)
		return error_set(error, ERROR_INPUT, "CMS: the content is not encrypted with AES-256-CBC");
	if (size == 0 || size % CMS_IV_SIZE != 0)
		return error_set(error, ERROR_INPUT, "CMS: ciphertext of %zu bytes is not a number of whole blocks", size);
	return true;
}

void cms_fields_done(struct cms_fields *fields)
{
	if (!fields)
		return;
	buffer_done(&fields->encrypted_key);
	buffer_done(&fields->ciphertext);
}

bool cms_parse_fields(struct view blob, struct cms_fields *ret_fields, struct error *error)
{
	AUTO_CONTENT_INFO struct content_info *info = NULL;
	const struct recipient_info *recipient;
	const struct encrypted_content_info *content;

	if (blob.size > CMS_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "CMS: %zu bytes, at most %d are allowed", blob.size, CMS_MAX_SIZE);
	info = decode(blob);
	if (!info || OBJ_obj2nid(info->type) != NID_pkcs7_enveloped)
		return error_set(error, ERROR_INPUT, "CMS: not EnvelopedData for a recipient named by its key");
	if (ASN1_INTEGER_get(info->enveloped->version) != CMS_VERSION)
		return error_set(error, ERROR_INPUT, "CMS: version of EnvelopedData is not %d", CMS_VERSION);
	if (OPENSSL_sk_num(info->enveloped->recipients) != 1)
		return error_set(error, ERROR_INPUT, "CMS: not exactly one recipient");
	recipient = (const struct recipient_info *)OPENSSL_sk_value(info->enveloped->recipients, 0);
	content = info->enveloped->content;
	if (!check_recipient(recipient, error) || !check_content(content, error))
		return false;
	*ret_fields = (struct cms_fields){0};
	/* NOLINTBEGIN(clang-analyzer-core.NonNullParamChecker): the checks saw that these are there and have their sizes. */
	memcpy(ret_fields->key_identifier, octets(recipient->key_identifier).data, CMS_KEY_IDENTIFIER_SIZE);
	memcpy(ret_fields->iv, aes_256_cbc_iv(content->algorithm).data, CMS_IV_SIZE);
	/* NOLINTEND(clang-analyzer-core.NonNullParamChecker) */
	buffer_append(&ret_fields->encrypted_key, octets(recipient->encrypted_key));
	buffer_append(&ret_fields->ciphertext, octets(content->ciphertext));
	return true;
}
