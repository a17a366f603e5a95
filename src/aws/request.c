/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/request.h"

#include <errno.h>

#include "aws/exchange.h"

#define BACKOFF_BASE_MS 100u
#define BACKOFF_MAX_MS 5000u

/* *ret_passing: it failed in a way that may pass. */
static bool try_once(const struct aws_exchange *exchange, json_t **ret_answer, struct aws_failure *failure, bool *ret_passing,
		     struct error *error)
{
	AUTO_AWS_SIGNED struct aws_signed signed_request;
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	AUTO_JSON json_t *answer = NULL;

	*failure = (struct aws_failure){0};
	*ret_passing = false;
	if (!aws_signed_init(&signed_request, exchange, error))
		return false;
	if (!http_exchange(&signed_request.request, &response, error)) {
		*ret_passing = response.transient;
		return false;
	}
	if (!aws_read_response(&response, exchange->target, true, &answer, failure, ret_passing, error))
		return false;
	*ret_answer = answer;
	answer = NULL;
	return true;
}

static void back_off(unsigned failed_attempts)
{
	unsigned wait_ms = aws_back_off_ms(BACKOFF_BASE_MS, BACKOFF_MAX_MS, failed_attempts);
	struct timespec left = {.tv_sec = wait_ms / 1000, .tv_nsec = (long)(wait_ms % 1000) * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

bool aws_call(const struct aws_endpoint *endpoint, const char *service, const char *target, const struct credentials *credentials,
	      struct view body, size_t max_response_size, json_t **ret_answer, struct aws_failure *ret_failure, struct error *error)
{
	const struct aws_exchange exchange = {
		.endpoint = endpoint,
		.service = service,
		.target = target,
		.credentials = credentials,
		.body = body,
		.max_response_size = max_response_size,
	};
	struct aws_failure failure = {0};
	bool passing = false;

	for (unsigned attempt = 1;; attempt++) {
		if (try_once(&exchange, ret_answer, &failure, &passing, error))
			return true;
		if (!passing || attempt >= endpoint->attempts)
			break;
		back_off(attempt);
	}
	if (ret_failure)
		*ret_failure = failure;
	return false;
}
