/* SPDX-License-Identifier: Apache-2.0 */
/* How long the supervisor waits for what. */
#pragma once

struct supervisor_timing {
	unsigned launch_timeout_ms; /* from start to the first answer */
	unsigned poll_interval_ms;
	unsigned poll_timeout_ms;
	unsigned poll_misses; /* so many in a row are an enclave that has died without saying so */
	unsigned grace_ms;    /* from SIGTERM to SIGKILL */
	unsigned backoff_first_ms;
	unsigned backoff_max_ms;
	unsigned quiet_ms; /* after so long in service the next failure counts as the first */
};

/* What is zero becomes the default. */
void supervisor_timing_complete(struct supervisor_timing *timing);
