/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"
#include "base/log.h"
#include "base/options.h"
#include "base/process.h"
#include "base/secret.h"
#include "base/version.h"
#include "crypto/openssl_memory.h"
#include "host/service.h"

static const struct command_help help = {
	.usage = "ensign-host --config HOST.json | --instance [--config HOST.json] | --version",
	.description =
		"The daemon beside the enclave: starts it, gives it the sealed keys of the key table, relays the validator\n"
		"clients' connections to it and its own to KMS, and starts it anew when it dies. It moves ciphertext and\n"
		"opaque bytes only; nothing it does can make the enclave sign or show a key.\n"
		"\n"
		"The file is described in docs/protocols.md. Its `relays` are all that the enclave can reach: each listens\n"
		"on one fixed address and connects to one fixed address. RUN/status.json says what the host is doing.\n"
		"SIGHUP has the enclave read the tables again; SIGTERM ends the enclave and the host, after `drain_s` in which\n"
		"clients are told to go elsewhere. With a `start_flag` nothing is started until it is true.\n"
		"\n"
		"On an EC2 instance --instance takes the settings from the environment: REGION, VALIDATOR_KEYS_TABLE_NAME,\n"
		"TLS_KEYS_TABLE_NAME, CF_STACK_NAME, NITRO_ENCLAVE_DEBUG, and maybe WEB3SIGNER_UUID,\n"
		"WEB3SIGNER_INIT_FLAG_PARAM, ENCLAVE_CPU_COUNT, ENCLAVE_MEMORY_MIB. Where the file says something too, the file\n"
		"counts. Under systemd (Type=notify) it says when it is ready, what it does, and that it still runs.\n"
		"\n"
		"Ends with 0 after SIGTERM or SIGINT, 1 when it could not start, 2 when the options or the file are wrong.",
};

static int fail(const struct error *error)
{
	log_failure(LOG_LEVEL_ERROR, "failed", error);
	return (int)exit_code_of(error);
}

static bool prepare(struct error *error)
{
	json_use_wiping_memory();
	return openssl_use_wiping_memory(error) && process_harden(error) && secret_heap_init(SECRET_HEAP_SIZE_DEFAULT, error);
}

int main(int argc, char **argv)
{
	const char *config = NULL;
	bool is_of_instance = false;
	const struct option options[] = {
		{"config", OPTION_TEXT, &config, "FILE", "settings of this host, JSON"},
		{"instance", OPTION_FLAG, &is_of_instance, NULL, "settings of an EC2 instance, from the environment"},
	};
	static struct settings settings;
	struct error error = {0};
	size_t positional_count;
	bool wants_help;

	if (version_print_if_asked("ensign-host", argc, argv))
		return EXIT_CODE_OK;
	log_init("host");
	if (!prepare(&error))
		return fail(&error);
	if (!options_parse(options, ARRAY_SIZE(options), argc, argv, NULL, 0, &positional_count, &wants_help, &error))
		return fail(&error);
	if (wants_help) {
		options_print_help(stdout, &help, options, ARRAY_SIZE(options));
		return EXIT_CODE_OK;
	}
	if (!config && !is_of_instance) {
		(void)error_set(&error, ERROR_INPUT, "--config or --instance is missing (see --help)");
		return fail(&error);
	}
	if (settings_read(config, is_of_instance, &settings, &error) && settings.log_is_json)
		log_set_format(LOG_FORMAT_JSON);
	if (error.code != ERROR_NONE || !service_run(&settings, &error))
		return fail(&error);
	return EXIT_CODE_OK;
}
