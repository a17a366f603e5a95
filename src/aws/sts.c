/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/sts.h"

#include "aws/exchange.h"

/* Three names in some XML. */
#define RESPONSE_MAX_SIZE 16384

/*
 * The service answers in XML. Of it one element is wanted, whose contents have none of the characters that XML would write otherwise (ARNs: letters, digits and
 * "+=,.@_-:/"); anything else is refused, so this is no parser that could be led astray.
 */
static bool read_arn(struct view body, char ret_arn[STS_ARN_SIZE], struct error *error)
{
	static const char begin[] = "<Arn>", end[] = "</Arn>";
	AUTO_FREE char *text = memory_format("%.*s", (int)body.size, (const char *)body.data);
	const char *arn = strstr(text, begin);
	size_t size;

	if (!arn)
		return error_set(error, ERROR_PEER, "answer of GetCallerIdentity: no Arn");
	arn += strlen(begin);
	size = strspn(arn, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+=,.@_-:/");
	if (size == 0 || size >= STS_ARN_SIZE || strncmp(arn + size, end, strlen(end)) != 0)
		return error_set(error, ERROR_PEER, "answer of GetCallerIdentity: Arn: not one");
	memcpy(ret_arn, arn, size);
	ret_arn[size] = 0;
	return true;
}

bool sts_get_caller(const struct sts_client *client, char ret_arn[STS_ARN_SIZE], struct error *error)
{
	AUTO_AWS_SIGNED struct aws_signed request;
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	const struct aws_exchange exchange = {
		.endpoint = &client->endpoint,
		.service = "sts",
		.target = "",
		.content_type = "application/x-www-form-urlencoded",
		.credentials = client->credentials,
		.body = view_of_text("Action=GetCallerIdentity&Version=2011-06-15"),
		.max_response_size = RESPONSE_MAX_SIZE,
	};

	if (!aws_signed_init(&request, &exchange, error) || !http_exchange(&request.request, &response, error))
		return false;
	if (response.status != 200)
		return error_set(error, ERROR_AWS, "GetCallerIdentity: status %ld", response.status);
	return read_arn(buffer_view(&response.body), ret_arn, error);
}
