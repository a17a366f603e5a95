/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where tests find their data. Vectors generated for this project are in tests/vectors/ of the tree. Public vectors made by others are
 * read from $ENSIGN_VECTORS (default ../shared/vectors beside the checkout) and never committed: where they are missing the
 * test is skipped with one line, except with CI=true, where that is a failure.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

/* Path of an own vector file: "signing/attestation.json". Caller frees. */
char *own_vector_path(const char *relative);
/* Path of a public vector file or folder, or NULL after saying that it is missing. Caller frees. */
char *public_vector_path(const char *relative);
/* Load a JSON file; fails the test when it cannot be read. Caller releases. */
json_t *load_json(const char *path);
/* Fails the test with the error's message when `ok` is false. */
#define assert_ok(ok, error) assert_ok_at((ok), (error), #ok, __FILE__, __LINE__)
void assert_ok_at(bool ok, const struct error *error, const char *expression, const char *file, int line);
/* `text` is inside the error's message. */
#define assert_message_contains(error, text) assert_message_contains_at((error), (text), __FILE__, __LINE__)
void assert_message_contains_at(const struct error *error, const char *text, const char *file, int line);
/* Hex (0x optional) of any length into a fresh buffer; fails the test when it is not hex. */
struct buffer unhex(const char *text);
