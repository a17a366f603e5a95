/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/opener/opener.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/options.h"
#include "enclave/sandbox.h"
#include "net/http_client.h"

static bool read_configuration(struct configuration *ret_configuration, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	return file_read_fd(ROLE_FD_CONFIGURATION, "measured configuration", CONFIGURATION_MAX_SIZE, &text, error) &&
	       configuration_parse(buffer_view(&text), ret_configuration, error);
}

/*
 * A path too long for a socket's name is reached through its folder, which the sandbox would not let us open any more: so the
 * opener moves into that folder first and keeps the name alone.
 */
static bool shorten_relay_path(struct address *relay, struct error *error)
{
	bool is_long = relay->kind == ADDRESS_UNIX && strlen(relay->path) >= sizeof((struct sockaddr_un *)0)->sun_path;
	char *slash = is_long ? strrchr(relay->path, '/') : NULL;

	if (!slash)
		return true;
	*slash = 0;
	if (chdir(relay->path[0] ? relay->path : "/") != 0)
		return error_set_errno(error, ERROR_IO, "--kms: %s", relay->path);
	memmove(relay->path, slash + 1, strlen(slash + 1) + 1);
	return true;
}

/* init names the places that differ between a real enclave and a local one. */
static bool read_arguments(int argc, char **argv, struct opener *opener, bool *ret_nsm_is_device, struct error *error)
{
	const char *kms_relay = NULL;
	const struct option options[] = {
		{"kms", OPTION_TEXT, &kms_relay, "ADDRESS", "relay to KMS"},
		{"nsm-device", OPTION_FLAG, ret_nsm_is_device, NULL, "the NSM descriptor is the device"},
	};
	size_t positional_count;
	bool help;

	if (!options_parse(options, ARRAY_SIZE(options), argc, argv, NULL, 0, &positional_count, &help, error))
		return false;
	if (!kms_relay)
		return error_set(error, ERROR_BUG, "--kms is missing");
	return address_parse(kms_relay, &opener->kms_relay, error) && shorten_relay_path(&opener->kms_relay, error);
}

static bool begin(int argc, char **argv, struct opener *opener, struct error *error)
{
	bool nsm_is_device = false;
	struct message_start start;

	if (!role_begin("opener", SECRET_HEAP_SIZE_DEFAULT, &start, error) ||
	    !read_arguments(argc, argv, opener, &nsm_is_device, error) || !read_configuration(&opener->configuration, error))
		return false;
	opener->is_provisioned = start.provisioned != 0;
	opener->key_count = start.key_count;
	opener->started_ms = start.enclave_started_ms;
	if (!opener->is_provisioned)
		opener->nsm = nsm_from_fd(ROLE_FD_NSM, nsm_is_device, error);
	/* What libraries read when they start, they must read before the sandbox. */
	return (opener->nsm || opener->is_provisioned) && http_client_prepare(error) && sandbox_enter(SANDBOX_OPENER, error) &&
	       role_ready(error);
}

int opener_main(int argc, char **argv)
{
	struct opener opener = {0};
	struct error error = {0};
	int status;

	if (!begin(argc, argv, &opener, &error))
		return role_failed(&error);
	status = (int)opener_serve(&opener);
	nsm_free(opener.nsm);
	configuration_done(&opener.configuration);
	return status;
}
