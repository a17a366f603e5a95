/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread for work that blocks, so that the event loop never does: one job at a time, its end is reported on the loop.
 */
#pragma once

#include <event2/event.h>

#include "base/error.h"

typedef void worker_job(void *context);
typedef void worker_callback(void *context);

struct worker;

/* `done` is called from the event loop after each job. The thread starts with all signals blocked. */
MUST_USE struct worker *worker_new(struct event_base *base, worker_callback *done, void *context, struct error *error);
/* Only when no job is running: between the job and its `done` call it still is. */
void worker_submit(struct worker *worker, worker_job *job);
/* Waits for a running job; `done` is not called any more. Accepts NULL. */
void worker_free(struct worker *worker);
