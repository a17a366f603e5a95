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

/* A file that only its owner may read, whole. ERROR_NOT_FOUND; ERROR_INPUT for one that others may read. */
MUST_USE bool credentials_read_file(const char *path, struct secret *ret_text, struct error *error);
/*
 * What the services of instances and of containers answer: {"AccessKeyId","SecretAccessKey","Token","Expiration"}, maybe with "Code". ERROR_PEER when it cannot
 * be understood.
 */
MUST_USE bool credentials_from_document(struct view text, struct credentials *ret_credentials, struct error *error);
/* Check them and copy them to where they belong. ERROR_INPUT names the field, never its contents. */
MUST_USE bool credentials_take(const struct credentials_source *source, struct credentials *ret_credentials, struct error *error);
