/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of an enclave, from its start to its end, in a thread of its own: for launchers whose enclave takes seconds to begin and to end. And what
 * such launchers do all alike.
 */
#pragma once

#include <pthread.h>

#include "host/launcher.h"

/* The first member of a run, which is memory of its own. */
struct launch_thread {
	/* In the thread. Whatever happens it ends soon after stop_event is readable, and nothing of the enclave is left then; `how` says why. */
	void (*run)(struct launch_thread *thread);
	/* Of the run: what it has beyond its memory; NULL: nothing. */
	void (*done)(struct launch_thread *thread);
	pthread_t id;
	int stop_event;
	int end_event;
	char how[ERROR_MESSAGE_SIZE]; /* the thread's, until it has ended */
};

/* Begins `run`. False: *thread is as it was. */
MUST_USE bool launch_thread_start(struct launch_thread *thread, struct error *error);
/* For `run`: how it ended, for people. */
void launch_thread_set_how(struct launch_thread *thread, const char *format, ...) PRINTF_LIKE(2, 3);

/* A launcher of such runs puts this first. */
struct threaded_launcher {
	struct launcher launcher;
	struct launch_thread *thread; /* NULL: none runs */
};

/* Operations (host/launcher.h). There is nothing in such an enclave to be told of its end, so to terminate it is to kill it. */
int threaded_launcher_watch_fd(const struct launcher *launcher);
void threaded_launcher_kill(struct launcher *launcher);
bool threaded_launcher_reap(struct launcher *launcher, char *ret_how, size_t size);
void threaded_launcher_free(struct launcher *launcher);
/* Ends what runs, and waits for it: before a start. */
void threaded_launcher_end(struct threaded_launcher *launcher);
