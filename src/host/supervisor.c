/* SPDX-License-Identifier: Apache-2.0 */
#include "host/supervisor.h"

#include "base/clock.h"
#include "base/log.h"
#include "host/backoff.h"
#include "host/enclave_jobs.h"
#include "host/host_reporter.h"
#include "host/worker.h"

/* nitro-cli takes seconds to start an enclave. */
#define UP_POLL_MS 50u
/* When an enclave dies, its sockets close a little before its end is known; its end is the better explanation. */
#define SETTLE_MS 250u
#define HOW_SIZE ERROR_MESSAGE_SIZE

struct supervisor {
	struct supervisor_options options;
	struct host_reporter reporter;
	struct worker *worker;
	struct enclave_job job; /* the worker's while one runs, the event loop's at all other times, but for `cancel` */
	enclave_job_function *job_function;
	void (*job_done)(struct supervisor *supervisor); /* NULL: no job is running */
	struct event *timer;
	void (*timer_action)(struct supervisor *supervisor);
	struct event *enclave_event; /* NULL: no enclave is running */
	bool ending;                 /* the enclave was told to end */
	bool stopping;
	bool draining; /* stopping comes next */
	bool drain_asked;
	bool held;
	struct event *drain_timer;
	bool launched_before;
	bool relaunch_at_once; /* if this is the first failure in a while */
	bool reload_asked;     /* by supervisor_reload() */
	unsigned misses;
	uint64_t serving_since_ms; /* monotonic; 0: not serving */
	struct backoff backoff;
	struct error suspicion; /* what a job said about an enclave that may be dying */
};

static void launch(struct supervisor *supervisor);
static void provision(struct supervisor *supervisor);
static void schedule_poll(struct supervisor *supervisor);
static void continue_without_enclave(struct supervisor *supervisor);

/* ---- time ---- */

static void set_timer(struct supervisor *supervisor, unsigned delay_ms, void (*action)(struct supervisor *))
{
	struct timeval delay = {.tv_sec = delay_ms / 1000, .tv_usec = (suseconds_t)(delay_ms % 1000) * 1000};

	supervisor->timer_action = action;
	(void)evtimer_add(supervisor->timer, &delay);
}

static void on_timer(int fd, short what, void *context)
{
	struct supervisor *supervisor = context;

	(void)fd;
	(void)what;
	supervisor->timer_action(supervisor);
}

/* ---- the worker ---- */

static void run_job(void *context)
{
	struct supervisor *supervisor = context;

	supervisor->job_function(&supervisor->job);
}

static void submit(struct supervisor *supervisor, enclave_job_function *job, void (*done)(struct supervisor *))
{
	atomic_store(&supervisor->job.cancel, false);
	supervisor->job.error = (struct error){0};
	supervisor->job_done = done;
	supervisor->job_function = job;
	worker_submit(supervisor->worker, run_job);
}

/* An answer of an enclave that has ended, or is being ended, means nothing any more. */
static void on_job_done(void *context)
{
	struct supervisor *supervisor = context;
	void (*done)(struct supervisor *) = supervisor->job_done;

	supervisor->job_done = NULL;
	if (!supervisor->enclave_event) {
		continue_without_enclave(supervisor);
		return;
	}
	if (!supervisor->ending)
		done(supervisor);
}

/* ---- ending the enclave ---- */

static void kill_enclave(struct supervisor *supervisor)
{
	supervisor->options.launcher->operations->kill(supervisor->options.launcher);
}

static void end_enclave(struct supervisor *supervisor)
{
	supervisor->ending = true;
	atomic_store(&supervisor->job.cancel, true);
	supervisor->options.launcher->operations->terminate(supervisor->options.launcher);
	set_timer(supervisor, supervisor->options.timing.grace_ms, kill_enclave);
}

/* It still runs although it does not answer as it should. */
static void end_suspect(struct supervisor *supervisor)
{
	host_reporter_record(&supervisor->reporter, "enclave_failed", &supervisor->suspicion);
	end_enclave(supervisor);
}

static void suspect(struct supervisor *supervisor, bool relaunch_at_once)
{
	supervisor->suspicion = supervisor->job.error;
	supervisor->relaunch_at_once = relaunch_at_once;
	set_timer(supervisor, supervisor->suspicion.code == ERROR_PEER ? SETTLE_MS : 0, end_suspect);
}

/* ---- states ---- */

