/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/role.h"

#include "base/json.h"
#include "base/log.h"
#include "base/process.h"
#include "enclave/metrics.h"

bool role_begin(const char *name, size_t secret_heap_size, struct message_start *ret_start, struct error *error)
{
	log_init(name);
	log_set_format(LOG_FORMAT_JSON); /* control passes it on */
	json_use_wiping_memory();
	/* Before any outside byte, and closed again: the memory has other roles' counters in it. */
	if (!metrics_attach(ROLE_FD_METRICS, name, error))
		return false;
	(void)close(ROLE_FD_METRICS);
	/* Memory is locked first: that may need a capability. */
	if (!process_harden(error) || !secret_heap_init(secret_heap_size, error) || !process_drop_capabilities(error))
		return false;
	if (!message_receive(ROLE_FD_INIT, ret_start, sizeof *ret_start, NULL, error))
		return error_prefix(error, "waiting for init");
	if (ret_start->header.type != MESSAGE_START)
		return error_set(error, ERROR_PEER, "init's first message has type %u", ret_start->header.type);
	return true;
}

bool role_ready(struct error *error)
{
	struct message_ready ready;

	message_init(&ready, MESSAGE_READY, 0);
	return message_send(ROLE_FD_INIT, &ready, error);
}

int role_failed(const struct error *error)
{
	log_failure(LOG_LEVEL_ERROR, "role_failed", error);
	return 1;
}
