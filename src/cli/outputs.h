/* SPDX-License-Identifier: Apache-2.0 */
/* --outputs: what a stack of deploy/template.yaml says of itself, {"STACK": {"KMSKeyARN": …}}, as `deploy/ensign-deploy` (and `cdk deploy -O`) writes it. */
#pragma once

#include "base/json.h"

struct outputs {
	json_t *object;   /* owned; what follows is borrowed from it, but for the region */
	const char *path; /* borrowed */
	const char *stack;
	json_t *values;
	char *region; /* that of the key's ARN */
};

void outputs_done(struct outputs *outputs);
#define AUTO_OUTPUTS CLEANUP(outputs_done)

/* The first stack with a KMSKeyARN. ERROR_INPUT, whatever is wrong. `path` must outlive it. */
MUST_USE bool outputs_read(const char *path, struct outputs *ret_outputs, struct error *error);
/* The value of this name; ERROR_INPUT when the stack has none, which a stack without instances may not. */
MUST_USE bool outputs_need(const struct outputs *outputs, const char *name, const char **ret_value, struct error *error);
