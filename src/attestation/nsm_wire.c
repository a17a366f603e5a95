/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/nsm_wire.h"

#include "crypto/cbor_reader.h"
#include "crypto/cbor_writer.h"

/* Room for every name of the protocol; longer is unknown. */
#define NAME_MAX_SIZE 32
#define MODULE_ID_MAX_SIZE 127
#define FIELDS_MAX 7
/* Unknown fields that a newer NSM may add to a message; more is not our peer. */
#define UNKNOWN_FIELDS_MAX 16

enum field_type {
	FIELD_U16,
	FIELD_BOOL,
	FIELD_TEXT,
	FIELD_BYTES,
	FIELD_OPTIONAL_BYTES,
	FIELD_PCR_LIST, /* array of PCR numbers, a mask in memory */
};

/* One field of a message: its name and type on the wire, its place in the struct, and the sizes of strings. */
struct field {
	const char *name;
	enum field_type type;
	size_t offset;
	size_t min_size, max_size;
};

struct shape {
	const char *name;
	size_t field_count;
	struct field fields[FIELDS_MAX];
};

static const struct shape request_shapes[NSM_OPERATION_COUNT] = {
	[NSM_DESCRIBE_NSM] = {"DescribeNSM", 0, {{0}}},
	[NSM_DESCRIBE_PCR] = {"DescribePCR", 1, {{"index", FIELD_U16, offsetof(struct nsm_request, index)}}},
	[NSM_EXTEND_PCR] = {"ExtendPCR",
			    2,
			    {{"index", FIELD_U16, offsetof(struct nsm_request, index)},
			     {"data", FIELD_BYTES, offsetof(struct nsm_request, data), 0, NSM_REQUEST_MAX_SIZE}}},
	[NSM_LOCK_PCR] = {"LockPCR", 1, {{"index", FIELD_U16, offsetof(struct nsm_request, index)}}},
	[NSM_LOCK_PCRS] = {"LockPCRs", 1, {{"range", FIELD_U16, offsetof(struct nsm_request, range)}}},
	[NSM_GET_RANDOM] = {"GetRandom", 0, {{0}}},
	[NSM_ATTESTATION] = {"Attestation",
			     3,
			     {{"user_data", FIELD_OPTIONAL_BYTES, offsetof(struct nsm_request, user_data), 0, NSM_REQUEST_MAX_SIZE},
			      {"nonce", FIELD_OPTIONAL_BYTES, offsetof(struct nsm_request, nonce), 0, NSM_REQUEST_MAX_SIZE},
			      {"public_key", FIELD_OPTIONAL_BYTES, offsetof(struct nsm_request, public_key), 0,
			       NSM_REQUEST_MAX_SIZE}}},
};

static const struct shape response_shapes[NSM_OPERATION_COUNT] = {
	[NSM_DESCRIBE_NSM] = {"DescribeNSM",
			      7,
			      {{"version_major", FIELD_U16, offsetof(struct nsm_response, version_major)},
			       {"version_minor", FIELD_U16, offsetof(struct nsm_response, version_minor)},
			       {"version_patch", FIELD_U16, offsetof(struct nsm_response, version_patch)},
			       {"module_id", FIELD_TEXT, offsetof(struct nsm_response, module_id), 1, MODULE_ID_MAX_SIZE},
			       {"max_pcrs", FIELD_U16, offsetof(struct nsm_response, max_pcrs)},
			       {"locked_pcrs", FIELD_PCR_LIST, offsetof(struct nsm_response, locked_pcrs)},
			       {"digest", FIELD_TEXT, offsetof(struct nsm_response, digest), 1, NAME_MAX_SIZE}}},
	[NSM_DESCRIBE_PCR] = {"DescribePCR",
			      2,
			      {{"lock", FIELD_BOOL, offsetof(struct nsm_response, lock)},
			       {"data", FIELD_BYTES, offsetof(struct nsm_response, data), NSM_PCR_SIZE, NSM_PCR_SIZE}}},
	[NSM_EXTEND_PCR] = {"ExtendPCR",
			    1,
			    {{"data", FIELD_BYTES, offsetof(struct nsm_response, data), NSM_PCR_SIZE, NSM_PCR_SIZE}}},
	[NSM_LOCK_PCR] = {"LockPCR", 0, {{0}}},
	[NSM_LOCK_PCRS] = {"LockPCRs", 0, {{0}}},
	[NSM_GET_RANDOM] = {"GetRandom",
			    1,
			    {{"random", FIELD_BYTES, offsetof(struct nsm_response, random), 1, NSM_RANDOM_MAX_SIZE}}},
	[NSM_ATTESTATION] = {"Attestation",
			     1,
			     {{"document", FIELD_BYTES, offsetof(struct nsm_response, document), 1, NSM_RESPONSE_MAX_SIZE}}},
};

