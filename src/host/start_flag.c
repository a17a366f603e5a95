/* SPDX-License-Identifier: Apache-2.0 */
#include "host/start_flag.h"

#include "aws/access.h"
#include "aws/ssm.h"
#include "base/log.h"
#include "host/instance_credentials.h"
#include "host/worker.h"

/* Whoever starts a fleet waits for it; two instances that ask every five seconds are far from any quota. */
#define POLL_S 5
/* SSM answers within a second or not at all. */
#define TIMEOUT_MS 4000u

struct start_flag {
	const struct settings *settings;
	start_flag_changed *changed;
	void *context;
	struct worker *worker;
	struct event *timer;
	bool may_run;
	struct error trouble; /* of the last time; ERROR_NONE: there was none */
	/* The worker's while it reads. */
	bool says_run;
	struct error problem;
};

static bool ask(const struct settings *settings, struct buffer *ret_value, struct error *error)
{
	const struct aws_place place = instance_place_of(&settings->ssm);
	AUTO_AWS_ACCESS struct aws_access access = {0};
	AUTO_CREDENTIALS struct credentials credentials = {0};
	struct ssm_client client = {.credentials = &credentials};

	if (!aws_access_init("ssm", &place, &access, error) || !instance_credentials_read(settings, &credentials, error))
		return false;
	client.endpoint = access.endpoint;
	client.endpoint.timeout_ms = TIMEOUT_MS;
	client.endpoint.attempts = 1;
	return ssm_get_parameter(&client, settings->start_flag, ret_value, error);
}

/* In the worker's thread. */
static void read_flag(void *context)
{
	struct start_flag *flag = context;
	AUTO_BUFFER struct buffer value = {0};

	flag->problem = (struct error){0};
	if (!ask(flag->settings, &value, &flag->problem))
		return;
	flag->says_run = view_equal_text(buffer_view(&value), "true");
	if (!flag->says_run && !view_equal_text(buffer_view(&value), "false"))
		(void)error_set(&flag->problem, ERROR_INPUT, "%s: neither true nor false", flag->settings->start_flag);
}

static void schedule(struct start_flag *flag)
{
	const struct timeval interval = {.tv_sec = POLL_S};

	(void)evtimer_add(flag->timer, &interval);
}

/* What cannot be read changes nothing but what is told. */
static void on_read(void *context)
{
	struct start_flag *flag = context;
	bool is_readable = flag->problem.code == ERROR_NONE;
	bool was_readable = flag->trouble.code == ERROR_NONE;
	bool may_run = is_readable ? flag->says_run : flag->may_run;

	schedule(flag);
	flag->trouble = flag->problem;
	if (!is_readable && was_readable)
		log_failure(LOG_LEVEL_WARNING, "start_flag_unreadable", &flag->trouble);
	if (may_run != flag->may_run)
		log_info("start_flag", "name=%s value=%s", flag->settings->start_flag, may_run ? "true" : "false");
	if (may_run == flag->may_run && is_readable == was_readable)
		return;
	flag->may_run = may_run;
	flag->changed(flag->context, may_run);
}

static void on_timer(int fd, short what, void *context)
{
	struct start_flag *flag = context;

	(void)fd;
	(void)what;
	worker_submit(flag->worker, read_flag);
}

struct start_flag *start_flag_new(struct event_base *base, const struct settings *settings, start_flag_changed *changed,
				  void *context, struct error *error)
{
	struct start_flag *flag = memory_allocate_zeroed(1, sizeof *flag);

	flag->settings = settings;
	flag->changed = changed;
	flag->context = context;
	flag->worker = worker_new(base, on_read, flag, error);
	flag->timer = evtimer_new(base, on_timer, flag);
	if (flag->worker && flag->timer) {
		worker_submit(flag->worker, read_flag);
		return flag;
	}
	if (flag->worker)
		(void)error_set(error, ERROR_IO, "cannot make a timer");
	start_flag_free(flag);
	return NULL;
}

const struct error *start_flag_problem(const struct start_flag *flag)
{
	return flag->trouble.code == ERROR_NONE ? NULL : &flag->trouble;
}

void start_flag_free(struct start_flag *flag)
{
	if (!flag)
		return;
	worker_free(flag->worker);
	if (flag->timer)
		event_free(flag->timer);
	free(flag);
}
