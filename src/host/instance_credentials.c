/* SPDX-License-Identifier: Apache-2.0 */
#include "host/instance_credentials.h"

bool instance_credentials_read(const struct settings *settings, struct credentials *ret_credentials, struct error *error)
{
	bool ok = settings->credential_source == CREDENTIAL_SOURCE_IMDS
			  ? credentials_from_imds(settings->imds_url, ret_credentials, error)
			  : credentials_from_environment(ret_credentials, error);

	return ok || error_prefix(error, "credentials");
}
