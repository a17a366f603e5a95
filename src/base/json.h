/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading JSON of outside origin through jansson: strict, bounded, with errors that name the field.
 *
 * Readers take the object and a member name. A missing member, a wrong type or a bad value is ERROR_INPUT with a message
 * of the form "field: reason"; callers nest names with error_prefix(). Returned views and strings borrow from the object.
 */
#pragma once

#include <jansson.h>

#include "base/bytes.h"
#include "base/secret.h"

/* Releases one reference; accepts NULL. */
static inline void json_done(json_t **json)
{
	json_decref(*json);
	*json = NULL;
}

#define AUTO_JSON CLEANUP(json_done)

/*
 * Make jansson allocate memory that is wiped when it is freed. Call before the first JSON value in every process that parses
 * JSON with secrets in it (credentials, KMS plaintext, keystore passwords).
 */
void json_use_wiping_memory(void);

/* Parse one JSON text: duplicate keys and trailing bytes refused. `what` names it in the error. NULL on failure. */
MUST_USE json_t *json_parse(struct view text, const char *what, struct error *error);
/* As json_parse, and the text may be any value, like "OK" or null. */
MUST_USE json_t *json_parse_any(struct view text, const char *what, struct error *error);
/* As json_parse, and the text must be an object. */
MUST_USE json_t *json_parse_object(struct view text, const char *what, struct error *error);

/* Whether the object has no members but these; ERROR_INPUT names another. For settings: a misspelt one must not go unheard. */
MUST_USE bool json_check_members(json_t *object, const char *const *names, size_t count, struct error *error);
MUST_USE bool json_read_object(json_t *object, const char *name, json_t **ret_value, struct error *error);
MUST_USE bool json_read_array(json_t *object, const char *name, json_t **ret_value, struct error *error);
/* Text with no NUL inside. Also through json_read_text_optional, where absent and null give NULL. */
MUST_USE bool json_read_text(json_t *object, const char *name, const char **ret_text, struct error *error);
MUST_USE bool json_read_text_optional(json_t *object, const char *name, const char **ret_text, struct error *error);
MUST_USE bool json_read_bool(json_t *object, const char *name, bool *ret_value, struct error *error);
/* A decimal string (as the beacon API writes numbers), 0 to 2^64-1, or a JSON integer, 0 to 2^63-1 (jansson's largest). */
MUST_USE bool json_read_u64(json_t *object, const char *name, uint64_t *ret_value, struct error *error);
/* Exactly `size` bytes of hex, 0x optional. */
MUST_USE bool json_read_hex(json_t *object, const char *name, uint8_t *ret_bytes, size_t size, struct error *error);
/* As Web3Signer reads Bytes32: shorter hex (even digits) is padded with zeros on the left. */
MUST_USE bool json_read_bytes32(json_t *object, const char *name, uint8_t ret_bytes[32], struct error *error);
/* Base64 of at most max_size decoded bytes, appended to ret_bytes. */
MUST_USE bool json_read_base64(json_t *object, const char *name, size_t max_size, struct buffer *ret_bytes, struct error *error);
/* Base64 or text straight into a secret. */
MUST_USE bool json_read_base64_secret(json_t *object, const char *name, struct secret *ret_secret, struct error *error);
MUST_USE bool json_read_text_secret(json_t *object, const char *name, struct secret *ret_secret, struct error *error);

/*
 * A JSON string of `text`. JSON carries only UTF-8, but an error message may have been cut in the middle of a character: then every
 * byte outside ASCII becomes a question mark.
 */
MUST_USE json_t *json_text_of_any(const char *text);
/* A JSON string of `prefix` and the hex of `bytes`. */
MUST_USE json_t *json_text_of_hex(const char *prefix, struct view bytes);
/* A JSON string of the base64 of `bytes`, which may be secret: no copy is left behind. */
MUST_USE json_t *json_text_of_base64(struct view bytes);
/* Compact text of `json`, appended. */
void json_write(const json_t *json, struct buffer *ret_text);
/* The same with a space behind commas and colons, as Python writes it. */
void json_write_spaced(const json_t *json, struct buffer *ret_text);
/* For JSON with secrets: the compact text as a secret. */
MUST_USE bool json_write_secret(const json_t *json, struct secret *ret_text, struct error *error);
