/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host_reporter.h"

#include "base/clock.h"
#include "base/log.h"

void host_reporter_write(struct host_reporter *reporter)
{
	struct error error = {0};

	if (!host_status_write(&reporter->status, reporter->path, &error))
		log_failure(LOG_LEVEL_WARNING, "status_not_written", &error);
	if (reporter->changed)
		reporter->changed(reporter->context);
}

void host_reporter_set_state(struct host_reporter *reporter, enum host_state state)
{
	reporter->status.state = state;
	reporter->status.since_ms = clock_realtime_ms();
	host_reporter_write(reporter);
}

void host_reporter_record(struct host_reporter *reporter, const char *event, const struct error *error)
{
	reporter->status.last_error = *error;
	log_failure(LOG_LEVEL_ERROR, event, error);
}

void host_reporter_note_keys(struct host_reporter *reporter, const struct control_state *state)
{
	reporter->status.key_count = state ? state->key_count : 0;
	reporter->status.failures = state ? state->failures : (struct key_failures){0};
}

void host_reporter_note_reload(struct host_reporter *reporter, const struct control_state *state, const struct error *problem)
{
	struct host_reload *reload = &reporter->status.last_reload;

	*reload = (struct host_reload){.number = reload->number + 1, .time_ms = clock_realtime_ms()};
	if (problem) {
		reload->error = *problem;
		log_failure(LOG_LEVEL_ERROR, "reload_failed", problem);
	} else {
		reload->added = state->added;
		reload->removed = state->removed;
		host_reporter_note_keys(reporter, state);
		log_info("reloaded", "key_count=%llu added=%llu removed=%llu failed=%llu", (unsigned long long)state->key_count,
			 (unsigned long long)reload->added, (unsigned long long)reload->removed,
			 (unsigned long long)state->failures.count);
	}
	host_reporter_write(reporter);
}
