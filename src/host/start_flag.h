/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The start flag of a fleet, a parameter of Systems Manager: "true" lets hosts start their enclaves, "false" has them end. Read every few seconds.
 * While it cannot be read, or says neither, what it said last counts; before it was ever read nothing starts.
 */
#pragma once

#include <event2/event.h>

#include "host/settings.h"

struct start_flag;

/* Called from the event loop when it is another than before, or begins or ends to be unreadable; until the first call it counts as false. */
typedef void start_flag_changed(void *context, bool may_run);

/* `settings`, which has a flag, is borrowed. */
MUST_USE struct start_flag *start_flag_new(struct event_base *base, const struct settings *settings, start_flag_changed *changed,
					   void *context, struct error *error);
/* Why it could not be read the last time; NULL: it could, or was not yet. Valid until the event loop goes on. */
const struct error *start_flag_problem(const struct start_flag *flag);
/* Accepts NULL. */
void start_flag_free(struct start_flag *flag);
