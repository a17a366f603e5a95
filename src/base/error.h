/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one error shape of the tree.
 *
 * A fallible function returns bool (true: done) or a pointer (NULL: failed), is MUST_USE, and on failure fills the
 * caller's `struct error`: one code, and one message that says what failed and where. `ret_…` outputs are set only on
 * success. Messages go to operators and, for the signing API, to clients: they never contain a secret, and text that
 * came from a peer is put in through error_set() so that it is cut to size (the log escapes it).
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/banned.h"

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first_argument) __attribute__((format(printf, format_index, first_argument)))

/* Room for two 32-byte roots in hex, a public key in hex and a sentence around them. */
#define ERROR_MESSAGE_SIZE 512

enum error_code {
	ERROR_NONE = 0,
	ERROR_INPUT,     /* what the caller or a file gave is malformed; the message names the field */
	ERROR_NOT_FOUND, /* the named thing does not exist */
	ERROR_SLASHABLE, /* signing this could be slashed */
	ERROR_POLICY,    /* a rule forbids it (attestation, key policy, state) */
	ERROR_IO,        /* the operating system refused: file, socket, memory lock */
	ERROR_PEER,      /* the other side broke the protocol, went away or was too slow */
	ERROR_AWS,       /* AWS (or the simulator) answered with an error; the message starts with its name */
	ERROR_CRYPTO,    /* a cryptographic check failed */
	ERROR_BUG,       /* cannot happen; please report */
	ERROR_CODE_COUNT,
};

struct error {
	enum error_code code;
	char message[ERROR_MESSAGE_SIZE]; /* NUL-terminated, no newline at the end */
};

/* Fill `error` (which may be NULL: the caller does not care). Always returns false, so `return error_set(…)` reads well. */
bool error_set(struct error *error, enum error_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* As error_set, with ": " and the text of the current errno appended. */
bool error_set_errno(struct error *error, enum error_code code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Put context in front of a message that is already there: "reading F" becomes "reading F: <old message>". Returns false. */
bool error_prefix(struct error *error, const char *format, ...) PRINTF_LIKE(2, 3);

/* "input", "not_found", … — stable names, used in JSON output and in logs. Never NULL. */
const char *error_code_name(enum error_code code);

/* The analyser sees one file at a time: tell it what these always return, or it follows paths that do not exist. */
#ifdef __clang_analyzer__
#define error_set(...) (error_set(__VA_ARGS__), false)
#define error_set_errno(...) (error_set_errno(__VA_ARGS__), false)
#define error_prefix(...) (error_prefix(__VA_ARGS__), false)
#endif
