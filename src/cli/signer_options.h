/* SPDX-License-Identifier: Apache-2.0 */
/* Which signer a command talks to, and what it shows it. */
#pragma once

#include "net/signer_client.h"

/*
 * From --url and --ca. Both NULL: the local signer of the default folder (ERROR_NOT_FOUND when there is none). One of them
 * alone is ERROR_INPUT.
 */
MUST_USE bool signer_target_init(const char *url, const char *ca_file, struct signer_target *ret_target, struct error *error);

/* Show this certificate (--client-cert, with its chain) and use its key (--client-key), PEM files. Both or none, else ERROR_INPUT. */
MUST_USE bool signer_target_use_certificate(struct signer_target *target, const char *certificate_file, const char *key_file,
					    struct error *error);
/* command_fail() of an error of these two, or of an exchange with the signer: with what to do next. `url`: the option. Returns the exit code. */
int signer_target_fail(const char *url, const struct error *error);
