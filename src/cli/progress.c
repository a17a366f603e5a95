/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/progress.h"

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"

/* Of progress in a log. */
#define PROGRESS_INTERVAL_MS 5000
#define PROGRESS_INTERVAL_S 5

void progress_show(const char *what, size_t done, size_t count)
{
	static uint64_t shown_ms;
	uint64_t now_ms = clock_monotonic_ms();

	/* Short work is done before anybody wonders. */
	if (shown_ms == 0)
		shown_ms = now_ms;
	if (isatty(STDERR_FILENO)) {
		(void)fprintf(stderr, "\r%s: %zu of %zu%s", what, done, count, done == count ? "\n" : "");
		return;
	}
	if (now_ms - shown_ms < PROGRESS_INTERVAL_MS)
		return;
	shown_ms = now_ms;
	(void)fprintf(stderr, "%s: %zu of %zu\n", what, done, count);
}

void progress_show_wait(const char *what, unsigned waited_s, bool is_over)
{
	static unsigned shown_s;
	const bool is_terminal = isatty(STDERR_FILENO);

	if (is_terminal && is_over && shown_s > 0)
		(void)fprintf(stderr, "\n");
	if (is_over || waited_s < shown_s + (is_terminal ? 1 : PROGRESS_INTERVAL_S))
		return;
	shown_s = waited_s;
	(void)fprintf(stderr, is_terminal ? "\r%s: %u s" : "%s: %u s\n", what, waited_s);
}
