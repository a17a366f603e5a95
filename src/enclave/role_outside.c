/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/role_outside.h"

#include <unistd.h>

#include "base/file.h"

bool role_read_configuration(struct configuration *ret_configuration, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	bool ok = file_read_fd(ROLE_FD_CONFIGURATION, "measured configuration", CONFIGURATION_MAX_SIZE, &text, error);

	(void)close(ROLE_FD_CONFIGURATION);
	return ok && configuration_parse(buffer_view(&text), ret_configuration, error);
}

bool role_parse_relay(const char *option, const char *text, struct address *ret_address, struct error *error)
{
	char *slash;

	if (!text)
		return error_set(error, ERROR_BUG, "--%s is missing", option);
	if (!address_parse(text, ret_address, error))
		return error_prefix(error, "--%s", option);
	if (ret_address->kind != ADDRESS_UNIX || strlen(ret_address->path) < sizeof((struct sockaddr_un *)0)->sun_path)
		return true;
	slash = strrchr(ret_address->path, '/');
	if (!slash)
		return true;
	*slash = 0;
	if (chdir(ret_address->path[0] ? ret_address->path : "/") != 0)
		return error_set_errno(error, ERROR_IO, "--%s: %s", option, ret_address->path);
	memmove(ret_address->path, slash + 1, strlen(slash + 1) + 1);
	return true;
}