static const char *const status_names[NSM_STATUS_COUNT] = {
	[NSM_SUCCESS] = "Success",
	[NSM_INVALID_ARGUMENT] = "InvalidArgument",
	[NSM_INVALID_INDEX] = "InvalidIndex",
	[NSM_INVALID_RESPONSE] = "InvalidResponse",
	[NSM_READ_ONLY_INDEX] = "ReadOnlyIndex",
	[NSM_INVALID_OPERATION] = "InvalidOperation",
	[NSM_BUFFER_TOO_SMALL] = "BufferTooSmall",
	[NSM_INPUT_TOO_LARGE] = "InputTooLarge",
	[NSM_INTERNAL_ERROR] = "InternalError",
};

const char *nsm_status_name(enum nsm_status status)
{
	if ((unsigned)status >= NSM_STATUS_COUNT)
		return status_names[NSM_INTERNAL_ERROR];
	return status_names[status];
}

static void append_u16(const void *member, struct buffer *ret_bytes)
{
	cbor_append_uint(ret_bytes, *(const uint16_t *)member);
}

static void append_bool(const void *member, struct buffer *ret_bytes)
{
	cbor_append_bool(ret_bytes, *(const bool *)member);
}

static void append_text(const void *member, struct buffer *ret_bytes)
{
	cbor_append_text(ret_bytes, *(const struct view *)member);
}

static void append_bytes(const void *member, struct buffer *ret_bytes)
{
	cbor_append_bytes(ret_bytes, *(const struct view *)member);
}

static void append_optional_bytes(const void *member, struct buffer *ret_bytes)
{
	const struct nsm_optional *optional = (const struct nsm_optional *)member;

	if (!optional->present) {
		cbor_append_null(ret_bytes);
		return;
	}
	cbor_append_bytes(ret_bytes, optional->bytes);
}

static void append_pcr_list(const void *member, struct buffer *ret_bytes)
{
	uint32_t mask = *(const uint32_t *)member;

	cbor_append_array(ret_bytes, (size_t)__builtin_popcount(mask));
	for (unsigned i = 0; i < NSM_PCR_COUNT; i++) {
		if (mask >> i & 1)
			cbor_append_uint(ret_bytes, i);
	}
}

static bool read_u16(struct cbor_reader *reader, const struct field *field, void *member, struct error *error)
{
	uint64_t value;

	if (!cbor_read_uint(reader, field->name, UINT16_MAX, &value, error))
		return false;
	*(uint16_t *)member = (uint16_t)value;
	return true;
}

static bool read_bool(struct cbor_reader *reader, const struct field *field, void *member, struct error *error)
{
	return cbor_read_bool(reader, field->name, (bool *)member, error);
}

static bool read_text(struct cbor_reader *reader, const struct field *field, void *member, struct error *error)
{
	return cbor_read_text(reader, field->name, field->max_size, (struct view *)member, error);
}

static bool read_bytes(struct cbor_reader *reader, const struct field *field, void *member, struct error *error)
{
	return cbor_read_bytes(reader, field->name, field->min_size, field->max_size, (struct view *)member, error);
}

