/* SPDX-License-Identifier: Apache-2.0 */
#include "host/backoff.h"

#include <sys/random.h>

/* Only spreads the load: where the kernel gives no random number, there is no jitter. */
static uint32_t random_below(uint32_t limit)
{
	uint32_t number = 0;

	if (getrandom(&number, sizeof number, GRND_NONBLOCK) != sizeof number)
		return 0;
	return number % limit;
}

unsigned backoff_next_ms(struct backoff *backoff, bool free_first)
{
	unsigned delay_ms = backoff->first_ms;
	unsigned doublings = backoff->failures;

	if (free_first && backoff->failures == 0) {
		backoff->failures = 1;
		return 0;
	}
	if (free_first)
		doublings--;
	for (unsigned i = 0; i < doublings && delay_ms < backoff->max_ms; i++)
		delay_ms *= 2;
	if (delay_ms > backoff->max_ms)
		delay_ms = backoff->max_ms;
	if (backoff->failures < UINT32_MAX)
		backoff->failures++;
	return delay_ms - random_below(delay_ms / 2 + 1);
}
