/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/operator_credentials.h"

#define IMDS "imds"
#define IMDS_URL "http://169.254.169.254"

static bool read_named(const char *where, struct credentials *ret_credentials, struct error *error)
{
	if (strcmp(where, IMDS) == 0)
		return credentials_from_imds(IMDS_URL, ret_credentials, error);
	if (strncmp(where, IMDS ":", strlen(IMDS ":")) == 0)
		return credentials_from_imds(where + strlen(IMDS ":"), ret_credentials, error);
	return credentials_from_file(where, ret_credentials, error);
}

bool credentials_of_operator(const char *where, struct credentials *ret_credentials, struct error *error)
{
	if (where)
		return read_named(where, ret_credentials, error) || error_prefix(error, "--credentials");
	return credentials_find(ret_credentials, error) || error_prefix(error, "no --credentials");
}
