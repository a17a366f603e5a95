/* SPDX-License-Identifier: Apache-2.0 */
#include "host/worker.h"

#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>

#include "base/bytes.h"
#include "base/file.h"

struct worker {
	pthread_t thread;
	bool thread_runs;
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	worker_job *job; /* NULL: none waits */
	bool quit;
	worker_callback *done;
	void *context;
	int done_fd; /* eventfd, written by the thread */
	struct event *done_event;
};

static worker_job *take_job(struct worker *worker)
{
	worker_job *job;

	(void)pthread_mutex_lock(&worker->mutex);
	while (!worker->job && !worker->quit)
		(void)pthread_cond_wait(&worker->changed, &worker->mutex);
	job = worker->job;
	worker->job = NULL;
	(void)pthread_mutex_unlock(&worker->mutex);
	return job;
}

static void *run(void *context)
{
	struct worker *worker = context;
	const uint64_t one = 1;
	worker_job *job;

	while ((job = take_job(worker))) {
		job(worker->context);
		/* Eight bytes fit into an eventfd that is read after every job. */
		if (!fd_write_all(worker->done_fd, &one, sizeof one))
			abort();
	}
	return NULL;
}

static void on_done(int fd, short what, void *context)
{
	struct worker *worker = context;
	uint64_t count;

	(void)what;
	if (read(fd, &count, sizeof count) == sizeof count)
		worker->done(worker->context);
}

/* Signals are for the event loop's thread. */
static bool start_thread(struct worker *worker)
{
	sigset_t all;
	sigset_t before;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	worker->thread_runs = pthread_create(&worker->thread, NULL, run, worker) == 0;
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return worker->thread_runs;
}

struct worker *worker_new(struct event_base *base, worker_callback *done, void *context, struct error *error)
{
	struct worker *worker = memory_allocate_zeroed(1, sizeof *worker);

	worker->done = done;
	worker->context = context;
	(void)pthread_mutex_init(&worker->mutex, NULL);
	(void)pthread_cond_init(&worker->changed, NULL);
	worker->done_fd = eventfd(0, EFD_CLOEXEC);
	worker->done_event = event_new(base, worker->done_fd, EV_READ | EV_PERSIST, on_done, worker);
	if (worker->done_fd >= 0 && worker->done_event && event_add(worker->done_event, NULL) == 0 && start_thread(worker))
		return worker;
	worker_free(worker);
	return error_set(error, ERROR_IO, "cannot start a worker thread"), NULL;
}

void worker_submit(struct worker *worker, worker_job *job)
{
	(void)pthread_mutex_lock(&worker->mutex);
	worker->job = job;
	(void)pthread_cond_signal(&worker->changed);
	(void)pthread_mutex_unlock(&worker->mutex);
}

void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	if (worker->thread_runs) {
		(void)pthread_mutex_lock(&worker->mutex);
		worker->quit = true;
		worker->job = NULL;
		(void)pthread_cond_signal(&worker->changed);
		(void)pthread_mutex_unlock(&worker->mutex);
		(void)pthread_join(worker->thread, NULL);
	}
	if (worker->done_event)
		event_free(worker->done_event);
	if (worker->done_fd >= 0)
		(void)close(worker->done_fd);
	(void)pthread_cond_destroy(&worker->changed);
	(void)pthread_mutex_destroy(&worker->mutex);
	free(worker);
}
