/* SPDX-License-Identifier: Apache-2.0 */
/* Signing policies (image/signing_policy.h) as an operator gives them: a file, or types in a list. */
#pragma once

#include "image/signing_policy.h"

/* `option` is what named the file. ERROR_INPUT, whatever is wrong with it. */
MUST_USE bool policy_file_read(const char *option, const char *path, struct signing_policy *ret_policy, struct error *error);
/* The canonical text. */
MUST_USE bool policy_file_write(const char *path, const struct signing_policy *policy, struct error *error);
/* "VOLUNTARY_EXIT,DEPOSIT": one rule, "allowed-types", that allows them to every client. "none": no rule. */
MUST_USE bool policy_of_types(const char *types, struct signing_policy *ret_policy, struct error *error);
bool policy_equal(const struct signing_policy *a, const struct signing_policy *b);
