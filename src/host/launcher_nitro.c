/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>

#include "base/file.h"
#include "host/launcher.h"
#include "host/nitro_run.h"

struct launcher_nitro {
	struct launcher launcher;
	const struct nitro_options *options;
	struct nitro_run *run; /* NULL: none */
};

static struct launcher_nitro *nitro_of(struct launcher *launcher)
{
	return (struct launcher_nitro *)launcher;
}

static const struct nitro_run *run_of(const struct launcher *launcher)
{
	return ((const struct launcher_nitro *)launcher)->run;
}

static int nitro_watch_fd(const struct launcher *launcher)
{
	return run_of(launcher) ? nitro_run_watch_fd(run_of(launcher)) : -1;
}

static pid_t nitro_pid(const struct launcher *launcher)
{
	return run_of(launcher) ? nitro_run_pid(run_of(launcher)) : 0;
}

static bool nitro_is_up(const struct launcher *launcher)
{
	return run_of(launcher) && nitro_run_is_up(run_of(launcher));
}

static bool nitro_pcr0(const struct launcher *launcher, char ret_pcr0[LAUNCHER_PCR0_SIZE])
{
	return run_of(launcher) && nitro_run_pcr0(run_of(launcher), ret_pcr0);
}

/* There is nothing in it to be told, and nothing that it would have to save. */
static void nitro_kill(struct launcher *launcher)
{
	if (nitro_of(launcher)->run)
		nitro_run_stop(nitro_of(launcher)->run);
}

static bool nitro_reap(struct launcher *launcher, char *ret_how, size_t size)
{
	struct launcher_nitro *nitro = nitro_of(launcher);
	struct pollfd ended = {.fd = nitro_watch_fd(launcher), .events = POLLIN};

	if (!nitro->run) {
		(void)snprintf(ret_how, size, "was not started");
		return true;
	}
	if (poll(&ended, 1, 0) <= 0)
		return false;
	nitro_run_free(nitro->run, ret_how, size);
	nitro->run = NULL;
	return true;
}

static const char *nitro_weakness(const struct launcher *launcher)
{
	const struct launcher_nitro *nitro = (const struct launcher_nitro *)launcher;

	return nitro->options->is_debug
		       ? "debug mode: whoever is on this instance reads its console, and it proves nothing (all PCRs are zero)"
		       : NULL;
}

static void end_at_once(struct launcher_nitro *nitro)
{
	if (!nitro->run)
		return;
	nitro_run_stop(nitro->run);
	nitro_run_free(nitro->run, NULL, 0);
	nitro->run = NULL;
}

static bool nitro_start(struct launcher *launcher, struct error *error)
{
	struct launcher_nitro *nitro = nitro_of(launcher);

	end_at_once(nitro);
	nitro->run = nitro_run_start(nitro->options, error);
	return nitro->run != NULL;
}

static void nitro_free(struct launcher *launcher)
{
	end_at_once(nitro_of(launcher));
	free(launcher);
}

static const struct launcher_operations operations = {
	.start = nitro_start,
	.watch_fd = nitro_watch_fd,
	.pid = nitro_pid,
	.is_up = nitro_is_up,
	.pcr0 = nitro_pcr0,
	.terminate = nitro_kill,
	.kill = nitro_kill,
	.reap = nitro_reap,
	.weakness = nitro_weakness,
	.free = nitro_free,
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
	nitro->launcher.operations = &operations;
	nitro->options = options->nitro;
	return &nitro->launcher;
}
