/* SPDX-License-Identifier: Apache-2.0 */
#include "host/host_metrics.h"

#include <inttypes.h>

static void append_head(const char *name, const char *type, const char *help, struct buffer *text)
{
	buffer_append_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_one(const char *name, const char *type, const char *help, uint64_t value, struct buffer *text)
{
	append_head(name, type, help, text);
	buffer_append_format(text, "%s %" PRIu64 "\n", name, value);
}

void host_metrics_begin(const struct host_status *status, bool enclave_is_up, struct buffer *ret_text)
{
	append_one("ensign_enclave_up", "gauge", "1 when the enclave answered this scrape.", enclave_is_up, ret_text);
	append_head("ensign_host_state", "gauge", "1 for the state that the host is in.", ret_text);
	for (int state = 0; state < HOST_STATE_COUNT; state++)
		buffer_append_format(ret_text, "ensign_host_state{state=\"%s\"} %d\n", host_state_name((enum host_state)state),
				     status->state == (enum host_state)state);
	append_one("ensign_host_restarts_total", "counter", "Launches of the enclave after the first.", status->restarts, ret_text);
	append_one("ensign_host_reloads_total", "counter", "Reloads of keys and TLS material.", status->last_reload.number,
		   ret_text);
	append_one("ensign_host_last_reload_ok", "gauge", "1 when the last reload went well, or there was none.",
		   status->last_reload.error.code == ERROR_NONE, ret_text);
}

static const struct relay_metric {
	const char *name;
	const char *type;
	const char *help;
	size_t offset;
} relay_metrics[HOST_METRICS_RELAY_COUNT] = {
	{"ensign_relay_accepted_total", "counter", "Connections that were accepted.", offsetof(struct relay_statistics, accepted)},
	{"ensign_relay_refused_total", "counter", "Connections that were closed because there were too many.",
	 offsetof(struct relay_statistics, refused)},
	{"ensign_relay_failed_total", "counter", "Connections whose destination could not be reached.",
	 offsetof(struct relay_statistics, failed)},
	{"ensign_relay_bytes_in_total", "counter", "Bytes delivered to the destination.",
	 offsetof(struct relay_statistics, bytes_to_connect)},
	{"ensign_relay_bytes_out_total", "counter", "Bytes delivered to those who connected.",
	 offsetof(struct relay_statistics, bytes_to_listen)},
};

void host_metrics_begin_relays(size_t metric, struct buffer *ret_text)
{
	append_head(relay_metrics[metric].name, relay_metrics[metric].type, relay_metrics[metric].help, ret_text);
}

void host_metrics_append_relay(size_t metric, const char *relay, const struct relay_statistics *statistics, struct buffer *ret_text)
{
	uint64_t value;

	memcpy(&value, (const uint8_t *)statistics + relay_metrics[metric].offset, sizeof value);
	buffer_append_format(ret_text, "%s{relay=\"%s\"} %" PRIu64 "\n", relay_metrics[metric].name, relay, value);
}
