/* SPDX-License-Identifier: Apache-2.0 */
#include "host/nitro_run.h"

#include <poll.h>
#include <sys/pidfd.h>

#include "base/file.h"
#include "base/log.h"
#include "image/eif_measure.h"

/* Its process ends with the enclave, and the supervisor asks every second. This finds what neither sees. */
#define DESCRIBE_INTERVAL_MS 10000
/* An enclave whose start was given up may be listed a little later only. */
#define END_TRIES 5
#define END_INTERVAL_MS 500

struct nitro_run {
	struct launch_thread thread;
	const struct nitro_options *options;
	pthread_mutex_t lock;
	struct nitro_enclave enclave; /* lock; the thread alone writes it */
};

static void set_enclave(struct nitro_run *run, const struct nitro_enclave *enclave)
{
	(void)pthread_mutex_lock(&run->lock);
	run->enclave = *enclave;
	(void)pthread_mutex_unlock(&run->lock);
}

/* ---- beginning ---- */

static bool measure_image(const struct nitro_options *options, char ret_pcr0[NSM_PCR_TEXT_SIZE], struct error *error)
{
	static const uint8_t zero[NSM_PCR_SIZE];
	AUTO_BUFFER struct buffer bytes = {0};
	struct measurement measurement;
	struct eif eif;

	if (!file_read(options->eif, EIF_MAX_SIZE, &bytes, error) || !eif_read(buffer_view(&bytes), &eif, error) ||
	    !eif_measure(&eif, &measurement, error))
		return error_prefix(error, "nitro: eif");
	hex_encode(view_of(options->is_debug ? zero : measurement.pcr0, NSM_PCR_SIZE), ret_pcr0);
	return true;
}

/* None of this name is left afterwards. */
static bool end_of_name(struct nitro_run *run, struct error *error)
{
	struct nitro_enclave enclave;
	bool found = true;

	for (unsigned i = 0; i < END_TRIES; i++) {
		if (!nitro_cli_find(run->options, &found, &enclave, error))
			return false;
		if (!found)
			return true;
		if (!nitro_cli_terminate(run->options, &enclave, error))
			return false;
		(void)poll(NULL, 0, i == 0 ? 0 : END_INTERVAL_MS);
	}
	return error_set(error, ERROR_PEER, "nitro-cli: the enclave %s does not end", enclave.id);
}

/* *ret_found: an enclave of this very image runs already, and only its parent died. */
static bool find_own(struct nitro_run *run, bool *ret_found, struct nitro_enclave *ret_enclave, struct error *error)
{
	const struct nitro_options *options = run->options;
	char pcr0[NSM_PCR_TEXT_SIZE];

	if (!measure_image(options, pcr0, error) || !nitro_cli_find(options, ret_found, ret_enclave, error))
		return false;
	if (!*ret_found)
		return true;
	*ret_found = ret_enclave->is_running && ret_enclave->is_debug == options->is_debug && ret_enclave->cid == options->cid &&
		     strcmp(ret_enclave->pcr0, pcr0) == 0;
	if (*ret_found) {
		log_info("enclave_found_running", "id=%s", ret_enclave->id);
		return true;
	}
	log_info("enclave_of_another_image_ended", "id=%s", ret_enclave->id);
	return end_of_name(run, error);
}

static bool is_stopped(const struct nitro_run *run)
{
	struct pollfd stop = {.fd = run->thread.stop_event, .events = POLLIN};

	return poll(&stop, 1, 0) > 0;
}

/* Its measurement is known of describe-enclaves alone. */
static bool begin(struct nitro_run *run, struct nitro_enclave *ret_enclave, struct error *error)
{
	bool found;

	if (!find_own(run, &found, ret_enclave, error))
		return false;
	if (found)
		return true;
	return nitro_cli_run(run->options, run->thread.stop_event, ret_enclave, error) &&
	       nitro_cli_find(run->options, &found, ret_enclave, error) &&
	       (found || error_set(error, ERROR_PEER, "nitro-cli: the enclave that it started is not there"));
}

/* ---- until the end ---- */

/* False: it is not there any more. A nitro-cli that does not answer says nothing about the enclave. */
static bool is_still_there(const struct nitro_run *run)
{
	struct nitro_enclave enclave;
	struct error error = {0};
	bool found;

	if (nitro_cli_find(run->options, &found, &enclave, &error))
		return found && enclave.is_running && strcmp(enclave.id, run->enclave.id) == 0;
	log_failure(LOG_LEVEL_WARNING, "nitro_cli_failed", &error);
	return true;
}

static void watch(struct nitro_run *run)
{
	AUTO_FD int process = run->enclave.process_id > 0 ? pidfd_open(run->enclave.process_id, 0) : -1;
	struct pollfd polled[] = {{run->thread.stop_event, POLLIN, 0}, {process, POLLIN, 0}};

	for (;;) {
		int count = poll(polled, ARRAY_SIZE(polled), DESCRIBE_INTERVAL_MS);

		if (count < 0)
			continue;
		if (polled[0].revents) {
			launch_thread_set_how(&run->thread, "was told to end");
			return;
		}
		if (polled[1].revents) {
			launch_thread_set_how(&run->thread,
					      "ended: the process of nitro-cli that held it did (see /var/log/nitro_enclaves)");
			return;
		}
		if (count == 0 && !is_still_there(run)) {
			launch_thread_set_how(&run->thread, "ended: nitro-cli does not list it any more");
			return;
		}
	}
}

static void run_thread(struct launch_thread *thread)
{
	struct nitro_run *run = (struct nitro_run *)thread;
	struct nitro_enclave enclave;
	struct error error = {0};

	if (begin(run, &enclave, &error)) {
		set_enclave(run, &enclave);
		watch(run);
	} else {
		launch_thread_set_how(thread, "%s: %.400s", is_stopped(run) ? "was told to end" : "did not start", error.message);
	}
	/* Also what a start that failed, or was given up, may have left. */
	if (!end_of_name(run, &error))
		log_failure(LOG_LEVEL_ERROR, "enclave_not_ended", &error);
	set_enclave(run, &(struct nitro_enclave){0});
}

/* ---- the object ---- */

static void done(struct launch_thread *thread)
{
	(void)pthread_mutex_destroy(&((struct nitro_run *)thread)->lock);
}

struct launch_thread *nitro_run_start(const struct nitro_options *options, struct error *error)
{
	struct nitro_run *run = memory_allocate_zeroed(1, sizeof *run);

	run->options = options;
	run->thread.run = run_thread;
	run->thread.done = done;
	(void)pthread_mutex_init(&run->lock, NULL);
	if (launch_thread_start(&run->thread, error))
		return &run->thread;
	done(&run->thread);
	free(run);
	return NULL;
}

bool nitro_run_enclave(struct launch_thread *thread, struct nitro_enclave *ret_enclave)
{
	struct nitro_run *run = (struct nitro_run *)thread;

	(void)pthread_mutex_lock(&run->lock);
	*ret_enclave = run->enclave;
	(void)pthread_mutex_unlock(&run->lock);
	return ret_enclave->id[0] != 0;
}
