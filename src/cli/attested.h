/* SPDX-License-Identifier: Apache-2.0 */
/* What commands that judge attestation documents have in common: the options that say whose they have to be, and the refusal. */
#pragma once

#include "attestation/document.h"

/* A measurement that an option gives, before anybody is asked; NULL: it was not given. ERROR_INPUT names the option. */
MUST_USE bool attested_option_check(const char *option, const char *hex, struct error *error);
/* A document that does not hold is a refusal, whatever its parser called it: exit code 3. Returns false. */
bool attested_refuse(struct error *error);
/* What to do about it; NULL: nothing that helps. `root`: the option, NULL when it was not given. */
const char *attested_advice(const char *root, const struct error *error);
