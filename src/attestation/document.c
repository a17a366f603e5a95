/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/document.h"

#include "crypto/cbor_reader.h"
#include "crypto/cbor_writer.h"
#include "crypto/cose.h"

#define KEY_MAX_SIZE 32 /* of the payload's own keys; the longest has 11 */

static bool read_module_id(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	struct view text;

	if (!cbor_read_text(reader, "module_id", ATTESTATION_MODULE_ID_SIZE - 1, &text, error))
		return false;
	memcpy(document->module_id, text.data, text.size);
	document->module_id[text.size] = 0;
	return true;
}

static bool read_digest(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	struct view text;

	(void)document;
	if (!cbor_read_text(reader, "digest", KEY_MAX_SIZE, &text, error))
		return false;
	if (!view_equal_text(text, "SHA384"))
		return error_set(error, ERROR_INPUT, "digest: not SHA384");
	return true;
}

static bool read_timestamp(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	/* Beyond this, seconds would not fit the signed types of the clock. */
	if (!cbor_read_uint(reader, "timestamp", INT64_MAX, &document->timestamp_ms, error))
		return false;
	if (document->timestamp_ms == 0)
		return error_set(error, ERROR_INPUT, "timestamp: zero");
	return true;
}

static bool read_pcrs(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	struct cbor_collection map;

	if (!cbor_enter_map(reader, "pcrs", NSM_PCR_COUNT, &map, error))
		return false;
	for (;;) {
		struct view value;
		uint64_t index;
		bool more;

		if (!cbor_next_entry(reader, "pcrs", &map, &more, error))
			return false;
		if (!more)
			break;
		if (!cbor_read_uint(reader, "pcrs: index", NSM_PCR_COUNT - 1, &index, error))
			return false;
		if (document->pcr_mask >> index & 1)
			return error_set(error, ERROR_INPUT, "pcrs: %u: twice", (unsigned)index);
		/* The specification also has sizes for other digests, but digest is always SHA384. */
		if (!cbor_read_bytes(reader, "pcrs", NSM_PCR_SIZE, NSM_PCR_SIZE, &value, error))
			return false;
		document->pcr_mask |= UINT32_C(1) << index;
		memcpy(document->pcrs[index], value.data, NSM_PCR_SIZE);
	}
	if (document->pcr_mask == 0)
		return error_set(error, ERROR_INPUT, "pcrs: empty");
	return true;
}

static bool read_certificate(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	return cbor_read_bytes(reader, "certificate", 1, ATTESTATION_CERTIFICATE_MAX_SIZE, &document->certificate, error);
}

static bool read_cabundle(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	struct cbor_collection array;

	if (!cbor_enter_array(reader, "cabundle", ATTESTATION_CABUNDLE_MAX, &array, error))
		return false;
	for (;;) {
		bool more;

		if (!cbor_next_entry(reader, "cabundle", &array, &more, error))
			return false;
		if (!more)
			break;
		if (!cbor_read_bytes(reader, "cabundle", 1, ATTESTATION_CERTIFICATE_MAX_SIZE,
				     &document->cabundle[document->cabundle_count], error))
			return false;
		document->cabundle_count++;
	}
	if (document->cabundle_count == 0)
		return error_set(error, ERROR_INPUT, "cabundle: empty");
	return true;
}

static bool read_public_key(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	return cbor_read_optional_bytes(reader, "public_key", 1, NSM_FIELD_MAX_SIZE, &document->has_public_key,
					&document->public_key, error);
}

/* The hypervisor does write an empty byte string for an empty user_data. */
static bool read_user_data(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	return cbor_read_optional_bytes(reader, "user_data", 0, NSM_FIELD_MAX_SIZE, &document->has_user_data, &document->user_data,
					error);
}

static bool read_nonce(struct cbor_reader *reader, struct attestation_document *document, struct error *error)
{
	return cbor_read_optional_bytes(reader, "nonce", 0, NSM_FIELD_MAX_SIZE, &document->has_nonce, &document->nonce, error);
}

/* The payload's keys in AWS's order. */
static const struct document_field {
	const char *key;
	bool required;
	bool (*read)(struct cbor_reader *reader, struct attestation_document *document, struct error *error);
} fields[] = {
	{"module_id", true, read_module_id},
	{"digest", true, read_digest},
	{"timestamp", true, read_timestamp},
	{"pcrs", true, read_pcrs},
	{"certificate", true, read_certificate},
	{"cabundle", true, read_cabundle},
	{"public_key", false, read_public_key},
	{"user_data", false, read_user_data},
	{"nonce", false, read_nonce},
};

static bool payload_read_field(struct cbor_reader *reader, unsigned *seen, struct attestation_document *document,
			       struct error *error)
{
	struct view key;
	size_t i = 0;

	if (!cbor_read_text(reader, "key", KEY_MAX_SIZE, &key, error))
		return false;
	while (i < ARRAY_SIZE(fields) && !view_equal_text(key, fields[i].key))
		i++;
	if (i == ARRAY_SIZE(fields))
		return error_set(error, ERROR_INPUT, "%.*s: unknown key", (int)key.size, (const char *)key.data);
	if (*seen >> i & 1)
		return error_set(error, ERROR_INPUT, "%s: twice", fields[i].key);
	*seen |= 1u << i;
	return fields[i].read(reader, document, error);
}

