/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/keystore_parts.h"

#include <openssl/rand.h>

#include "eth/derivation.h"

#define UUID_SIZE 16
#define UUID_TEXT_SIZE 37

void keystore_file_done(struct keystore_file *file)
{
	if (!file)
		return;
	buffer_done(&file->kdf.salt);
	buffer_done(&file->ciphertext);
}

/* A JSON integer and nothing else: the other readers of this format take no strings for numbers. */
static bool read_integer(json_t *object, const char *name, uint64_t *ret_value, struct error *error)
{
	json_t *member = json_object_get(object, name);

	if (!member)
		return error_set(error, ERROR_INPUT, "%s: missing", name);
	if (!json_is_integer(member) || json_integer_value(member) < 0)
		return error_set(error, ERROR_INPUT, "%s: not an integer from 0 up", name);
	*ret_value = (uint64_t)json_integer_value(member);
	return true;
}

/* Hex of any even length. */
static bool read_hex(json_t *object, const char *name, struct buffer *ret_bytes, struct error *error)
{
	const char *text;
	size_t digits;

	if (!json_read_text(object, name, &text, error))
		return false;
	if (strncmp(text, "0x", 2) == 0)
		text += 2;
	digits = strlen(text);
	buffer_reserve(ret_bytes, digits / 2);
	if (digits % 2 != 0 || !hex_decode(view_of(text, digits), ret_bytes->data, digits / 2))
		return error_set(error, ERROR_INPUT, "%s: not hex of whole bytes", name);
	ret_bytes->size = digits / 2;
	return true;
}

/* A member that names an algorithm, of which we do one. */
static bool expect_name(json_t *object, const char *name, const char *expected, struct error *error)
{
	const char *text;

	if (!json_read_text(object, name, &text, error))
		return false;
	return strcmp(text, expected) == 0 || error_set(error, ERROR_INPUT, "%s: %.40s is not supported", name, text);
}

static bool read_scrypt(json_t *parameters, struct keystore_kdf_parameters *kdf, struct error *error)
{
	return read_integer(parameters, "n", &kdf->n, error) && read_integer(parameters, "r", &kdf->r, error) &&
	       read_integer(parameters, "p", &kdf->p, error);
}

static bool read_pbkdf2(json_t *parameters, struct keystore_kdf_parameters *kdf, struct error *error)
{
	return expect_name(parameters, "prf", "hmac-sha256", error) && read_integer(parameters, "c", &kdf->count, error);
}

static const struct kdf_reader {
	const char *name;
	bool (*read)(json_t *parameters, struct keystore_kdf_parameters *kdf, struct error *error);
} KDFS[] = {
	[KEYSTORE_KDF_SCRYPT] = {"scrypt", read_scrypt},
	[KEYSTORE_KDF_PBKDF2] = {"pbkdf2", read_pbkdf2},
};