static bool read_optional_bytes(struct cbor_reader *reader, const struct field *field, void *member, struct error *error)
{
	struct nsm_optional *optional = (struct nsm_optional *)member;

	return cbor_read_optional_bytes(reader, field->name, field->min_size, field->max_size, &optional->present, &optional->bytes,
					error);
}

static bool read_pcr_list(struct cbor_reader *reader, const struct field *field, void *member, struct error *error)
{
	struct cbor_collection list;
	uint32_t mask = 0;
	uint64_t index;
	bool more;

	if (!cbor_enter_array(reader, field->name, NSM_PCR_COUNT, &list, error))
		return false;
	for (;;) {
		if (!cbor_next_entry(reader, field->name, &list, &more, error))
			return false;
		if (!more)
			break;
		if (!cbor_read_uint(reader, field->name, NSM_PCR_COUNT - 1, &index, error))
			return false;
		mask |= UINT32_C(1) << index;
	}
	*(uint32_t *)member = mask;
	return true;
}

struct field_codec {
	void (*append)(const void *member, struct buffer *ret_bytes);
	bool (*read)(struct cbor_reader *reader, const struct field *field, void *member, struct error *error);
};

static const struct field_codec codecs[] = {
	[FIELD_U16] = {append_u16, read_u16},
	[FIELD_BOOL] = {append_bool, read_bool},
	[FIELD_TEXT] = {append_text, read_text},
	[FIELD_BYTES] = {append_bytes, read_bytes},
	[FIELD_OPTIONAL_BYTES] = {append_optional_bytes, read_optional_bytes},
	[FIELD_PCR_LIST] = {append_pcr_list, read_pcr_list},
};

static void message_encode(const struct shape *shape, const void *message, struct buffer *ret_bytes)
{
	if (shape->field_count == 0) {
		cbor_append_name(ret_bytes, shape->name);
		return;
	}
	cbor_append_map(ret_bytes, 1);
	cbor_append_name(ret_bytes, shape->name);
	cbor_append_map(ret_bytes, shape->field_count);
	for (size_t i = 0; i < shape->field_count; i++) {
		const struct field *field = &shape->fields[i];

		cbor_append_name(ret_bytes, field->name);
		codecs[field->type].append((const uint8_t *)message + field->offset, ret_bytes);
	}
}

void nsm_request_encode(const struct nsm_request *request, struct buffer *ret_bytes)
{
	message_encode(&request_shapes[request->operation], request, ret_bytes);
}

void nsm_response_encode(const struct nsm_response *response, struct buffer *ret_bytes)
{
	if (response->status == NSM_SUCCESS) {
		message_encode(&response_shapes[response->operation], response, ret_bytes);
		return;
	}
	cbor_append_map(ret_bytes, 1);
	cbor_append_name(ret_bytes, "Error");
	cbor_append_name(ret_bytes, nsm_status_name(response->status));
}

/* The operation's number, NSM_OPERATION_COUNT when unknown. `bare`: the form for messages without fields. */
static enum nsm_operation operation_find(const struct shape *shapes, struct view name, bool bare)
{
	unsigned i = 0;

	while (i < NSM_OPERATION_COUNT && !(view_equal_text(name, shapes[i].name) && (shapes[i].field_count == 0) == bare))
		i++;
	return (enum nsm_operation)i;
}

static size_t field_find(const struct shape *shape, struct view name)
{
	size_t i = 0;

	while (i < shape->field_count && !view_equal_text(name, shape->fields[i].name))
		i++;
	return i;
}

