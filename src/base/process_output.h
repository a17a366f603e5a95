/* SPDX-License-Identifier: Apache-2.0 */
/* A program that is run to its end for what it prints: bounded in size and time, and it has no descriptor of ours. */
#pragma once

#include "base/bytes.h"

struct process_call {
	const char *const *argv; /* argv[0] is the program's path; NULL-terminated, never a secret */
	const char *const *envp; /* NULL-terminated; NULL means an empty environment */
	unsigned timeout_ms;
	int cancel_fd; /* readable: give up; -1: there is none */
	/* What is printed beyond is read and dropped on standard error; on standard output it is an error. */
	size_t output_max_size;
	size_t messages_max_size;
};

/* Both appended. *ret_status is the child's exit status, 128 + N when signal N ended it. ERROR_PEER: out of time, cancelled, or too much. */
MUST_USE bool process_output_read(const struct process_call *call, struct buffer *ret_output, struct buffer *ret_messages,
				  int *ret_status, struct error *error);
