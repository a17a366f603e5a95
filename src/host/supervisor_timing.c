/* SPDX-License-Identifier: Apache-2.0 */
#include "host/supervisor_timing.h"

/* A microVM under software emulation boots within ten seconds on a busy machine; Nitro within a few. */
#define LAUNCH_TIMEOUT_MS 60000u
/* Asking costs the enclave nothing, and a client of its key manager or of /reload waits for the host to ask. */
#define POLL_INTERVAL_MS 1000u
/* Above the 5 s after which the enclave takes places on the control channel from connections that idle. */
#define POLL_TIMEOUT_MS 8000u
#define POLL_MISSES 3u
/* The enclave has nothing to save: every watermark is durable before its signature leaves. */
#define GRACE_MS 3000u
/* What cannot work costs a launch now and then; what was a moment's trouble is over within seconds. */
#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_MAX_MS 30000u
#define QUIET_MS 60000u

static void set_default(unsigned *value, unsigned default_value)
{
	if (*value == 0)
		*value = default_value;
}

void supervisor_timing_complete(struct supervisor_timing *timing)
{
	set_default(&timing->launch_timeout_ms, LAUNCH_TIMEOUT_MS);
	set_default(&timing->poll_interval_ms, POLL_INTERVAL_MS);
	set_default(&timing->poll_timeout_ms, POLL_TIMEOUT_MS);
	set_default(&timing->poll_misses, POLL_MISSES);
	set_default(&timing->grace_ms, GRACE_MS);
	set_default(&timing->backoff_first_ms, BACKOFF_FIRST_MS);
	set_default(&timing->backoff_max_ms, BACKOFF_MAX_MS);
	set_default(&timing->quiet_ms, QUIET_MS);
}
