/* SPDX-License-Identifier: Apache-2.0 */
/* What the Lambda can do. Each operation ends before the invocation's deadline, whoever makes it wait. */
#pragma once

#include "lambda/event.h"
#include "lambda/settings.h"

struct lambda_call {
	const struct lambda_settings *settings;
	struct lambda_event event;
	uint64_t deadline_ms; /* net/deadline.h */
};

struct lambda_operation {
	const char *name;
	unsigned fields; /* LAMBDA_FIELD_… that its event may have */
	bool is_for_development;
	json_t *(*run)(const struct lambda_call *call, struct error *error); /* the answer, a new reference; NULL on failure */
};

/* ERROR_INPUT, which lists them, when there is no such one. */
MUST_USE const struct lambda_operation *lambda_operation_find(const char *name, struct error *error);
/*
 * One event to its answer, a new reference, which is there by `deadline_ms` (realtime). *ret_name is the operation's, or "" where the event does
 * not say. ERROR_POLICY: not in this deployment.
 */
MUST_USE json_t *lambda_handle(const struct lambda_settings *settings, struct view event, uint64_t deadline_ms,
			       const char **ret_name, struct error *error);

/* ---- for the operations ---- */

/* Milliseconds for one step: at most max_ms, not beyond the deadline, and never 0. */
unsigned lambda_time_ms(const struct lambda_call *call, unsigned max_ms);
struct tls_table;
/* Closed by the caller. */
MUST_USE struct tls_table *lambda_open_table(const struct lambda_call *call, struct error *error);

json_t *lambda_set_tls_key(const struct lambda_call *call, struct error *error);
json_t *lambda_get_tls_key(const struct lambda_call *call, struct error *error);
json_t *lambda_decrypt_tls_key(const struct lambda_call *call, struct error *error);
json_t *lambda_status(const struct lambda_call *call, struct error *error);
json_t *lambda_public_keys(const struct lambda_call *call, struct error *error);
json_t *lambda_attest(const struct lambda_call *call, struct error *error);
