/* SPDX-License-Identifier: Apache-2.0 */
/* What an invocation asks for: {"operation": …}, and what its operation takes beside that. */
#pragma once

#include "attestation/client_statement.h"
#include "base/json.h"

/* An event has a few hundred bytes. */
#define LAMBDA_EVENT_MAX_SIZE 16384

/* What an operation may take. */
enum lambda_field {
	LAMBDA_FIELD_OVERWRITE = 1 << 0,
	LAMBDA_FIELD_PCR0 = 1 << 1,
	LAMBDA_FIELD_NONCE = 1 << 2,
};

struct lambda_operation;

struct lambda_event {
	const struct lambda_operation *operation;
	bool overwrite;
	char pcr0[NSM_PCR_TEXT_SIZE]; /* hex; "": none was given */
	uint8_t nonce[CLIENT_NONCE_MAX_SIZE];
	size_t nonce_size; /* 0: none was given */
};

/* ERROR_INPUT: it is no object, the operation is missing or unknown, or a member is not of it or is malformed; the message names it. */
MUST_USE bool lambda_event_parse(struct view text, struct lambda_event *ret_event, struct error *error);
