/* SPDX-License-Identifier: Apache-2.0 */
#include "host/instance_credentials.h"

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

struct aws_place instance_place_of(const struct place_settings *settings)
{
	return (struct aws_place){settings->region, text_or_null(settings->host), text_or_null(settings->ca_file)};
}

bool instance_credentials_read(const struct settings *settings, struct credentials *ret_credentials, struct error *error)
{
	bool ok = settings->credential_source == CREDENTIAL_SOURCE_IMDS
			  ? credentials_from_imds(settings->imds_url, ret_credentials, error)
			  : credentials_from_environment(ret_credentials, error);

	return ok || error_prefix(error, "credentials");
}
