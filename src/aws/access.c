/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/access.h"

#include "aws/environment.h"
#include "base/file.h"

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

static bool take_host(const char *service, const struct aws_place *place, struct aws_access *access, struct error *error)
{
	struct aws_endpoint_url url = {0};

	if (!place->host && !aws_environment_find_endpoint(service, &url, error))
		return false;
	if (place->host)
		access->host = memory_copy_text(place->host);
	else
		access->host = url.host[0] ? memory_copy_text(url.host) : aws_host_of(service, place->region);
	access->endpoint.is_plain = url.is_plain;
	return true;
}

bool aws_access_init(const char *service, const struct aws_place *place, struct aws_access *ret_access, struct error *error)
{
	AUTO_AWS_ACCESS struct aws_access access = {0};

	access.region = memory_copy_text(place->region);
	if (!take_host(service, place, &access, error))
		return false;
	if (!(place->ca_file ? file_read(place->ca_file, AWS_CA_MAX_SIZE, &access.ca_pem, error)
			     : aws_environment_read_authorities(&access.ca_pem, error)))
		return false;
	access.endpoint.region = access.region;
	access.endpoint.host = access.host;
	access.endpoint.ca_pem = buffer_view(&access.ca_pem);
	*ret_access = access;
	access = (struct aws_access){0};
	return true;
}
