/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "base/file.h"
#include "cli/signer_options.h"

/* The signer takes 10 MiB; no request that people send comes near. */
#define REQUEST_MAX_SIZE (10u << 20)

static const struct command_help help = {
	.usage = "ensign sign --key PUBKEY --file REQUEST.json [--url URL --ca FILE] [--client-cert FILE --client-key FILE] "
		 "[--json]",
	.description =
		"Has a signer sign one request of the remote-signing API and prints the signature. Without --url and --ca it\n"
		"asks the local signer of the default folder.\n"
		"\n"
		"  ensign sign --url https://127.0.0.1:8443 --ca ca.pem --key 0x93247f… --file attestation.json\n"
		"\n"
		"Exit code 3: the signer refused, for instance because it would be slashable.",
};

static bool check_key(const char *key, struct error *error)
{
	uint8_t bytes[48];

	if (!key)
		return error_set(error, ERROR_INPUT, "--key: missing");
	if (!hex_decode(view_of_text(key), bytes, sizeof bytes))
		return error_set(error, ERROR_INPUT, "--key: not a public key of 48 bytes in hex");
	return true;
}

int sign_main(int argc, char **argv)
{
	const char *url = NULL, *ca = NULL, *client_cert = NULL, *client_key = NULL, *key = NULL, *file = NULL;
	bool as_json = false;
	const struct option options[] = {
		{"key", OPTION_TEXT, &key, "PUBKEY", "public key, 96 hex digits, 0x or not"},
		{"file", OPTION_TEXT, &file, "FILE", "the request's JSON"},
		{"url", OPTION_TEXT, &url, "URL", "https://HOST:PORT of the signer"},
		{"ca", OPTION_TEXT, &ca, "FILE", "PEM that its certificate is checked against"},
		{"client-cert", OPTION_TEXT, &client_cert, "FILE", "certificate to show (PEM, with its chain)"},
		{"client-key", OPTION_TEXT, &client_key, "FILE", "its private key (PEM)"},
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"signature\":\"0x…\"}"},
	};
	AUTO_SIGNER_TARGET struct signer_target target = {0};
	char signature[SIGNER_SIGNATURE_TEXT_SIZE];
	AUTO_BUFFER struct buffer request = {0};
	AUTO_JSON json_t *parsed = NULL;
	struct error error = {0};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!check_key(key, &error))
		return command_fail(&error, "List the keys with: ensign public-keys");
	if (!file) {
		(void)error_set(&error, ERROR_INPUT, "--file: missing");
		return command_fail(&error, "usage: %s", help.usage);
	}
	if (!file_read(file, REQUEST_MAX_SIZE, &request, &error))
		return command_fail(&error, NULL), EXIT_CODE_USAGE;
	parsed = json_parse_object(buffer_view(&request), file, &error);
	if (!parsed)
		return command_fail(&error, "The file must hold one JSON object; docs/cli.md shows one.");
	if (!signer_target_init(url, ca, &target, &error) ||
	    !signer_target_use_certificate(&target, client_cert, client_key, &error))
		return signer_target_fail(url, &error);
	if (!signer_sign(&target, key, buffer_view(&request), signature, &error))
		return error.code == ERROR_NOT_FOUND ? command_fail(&error, "List the keys with: ensign public-keys")
						     : signer_target_fail(url, &error);
	(void)printf(as_json ? "{\"signature\":\"%s\"}\n" : "%s\n", signature);
	return EXIT_CODE_OK;
}
