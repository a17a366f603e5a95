/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Milliseconds everywhere; realtime since 1970 UTC, monotonic since some fixed point. */
#pragma once

#include "base/error.h"

#define CLOCK_TEXT_SIZE 25       /* "2026-11-23T00:39:22.123Z" and a NUL */
#define CLOCK_BASIC_TEXT_SIZE 17 /* "20261123T003922Z" and a NUL */

uint64_t clock_realtime_ms(void);
uint64_t clock_monotonic_ms(void);
uint64_t clock_monotonic_us(void); /* for what takes less than a few milliseconds */

/* RFC 3339 in UTC with milliseconds. */
void clock_format(uint64_t realtime_ms, char ret_text[CLOCK_TEXT_SIZE]);
/* ISO 8601 basic format, as SigV4 wants it. */
void clock_format_basic(uint64_t realtime_ms, char ret_text[CLOCK_BASIC_TEXT_SIZE]);
/* The inverse of clock_format_basic. False when malformed. */
MUST_USE bool clock_parse_basic(const char *text, uint64_t *ret_realtime_ms);
/* RFC 3339 in UTC ("…Z"), with or without a fraction (dropped). False when malformed or before 1970; no leap seconds. */
MUST_USE bool clock_parse(const char *text, uint64_t *ret_realtime_ms);
