/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/access.h"

#include <ctype.h>

#include "base/file.h"

/* A bundle of authorities is some 200 KiB. */
#define CA_MAX_SIZE (1u << 20)

void aws_access_done(struct aws_access *access)
{
	if (!access)
		return;
	free(access->region);
	free(access->host);
	buffer_done(&access->ca_pem);
	*access = (struct aws_access){0};
}

/* The regions in China are a partition with a domain of its own. */
static const char *domain_of(const char *region)
{
	return strncmp(region, "cn-", 3) == 0 ? "amazonaws.com.cn" : "amazonaws.com";
}

char *aws_host_of(const char *service, const char *region)
{
	return memory_format("%s.%s.%s", service, region, domain_of(region));
}

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] ? value : NULL;
}

/* "kms" → AWS_ENDPOINT_URL_KMS */
static const char *endpoint_url(const char *service)
{
	AUTO_FREE char *name = memory_format("AWS_ENDPOINT_URL_%s", service);
	const char *of_service;

	for (char *c = name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	of_service = variable(name);
	return of_service ? of_service : variable("AWS_ENDPOINT_URL");
}

/* "https://HOST[:PORT]", maybe with one slash at the end. */
static bool take_url(const char *url, struct aws_access *access, struct error *error)
{
	static const char https[] = "https://", http[] = "http://";
	size_t size;

	access->endpoint.is_plain = strncmp(url, http, strlen(http)) == 0;
	if (!access->endpoint.is_plain && strncmp(url, https, strlen(https)) != 0)
		return error_set(error, ERROR_INPUT, "AWS_ENDPOINT_URL: neither https:// nor http://");
	url += access->endpoint.is_plain ? strlen(http) : strlen(https);
	size = strcspn(url, "/?#@");
	if (size == 0 || (url[size] != 0 && strcmp(url + size, "/") != 0))
		return error_set(error, ERROR_INPUT, "AWS_ENDPOINT_URL: not of the form https://HOST[:PORT]");
	access->host = memory_format("%.*s", (int)size, url);
	return true;
}

static bool take_host(const char *service, const struct aws_place *place, struct aws_access *access, struct error *error)
{
	const char *url = place->host ? NULL : endpoint_url(service);

	if (url)
		return take_url(url, access, error);
	access->host = place->host ? memory_copy_text(place->host) : aws_host_of(service, place->region);
	return true;
}

/*
 * libcurl knows where Debian has its authorities. A program that was taken from there to another system finds that system's here; where this one is the
 * library's own nothing need be read.
 */
static const char *system_ca_file(void)
{
	static const char *const files[] = {"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};

	if (file_exists("/etc/ssl/certs/ca-certificates.crt"))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (file_exists(files[i]))
			return files[i];
	}
	return NULL;
}

static bool take_authorities(const struct aws_place *place, struct aws_access *access, struct error *error)
{
	const char *file = place->ca_file;

	if (!file)
		file = variable("AWS_CA_BUNDLE");
	if (!file)
		file = system_ca_file();
	return !file || file_read(file, CA_MAX_SIZE, &access->ca_pem, error);
}

bool aws_access_init(const char *service, const struct aws_place *place, struct aws_access *ret_access, struct error *error)
{
	AUTO_AWS_ACCESS struct aws_access access = {0};

	access.region = memory_copy_text(place->region);
	if (!take_host(service, place, &access, error) || !take_authorities(place, &access, error))
		return false;
	access.endpoint.region = access.region;
	access.endpoint.host = access.host;
	access.endpoint.ca_pem = buffer_view(&access.ca_pem);
	*ret_access = access;
	access = (struct aws_access){0};
	return true;
}
