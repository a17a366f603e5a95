/* SPDX-License-Identifier: Apache-2.0 */
/* ensign-lambda: the operations of a stack's Lambda, as a custom runtime (docs/lambda.md). */
#include <signal.h>

#include "base/log.h"
#include "base/options.h"
#include "base/process.h"
#include "base/version.h"
#include "crypto/openssl_memory.h"
#include "lambda/function.h"

static const struct command_help help = {
	.usage = "ensign-lambda [--version]",
	.description = "The program of the stack's Lambda, for the runtime provided.al2023: call it bootstrap. All of its settings "
		       "are in\n"
		       "the environment (docs/lambda.md).\n"
		       "\n"
		       "Ends with 1 when it cannot start, or when Lambda cannot be understood.",
};

/* How much memory may be locked is Lambda's to say; there is no swap to which it could go. */
static bool make_secret_heap(struct error *error)
{
	if (secret_heap_init(SECRET_HEAP_SIZE_DEFAULT, error))
		return true;
	log_warning("memory_not_locked", "error=\"%s\"", error->message);
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, error);
}

static bool prepare(struct error *error)
{
	json_use_wiping_memory();
	(void)signal(SIGPIPE, SIG_IGN);
	return openssl_use_wiping_memory(error) && process_harden(error) && make_secret_heap(error);
}

/* Lambda shows to whoever invokes it why it does not start. */
static void tell(const struct runtime_api *api, const struct error *problem)
{
	const struct runtime_failure failure = {lambda_error_type(problem), problem->message};
	struct error error = {0};

	if (!runtime_fail_to_start(api, &failure, &error))
		log_failure(LOG_LEVEL_ERROR, "not_told", &error);
}

static bool run(struct error *error)
{
	AUTO_LAMBDA_SETTINGS struct lambda_settings settings = {0};
	AUTO_RUNTIME_API struct runtime_api api = {0};
	const char *place = getenv("AWS_LAMBDA_RUNTIME_API");

	if (!place || !place[0])
		return error_set(error, ERROR_NOT_FOUND, "AWS_LAMBDA_RUNTIME_API is not set; Lambda starts this program");
	if (!runtime_api_init(place, &api, error))
		return error_prefix(error, "AWS_LAMBDA_RUNTIME_API");
	if (!prepare(error) || !lambda_settings_read(&settings, error)) {
		tell(&api, error);
		return false;
	}
	log_info("started", "signer=%s table=%s development=%d", settings.signer_url, settings.tls_table, settings.is_development);
	return lambda_serve(&settings, &api, error);
}

int main(int argc, char **argv)
{
	struct error error = {0};
	size_t positional_count = 0;
	bool wants_help = false;

	if (version_print_if_asked("ensign-lambda", argc, argv))
		return EXIT_CODE_OK;
	log_init("lambda");
	log_set_format(LOG_FORMAT_JSON);
	if (!options_parse(NULL, 0, argc, argv, NULL, 0, &positional_count, &wants_help, &error)) {
		log_failure(LOG_LEVEL_ERROR, "usage", &error);
		return EXIT_CODE_USAGE;
	}
	if (wants_help) {
		options_print_help(stdout, &help, NULL, 0);
		return EXIT_CODE_OK;
	}
	if (run(&error))
		return EXIT_CODE_OK;
	log_failure(LOG_LEVEL_ERROR, "failed", &error);
	return EXIT_CODE_FAILED;
}