static bool read_kdf_function(json_t *module, enum keystore_kdf *ret_function, struct error *error)
{
	const char *name;

	if (!json_read_text(module, "function", &name, error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(KDFS); i++) {
		if (strcmp(name, KDFS[i].name) != 0)
			continue;
		*ret_function = (enum keystore_kdf)i;
		return true;
	}
	return error_set(error, ERROR_INPUT, "function: %.40s is not supported", name);
}

static bool read_kdf_parameters(json_t *parameters, struct keystore_kdf_parameters *kdf, struct error *error)
{
	uint64_t derived_size = 0;

	if (!read_integer(parameters, "dklen", &derived_size, error))
		return false;
	/* The first 32 bytes of either function are the same whatever is asked for. */
	if (derived_size < KEYSTORE_DERIVED_KEY_SIZE)
		return error_set(error, ERROR_INPUT, "dklen: less than %d is not supported", KEYSTORE_DERIVED_KEY_SIZE);
	if (!read_hex(parameters, "salt", &kdf->salt, error))
		return false;
	if (kdf->salt.size == 0)
		return error_set(error, ERROR_INPUT, "salt: empty");
	return KDFS[kdf->function].read(parameters, kdf, error) && keystore_kdf_check(kdf, error);
}

static bool read_kdf(json_t *crypto, struct keystore_kdf_parameters *kdf, struct error *error)
{
	json_t *module;
	json_t *parameters;

	if (!json_read_object(crypto, "kdf", &module, error))
		return false;
	if (!read_kdf_function(module, &kdf->function, error) || !json_read_object(module, "params", &parameters, error))
		return error_prefix(error, "kdf");
	return read_kdf_parameters(parameters, kdf, error) || error_prefix(error, "kdf: params");
}

static bool read_checksum(json_t *crypto, uint8_t ret_checksum[KEYSTORE_CHECKSUM_SIZE], struct error *error)
{
	json_t *module;

	if (!json_read_object(crypto, "checksum", &module, error))
		return false;
	return (expect_name(module, "function", "sha256", error) &&
		json_read_hex(module, "message", ret_checksum, KEYSTORE_CHECKSUM_SIZE, error)) ||
	       error_prefix(error, "checksum");
}

static bool read_cipher(json_t *crypto, struct keystore_file *file, struct error *error)
{
	json_t *module;
	json_t *parameters;

	if (!json_read_object(crypto, "cipher", &module, error))
		return false;
	return (expect_name(module, "function", "aes-128-ctr", error) && json_read_object(module, "params", &parameters, error) &&
		json_read_hex(parameters, "iv", file->iv, KEYSTORE_IV_SIZE, error) &&
		read_hex(module, "message", &file->ciphertext, error)) ||
	       error_prefix(error, "cipher");
}

static bool read_crypto(json_t *root, struct keystore_file *file, struct error *error)
{
	json_t *crypto;

	if (!json_read_object(root, "crypto", &crypto, error))
		return false;
	return (read_kdf(crypto, &file->kdf, error) && read_checksum(crypto, file->checksum, error) &&
		read_cipher(crypto, file, error)) ||
	       error_prefix(error, "crypto");
}

/* "" is what tools write for "unknown". */
static bool check_path(const char *path, struct error *error)
{
	struct derivation_path ignored;

	return path[0] == 0 || derivation_path_parse(view_of_text(path), &ignored, error);
}

/* The members beside `crypto`. path and uuid are required by the schema, but files without them are in use (Teku reads them). */
static bool read_description(json_t *root, struct keystore_file *file, struct error *error)
{
	const char *public_key;
	const char *path;
	const char *ignored;

	if (!json_read_text_optional(root, "description", &ignored, error) ||
	    !json_read_text_optional(root, "uuid", &ignored, error) || !json_read_text_optional(root, "path", &path, error) ||
	    !json_read_text_optional(root, "pubkey", &public_key, error))
		return false;
	file->has_public_key = public_key != NULL;
	if (public_key && !json_read_hex(root, "pubkey", file->public_key, BLS_PUBLIC_KEY_SIZE, error))
		return false;
	return !path || check_path(path, error);
}

static bool read_version(json_t *root, struct error *error)
{
	uint64_t version = 0;

	if (!read_integer(root, "version", &version, error))
		return false;
	return version == KEYSTORE_VERSION ||
	       error_set(error, ERROR_INPUT, "version: %llu is not supported", (unsigned long long)version);
}

bool keystore_file_parse(struct view json, struct keystore_file *ret_file, struct error *error)
{
	AUTO_JSON json_t *root = NULL;
	AUTO_KEYSTORE_FILE struct keystore_file file = {0};

	if (json.size > KEYSTORE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "keystore: %zu bytes, at most %d are allowed", json.size, KEYSTORE_MAX_SIZE);
	root = json_parse_object(json, "keystore", error);
	if (!root || !read_version(root, error) || !read_crypto(root, &file, error) || !read_description(root, &file, error))
		return false;
	*ret_file = file;
	file = (struct keystore_file){0};
	return true;
}

/* RFC 9562 version 4: random but for the six bits of version and variant. */
static bool make_uuid(char ret_text[UUID_TEXT_SIZE], struct error *error)
{
	static const size_t group_sizes[] = {4, 2, 2, 2, 6};
	uint8_t bytes[UUID_SIZE];
	size_t done = 0;
	char *next = ret_text;

	if (RAND_bytes(bytes, sizeof bytes) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	for (size_t i = 0; i < ARRAY_SIZE(group_sizes); i++) {
		if (i > 0)
			*next++ = '-';
		hex_encode(view_of(bytes + done, group_sizes[i]), next);
		next += 2 * group_sizes[i];
		done += group_sizes[i];
	}
	return true;
}

static json_t *kdf_parameters_json(const struct keystore_kdf_parameters *kdf)
{
	json_t *salt = json_text_of_hex("", buffer_view(&kdf->salt));

	if (kdf->function == KEYSTORE_KDF_SCRYPT)
		return json_pack("{s:i, s:I, s:I, s:I, s:o}", "dklen", KEYSTORE_DERIVED_KEY_SIZE, "n", (json_int_t)kdf->n, "r",
				 (json_int_t)kdf->r, "p", (json_int_t)kdf->p, "salt", salt);
	return json_pack("{s:i, s:I, s:s, s:o}", "dklen", KEYSTORE_DERIVED_KEY_SIZE, "c", (json_int_t)kdf->count, "prf",
			 "hmac-sha256", "salt", salt);
}

static json_t *crypto_json(const struct keystore_file *file)
{
	return json_pack("{s:{s:s, s:o, s:s}, s:{s:s, s:{}, s:o}, s:{s:s, s:{s:o}, s:o}}", "kdf", "function",
			 KDFS[file->kdf.function].name, "params", kdf_parameters_json(&file->kdf), "message", "", "checksum",
			 "function", "sha256", "params", "message",
			 json_text_of_hex("", view_of(file->checksum, sizeof file->checksum)), "cipher", "function", "aes-128-ctr",
			 "params", "iv", json_text_of_hex("", view_of(file->iv, sizeof file->iv)), "message",
			 json_text_of_hex("", buffer_view(&file->ciphertext)));
}

bool keystore_file_write(const struct keystore_file *file, const char *path, const char *description, struct buffer *ret_json,
			 struct error *error)
{
	AUTO_JSON json_t *root = NULL;
	char uuid[UUID_TEXT_SIZE];

	if (!check_path(path, error) || !make_uuid(uuid, error))
		return false;
	root = json_pack("{s:o, s:o, s:s, s:s, s:i}", "crypto", crypto_json(file), "pubkey",
			 json_text_of_hex("", view_of(file->public_key, sizeof file->public_key)), "path", path, "uuid", uuid,
			 "version", KEYSTORE_VERSION);
	if (!root)
		return error_set(error, ERROR_BUG, "keystore: cannot be written as JSON");
	if (description && json_object_set_new(root, "description", json_string(description)) != 0)
		return error_set(error, ERROR_INPUT, "description: not UTF-8");
	json_write(root, ret_json);
	return true;
}
