/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_simulator.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "cli/local_daemon.h"
#include "cli/operator_credentials.h"

#define ENDPOINTS_MAX_SIZE 16384
#define CA_FILE_MAX_SIZE (1u << 20)
/* It makes a few P-384 keys and certificates on the first start; seconds even on a busy machine. */
#define START_TIMEOUT_MS 30000
#define START_POLL_US 5000

static const struct endpoint_member {
	const char *name;
	size_t offset;
} endpoint_members[] = {
	{"region", offsetof(struct local_endpoints, region)},
	{"kms_url", offsetof(struct local_endpoints, kms_url)},
	{"kms_address", offsetof(struct local_endpoints, kms_address)},
	{"kms_ca_file", offsetof(struct local_endpoints, kms_ca_file)},
	{"kms_host", offsetof(struct local_endpoints, kms_host)},
	{"imds_url", offsetof(struct local_endpoints, imds_url)},
	{"nsm_address", offsetof(struct local_endpoints, nsm_address)},
	{"operator_credentials_file", offsetof(struct local_endpoints, operator_credentials_file)},
	{"operator_arn", offsetof(struct local_endpoints, operator_arn)},
	{"role_arn", offsetof(struct local_endpoints, role_arn)},
};

void local_endpoints_done(struct local_endpoints *endpoints)
{
	if (!endpoints)
		return;
	json_done(&endpoints->json);
	*endpoints = (struct local_endpoints){0};
}

bool local_endpoints_read(const char *path, struct local_endpoints *ret_endpoints, struct error *error)
{
	AUTO_LOCAL_ENDPOINTS struct local_endpoints endpoints = {0};
	AUTO_BUFFER struct buffer text = {0};

	if (!file_read(path, ENDPOINTS_MAX_SIZE, &text, error))
		return false;
	endpoints.json = json_parse_object(buffer_view(&text), path, error);
	if (!endpoints.json)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(endpoint_members); i++) {
		const char **target = (const char **)(void *)((char *)&endpoints + endpoint_members[i].offset);

		if (!json_read_text(endpoints.json, endpoint_members[i].name, target, error))
			return error_prefix(error, "%s", path);
	}
	if (!json_read_u64(endpoints.json, "pid", &endpoints.pid, error))
		return error_prefix(error, "%s", path);
	*ret_endpoints = endpoints;
	endpoints = (struct local_endpoints){0};
	return true;
}

/* The file of an earlier run may still lie there: what counts is one that this process wrote. */
static bool wait_for_endpoints(const struct local_folder *folder, pid_t pid, struct local_endpoints *ret_endpoints,
			       struct error *error)
{
	uint64_t deadline_ms = clock_monotonic_ms() + START_TIMEOUT_MS;

	while (clock_monotonic_ms() < deadline_ms) {
		struct local_endpoints endpoints = {0};

		if (local_endpoints_read(folder->endpoints, &endpoints, error) && endpoints.pid == (uint64_t)pid) {
			*ret_endpoints = endpoints;
			return true;
		}
		local_endpoints_done(&endpoints);
		if (!local_daemon_running(folder->sim_pid, NULL)) {
			(void)waitpid(pid, NULL, WNOHANG);
			return error_set(error, ERROR_IO, "the simulator ended while starting; see %s", folder->sim_log);
		}
		(void)usleep(START_POLL_US);
	}
	return error_set(error, ERROR_IO, "the simulator does not serve after %u s; see %s", START_TIMEOUT_MS / 1000,
			 folder->sim_log);
}

bool local_simulator_start(const struct local_folder *folder, bool with_machine, bool *ret_started,
			   struct local_endpoints *ret_endpoints, struct error *error)
{
	AUTO_FREE char *programs = process_executable_folder(error);
	AUTO_FREE char *program = programs ? memory_format("%s/ensign-sim", programs) : NULL;
	const char *const argv[] = {"ensign-sim", "--dir", folder->sim, with_machine ? "--machine" : NULL, folder->machine, NULL};
	const struct local_daemon daemon = {program, argv, folder->sim_pid, folder->sim_log};
	pid_t pid;

	*ret_started = false;
	if (!program)
		return false;
	if (local_daemon_running(folder->sim_pid, &pid))
		return wait_for_endpoints(folder, pid, ret_endpoints, error);
	if (!local_daemon_start(&daemon, &pid, error))
		return false;
	*ret_started = true;
	return wait_for_endpoints(folder, pid, ret_endpoints, error);
}

void local_kms_done(struct local_kms *local)
{
	if (!local)
		return;
	credentials_done(&local->credentials);
	buffer_done(&local->ca_pem);
	*local = (struct local_kms){0};
}

bool local_kms_init(struct local_kms *local, const struct local_endpoints *endpoints, struct error *error)
{
	static const char scheme[] = "https://";

	*local = (struct local_kms){0};
	if (strncmp(endpoints->kms_url, scheme, strlen(scheme)) != 0)
		return error_set(error, ERROR_INPUT, "kms_url: %s does not begin with %s", endpoints->kms_url, scheme);
	if (!credentials_from_file(endpoints->operator_credentials_file, &local->credentials, error))
		return error_prefix(error, "the operator's credentials");
	if (!file_read(endpoints->kms_ca_file, CA_FILE_MAX_SIZE, &local->ca_pem, error))
		return false;
	local->kms = (struct kms_client){
		.endpoint =
			{
				.region = endpoints->region,
				.host = endpoints->kms_url + strlen(scheme),
				.ca_pem = buffer_view(&local->ca_pem),
				.timeout_ms = OPERATOR_KMS_TIMEOUT_MS,
				.attempts = OPERATOR_KMS_ATTEMPTS,
			},
		.credentials = &local->credentials,
	};
	return true;
}