static void serve(struct supervisor *supervisor)
{
	host_reporter_note_keys(&supervisor->reporter, &supervisor->job.state);
	supervisor->misses = 0;
	if (supervisor->serving_since_ms == 0)
		supervisor->serving_since_ms = clock_monotonic_ms();
	log_info("serving", "enclave_pid=%d key_count=%llu failed=%llu", (int)supervisor->reporter.status.enclave_pid,
		 (unsigned long long)supervisor->reporter.status.key_count,
		 (unsigned long long)supervisor->reporter.status.failures.count);
	host_reporter_set_state(&supervisor->reporter, supervisor->draining ? HOST_STATE_DRAINING : HOST_STATE_SERVING);
	schedule_poll(supervisor);
}

static void reload_done(struct supervisor *supervisor)
{
	const struct enclave_job *job = &supervisor->job;

	host_reporter_note_reload(&supervisor->reporter, &job->state, job->ok ? NULL : &job->error);
	schedule_poll(supervisor);
}

static void refresh_done(struct supervisor *supervisor)
{
	if (!supervisor->job.ok)
		log_failure(LOG_LEVEL_ERROR, "credential_not_refreshed", &supervisor->job.error);
	schedule_poll(supervisor);
}

static void drain_done(struct supervisor *supervisor)
{
	if (!supervisor->job.ok)
		log_failure(LOG_LEVEL_WARNING, "clients_not_told", &supervisor->job.error);
	schedule_poll(supervisor);
}

/* Imports and deletions end with a reload too. */
static void grant_wishes(struct supervisor *supervisor)
{
	const struct control_state *state = &supervisor->job.state;

	if (supervisor->drain_asked) {
		supervisor->drain_asked = false;
		submit(supervisor, enclave_job_drain, drain_done);
		return;
	}
	if (state->wants_credential) {
		submit(supervisor, enclave_job_refresh, refresh_done);
		return;
	}
	if (state->wants_import) {
		submit(supervisor, enclave_job_import, reload_done);
		return;
	}
	if (state->wants_reload || supervisor->reload_asked) {
		supervisor->reload_asked = false;
		submit(supervisor, enclave_job_reload, reload_done);
		return;
	}
	if (state->forget_count > 0)
		submit(supervisor, enclave_job_forget, reload_done);
	else
		schedule_poll(supervisor);
}

static void poll_done(struct supervisor *supervisor)
{
	if (supervisor->job.ok && supervisor->job.state.initialized) {
		supervisor->misses = 0;
		grant_wishes(supervisor);
		return;
	}
	if (supervisor->job.ok) {
		log_warning("enclave_lost_its_keys", "%s", "");
		provision(supervisor);
		return;
	}
	supervisor->misses++;
	log_failure(LOG_LEVEL_WARNING, "enclave_did_not_answer", &supervisor->job.error);
	if (supervisor->misses < supervisor->options.timing.poll_misses) {
		schedule_poll(supervisor);
		return;
	}
	suspect(supervisor, true);
}

static void poll_now(struct supervisor *supervisor)
{
	submit(supervisor, enclave_job_poll, poll_done);
}

static void schedule_poll(struct supervisor *supervisor)
{
	set_timer(supervisor, supervisor->options.timing.poll_interval_ms, poll_now);
}

static void provision_done(struct supervisor *supervisor)
{
	if (supervisor->job.ok) {
		serve(supervisor);
		return;
	}
	suspect(supervisor, false);
}

static void provision(struct supervisor *supervisor)
{
	host_reporter_note_keys(&supervisor->reporter, NULL);
	supervisor->serving_since_ms = 0;
	host_reporter_set_state(&supervisor->reporter, HOST_STATE_PROVISIONING);
	submit(supervisor, enclave_job_provision, provision_done);
}

/* A machine's processes are still being started when it is launched. */
static void note_enclave(struct supervisor *supervisor)
{
	struct launcher *launcher = supervisor->options.launcher;

	supervisor->reporter.status.enclave_pid = launcher->operations->pid(launcher);
	if (!launcher->operations->pcr0 || !launcher->operations->pcr0(launcher, supervisor->reporter.status.pcr0))
		supervisor->reporter.status.pcr0[0] = 0;
}

static void wait_done(struct supervisor *supervisor)
{
	if (!supervisor->job.ok) {
		suspect(supervisor, false);
		return;
	}
	note_enclave(supervisor);
	if (supervisor->job.state.initialized) {
		serve(supervisor);
		return;
	}
	provision(supervisor);
}

/* ---- launching, and what comes after an end ---- */

