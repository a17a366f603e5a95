/* SPDX-License-Identifier: Apache-2.0 */
/* The credentials of the instance's role, or whose else the settings say: for the tables, and for the enclave to use KMS with. */
#pragma once

#include "aws/access.h"
#include "aws/credentials.h"
#include "host/settings.h"

/* Borrows from the settings. */
struct aws_place instance_place_of(const struct place_settings *settings);
/* Fresh ones every time: the metadata service has the next ones ready before the last ones end. */
MUST_USE bool instance_credentials_read(const struct settings *settings, struct credentials *ret_credentials, struct error *error);
