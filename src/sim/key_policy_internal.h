/* SPDX-License-Identifier: Apache-2.0 */
/* What the checker (key_policy_parse.c) and the evaluator (key_policy.c) share: nobody else includes this. */
#pragma once

#include "base/json.h"
#include "sim/key_policy.h"

/* A document that passed the checks; the evaluator relies on its shape. */
struct key_policy {
	json_t *document;
};

enum key_policy_comparison { COMPARE_EXACT, COMPARE_IGNORE_CASE, COMPARE_WILDCARD, COMPARE_NULL };

struct key_policy_operator {
	const char *name;
	enum key_policy_comparison comparison;
	bool negated;
};

/* NULL when unknown. *ret_if_exists tells whether `name` had the suffix IfExists. */
const struct key_policy_operator *key_policy_find_operator(const char *name, bool *ret_if_exists);

/* Many elements are one value or a list of values: how many, and the one at `index`. */
size_t key_policy_value_count(const json_t *element);
json_t *key_policy_value_at(json_t *element, size_t index);
