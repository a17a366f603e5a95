/* SPDX-License-Identifier: Apache-2.0 */
#include "host/launch_thread.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>

#include "base/file.h"

static void *thread_main(void *context)
{
	struct launch_thread *thread = context;

	thread->run(thread);
	(void)eventfd_write(thread->end_event, 1);
	return NULL;
}

/* Signals are for the thread of main(). */
static bool create(struct launch_thread *thread)
{
	sigset_t all, before;
	int problem;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	problem = pthread_create(&thread->id, NULL, thread_main, thread);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = problem;
	return problem == 0;
}

static void close_events(struct launch_thread *thread)
{
	if (thread->stop_event >= 0)
		(void)close(thread->stop_event);
	if (thread->end_event >= 0)
		(void)close(thread->end_event);
}

bool launch_thread_start(struct launch_thread *thread, struct error *error)
{
	thread->stop_event = eventfd(0, EFD_CLOEXEC);
	thread->end_event = eventfd(0, EFD_CLOEXEC);
	if (thread->stop_event >= 0 && thread->end_event >= 0 && create(thread))
		return true;
	(void)error_set_errno(error, ERROR_IO, "cannot begin to run an enclave");
	close_events(thread);
	return false;
}

void launch_thread_set_how(struct launch_thread *thread, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(thread->how, sizeof thread->how, format, arguments);
	va_end(arguments);
}

static void free_when_over(struct launch_thread *thread, char *ret_how, size_t size)
{
	(void)pthread_join(thread->id, NULL);
	if (ret_how)
		(void)snprintf(ret_how, size, "%s", thread->how);
	if (thread->done)
		thread->done(thread);
	close_events(thread);
	free(thread);
}

/* ---- launchers ---- */

static struct threaded_launcher *threaded(struct launcher *launcher)
{
	return (struct threaded_launcher *)launcher;
}

int threaded_launcher_watch_fd(const struct launcher *launcher)
{
	const struct launch_thread *thread = ((const struct threaded_launcher *)launcher)->thread;

	return thread ? thread->end_event : -1;
}

void threaded_launcher_kill(struct launcher *launcher)
{
	if (threaded(launcher)->thread)
		(void)eventfd_write(threaded(launcher)->thread->stop_event, 1);
}

bool threaded_launcher_reap(struct launcher *launcher, char *ret_how, size_t size)
{
	struct pollfd ended = {.fd = threaded_launcher_watch_fd(launcher), .events = POLLIN};

	if (!threaded(launcher)->thread) {
		(void)snprintf(ret_how, size, "was not started");
		return true;
	}
	if (poll(&ended, 1, 0) <= 0)
		return false;
	free_when_over(threaded(launcher)->thread, ret_how, size);
	threaded(launcher)->thread = NULL;
	return true;
}

void threaded_launcher_end(struct threaded_launcher *launcher)
{
	if (!launcher->thread)
		return;
	threaded_launcher_kill(&launcher->launcher);
	free_when_over(launcher->thread, NULL, 0);
	launcher->thread = NULL;
}

void threaded_launcher_free(struct launcher *launcher)
{
	threaded_launcher_end(threaded(launcher));
	free(launcher);
}
