/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/session.h"

#include "aws/exchange.h"
#include "net/http_session.h"

/* A call under way. */
struct call {
	const char *target;
	void *context;
	bool is_busy;
};

struct aws_session {
	struct aws_session_options options;
	struct http_session *http;
	struct call *calls; /* options.connections of them */
};

struct aws_session *aws_session_new(const struct aws_session_options *options, struct error *error)
{
	struct http_session *http = http_session_new(options->connections, error);
	struct aws_session *session;

	if (!http)
		return NULL;
	session = (struct aws_session *)memory_allocate_zeroed(1, sizeof *session);
	session->options = *options;
	session->http = http;
	session->calls = (struct call *)memory_allocate_zeroed(options->connections, sizeof *session->calls);
	return session;
}

void aws_session_free(struct aws_session *session)
{
	if (!session)
		return;
	http_session_free(session->http);
	free(session->calls);
	free(session);
}

void aws_outcome_done(struct aws_outcome *outcome)
{
	json_decref(outcome->answer);
	outcome->answer = NULL;
}

bool aws_session_begin(struct aws_session *session, const struct aws_session_call *call, struct error *error)
{
	const struct aws_exchange exchange = {
		.endpoint = &session->options.endpoint,
		.service = session->options.service,
		.target = call->target,
		.credentials = session->options.credentials,
		.body = call->body,
		.max_response_size = call->max_response_size,
	};
	AUTO_AWS_SIGNED struct aws_signed signed_request;
	struct call *place = session->calls;

	if (!aws_signed_init(&signed_request, &exchange, error))
		return false;
	while (place < session->calls + session->options.connections && place->is_busy)
		place++;
	if (place == session->calls + session->options.connections)
		return error_set(error, ERROR_BUG, "%s: too many calls at one time", call->target);
	signed_request.request.timeout_ms = call->timeout_ms;
	*place = (struct call){.target = call->target, .context = call->context};
	place->is_busy = http_session_begin(session->http, &signed_request.request, place, error);
	return place->is_busy;
}

bool aws_session_next(struct aws_session *session, unsigned wait_ms, struct aws_outcome *ret_outcome)
{
	struct http_finished finished;
	struct call *call;

	if (!http_session_next(session->http, wait_ms, &finished))
		return false;
	call = (struct call *)finished.context;
	call->is_busy = false;
	*ret_outcome =
		(struct aws_outcome){.context = call->context, .passing = finished.response.transient, .error = finished.error};
	if (finished.ok)
		ret_outcome->ok = aws_read_response(&finished.response, call->target, false, &ret_outcome->answer,
						    &ret_outcome->failure, &ret_outcome->passing, &ret_outcome->error);
	http_response_done(&finished.response);
	return true;
}

void aws_session_cancel(struct aws_session *session)
{
	http_session_cancel(session->http);
	for (unsigned i = 0; i < session->options.connections; i++)
		session->calls[i].is_busy = false;
}
