/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/api_internal.h"

#include <inttypes.h>

#include "slashing/high_watermark.h"

/* Web3Signer gives its store as long to answer. */
#define LEDGER_PATIENCE_MS 3000
/*
 * A failure of the store counts until something is durable again, but not for ever: what is out of service signs nothing, so
 * it could never become durable again. Longer than health is asked for, which is every few seconds.
 */
#define FAILURE_MEMORY_MS 60000

static const char *status_text(bool is_up)
{
	return is_up ? "UP" : "DOWN";
}

/* What is wrong with the ledger, or NULL. */
static const char *find_ledger_problem(const struct message_health_result *health)
{
	if (health->ledger_waiting_ms > LEDGER_PATIENCE_MS)
		return "the slashing protection store does not answer";
	if (!health->has_failure || health->failure_age_ms > FAILURE_MEMORY_MS ||
	    (health->has_commit && health->commit_age_ms < health->failure_age_ms))
		return NULL;
	return "the slashing protection store failed";
}

/* `problem` NULL: all is well. */
static void answer_health(struct http_call *call, const char *problem, const struct buffer *checks)
{
	AUTO_BUFFER struct buffer body = {0};

	buffer_append_format(&body, "{\"status\":\"%s\",\"checks\":[", status_text(!problem));
	buffer_append(&body, buffer_view(checks));
	buffer_append_format(&body, "],\"outcome\":\"%s\"}", status_text(!problem));
	if (problem)
		api_log_refusal(call, 503, problem);
	http_call_answer(
		call, &(struct http_answer){.status = problem ? 503 : 200, .content_type = API_JSON, .body = buffer_view(&body)});
}

/* Ages are there when there is something to be old. */
static void append_ledger_check(struct buffer *checks, const struct message_health_result *health, bool is_up)
{
	buffer_append_format(checks,
			     ",{\"id\":\"slashing-protection-db-health-check\",\"status\":\"%s\",\"data\":{\"waiting-ms\":%" PRIu64,
			     status_text(is_up), health->ledger_waiting_ms);
	if (health->has_commit)
		buffer_append_format(checks, ",\"last-commit-age-ms\":%" PRIu64, health->commit_age_ms);
	if (health->has_failure)
		buffer_append_format(checks, ",\"last-failure-age-ms\":%" PRIu64, health->failure_age_ms);
	buffer_append_text(checks, "}}");
}

/* A row that is bad takes nobody else's key out of service, so a load balancer must not either. */
static const char *find_keys_problem(const struct message_health_result *health)
{
	return health->key_count == 0 && health->failed_count > 0 ? "no key is loaded; those that the key table has do not open"
								  : NULL;
}

static void append_keys_check(struct buffer *checks, const struct message_health_result *health)
{
	buffer_append_format(checks,
			     ",{\"id\":\"keys-check\",\"status\":\"%s\",\"data\":{\"keys-loaded\":%" PRIu64
			     ",\"error-count\":%" PRIu64 "}}",
			     status_text(!find_keys_problem(health)), health->key_count, health->failed_count);
}

static void answer_without_keeper(struct http_call *call, const struct error *error)
{
	AUTO_BUFFER struct buffer checks = {0};

	buffer_append_text(&checks, "{\"id\":\"default-check\",\"status\":\"DOWN\",\"data\":");
	api_append_error(&checks, 503, error->message);
	buffer_append_byte(&checks, '}');
	answer_health(call, error->message, &checks);
}

/* On the keeper client's thread. */
static void on_health(void *context, const union message *answer, const struct error *error)
{
	struct http_call *call = (struct http_call *)context;
	const struct message_health_result *health;
	AUTO_BUFFER struct buffer checks = {0};
	const char *problem = NULL;

	if (!answer) {
		answer_without_keeper(call, error);
		return;
	}
	health = &answer->health_result;
	buffer_append_text(&checks, "{\"id\":\"default-check\",\"status\":\"UP\"}");
	if (health->slashing_protection) {
		problem = find_ledger_problem(health);
		append_ledger_check(&checks, health, !problem);
	}
	append_keys_check(&checks, health);
	if (!problem)
		problem = find_keys_problem(health);
	answer_health(call, problem, &checks);
}

/* The keeper knows both. */
static void ask_keeper(struct http_call *call, void (*on_answer)(void *, const union message *, const struct error *))
{
	struct message_health request;
	struct error error;

	message_init(&request, MESSAGE_HEALTH, 0);
	http_call_defer(call);
	if (!keeper_client_send(api_call_of(call)->api->keeper, &request, on_answer, call, &error))
		on_answer(call, NULL, &error);
}

void api_check_health(struct http_call *call, const char *identifier)
{
	struct error draining = {0};

	(void)identifier;
	if (!api_is_draining(api_call_of(call)->api)) {
		ask_keeper(call, on_health);
		return;
	}
	(void)error_set(&draining, ERROR_PEER, API_DRAINING);
	answer_without_keeper(call, &draining);
}

/* On the keeper client's thread. As Web3Signer answers; an empty object where none is set. */
static void on_high_watermark(void *context, const union message *answer, const struct error *error)
{
	struct http_call *call = (struct http_call *)context;
	AUTO_BUFFER struct buffer body = {0};

	if (!answer) {
		api_answer_error(call, 503, error->message, NULL);
		return;
	}
	high_watermark_write(&answer->health_result.high_watermark, &body);
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_JSON, .body = buffer_view(&body)});
}

void api_show_high_watermark(struct http_call *call, const char *identifier)
{
	(void)identifier;
	ask_keeper(call, on_high_watermark);
}
