/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/credentials.h"

#include "aws/credentials_internal.h"
#include "base/file.h"
#include "net/http_client.h"

/* The service is on the same host and answers in milliseconds. */
#define TIMEOUT_MS 2000
#define DOCUMENT_MAX_SIZE 32768
/* EKS puts a signed token of some kilobytes there. */
#define TOKEN_MAX_SIZE 16384
#define ECS_HOST "http://169.254.170.2"

/*
 * Credentials come over plain HTTP from these alone (the AWS SDKs' list): this computer itself, ECS, EKS. Each with what has to follow the host's name, so that
 * "http://localhost.example.com" is none of them.
 */
static bool is_allowed(const char *url)
{
	static const char *const hosts[] = {"http://127.0.0.1", "http://localhost",      "http://[::1]",
					    ECS_HOST,           "http://169.254.170.23", "http://[fd00:ec2::23]"};

	if (strncmp(url, "https://", strlen("https://")) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		size_t size = strlen(hosts[i]);

		if (strncmp(url, hosts[i], size) == 0 && (url[size] == 0 || url[size] == '/' || url[size] == ':') &&
		    !strchr(url, '@'))
			return true;
	}
	return false;
}

/* "Authorization: TOKEN" with its NUL; stays empty when there is none. */
static bool read_authorization(struct secret *ret_header, struct error *error)
{
	static const char prefix[] = "Authorization: ";
	const char *path = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *given = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	AUTO_SECRET struct secret from_file = {0};
	struct view token = given ? view_of_text(given) : view_of(NULL, 0);

	if (path && path[0]) {
		if (!file_read_secret(path, TOKEN_MAX_SIZE, &from_file, error)) {
			/* They are a container's, so nobody else's are taken instead. */
			if (error && error->code == ERROR_NOT_FOUND)
				error->code = ERROR_INPUT;
			return error_prefix(error, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
		}
		token = secret_view(&from_file);
	}
	while (token.size > 0 && (token.data[token.size - 1] == '\n' || token.data[token.size - 1] == '\r'))
		token.size--;
	if (token.size == 0)
		return true;
	for (size_t i = 0; i < token.size; i++) {
		if (token.data[i] < ' ' || token.data[i] > '~')
			return error_set(error, ERROR_INPUT, "the authorization token has characters that do not belong there");
	}
	if (!secret_init(ret_header, sizeof prefix + token.size, error))
		return false;
	memcpy(ret_header->data, prefix, sizeof prefix - 1);
	memcpy(ret_header->data + sizeof prefix - 1, token.data, token.size);
	return true;
}

static bool fetch(const char *url, struct credentials *ret_credentials, struct error *error)
{
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	AUTO_SECRET struct secret authorization = {0};
	const char *headers[] = {NULL, NULL};
	const struct http_request request = {
		.method = "GET", .url = url, .headers = headers, .max_response_size = DOCUMENT_MAX_SIZE, .timeout_ms = TIMEOUT_MS};

	if (!is_allowed(url))
		return error_set(error, ERROR_INPUT, "neither https nor one of the hosts that may be asked without");
	if (!read_authorization(&authorization, error))
		return false;
	headers[0] = authorization.size > 0 ? (const char *)authorization.data : NULL;
	if (!http_exchange(&request, &response, error))
		return false;
	if (response.status != 200)
		return error_set(error, ERROR_PEER, "status %ld", response.status);
	return credentials_from_document(buffer_view(&response.body), ret_credentials, error);
}

bool credentials_from_container(struct credentials *ret_credentials, struct error *error)
{
	const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	AUTO_FREE char *url = NULL;

	if (relative && relative[0] == '/')
		url = memory_format(ECS_HOST "%s", relative);
	else if (full && full[0])
		url = memory_copy_text(full);
	else
		return error_set(error, ERROR_NOT_FOUND, "AWS_CONTAINER_CREDENTIALS_FULL_URI is not set");
	return fetch(url, ret_credentials, error) || error_prefix(error, "credentials of the container: %s", url);
}
