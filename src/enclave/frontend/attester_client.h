/* SPDX-License-Identifier: Apache-2.0 */
/* The frontend's end of its pair with the attester: requests from the server's threads, answers on the role's own. */
#pragma once

#include "enclave/messages.h"

/* A document takes the NSM some ten milliseconds; whoever comes when so many wait is told to come again. */
#define ATTESTATIONS_MAX 16

/* `document` empty: it failed. On the thread that calls attester_client_receive(). */
typedef void attester_answer(void *context, struct view document);

struct attester_client;

/* Around a descriptor that stays the caller's. NULL on failure. */
MUST_USE struct attester_client *attester_client_new(int fd, struct error *error);
/* From any thread. False: ERROR_PEER, there are too many already, or the attester is gone. */
MUST_USE bool attester_client_ask(struct attester_client *client, const struct client_statement *statement, struct view nonce,
				  attester_answer *answer, void *context, struct error *error);
/* When the descriptor is readable. False: the attester is gone, or talks nonsense. */
MUST_USE bool attester_client_receive(struct attester_client *client, struct error *error);
/* Whoever waits is told that it failed, and so is who comes later. */
void attester_client_close(struct attester_client *client);
void attester_client_free(struct attester_client *client); /* accepts NULL */
