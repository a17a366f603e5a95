/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bound on what JSON values of all threads take in memory together: a value of two bytes of text ("0,") takes forty, so
 * a bound on the text alone is none. Beyond it parsing fails, which the parser cannot tell from malformed text; this can.
 */
#pragma once

#include "base/error.h"

/*
 * A usual request takes 5 KiB, a block with all its operations a few MiB, one text of 10 MiB 36 MiB; a small enclave has 512
 * MiB.
 */
#define JSON_BUDGET_SIZE (128u << 20)

/* Makes jansson use it. Call before the first JSON value: one that was made before would be taken off when it is freed. */
void json_budget_init(void);
/* Whether an allocation of this thread was refused since the last call. */
bool json_budget_was_exceeded(void);
