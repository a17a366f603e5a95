/* SPDX-License-Identifier: Apache-2.0 */
/* What the host itself tells Prometheus: the enclave's state, its restarts and reloads, and each relay. Pure. */
#pragma once

#include "base/bytes.h"
#include "host/host_status.h"
#include "net/relay.h"

/* Metrics that each relay has one series of. */
#define HOST_METRICS_RELAY_COUNT 5u

void host_metrics_begin(const struct host_status *status, bool enclave_is_up, struct buffer *ret_text);
/* HELP and TYPE of one of them, and one series of it. `metric` is below HOST_METRICS_RELAY_COUNT. */
void host_metrics_begin_relays(size_t metric, struct buffer *ret_text);
void host_metrics_append_relay(size_t metric, const char *relay, const struct relay_statistics *statistics,
			       struct buffer *ret_text);