static void finish(struct supervisor *supervisor)
{
	(void)evtimer_del(supervisor->timer);
	(void)evtimer_del(supervisor->drain_timer);
	host_reporter_set_state(&supervisor->reporter, HOST_STATE_STOPPED);
	supervisor->options.stopped(supervisor->options.context);
}

/* Waits for the worker too: its job belongs to the enclave that is gone. */
static void continue_without_enclave(struct supervisor *supervisor)
{
	unsigned delay_ms;

	if (supervisor->enclave_event || supervisor->job_done)
		return;
	if (supervisor->stopping || supervisor->draining) {
		finish(supervisor);
		return;
	}
	if (supervisor->held) {
		(void)evtimer_del(supervisor->timer);
		host_reporter_set_state(&supervisor->reporter, HOST_STATE_WAITING);
		return;
	}
	delay_ms = backoff_next_ms(&supervisor->backoff, supervisor->relaunch_at_once);
	log_info("relaunch", "delay_ms=%u failures=%u", delay_ms, supervisor->backoff.failures);
	if (delay_ms > 0)
		host_reporter_set_state(&supervisor->reporter, HOST_STATE_BACKOFF);
	set_timer(supervisor, delay_ms, launch);
}

static void note_end(struct supervisor *supervisor, const char *how)
{
	struct error error = {0};

	if (supervisor->ending) {
		log_info("enclave_ended", "how=\"%s\"", how);
		return;
	}
	supervisor->relaunch_at_once = true;
	(void)error_set(&error, ERROR_PEER, "the enclave %s", how);
	host_reporter_record(&supervisor->reporter, "enclave_died", &error);
}

static void on_enclave_ended(int fd, short what, void *context)
{
	struct supervisor *supervisor = context;
	struct launcher *launcher = supervisor->options.launcher;
	bool was_quiet = supervisor->serving_since_ms != 0 &&
			 clock_monotonic_ms() - supervisor->serving_since_ms >= supervisor->options.timing.quiet_ms;
	char how[HOW_SIZE] = "";

	(void)fd;
	(void)what;
	if (!launcher->operations->reap(launcher, how, sizeof how))
		return;
	event_free(supervisor->enclave_event);
	supervisor->enclave_event = NULL;
	atomic_store(&supervisor->job.cancel, true);
	(void)evtimer_del(supervisor->timer);
	note_end(supervisor, how);
	if (was_quiet)
		supervisor->backoff.failures = 0;
	supervisor->ending = false;
	supervisor->serving_since_ms = 0;
	supervisor->reporter.status.enclave_pid = 0;
	supervisor->reporter.status.pcr0[0] = 0;
	host_reporter_note_keys(&supervisor->reporter, NULL);
	host_reporter_write(&supervisor->reporter);
	continue_without_enclave(supervisor);
}

static bool start_enclave(struct supervisor *supervisor, struct error *error)
{
	struct launcher *launcher = supervisor->options.launcher;
	bool weakness_is_news = !supervisor->launched_before;

	if (!launcher->operations->start(launcher, error))
		return false;
	supervisor->enclave_event = event_new(supervisor->options.base, launcher->operations->watch_fd(launcher),
					      EV_READ | EV_PERSIST, on_enclave_ended, supervisor);
	if (!supervisor->enclave_event || event_add(supervisor->enclave_event, NULL) != 0)
		return error_set(error, ERROR_IO, "cannot watch the enclave");
	if (weakness_is_news && launcher->operations->weakness(launcher))
		log_warning("enclave_less_isolated", "why=\"%s\"", launcher->operations->weakness(launcher));
	return true;
}

static void wait_until_up(struct supervisor *supervisor)
{
	struct launcher *launcher = supervisor->options.launcher;

	if (!launcher->operations->is_up || launcher->operations->is_up(launcher))
		submit(supervisor, enclave_job_wait, wait_done);
	else
		set_timer(supervisor, UP_POLL_MS, wait_until_up);
}

static void launch(struct supervisor *supervisor)
{
	struct launcher *launcher = supervisor->options.launcher;
	struct error error = {0};
	bool started = start_enclave(supervisor, &error);

	if (supervisor->launched_before)
		supervisor->reporter.status.restarts++;
	supervisor->launched_before = true;
	supervisor->relaunch_at_once = false;
	if (!started) {
		host_reporter_record(&supervisor->reporter, "launch_failed", &error);
		continue_without_enclave(supervisor);
		return;
	}
	supervisor->reporter.status.enclave_pid = launcher->operations->pid(launcher);
	log_info("launched", "enclave_pid=%d", (int)supervisor->reporter.status.enclave_pid);
	host_reporter_set_state(&supervisor->reporter, HOST_STATE_LAUNCHING);
	wait_until_up(supervisor);
}

