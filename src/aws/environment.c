/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/environment.h"

#include "aws/exchange.h"
#include "base/file.h"

#define ANY_ENDPOINT "AWS_ENDPOINT_URL"
#define CA_BUNDLE "AWS_CA_BUNDLE"
/* The longest is AWS_ENDPOINT_URL_DYNAMODB. */
#define VARIABLE_SIZE 64

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

const char *aws_environment_region(void)
{
	const char *region = variable("AWS_REGION");

	return region ? region : variable("AWS_DEFAULT_REGION");
}

const char *aws_environment_ca_file(void)
{
	/* Amazon Linux and Fedora; Debian and Ubuntu. */
	static const char *const bundles[] = {"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt"};
	const char *chosen = variable(CA_BUNDLE);

	for (size_t i = 0; !chosen && i < ARRAY_SIZE(bundles); i++) {
		if (file_exists(bundles[i]))
			chosen = bundles[i];
	}
	return chosen;
}

/* ---- endpoints ---- */

/* Letters, digits and what else a name, an address and a port are made of: it goes into a URL and a header. */
static bool is_host(const char *text, size_t size)
{
	static const char others[] = ".-:[]";

	for (size_t i = 0; i < size; i++) {
		const char c = text[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && !strchr(others, c))
			return false;
	}
	return size > 0 && size < ADDRESS_HOST_SIZE && text[0] != ':';
}

bool aws_endpoint_url_parse(const char *url, struct aws_endpoint_url *ret_url, struct error *error)
{
	static const char secure[] = "https://", plain[] = "http://";
	struct aws_endpoint_url parsed = {.is_plain = strncmp(url, plain, sizeof plain - 1) == 0};
	const char *host = url + (parsed.is_plain ? sizeof plain : sizeof secure) - 1;
	size_t size;

	if (!parsed.is_plain && strncmp(url, secure, sizeof secure - 1) != 0)
		return error_set(error, ERROR_INPUT, "%.200s: not https://HOST[:PORT]", url);
	size = strcspn(host, "/");
	if (!is_host(host, size) || (host[size] && host[size + 1]))
		return error_set(error, ERROR_INPUT, "%.200s: not http%s://HOST[:PORT]", url, parsed.is_plain ? "" : "s");
	memcpy(parsed.host, host, size);
	if (parsed.is_plain && !aws_host_is_loopback(parsed.host))
		return error_set(error, ERROR_INPUT, "%.200s: plain HTTP is only for emulators on the loopback", url);
	*ret_url = parsed;
	return true;
}

/* *ret_name is the variable that says it; *ret_url NULL: none does. */
static void find_url(const char *service, char ret_name[VARIABLE_SIZE], const char **ret_url)
{
	(void)snprintf(ret_name, VARIABLE_SIZE, ANY_ENDPOINT "_%s", service);
	for (char *c = ret_name; *c; c++) {
		if (*c >= 'a' && *c <= 'z')
			*c = (char)(*c - 'a' + 'A');
	}
	*ret_url = variable(ret_name);
	if (*ret_url)
		return;
	(void)snprintf(ret_name, VARIABLE_SIZE, ANY_ENDPOINT);
	*ret_url = variable(ANY_ENDPOINT);
}

bool aws_environment_find_endpoint(const char *service, struct aws_endpoint_url *ret_url, struct error *error)
{
	char name[VARIABLE_SIZE];
	const char *url;

	find_url(service, name, &url);
	*ret_url = (struct aws_endpoint_url){0};
	return !url || aws_endpoint_url_parse(url, ret_url, error) || error_prefix(error, "%s", name);
}

/* ---- authorities ---- */

bool aws_environment_read_authorities(struct buffer *ret_pem, struct error *error)
{
	const char *path = aws_environment_ca_file();

	if (!path || file_read(path, AWS_CA_MAX_SIZE, ret_pem, error))
		return true;
	return variable(CA_BUNDLE) ? error_prefix(error, CA_BUNDLE) : false;
}
