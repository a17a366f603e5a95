/* SPDX-License-Identifier: Apache-2.0 */
/* Whose credentials a command uses at AWS: --credentials FILE, or imds for the role of the instance that it runs on, or else the environment's. */
#pragma once

#include "aws/credentials.h"

/* An operator can wait; KMS answers within a second. */
#define OPERATOR_KMS_TIMEOUT_MS 10000
#define OPERATOR_KMS_ATTEMPTS 3

/* `where`: FILE, "imds", "imds:URL"; NULL: the environment, ERROR_NOT_FOUND when there are none there. */
MUST_USE bool credentials_of_operator(const char *where, struct credentials *ret_credentials, struct error *error);
