/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers are written without JSON values: one that cannot be made would be a wrong answer.
 *
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
/* Of it large bodies never have: each of the few threads that parse may have a small one, of as much as a small one can take, at any time. */
#define JSON_BUDGET_RESERVE (32u << 20)
/* A usual request has 1 KiB; text of this size takes 1.3 MiB at most. */
#define JSON_BUDGET_SMALL_BODY_SIZE (64u << 10)

/* Makes jansson use it. Call before the first JSON value: one that was made before would be taken off when it is freed. */
void json_budget_init(void);
/* What this thread parses next is a body of this size. */
void json_budget_begin(size_t body_size);
/* Whether an allocation of this thread was refused since then. */
bool json_budget_was_exceeded(void);
