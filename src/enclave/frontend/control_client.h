/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frontend's side of its pair with control: what needs the parent. Sending is for any thread and never waits; what control
 * says is handed out by control_client_receive() on the role's main thread. Control answers every import in the end (it has time-outs of
 * its own), and says how every reload ended, whoever asked for it.
 */
#pragma once

#include "enclave/messages.h"

struct control_client;

/* Called exactly once for each import that was taken, with no lock held. `message` says why it failed. */
typedef void control_import_answer(void *context, enum import_status status, const char *message);
/* Called for every reload. */
typedef void control_reload_result(void *context, const struct message_reload_result *result);
/* The parent is about to end. */
typedef void control_drain(void *context);

/* `fd` is borrowed, and made non-blocking. NULL on failure. */
MUST_USE struct control_client *control_client_new(int fd, struct error *error);
/* Everything under way is answered as failed. */
void control_client_close(struct control_client *client);
/* Closes and frees; accepts NULL. */
void control_client_free(struct control_client *client);

/* Both before anything is received; `context` must outlive the client. */
void control_client_on_reload(struct control_client *client, control_reload_result *result, void *context);
void control_client_on_drain(struct control_client *client, control_drain *drain, void *context);

/* ERROR_PEER: control cannot take it now. */
MUST_USE bool control_client_reload(struct control_client *client, struct error *error);
/* The keystore's JSON and its password (UTF-8), both at most as large as their fields in the message. */
MUST_USE bool control_client_import(struct control_client *client, struct view keystore, struct view password,
				    control_import_answer *answer, void *context, struct error *error);
MUST_USE bool control_client_forget(struct control_client *client, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
				    struct error *error);

/* What is there to be read. False: control is gone, or talks nonsense. */
MUST_USE bool control_client_receive(struct control_client *client, struct error *error);
