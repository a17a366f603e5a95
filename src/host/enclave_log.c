/* SPDX-License-Identifier: Apache-2.0 */
#include "host/enclave_log.h"

#include "base/log_relay.h"
#include "host/control_client.h"
#include "host/worker.h"

/* People read it; a signer that is being watched is watched closely enough. */
#define INTERVAL_MS 1000
/* Control answers at once; when it does not, the supervisor has something to say about that. */
#define ANSWER_TIMEOUT_MS 5000
/* More than the enclave puts into one answer. */
#define LINES_MAX 1024

struct enclave_log {
	const struct address *control;
	struct worker *worker;
	struct event *timer;
	json_t *body; /* of the job that ended; NULL: it failed */
};

bool enclave_log_write(json_t *body, bool *ret_more, struct error *error)
{
	json_t *lines;
	json_t *line;
	size_t index;

	if (!json_read_array(body, "lines", &lines, error) || !json_read_bool(body, "more", ret_more, error))
		return error_prefix(error, "log of the enclave");
	if (json_array_size(lines) > LINES_MAX)
		return error_set(error, ERROR_PEER, "log of the enclave: %zu lines at one time", json_array_size(lines));
	json_array_foreach(lines, index, line)
	{
		if (!json_is_object(line))
			return error_set(error, ERROR_PEER, "log of the enclave: lines[%zu]: not an object", index);
		log_relay(line);
	}
	return true;
}

static void fetch(void *context)
{
	struct enclave_log *log = context;
	struct error ignored;

	log->body = control_call(log->control, view_of_text("{\"operation\":\"log\"}"), CONTROL_ANSWER_MAX_SIZE, ANSWER_TIMEOUT_MS,
				 ANSWER_TIMEOUT_MS, NULL, &ignored);
}

static void schedule(struct enclave_log *log, unsigned delay_ms)
{
	struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = (suseconds_t)(delay_ms % 1000) * 1000};

	(void)evtimer_add(log->timer, &delay);
}

static void on_fetched(void *context)
{
	struct enclave_log *log = context;
	struct error error = {0};
	bool more = false;

	if (log->body && !enclave_log_write(log->body, &more, &error))
		log_failure(LOG_LEVEL_WARNING, "enclave_log_unreadable", &error);
	json_done(&log->body);
	schedule(log, more ? 0 : INTERVAL_MS);
}

static void on_timer(int fd, short what, void *context)
{
	struct enclave_log *log = context;

	(void)fd;
	(void)what;
	worker_submit(log->worker, fetch);
}

struct enclave_log *enclave_log_new(struct event_base *base, const struct address *control, struct error *error)
{
	struct enclave_log *log = memory_allocate_zeroed(1, sizeof *log);

	log->control = control;
	log->worker = worker_new(base, on_fetched, log, error);
	log->timer = evtimer_new(base, on_timer, log);
	if (log->worker && log->timer) {
		schedule(log, 0);
		return log;
	}
	if (log->worker)
		(void)error_set(error, ERROR_IO, "cannot make a timer");
	enclave_log_free(log);
	return NULL;
}

void enclave_log_free(struct enclave_log *log)
{
	if (!log)
		return;
	worker_free(log->worker);
	if (log->timer)
		event_free(log->timer);
	json_done(&log->body);
	free(log);
}
