/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms_blob.h"

#include "crypto/aead.h"

#define BLOB_VERSION 1
#define BLOB_HEADER_SIZE SIM_KEY_ID_SIZE /* the version byte takes the place of the id's NUL */

bool kms_blob_read_key_id(struct view blob, char ret_id[SIM_KEY_ID_SIZE])
{
	if (blob.size < BLOB_HEADER_SIZE + AEAD_OVERHEAD || blob.data[0] != BLOB_VERSION)
		return false;
	for (size_t i = 1; i < BLOB_HEADER_SIZE; i++) {
		if (!blob.data[i] || !strchr("0123456789abcdef-", blob.data[i]))
			return false;
	}
	memcpy(ret_id, blob.data + 1, BLOB_HEADER_SIZE - 1);
	ret_id[BLOB_HEADER_SIZE - 1] = 0;
	return true;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_sized(struct buffer *bytes, struct view value)
{
	uint8_t size[4];

	store_be32(size, (uint32_t)value.size);
	buffer_append(bytes, view_of(size, sizeof size));
	buffer_append(bytes, value);
}

static void append_context(struct buffer *bytes, json_t *context)
{
	size_t count = json_object_size(context);
	AUTO_FREE const char **names = memory_allocate_zeroed(count, sizeof *names);
	size_t used = 0;
	const char *name;
	json_t *value;

	json_object_foreach(context, name, value) names[used++] = name;
	qsort(names, count, sizeof *names, compare_names);
	for (size_t i = 0; i < count; i++) {
		value = json_object_get(context, names[i]);
		append_sized(bytes, view_of_text(names[i]));
		append_sized(bytes, view_of(json_string_value(value), json_string_length(value)));
	}
}

bool kms_blob_seal(const struct sim_key *key, json_t *context, struct view plaintext, struct buffer *ret_blob, struct error *error)
{
	AUTO_BUFFER struct buffer additional_data = {0};
	AUTO_BUFFER struct buffer sealed = {0};

	buffer_append_byte(&additional_data, BLOB_VERSION);
	buffer_append_text(&additional_data, key->id);
	append_context(&additional_data, context);
	if (!aead_seal(secret_view(&key->material), buffer_view(&additional_data), plaintext, &sealed, error))
		return false;
	buffer_append(ret_blob, view_of(additional_data.data, BLOB_HEADER_SIZE));
	buffer_append(ret_blob, buffer_view(&sealed));
	return true;
}

bool kms_blob_open(const struct sim_key *key, json_t *context, struct view blob, struct secret *ret_plaintext, struct error *error)
{
	AUTO_BUFFER struct buffer additional_data = {0};
	char id[SIM_KEY_ID_SIZE];

	if (!kms_blob_read_key_id(blob, id) || strcmp(id, key->id) != 0)
		return error_set(error, ERROR_CRYPTO, "ciphertext of another key");
	buffer_append(&additional_data, view_of(blob.data, BLOB_HEADER_SIZE));
	append_context(&additional_data, context);
	return aead_open(secret_view(&key->material), buffer_view(&additional_data),
			 view_of(blob.data + BLOB_HEADER_SIZE, blob.size - BLOB_HEADER_SIZE), ret_plaintext, error);
}
