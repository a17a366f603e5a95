/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "cli/signer_options.h"

static const struct command_help help = {
	.usage = "ensign public-keys [--url URL --ca FILE] [--client-cert FILE --client-key FILE] [--json]",
	.description =
		"Lists the public keys that a signer signs for, one a line. Without --url and --ca it asks the local signer of\n"
		"the default folder.\n"
		"\n"
		"  ensign public-keys --url https://127.0.0.1:8443 --ca ca.pem",
};

int public_keys_main(int argc, char **argv)
{
	const char *url = NULL, *ca = NULL, *client_cert = NULL, *client_key = NULL;
	bool as_json = false;
	const struct option options[] = {
		{"url", OPTION_TEXT, &url, "URL", "https://HOST:PORT of the signer"},
		{"ca", OPTION_TEXT, &ca, "FILE", "PEM that its certificate is checked against"},
		{"client-cert", OPTION_TEXT, &client_cert, "FILE", "certificate to show (PEM, with its chain)"},
		{"client-key", OPTION_TEXT, &client_key, "FILE", "its private key (PEM)"},
		{"json", OPTION_FLAG, &as_json, NULL, "print a JSON array"},
	};
	AUTO_SIGNER_TARGET struct signer_target target = {0};
	AUTO_JSON json_t *keys = NULL;
	struct error error = {0};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!signer_target_init(url, ca, &target, &error) ||
	    !signer_target_use_certificate(&target, client_cert, client_key, &error))
		return signer_target_fail(url, &error);
	keys = signer_public_keys(&target, SIGNER_TIMEOUT_MS, &error);
	if (!keys)
		return signer_target_fail(url, &error);
	if (as_json) {
		command_print_json(keys);
		return EXIT_CODE_OK;
	}
	for (size_t i = 0; i < json_array_size(keys); i++)
		(void)printf("%s\n", json_string_value(json_array_get(keys, i)));
	return EXIT_CODE_OK;
}
