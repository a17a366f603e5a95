/* SPDX-License-Identifier: Apache-2.0 */
/* The Lambda's life: one invocation after the other, each to its answer or its error. */
#pragma once

#include "lambda/runtime_api.h"
#include "lambda/settings.h"

/* Serves until Lambda cannot be understood any more (ERROR_PEER), which is always false. Logs each invocation. */
MUST_USE bool lambda_serve(const struct lambda_settings *settings, const struct runtime_api *api, struct error *error);
/* How docs/lambda.md calls an error: "BadRequest" and so on. */
const char *lambda_error_type(const struct error *error);
