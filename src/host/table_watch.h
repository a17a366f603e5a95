/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks at the key table and the TLS table now and then, and says when they are not what they were the last time: whoever changes a row need
 * not know which hosts to tell. Reads in a thread of its own.
 */
#pragma once

#include <event2/event.h>

#include "host/settings.h"

typedef void table_watch_changed(void *context);

struct table_watch;

/*
 * Every settings->tables_poll_s. What the tables hold when it is made is the first to compare with. `changed` is called on the event
 * loop. A table that cannot be read is told in the log, once until it can be read again, and is no change. NULL on failure.
 */
MUST_USE struct table_watch *table_watch_new(struct event_base *base, const struct settings *settings, table_watch_changed *changed,
					     void *context, struct error *error);
/* Waits for a look that is under way. Accepts NULL. */
void table_watch_free(struct table_watch *watch);
