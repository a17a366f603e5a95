/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host_status.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"

static const char *const state_names[HOST_STATE_COUNT] = {
	[HOST_STATE_WAITING] = "waiting", [HOST_STATE_LAUNCHING] = "launching", [HOST_STATE_PROVISIONING] = "provisioning",
	[HOST_STATE_SERVING] = "serving", [HOST_STATE_DRAINING] = "draining",   [HOST_STATE_BACKOFF] = "backoff",
	[HOST_STATE_STOPPED] = "stopped",
};

const char *host_state_name(enum host_state state)
{
	return state_names[state];
}

static json_t *error_to_json(const struct error *error)
{
	if (error->code == ERROR_NONE)
		return json_null();
	return json_pack("{s:s, s:o}", "code", error_code_name(error->code), "message", json_text_of_any(error->message));
}

static json_t *reload_to_json(const struct host_reload *reload)
{
	char time[CLOCK_TEXT_SIZE];

	if (reload->number == 0)
		return json_null();
	clock_format(reload->time_ms, time);
	return json_pack("{s:I, s:s, s:b, s:I, s:I, s:o}", "number", (json_int_t)reload->number, "time", time, "ok",
			 reload->error.code == ERROR_NONE, "added", (json_int_t)reload->added, "removed",
			 (json_int_t)reload->removed, "error", error_to_json(&reload->error));
}

bool host_status_write(const struct host_status *status, const char *path, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *object = NULL;
	char since[CLOCK_TEXT_SIZE];

	clock_format(status->since_ms, since);
	object = json_pack("{s:i, s:s, s:s, s:o, s:o, s:I, s:I, s:o, s:o}", "pid", (int)getpid(), "state",
			   host_state_name(status->state), "since", since, "enclave_pid",
			   status->enclave_pid ? json_integer(status->enclave_pid) : json_null(), "pcr0",
			   status->pcr0[0] ? json_string(status->pcr0) : json_null(), "key_count", (json_int_t)status->key_count,
			   "restarts", (json_int_t)status->restarts, "last_error", error_to_json(&status->last_error),
			   "last_reload", reload_to_json(&status->last_reload));
	key_failures_write(&status->failures, object);
	json_write(object, &text);
	buffer_append_byte(&text, '\n');
	return file_write_atomic(path, buffer_view(&text), 0600, error);
}
