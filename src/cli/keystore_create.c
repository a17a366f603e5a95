/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "base/file.h"
#include "cli/key_import.h"

static const struct command_help help = {
	.usage = "ensign keystore create --out DIR --password-file F [--count N | --secret-key-file F] [--light] [--json]",
	.description =
		"Makes EIP-2335 keystores, each in a file of its own named after its public key, mode 0600, and prints the public\n"
		"keys. The keys are new and random, or those of a file that holds one secret key of 32 bytes in hex a line.\n"
		"\n"
		"  ensign keystore create --out keys --count 2 --password-file password.txt --light --description 'test keys'\n"
		"\n"
		"--light takes a cheap key derivation that a password-guesser would like too: for tests only. A random key has no\n"
		"mnemonic; its keystore and password are all there is of it.",
};

/* The usual cost is 2^18 for both functions (scrypt: a second and 256 MiB a key). Light is the least that is allowed. */
#define COST_LOG2 18
#define LIGHT_COST_LOG2 10
#define COUNT_MAX 100000
/* A line is 67 bytes at most. */
#define SECRET_KEY_FILE_MAX_SIZE (512u << 10)

struct create {
	const char *out;
	const char *password_file;
	const char *secret_key_file;
	const char *description;
	uint64_t count;
	bool light;
	bool as_json;
	struct secret password;
	struct keystore_batch *batch; /* one key derivation for all of them */
	json_t *made;                 /* array of {"public_key","file"} */
};

static bool check(const struct create *create, struct error *error)
{
	if (!create->out)
		return error_set(error, ERROR_INPUT, "--out: missing");
	if (!create->password_file)
		return error_set(error, ERROR_INPUT, "--password-file: missing");
	if (create->count > COUNT_MAX)
		return error_set(error, ERROR_INPUT, "--count: at most %d", COUNT_MAX);
	if (create->count && create->secret_key_file)
		return error_set(error, ERROR_INPUT, "--count and --secret-key-file: give one of them");
	return true;
}

static bool write_keystore(struct create *create, const struct secret *secret_key, struct error *error)
{
	AUTO_BUFFER struct buffer json = {0};
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];
	AUTO_FREE char *path = NULL;

	if (!bls_public_key_derive(secret_key->data, public_key, error))
		return false;
	hex_encode(view_of(public_key, sizeof public_key), hex);
	path = memory_format("%s/0x%s.json", create->out, hex);
	if (file_exists(path))
		return error_set(error, ERROR_INPUT, "%s: exists already", path);
	if (!keystore_batch_encrypt(create->batch, secret_key, "", create->description, &json, error))
		return false;
	if (!file_write_atomic(path, buffer_view(&json), 0600, error))
		return false;
	if (!create->as_json)
		(void)printf("0x%s\n", hex);
	(void)json_array_append_new(create->made, json_pack("{s:o, s:s}", "public_key", json_sprintf("0x%s", hex), "file", path));
	return true;
}

static bool create_random(struct create *create, struct error *error)
{
	uint64_t count = create->count ? create->count : 1;

	for (uint64_t i = 0; i < count; i++) {
		AUTO_SECRET struct secret secret_key = {0};

		if (!bls_secret_key_generate(&secret_key, error) || !write_keystore(create, &secret_key, error))
			return false;
	}
	return true;
}

static bool create_given(struct create *create, struct error *error)
{
	AUTO_SECRET struct secret file = {0};
	size_t line_number = 0;

	if (!file_read_secret(create->secret_key_file, SECRET_KEY_FILE_MAX_SIZE, &file, error))
		return error_prefix(error, "--secret-key-file");
	for (size_t start = 0; start < file.size; line_number++) {
		const uint8_t *end = (const uint8_t *)memchr(file.data + start, '\n', file.size - start);
		size_t size = end ? (size_t)(end - file.data) - start : file.size - start;
		AUTO_SECRET struct secret secret_key = {0};

		if (size > 0 &&
		    (!secret_init_hex(&secret_key, view_of(file.data + start, size), BLS_SECRET_KEY_SIZE, "secret key", error) ||
		     !write_keystore(create, &secret_key, error)))
			return error_prefix(error, "%s, line %zu", create->secret_key_file, line_number + 1);
		start += size + 1;
	}
	if (json_array_size(create->made) == 0)
		return error_set(error, ERROR_INPUT, "%s: holds no key", create->secret_key_file);
	return true;
}

static int run(struct create *create)
{
	struct error error = {0};
	bool done;

	if (!check(create, &error))
		return command_fail(&error, "usage: %s", help.usage);
	if (!password_file_read(create->password_file, &create->password, &error))
		return command_fail(&error, NULL), EXIT_CODE_USAGE;
	if (!folder_make(create->out, 0700, &error))
		return command_fail(&error, NULL);
	create->batch =
		keystore_batch_new(secret_view(&create->password), create->light ? KEYSTORE_KDF_PBKDF2 : KEYSTORE_KDF_SCRYPT,
				   create->light ? LIGHT_COST_LOG2 : COST_LOG2, &error);
	if (!create->batch)
		return command_fail(&error, NULL);
	done = create->secret_key_file ? create_given(create, &error) : create_random(create, &error);
	if (!done)
		return command_fail(&error, "%zu keystores were made before that.", json_array_size(create->made));
	if (create->light)
		(void)fprintf(stderr, "light keystores: for tests only\n");
	if (!create->as_json)
		return EXIT_CODE_OK;
	command_print_json(create->made);
	return EXIT_CODE_OK;
}

int keystore_create_main(int argc, char **argv)
{
	struct create create = {.description = ""};
	const struct option options[] = {
		{"out", OPTION_TEXT, &create.out, "DIR", "folder for the keystores; made when missing"},
		{"password-file", OPTION_TEXT, &create.password_file, "F", "the password; a line end at its end is cut off"},
		{"count", OPTION_NUMBER, &create.count, "N", "how many new keys; default 1"},
		{"secret-key-file", OPTION_TEXT, &create.secret_key_file, "F", "these keys instead of new ones"},
		{"description", OPTION_TEXT, &create.description, "TEXT", "goes into the keystores"},
		{"light", OPTION_FLAG, &create.light, NULL, "cheap key derivation, for tests only"},
		{"json", OPTION_FLAG, &create.as_json, NULL, "print an array of {\"public_key\",\"file\"}"},
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	create.made = json_array();
	code = run(&create);
	keystore_batch_free(create.batch);
	secret_done(&create.password);
	json_decref(create.made);
	return code;
}
