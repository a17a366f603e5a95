/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the sources of credentials; nobody else includes it. */
#pragma once

#include "aws/credentials.h"

/* Texts as a source gave them, not yet checked, and what that source calls them. */
struct credentials_source {
	const char *key_id;
	const char *key_id_field;
	const char *secret;
	const char *secret_field;
	const char *token; /* NULL or "": none */
	const char *token_field;
};

/* Check them and copy them to where they belong. ERROR_INPUT names the field, never its contents. */
MUST_USE bool credentials_take(const struct credentials_source *source, struct credentials *ret_credentials, struct error *error);
