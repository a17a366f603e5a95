/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose credentials a command uses at AWS: --credentials FILE, or imds for the role of the instance that it runs on, or else those that AWS's own tools would
 * find (credentials_find()).
 */
#pragma once

#include "aws/credentials.h"

/* An operator can wait; KMS answers within a second. */
#define OPERATOR_KMS_TIMEOUT_MS 10000
#define OPERATOR_KMS_ATTEMPTS 3

/* `where`: FILE, "imds", "imds:URL"; NULL: wherever they are, ERROR_NOT_FOUND when they are nowhere. */
MUST_USE bool credentials_of_operator(const char *where, struct credentials *ret_credentials, struct error *error);