static bool fields_decode(struct cbor_reader *reader, const struct shape *shape, void *message, struct error *error)
{
	struct cbor_collection map;
	struct view name = {0};
	unsigned seen = 0;
	bool more;

	if (!cbor_enter_map(reader, shape->name, shape->field_count + UNKNOWN_FIELDS_MAX, &map, error))
		return false;
	for (;;) {
		const struct field *field;
		size_t i;

		if (!cbor_next_entry(reader, shape->name, &map, &more, error))
			return false;
		if (!more)
			break;
		if (!cbor_read_text(reader, shape->name, NAME_MAX_SIZE, &name, error))
			return false;
		i = field_find(shape, name);
		if (i == shape->field_count) {
			if (!cbor_skip_scalar(reader, shape->name, error))
				return false;
			continue;
		}
		field = &shape->fields[i];
		if (seen >> i & 1)
			return error_set(error, ERROR_INPUT, "%s: %s: twice", shape->name, field->name);
		seen |= 1u << i;
		if (!codecs[field->type].read(reader, field, (uint8_t *)message + field->offset, error))
			return error_prefix(error, "%s", shape->name);
	}
	for (size_t i = 0; i < shape->field_count; i++) {
		if (!(seen >> i & 1))
			return error_set(error, ERROR_INPUT, "%s: %s: missing", shape->name, shape->fields[i].name);
	}
	return true;
}

/* Enter the outer map of exactly one pair and read the name; or read the bare name. */
static bool name_decode(struct cbor_reader *reader, struct view *ret_name, bool *ret_bare, struct error *error)
{
	struct cbor_collection map;

	*ret_bare = cbor_is_text_next(reader);
	if (!*ret_bare) {
		if (!cbor_enter_map(reader, "NSM message", 1, &map, error))
			return false;
		if (map.indefinite || map.left != 1)
			return error_set(error, ERROR_INPUT, "NSM message: not a map of exactly one pair");
	}
	return cbor_read_text(reader, "NSM message", NAME_MAX_SIZE, ret_name, error);
}

static bool body_decode(struct cbor_reader *reader, const struct shape *shapes, struct view name, bool bare, void *message,
			enum nsm_operation *ret_operation, struct error *error)
{
	enum nsm_operation operation = operation_find(shapes, name, bare);

	if (operation == NSM_OPERATION_COUNT)
		return error_set(error, ERROR_INPUT, "NSM message: unknown operation %.*s", (int)name.size,
				 (const char *)name.data);
	if (!bare && !fields_decode(reader, &shapes[operation], message, error))
		return false;
	*ret_operation = operation;
	return cbor_read_end(reader, "NSM message", error);
}

static bool status_decode(struct cbor_reader *reader, enum nsm_status *ret_status, struct error *error)
{
	struct view name = {0};

	if (!cbor_read_text(reader, "Error", NAME_MAX_SIZE, &name, error))
		return false;
	for (unsigned i = NSM_SUCCESS + 1; i < NSM_STATUS_COUNT; i++) {
		if (view_equal_text(name, status_names[i])) {
			*ret_status = (enum nsm_status)i;
			return cbor_read_end(reader, "NSM message", error);
		}
	}
	return error_set(error, ERROR_INPUT, "Error: unknown name %.*s", (int)name.size, (const char *)name.data);
}

bool nsm_request_decode(struct view bytes, struct nsm_request *ret_request, struct error *error)
{
	struct cbor_reader reader = cbor_reader_of(bytes);
	struct nsm_request request = {0};
	struct view name = {0};
	bool bare = false;

	if (bytes.size > NSM_REQUEST_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "NSM request: larger than %d bytes", NSM_REQUEST_MAX_SIZE);
	if (!name_decode(&reader, &name, &bare, error) ||
	    !body_decode(&reader, request_shapes, name, bare, &request, &request.operation, error))
		return false;
	*ret_request = request;
	return true;
}

bool nsm_response_decode(struct view bytes, struct nsm_response *ret_response, struct error *error)
{
	struct cbor_reader reader = cbor_reader_of(bytes);
	struct nsm_response response = {0};
	struct view name = {0};
	bool bare = false;

	if (bytes.size > NSM_RESPONSE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "NSM response: larger than %d bytes", NSM_RESPONSE_MAX_SIZE);
	if (!name_decode(&reader, &name, &bare, error))
		return false;
	if (!bare && view_equal_text(name, "Error")) {
		if (!status_decode(&reader, &response.status, error))
			return false;
		*ret_response = response;
		return true;
	}
	if (!body_decode(&reader, response_shapes, name, bare, &response, &response.operation, error))
		return false;
	*ret_response = response;
	return true;
}
