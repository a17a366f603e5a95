/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/interchange.h"

#include <inttypes.h>

#define ROOT_TEXT_SIZE (2 * ROOT_SIZE + 1)
#define KEY_TEXT_SIZE (2 * BLS_PUBLIC_KEY_SIZE + 1)

void interchange_done(struct interchange *interchange)
{
	if (!interchange)
		return;
	free(interchange->keys);
	*interchange = (struct interchange){0};
}

/* ---- reading ---- */

/* "slot: missing" becomes "signed_blocks[7].slot: missing". */
static bool fail_inside(const char *list, size_t index, const struct error *inner, struct error *error)
{
	return error_set(error, inner->code, "%s[%zu].%s", list, index, inner->message);
}

/* Absent and null are one: no root is known. */
static bool read_optional_root(json_t *entry, uint8_t ret_root[ROOT_SIZE], struct error *error)
{
	json_t *member = json_object_get(entry, "signing_root");

	return !member || json_is_null(member) || json_read_bytes32(entry, "signing_root", ret_root, error);
}

static bool read_block(json_t *entry, struct watermark *ret_signed, struct error *error)
{
	ret_signed->has_block = true;
	return json_read_u64(entry, "slot", &ret_signed->block_slot, error) &&
	       read_optional_root(entry, ret_signed->block_root, error);
}

static bool read_attestation(json_t *entry, struct watermark *ret_signed, struct error *error)
{
	ret_signed->has_attestation = true;
	return json_read_u64(entry, "source_epoch", &ret_signed->source_epoch, error) &&
	       json_read_u64(entry, "target_epoch", &ret_signed->target_epoch, error) &&
	       read_optional_root(entry, ret_signed->attestation_root, error);
}

static const struct entry_list {
	const char *name;
	bool (*read)(json_t *entry, struct watermark *ret_signed, struct error *error);
} entry_lists[] = {
	{"signed_blocks", read_block},
	{"signed_attestations", read_attestation},
};

static bool read_entries(json_t *validator, const struct entry_list *list, struct watermark *watermark, struct error *error)
{
	json_t *entries, *entry;
	size_t i;

	if (!json_read_array(validator, list->name, &entries, error))
		return false;
	json_array_foreach(entries, i, entry)
	{
		struct watermark was_signed = {0};
		struct error inner = {0};

		if (!json_is_object(entry))
			return error_set(error, ERROR_INPUT, "%s[%zu]: not an object", list->name, i);
		if (!list->read(entry, &was_signed, &inner))
			return fail_inside(list->name, i, &inner, error);
		slashing_raise(watermark, &was_signed);
	}
	return true;
}

static bool read_validator(json_t *validator, struct interchange_key *ret_key, struct error *error)
{
	if (!json_read_hex(validator, "pubkey", ret_key->public_key, BLS_PUBLIC_KEY_SIZE, error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(entry_lists); i++) {
		if (!read_entries(validator, &entry_lists[i], &ret_key->watermark, error))
			return false;
	}
	return true;
}

static int compare_keys(const struct interchange_key *a, const struct interchange_key *b)
{
	return memcmp(a->public_key, b->public_key, BLS_PUBLIC_KEY_SIZE);
}

static void sift_down(struct interchange_key *keys, size_t root, size_t count)
{
	for (size_t child = 2 * root + 1; child < count; child = 2 * root + 1) {
		struct interchange_key key = keys[root];

		if (child + 1 < count && compare_keys(&keys[child], &keys[child + 1]) < 0)
			child++;
		if (compare_keys(&key, &keys[child]) >= 0)
			return;
		keys[root] = keys[child];
		keys[child] = key;
		root = child;
	}
}

/* Heap sort, for glibc's qsort() asks the kernel how much memory there is, and the frontend's sandbox kills it for that. */
static void sort_keys(struct interchange_key *keys, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift_down(keys, i, count);
	for (size_t last = count; last-- > 1;) {
		struct interchange_key largest = keys[0];

		keys[0] = keys[last];
		keys[last] = largest;
		sift_down(keys, 0, last);
	}
}

/* Of sorted keys; gives how many are left. */
static size_t merge_equal_keys(struct interchange_key *keys, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (kept > 0 && compare_keys(&keys[kept - 1], &keys[i]) == 0)
			slashing_raise(&keys[kept - 1].watermark, &keys[i].watermark);
		else
			keys[kept++] = keys[i];
	}
	return kept;
}

static bool read_metadata(json_t *document, struct interchange *ret_interchange, struct error *error)
{
	const char *version;
	json_t *metadata;

	if (!json_read_object(document, "metadata", &metadata, error))
		return false;
	if (!json_read_text(metadata, "interchange_format_version", &version, error))
		return error_prefix(error, "metadata");
	if (strcmp(version, INTERCHANGE_FORMAT_VERSION) != 0)
		return error_set(error, ERROR_INPUT,
				 "metadata: interchange_format_version: not \"" INTERCHANGE_FORMAT_VERSION "\"");
	return json_read_hex(metadata, "genesis_validators_root", ret_interchange->genesis_validators_root, ROOT_SIZE, error) ||
	       error_prefix(error, "metadata");
}

