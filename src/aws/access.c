/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/access.h"

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

bool aws_access_init(const char *service, const struct aws_place *place, struct aws_access *ret_access, struct error *error)
{
	AUTO_AWS_ACCESS struct aws_access access = {0};

	if (place->ca_file && !file_read(place->ca_file, CA_MAX_SIZE, &access.ca_pem, error))
		return false;
	access.region = memory_copy_text(place->region);
	access.host = place->host ? memory_copy_text(place->host) : aws_host_of(service, place->region);
	access.endpoint =
		(struct aws_endpoint){.region = access.region, .host = access.host, .ca_pem = buffer_view(&access.ca_pem)};
	*ret_access = access;
	access = (struct aws_access){0};
	return true;
}
