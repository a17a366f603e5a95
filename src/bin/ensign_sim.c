/* SPDX-License-Identifier: Apache-2.0 */
/* ensign-sim: KMS with attestation, the NSM and its authority, and instance metadata, for laptops and tests. */
#include <signal.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/options.h"
#include "base/process.h"
#include "base/version.h"
#include "crypto/openssl_memory.h"
#include "sim/simulator.h"

static void log_event(const struct sim_event *event)
{
	/* Refusals are the simulator's daily bread; only its own failures are errors. */
	enum log_level level = event->status >= 500 ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO;

	log_write(level, event->service, "operation=\"%s\" status=%u caller=%s image=%s exception=%s request_id=%s message=\"%s\"",
		  event->operation, event->status, event->caller, event->image_sha384, event->exception, event->request_id,
		  event->message);
}

static bool serve(const struct simulator_options *options, struct error *error)
{
	AUTO_SIMULATOR struct simulator *simulator = NULL;
	sigset_t signals;
	int signal_number = 0;

	/* Blocked before the servers' threads begin, so that only this thread takes them. */
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0)
		return error_set_errno(error, ERROR_IO, "cannot block signals");
	(void)signal(SIGPIPE, SIG_IGN);
	simulator = simulator_start(options, error);
	if (!simulator)
		return false;
	log_info("serving", "folder=\"%s\" kms=%s imds=%s", options->folder,
		 json_string_value(json_object_get(simulator_endpoints(simulator), "kms_url")),
		 json_string_value(json_object_get(simulator_endpoints(simulator), "imds_url")));
	while (sigwait(&signals, &signal_number) != 0)
		;
	log_info("stopping", "signal=%d", signal_number);
	return true;
}

int main(int argc, char **argv)
{
	struct simulator_options sim = {.observe = log_event};
	const struct option options[] = {
		{"dir", OPTION_TEXT, &sim.folder, "SIM", "folder for everything that persists; made when missing (required)"},
		{"machine", OPTION_TEXT, &sim.machine_folder, "DIR",
		 "folder of a virtual machine, which gets an NSM too; default: none"},
		{"images", OPTION_TEXT, &sim.images_folder, "DIR",
		 "DIR/PCR0.json says as which image a process is measured; default: as itself"},
		{"role", OPTION_TEXT, &sim.role_arn, "ARN", "of the instance; default " SIM_ROLE_ARN},
		{"function-role", OPTION_TEXT, &sim.function_role_arn, "ARN",
		 "of a Lambda function, whose credentials are in SIM/" SIM_FUNCTION_FILE "; default: none"}};
	static const struct command_help help = {
		"ensign-sim --dir SIM [--machine DIR] [--images DIR] [--role ARN] [--function-role ARN] | --version",
		"Stands in for AWS on a laptop or in tests: a KMS that checks attestation documents against\n"
		"key policies, the NSM that issues them, and the instance metadata service. It listens on\n"
		"127.0.0.1 and, when it serves, writes SIM/endpoints.json. SIGTERM or SIGINT ends it.\n"
		"It protects nothing of value: its keys lie on this machine's disk."};
	struct error error = {0};
	size_t positional_count = 0;
	bool want_help = false;

	if (version_print_if_asked("ensign-sim", argc, argv))
		return EXIT_CODE_OK;
	log_init("sim");
	(void)umask(077);
	json_use_wiping_memory();
	if (!options_parse(options, ARRAY_SIZE(options), argc, argv, NULL, 0, &positional_count, &want_help, &error) ||
	    (!want_help && !sim.folder && !error_set(&error, ERROR_INPUT, "--dir is required (see --help)"))) {
		log_failure(LOG_LEVEL_ERROR, "usage", &error);
		return EXIT_CODE_USAGE;
	}
	if (want_help) {
		options_print_help(stdout, &help, options, ARRAY_SIZE(options));
		return EXIT_CODE_OK;
	}
	log_warning("SIMULATOR", "this is a simulator of AWS for laptops and tests, never for production");
	if (openssl_use_wiping_memory(&error) && process_harden(&error) &&
	    secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) && serve(&sim, &error))
		return EXIT_CODE_OK;
	log_failure(LOG_LEVEL_ERROR, "failed", &error);
	return (int)exit_code_of(&error);
}
