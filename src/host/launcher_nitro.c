/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"
#include "host/nitro_run.h"

struct launcher_nitro {
	struct threaded_launcher threaded;
	const struct nitro_options *options;
};

static bool find_enclave(const struct launcher *launcher, struct nitro_enclave *ret_enclave)
{
	struct launch_thread *thread = ((const struct launcher_nitro *)launcher)->threaded.thread;

	return thread && nitro_run_enclave(thread, ret_enclave);
}

static pid_t nitro_pid(const struct launcher *launcher)
{
	struct nitro_enclave enclave;

	return find_enclave(launcher, &enclave) ? enclave.process_id : 0;
}

static bool nitro_is_up(const struct launcher *launcher)
{
	struct nitro_enclave enclave;

	return find_enclave(launcher, &enclave);
}

static bool nitro_pcr0(const struct launcher *launcher, char ret_pcr0[NSM_PCR_TEXT_SIZE])
{
	struct nitro_enclave enclave;

	if (!find_enclave(launcher, &enclave) || !enclave.pcr0[0])
		return false;
	memcpy(ret_pcr0, enclave.pcr0, NSM_PCR_TEXT_SIZE);
	return true;
}

static const char *nitro_weakness(const struct launcher *launcher)
{
	if (!((const struct launcher_nitro *)launcher)->options->is_debug)
		return NULL;
	return "debug mode: whoever is on this instance reads its console, and it proves nothing (all PCRs are zero)";
}

static bool nitro_start(struct launcher *launcher, struct error *error)
{
	struct launcher_nitro *nitro = (struct launcher_nitro *)launcher;

	threaded_launcher_end(&nitro->threaded);
	nitro->threaded.thread = nitro_run_start(nitro->options, error);
	return nitro->threaded.thread != NULL;
}

static const struct launcher_operations operations = {
	.start = nitro_start,
	.watch_fd = threaded_launcher_watch_fd,
	.pid = nitro_pid,
	.is_up = nitro_is_up,
	.pcr0 = nitro_pcr0,
	.terminate = threaded_launcher_kill,
	.kill = threaded_launcher_kill,
	.reap = threaded_launcher_reap,
	.weakness = nitro_weakness,
	.free = threaded_launcher_free,
};

struct launcher *launcher_nitro_new(const struct launch_options *options, struct error *error)
{
	struct launcher_nitro *nitro;

	if (!options->nitro)
		return error_set(error, ERROR_INPUT, "nitro: missing; the nitro launcher needs it"), NULL;
	if (!file_exists(options->nitro->nitro_cli))
		return error_set(error, ERROR_NOT_FOUND, "nitro: nitro_cli: %s does not exist; install aws-nitro-enclaves-cli",
				 options->nitro->nitro_cli),
		       NULL;
	nitro = memory_allocate_zeroed(1, sizeof *nitro);
	nitro->threaded.launcher.operations = &operations;
	nitro->options = options->nitro;
	return &nitro->threaded.launcher;
}
