/* SPDX-License-Identifier: Apache-2.0 */
/* POST /reload asks the parent, through control, to show its tables again; GET says how that went. */
#include "enclave/frontend/api_internal.h"

#include "base/clock.h"

static const char *const progress_names[] = {
	[RELOAD_IDLE] = "idle",           [RELOAD_RUNNING] = "running",
	[RELOAD_COMPLETED] = "completed", [RELOAD_WITH_ERRORS] = "completed_with_errors",
	[RELOAD_FAILED] = "failed",
};

static enum reload_progress progress_of(const struct message_reload_result *result)
{
	if (!result->ok)
		return RELOAD_FAILED;
	return result->failed_count ? RELOAD_WITH_ERRORS : RELOAD_COMPLETED;
}

void api_end_reload(void *context, const struct message_reload_result *result)
{
	struct api *api = (struct api *)context;

	reload_state_end(&api->reload, progress_of(result), result->message);
}

void api_ask_reload(struct http_call *call, const char *identifier)
{
	struct api *api = api_call_of(call)->api;
	AUTO_BUFFER struct buffer body = {0};
	struct error error;

	(void)identifier;
	if (!api->control) {
		api_answer_error(call, 503, "there is nobody to ask for the tables", NULL);
		return;
	}
	if (!reload_state_begin(&api->reload)) {
		api_answer_error(call, 409, "A reload operation is already in progress. Please try again later.", NULL);
		return;
	}
	if (!control_client_reload(api->control, &error)) {
		reload_state_end(&api->reload, RELOAD_FAILED, error.message);
		api_answer_error(call, 503, error.message, NULL);
		return;
	}
	api_append_error(&body, 202,
			 "Reload operation accepted and is running in the background. Use GET /reload to check status.");
	http_call_answer(call, &(struct http_answer){.status = 202, .content_type = API_JSON, .body = buffer_view(&body)});
}

void api_show_reload(struct http_call *call, const char *identifier)
{
	AUTO_BUFFER struct buffer body = {0};
	struct reload_state state;
	char time[CLOCK_TEXT_SIZE];

	(void)identifier;
	reload_state_read(&api_call_of(call)->api->reload, &state);
	buffer_append_format(&body, "{\"status\":\"%s\"", progress_names[state.progress]);
	if (state.ended_ms) {
		clock_format(state.ended_ms, time);
		buffer_append_format(&body, ",\"lastOperationTime\":\"%s\"", time);
	}
	if (state.progress == RELOAD_FAILED || state.progress == RELOAD_WITH_ERRORS) {
		buffer_append_text(&body, ",\"lastError\":");
		api_append_text(&body, state.failure);
	}
	buffer_append_byte(&body, '}');
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&body)});
}
