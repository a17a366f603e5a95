/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "cli/signer_options.h"

static const struct command_help help = {
	.usage = "ensign upcheck [--url URL --ca FILE] [--client-cert FILE --client-key FILE]",
	.description =
		"Asks a signer whether it is there, over HTTPS with its certificate checked. Prints OK and ends with 0, or says\n"
		"why not and ends with 1; with 3 when it is there and refuses this client (403). Without --url and --ca it asks\n"
		"the local signer of the default folder.\n"
		"\n"
		"  ensign upcheck --url https://127.0.0.1:8443 --ca ca.pem",
};

/* Longer than the slowest healthy answer, short enough for a health check. */
#define UPCHECK_TIMEOUT_MS 5000

int upcheck_main(int argc, char **argv)
{
	const char *url = NULL, *ca = NULL, *client_cert = NULL, *client_key = NULL;
	const struct option options[] = {
		{"url", OPTION_TEXT, &url, "URL", "https://HOST:PORT of the signer"},
		{"ca", OPTION_TEXT, &ca, "FILE", "PEM that its certificate is checked against"},
		{"client-cert", OPTION_TEXT, &client_cert, "FILE", "certificate to show (PEM, with its chain)"},
		{"client-key", OPTION_TEXT, &client_key, "FILE", "its private key (PEM)"},
	};
	AUTO_SIGNER_TARGET struct signer_target target = {0};
	struct error error = {0};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!signer_target_init(url, ca, &target, &error) ||
	    !signer_target_use_certificate(&target, client_cert, client_key, &error))
		return signer_target_fail(url, &error);
	if (!signer_upcheck(&target, UPCHECK_TIMEOUT_MS, NULL, &error))
		return signer_target_fail(url, &error);
	(void)printf("OK\n");
	return EXIT_CODE_OK;
}