static bool read_data(json_t *document, struct interchange *ret_interchange, struct error *error)
{
	json_t *data, *validator;
	size_t i;

	if (!json_read_array(document, "data", &data, error))
		return false;
	if (json_array_size(data) > INTERCHANGE_KEYS_MAX)
		return error_set(error, ERROR_INPUT, "data: %zu keys, at most %d are taken", json_array_size(data),
				 INTERCHANGE_KEYS_MAX);
	ret_interchange->keys =
		(struct interchange_key *)memory_allocate_zeroed(json_array_size(data) + 1, sizeof *ret_interchange->keys);
	json_array_foreach(data, i, validator)
	{
		struct error inner = {0};

		if (!json_is_object(validator))
			return error_set(error, ERROR_INPUT, "data[%zu]: not an object", i);
		if (!read_validator(validator, &ret_interchange->keys[i], &inner))
			return fail_inside("data", i, &inner, error);
	}
	sort_keys(ret_interchange->keys, json_array_size(data));
	ret_interchange->count = merge_equal_keys(ret_interchange->keys, json_array_size(data));
	return true;
}

bool interchange_read(json_t *document, struct interchange *ret_interchange, struct error *error)
{
	AUTO_INTERCHANGE struct interchange interchange = {0};

	if (!json_is_object(document))
		return error_set(error, ERROR_INPUT, "slashing protection data: not a JSON object");
	if (!read_metadata(document, &interchange, error) || !read_data(document, &interchange, error))
		return false;
	*ret_interchange = interchange;
	interchange = (struct interchange){0};
	return true;
}

bool interchange_parse(struct view text, struct interchange *ret_interchange, struct error *error)
{
	AUTO_JSON json_t *document = NULL;

	if (text.size > INTERCHANGE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "slashing protection data: %zu bytes, at most %u are taken", text.size,
				 INTERCHANGE_MAX_SIZE);
	document = json_parse_object(text, "slashing protection data", error);
	return document && interchange_read(document, ret_interchange, error);
}

const struct interchange_key *interchange_find(const struct interchange *interchange, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	size_t first = 0, behind = interchange->count;

	while (first < behind) {
		size_t middle = first + (behind - first) / 2;
		int order = memcmp(interchange->keys[middle].public_key, public_key, BLS_PUBLIC_KEY_SIZE);

		if (order == 0)
			return &interchange->keys[middle];
		if (order < 0)
			first = middle + 1;
		else
			behind = middle;
	}
	return NULL;
}

/* ---- writing ---- */

static void write_root(const uint8_t root[ROOT_SIZE], struct buffer *ret_text)
{
	static const uint8_t unknown[ROOT_SIZE];
	char hex[ROOT_TEXT_SIZE];

	if (memcmp(root, unknown, ROOT_SIZE) == 0)
		return;
	hex_encode(view_of(root, ROOT_SIZE), hex);
	buffer_append_format(ret_text, ",\"signing_root\":\"0x%s\"", hex);
}

static void write_key(const struct interchange_key *key, struct buffer *ret_text)
{
	const struct watermark *watermark = &key->watermark;
	char hex[KEY_TEXT_SIZE];

	hex_encode(view_of(key->public_key, BLS_PUBLIC_KEY_SIZE), hex);
	buffer_append_format(ret_text, "{\"pubkey\":\"0x%s\",\"signed_blocks\":[", hex);
	if (watermark->has_block) {
		buffer_append_format(ret_text, "{\"slot\":\"%" PRIu64 "\"", watermark->block_slot);
		write_root(watermark->block_root, ret_text);
		buffer_append_text(ret_text, "}");
	}
	buffer_append_text(ret_text, "],\"signed_attestations\":[");
	if (watermark->has_attestation) {
		buffer_append_format(ret_text, "{\"source_epoch\":\"%" PRIu64 "\",\"target_epoch\":\"%" PRIu64 "\"",
				     watermark->source_epoch, watermark->target_epoch);
		write_root(watermark->attestation_root, ret_text);
		buffer_append_text(ret_text, "}");
	}
	buffer_append_text(ret_text, "]}");
}

void interchange_write(const uint8_t genesis_validators_root[ROOT_SIZE], const struct interchange_key *keys, size_t count,
		       struct buffer *ret_text)
{
	char hex[ROOT_TEXT_SIZE];

	hex_encode(view_of(genesis_validators_root, ROOT_SIZE), hex);
	buffer_append_format(ret_text,
			     "{\"metadata\":{\"interchange_format_version\":\"" INTERCHANGE_FORMAT_VERSION
			     "\",\"genesis_validators_root\":\"0x%s\"},\"data\":[",
			     hex);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_append_text(ret_text, ",");
		write_key(&keys[i], ret_text);
	}
	buffer_append_text(ret_text, "]}");
}
