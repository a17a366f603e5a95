/* SPDX-License-Identifier: Apache-2.0 */
/* The high watermark (slashing/rules.h) as JSON: Web3Signer's {"epoch":"N","slot":"N"}, decimal strings, either of them absent when it is not set. */
#pragma once

#include "base/json.h"
#include "slashing/rules.h"

/* A new object. */
MUST_USE json_t *high_watermark_to_json(const struct high_watermark *high);
/* The same as text, without JSON values: where these are bounded (frontend/json_budget.h), an answer must not depend on them. */
void high_watermark_write(const struct high_watermark *high, struct buffer *ret_text);
/* Of an object that may have other members too. ERROR_INPUT names the member. */
MUST_USE bool high_watermark_from_json(json_t *object, struct high_watermark *ret_high, struct error *error);
bool high_watermark_equal(const struct high_watermark *a, const struct high_watermark *b);
