/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before the next try: doubling, capped, with jitter so that many hosts do not knock on KMS in step. */
#pragma once

#include "base/error.h"

struct backoff {
	unsigned first_ms; /* before the second failure's retry */
	unsigned max_ms;
	unsigned failures; /* since the last reset */
};

/*
 * Counts a failure; the delay before the next try. With `free_first` the first failure since the reset costs no delay: a crash
 * after weeks of service is best answered at once. Otherwise from half to all of min(first_ms * 2^n, max_ms), evenly.
 */
unsigned backoff_next_ms(struct backoff *backoff, bool free_first);