/* ---- the object ---- */

static void stop_now(struct supervisor *supervisor)
{
	supervisor->stopping = true;
	(void)evtimer_del(supervisor->drain_timer);
	(void)evtimer_del(supervisor->timer);
	if (supervisor->enclave_event) {
		end_enclave(supervisor);
		return;
	}
	continue_without_enclave(supervisor);
}

static void on_drained(int fd, short what, void *context)
{
	(void)fd;
	(void)what;
	stop_now(context);
}

struct supervisor *supervisor_new(const struct supervisor_options *options, struct error *error)
{
	struct supervisor *supervisor = memory_allocate_zeroed(1, sizeof *supervisor);

	supervisor->options = *options;
	supervisor_timing_complete(&supervisor->options.timing);
	supervisor->reporter =
		(struct host_reporter){.path = options->status_path, .changed = options->changed, .context = options->context};
	supervisor->backoff.first_ms = supervisor->options.timing.backoff_first_ms;
	supervisor->backoff.max_ms = supervisor->options.timing.backoff_max_ms;
	supervisor->job.settings = options->settings;
	supervisor->job.control = &supervisor->options.control;
	supervisor->job.launch_timeout_ms = supervisor->options.timing.launch_timeout_ms;
	supervisor->job.poll_timeout_ms = supervisor->options.timing.poll_timeout_ms;
	supervisor->worker = worker_new(options->base, on_job_done, supervisor, error);
	supervisor->timer = evtimer_new(options->base, on_timer, supervisor);
	supervisor->drain_timer = evtimer_new(options->base, on_drained, supervisor);
	if (supervisor->worker && !(supervisor->timer && supervisor->drain_timer))
		(void)error_set(error, ERROR_IO, "cannot make a timer");
	if (!supervisor->worker || !supervisor->timer || !supervisor->drain_timer) {
		supervisor_free(supervisor);
		return NULL;
	}
	supervisor->held = options->is_held;
	set_timer(supervisor, 0, supervisor->held ? continue_without_enclave : launch);
	return supervisor;
}

/* What waits for the next poll need not. */
static void poll_soon(struct supervisor *supervisor)
{
	if (supervisor->reporter.status.state == HOST_STATE_SERVING && !supervisor->job_done && !supervisor->ending &&
	    supervisor->timer_action == poll_now)
		set_timer(supervisor, 0, poll_now);
}

void supervisor_reload(struct supervisor *supervisor)
{
	supervisor->reload_asked = true;
	poll_soon(supervisor);
}

void supervisor_hold(struct supervisor *supervisor, bool is_held)
{
	if (supervisor->held == is_held || supervisor->stopping || supervisor->draining)
		return;
	supervisor->held = is_held;
	if (is_held && supervisor->enclave_event && !supervisor->ending)
		end_enclave(supervisor);
	else if (is_held)
		continue_without_enclave(supervisor);
	else if (!supervisor->enclave_event && !supervisor->job_done)
		set_timer(supervisor, 0, launch);
}

void supervisor_stop(struct supervisor *supervisor)
{
	const struct timeval patience = {.tv_sec = supervisor->options.drain_ms / 1000,
					 .tv_usec = (suseconds_t)(supervisor->options.drain_ms % 1000) * 1000};

	if (supervisor->stopping)
		return;
	if (supervisor->draining || supervisor->options.drain_ms == 0 || supervisor->reporter.status.state != HOST_STATE_SERVING) {
		stop_now(supervisor);
		return;
	}
	supervisor->drain_asked = true;
	poll_soon(supervisor);
	supervisor->draining = true;
	host_reporter_set_state(&supervisor->reporter, HOST_STATE_DRAINING);
	(void)evtimer_add(supervisor->drain_timer, &patience);
}

void supervisor_free(struct supervisor *supervisor)
{
	if (!supervisor)
		return;
	atomic_store(&supervisor->job.cancel, true);
	/* Its sockets close, which is what a job may be waiting for. */
	kill_enclave(supervisor);
	worker_free(supervisor->worker);
	if (supervisor->enclave_event)
		event_free(supervisor->enclave_event);
	if (supervisor->timer)
		event_free(supervisor->timer);
	if (supervisor->drain_timer)
		event_free(supervisor->drain_timer);
	free(supervisor);
}

const struct host_status *supervisor_status(const struct supervisor *supervisor)
{
	return &supervisor->reporter.status;
}
