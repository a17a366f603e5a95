/* SPDX-License-Identifier: Apache-2.0 */
#include "host/provisioner.h"

#include "base/clock.h"
#include "host/control_request.h"

/* An enclave that is a process listens within milliseconds, one in a virtual machine within seconds. */
#define WAIT_FIRST_DELAY_MS 20u
#define WAIT_MAX_DELAY_MS 100u
/* For one try. An enclave that is up answers within a second, an emulated one within a few. */
#define WAIT_TRY_TIMEOUT_MS 5000u

/* The enclave starts a process for it, and reads the table once. */
#define REFRESH_TIMEOUT_MS 30000u
/* However many keys there are. */
#define ANSWER_MAX_TIMEOUT_MS (4u * 3600u * 1000u)

bool provisioner_wait(const struct address *control, unsigned timeout_ms, const atomic_bool *cancel,
		      struct control_state *ret_state, struct error *error)
{
	uint64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
	unsigned delay_ms = WAIT_FIRST_DELAY_MS;
	struct error last = {0};

	while (!atomic_load(cancel)) {
		if (control_init_state(control, WAIT_TRY_TIMEOUT_MS, ret_state, &last))
			return true;
		if (clock_monotonic_ms() >= deadline_ms)
			return error_set(error, ERROR_PEER, "the enclave did not come up within %u ms: %.300s", timeout_ms,
					 last.message);
		(void)usleep(delay_ms * 1000);
		delay_ms = delay_ms < WAIT_MAX_DELAY_MS / 2 ? delay_ms * 2 : WAIT_MAX_DELAY_MS;
	}
	return error_set(error, ERROR_PEER, "waiting for the enclave was given up: %.300s", last.message);
}

/* The enclave does not know which table it was, and whose rows of it. */
static bool explain_no_keys(const struct settings *settings, struct error *error)
{
	return error_prefix(error, "key table: no active keys of web3signer_uuid %s in %s", settings->web3signer_uuid,
			    settings->key_table.name);
}

static bool run(const struct settings *settings, const char *operation, const struct address *control,
		struct control_state *ret_state, struct error *error)
{
	AUTO_CONTROL_REQUEST struct control_request request = {0};
	struct control_state state = {0};
	AUTO_FD int fd = -1;

	if (!control_request_load(settings, operation, &request, error))
		return false;
	fd = control_send(control, buffer_view(&request.frame), CONTROL_CONNECT_TIMEOUT_MS, error);
	/* Opening thousands of keys takes a while, and the credentials need not wait for it. */
	control_request_done(&request);
	if (fd < 0)
		return false;
	if (request.answer_timeout_ms > ANSWER_MAX_TIMEOUT_MS)
		request.answer_timeout_ms = ANSWER_MAX_TIMEOUT_MS;
	if (!control_receive(fd, (unsigned)request.answer_timeout_ms, &state, error))
		return request.key_count == 0 && error->code == ERROR_INPUT ? explain_no_keys(settings, error) : false;
	if (!state.initialized)
		return error_set(error, ERROR_PEER, "answer of the enclave: %s succeeded, yet it is not initialized", operation);
	*ret_state = state;
	return true;
}

bool provisioner_run(const struct settings *settings, const struct address *control, struct control_state *ret_state,
		     struct error *error)
{
	return run(settings, "init", control, ret_state, error);
}

bool provisioner_reload(const struct settings *settings, const struct address *control, struct control_state *ret_state,
			struct error *error)
{
	return run(settings, "reload", control, ret_state, error);
}

bool provisioner_refresh(const struct settings *settings, const struct address *control, struct control_state *ret_state,
			 struct error *error)
{
	AUTO_CONTROL_REQUEST struct control_request request = {0};
	AUTO_FD int fd = -1;

	buffer_append_text(&request.frame, "{\"operation\":\"credential\"");
	if (!control_request_finish(settings, &request, error))
		return false;
	fd = control_send(control, buffer_view(&request.frame), CONTROL_CONNECT_TIMEOUT_MS, error);
	control_request_done(&request);
	return fd >= 0 && control_receive(fd, REFRESH_TIMEOUT_MS, ret_state, error);
}