static bool payload_read(struct view payload, struct attestation_document *document, struct error *error)
{
	struct cbor_reader reader = cbor_reader_of(payload);
	struct cbor_collection map;
	unsigned seen = 0;
	bool more;

	if (!cbor_enter_map(&reader, "payload", ARRAY_SIZE(fields), &map, error))
		return false;
	for (;;) {
		if (!cbor_next_entry(&reader, "payload", &map, &more, error))
			return false;
		if (!more)
			break;
		if (!payload_read_field(&reader, &seen, document, error))
			return false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (fields[i].required && !(seen >> i & 1))
			return error_set(error, ERROR_INPUT, "%s: missing", fields[i].key);
	}
	return cbor_read_end(&reader, "payload", error);
}

bool attestation_parse(struct view bytes, struct attestation_document *ret_document, struct error *error)
{
	struct attestation_document document = {0};
	struct cose_sign1 message;

	if (!cose_sign1_parse(bytes, &message, error) || !payload_read(message.payload, &document, error))
		return error_prefix(error, "attestation document");
	*ret_document = document;
	return true;
}

bool attestation_parse_pcr(const char *name, const char *hex, uint8_t ret_pcr[NSM_PCR_SIZE], struct error *error)
{
	return hex_decode(view_of_text(hex), ret_pcr, NSM_PCR_SIZE) ||
	       error_set(error, ERROR_INPUT, "%s: not %d hex digits", name, 2 * NSM_PCR_SIZE);
}

bool attestation_check_pcr(const struct attestation_document *document, unsigned index, const char *hex, struct error *error)
{
	AUTO_FREE char *name = memory_format("PCR%u", index);
	char attested[NSM_PCR_TEXT_SIZE];
	uint8_t wanted[NSM_PCR_SIZE];

	if (!attestation_parse_pcr(name, hex, wanted, error))
		return false;
	hex_encode(view_of(document->pcrs[index], NSM_PCR_SIZE), attested);
	return memcmp(document->pcrs[index], wanted, sizeof wanted) == 0 ||
	       error_set(error, ERROR_CRYPTO, "%s is not the one that is wanted, but %s: another image", name, attested);
}

bool attestation_is_debug(const struct attestation_document *document)
{
	static const uint8_t zero[NSM_PCR_SIZE];

	/* A PCR that is not listed has not been proved to be anything, so it counts as zero (the parser leaves it so). */
	for (size_t i = 0; i <= 2; i++) {
		if (memcmp(document->pcrs[i], zero, NSM_PCR_SIZE) != 0)
			return false;
	}
	return true;
}

static bool document_check(const struct attestation_document *document, struct error *error)
{
	if (document->module_id[0] == 0 || document->timestamp_ms == 0 || document->pcr_mask == 0)
		return error_set(error, ERROR_INPUT, "attestation document: module_id, timestamp or pcrs: empty");
	if (document->certificate.size == 0 || document->certificate.size > ATTESTATION_CERTIFICATE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "attestation document: certificate: %zu bytes", document->certificate.size);
	if (document->cabundle_count == 0 || document->cabundle_count > ATTESTATION_CABUNDLE_MAX)
		return error_set(error, ERROR_INPUT, "attestation document: cabundle: %zu entries", document->cabundle_count);
	for (size_t i = 0; i < document->cabundle_count; i++) {
		if (document->cabundle[i].size == 0 || document->cabundle[i].size > ATTESTATION_CERTIFICATE_MAX_SIZE)
			return error_set(error, ERROR_INPUT, "attestation document: cabundle: entry of %zu bytes",
					 document->cabundle[i].size);
	}
	if (document->public_key.size > NSM_FIELD_MAX_SIZE || document->user_data.size > NSM_FIELD_MAX_SIZE ||
	    document->nonce.size > NSM_FIELD_MAX_SIZE || (document->has_public_key && document->public_key.size == 0))
		return error_set(error, ERROR_INPUT, "attestation document: public_key, user_data or nonce: wrong size");
	return true;
}

static void append_optional(const char *key, bool present, struct view value, struct buffer *ret_payload)
{
	cbor_append_name(ret_payload, key);
	if (!present) {
		cbor_append_null(ret_payload);
		return;
	}
	cbor_append_bytes(ret_payload, value);
}

static void append_pcrs(const struct attestation_document *document, struct buffer *ret_payload)
{
	cbor_append_map(ret_payload, (size_t)__builtin_popcount(document->pcr_mask));
	for (unsigned i = 0; i < NSM_PCR_COUNT; i++) {
		if (!(document->pcr_mask >> i & 1))
			continue;
		cbor_append_uint(ret_payload, i);
		cbor_append_bytes(ret_payload, view_of(document->pcrs[i], NSM_PCR_SIZE));
	}
}

bool attestation_build_payload(const struct attestation_document *document, struct buffer *ret_payload, struct error *error)
{
	if (!document_check(document, error))
		return false;
	cbor_append_map(ret_payload, ARRAY_SIZE(fields));
	cbor_append_name(ret_payload, "module_id");
	cbor_append_name(ret_payload, document->module_id);
	cbor_append_name(ret_payload, "digest");
	cbor_append_name(ret_payload, "SHA384");
	cbor_append_name(ret_payload, "timestamp");
	cbor_append_uint(ret_payload, document->timestamp_ms);
	cbor_append_name(ret_payload, "pcrs");
	append_pcrs(document, ret_payload);
	cbor_append_name(ret_payload, "certificate");
	cbor_append_bytes(ret_payload, document->certificate);
	cbor_append_name(ret_payload, "cabundle");
	cbor_append_array(ret_payload, document->cabundle_count);
	for (size_t i = 0; i < document->cabundle_count; i++)
		cbor_append_bytes(ret_payload, document->cabundle[i]);
	append_optional("public_key", document->has_public_key, document->public_key, ret_payload);
	append_optional("user_data", document->has_user_data, document->user_data, ret_payload);
	append_optional("nonce", document->has_nonce, document->nonce, ret_payload);
	return true;
}
