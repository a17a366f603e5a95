/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/control_client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

struct pending_import {
	uint64_t id; /* 0: free */
	control_import_answer *answer;
	void *context;
};

struct control_client {
	int fd;
	control_reload_result *on_reload;
	void *reload_context;
	pthread_mutex_t lock; /* what follows */
	uint64_t last_id;
	bool is_closed;
	struct pending_import imports[IMPORTS_MAX];
};

struct control_client *control_client_new(int fd, struct error *error)
{
	int flags = fcntl(fd, F_GETFL);
	struct control_client *client;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return (void)error_set_errno(error, ERROR_IO, "control's socket"), NULL;
	client = (struct control_client *)memory_allocate_zeroed(1, sizeof *client);
	client->fd = fd;
	(void)pthread_mutex_init(&client->lock, NULL);
	return client;
}

void control_client_on_reload(struct control_client *client, control_reload_result *result, void *context)
{
	client->on_reload = result;
	client->reload_context = context;
}

/* ---- imports under way ---- */

static uint64_t take_place(struct control_client *client, control_import_answer *answer, void *context)
{
	uint64_t id = 0;

	(void)pthread_mutex_lock(&client->lock);
	for (size_t i = 0; i < IMPORTS_MAX && id == 0 && !client->is_closed; i++) {
		if (client->imports[i].id != 0)
			continue;
		id = ++client->last_id;
		client->imports[i] = (struct pending_import){id, answer, context};
	}
	(void)pthread_mutex_unlock(&client->lock);
	return id;
}

/* Empty it. False: there is none of this id; 0 is any. */
static bool take_import(struct control_client *client, uint64_t id, struct pending_import *ret_import)
{
	bool found = false;

	(void)pthread_mutex_lock(&client->lock);
	for (size_t i = 0; i < IMPORTS_MAX && !found; i++) {
		found = client->imports[i].id != 0 && (id == 0 || client->imports[i].id == id);
		if (found) {
			*ret_import = client->imports[i];
			client->imports[i] = (struct pending_import){0};
		}
	}
	(void)pthread_mutex_unlock(&client->lock);
	return found;
}

/* ---- sending ---- */

static bool send_now(struct control_client *client, const void *message, struct error *error)
{
	errno = 0;
	if (message_send(client->fd, message, error))
		return true;
	if (errno == EAGAIN || errno == EWOULDBLOCK)
		return error_set(error, ERROR_PEER, "too much is under way with the host; try again");
	return error_prefix(error, "control");
}

bool control_client_reload(struct control_client *client, struct error *error)
{
	struct message_reload message;

	message_init(&message, MESSAGE_RELOAD, 0);
	return send_now(client, &message, error);
}

bool control_client_forget(struct control_client *client, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct error *error)
{
	struct message_forget_key message;

	message_init(&message, MESSAGE_FORGET_KEY, 0);
	memcpy(message.public_key, public_key, sizeof message.public_key);
	return send_now(client, &message, error);
}

static bool send_import(struct control_client *client, uint64_t id, struct view keystore, struct view password, struct error *error)
{
	AUTO_SECRET struct secret memory = {0};
	struct message_import_keystore *message;

	if (!secret_init(&memory, sizeof *message, error))
		return false;
	message = (struct message_import_keystore *)(void *)memory.data;
	message_init(message, MESSAGE_IMPORT_KEYSTORE, id);
	message->keystore_size = (uint32_t)keystore.size;
	message->password_size = (uint32_t)password.size;
	memcpy(message->keystore, keystore.data, keystore.size);
	memcpy(message->password, password.data, password.size);
	return send_now(client, message, error);
}

bool control_client_import(struct control_client *client, struct view keystore, struct view password, control_import_answer *answer,
			   void *context, struct error *error)
{
	struct pending_import ignored;
	uint64_t id;

	if (keystore.size > IMPORT_KEYSTORE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "keystore: larger than %d bytes", IMPORT_KEYSTORE_MAX_SIZE);
	if (password.size > IMPORT_PASSWORD_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "password: larger than %d bytes", IMPORT_PASSWORD_MAX_SIZE);
	id = take_place(client, answer, context);
	if (id == 0)
		return error_set(error, ERROR_PEER, "too many imports at one time; try again");
	if (send_import(client, id, keystore, password, error))
		return true;
	(void)take_import(client, id, &ignored);
	return false;
}

/* ---- receiving ---- */

static void handle_import_result(struct control_client *client, const struct message_import_result *result)
{
	struct pending_import import;

	if (result->header.id != 0 && take_import(client, result->header.id, &import))
		import.answer(import.context, (enum import_status)result->status, result->message);
}

static bool handle(struct control_client *client, const union message *message, struct error *error)
{
	if (message->header.type == MESSAGE_IMPORT_RESULT && message->import_result.status < IMPORT_STATUS_COUNT) {
		handle_import_result(client, &message->import_result);
		return true;
	}
	if (message->header.type != MESSAGE_RELOAD_RESULT)
		return error_set(error, ERROR_PEER, "message of type %u", message->header.type);
	if (client->on_reload)
		client->on_reload(client->reload_context, &message->reload_result);
	return true;
}

bool control_client_receive(struct control_client *client, struct error *error)
{
	union message message;

	while (message_receive(client->fd, &message, sizeof message, NULL, error))
		if (!handle(client, &message, error))
			return error_prefix(error, "control");
	return error->code == ERROR_NONE || error_prefix(error, "control");
}

/* ---- the end ---- */

void control_client_close(struct control_client *client)
{
	struct pending_import import;

	(void)pthread_mutex_lock(&client->lock);
	client->is_closed = true;
	(void)pthread_mutex_unlock(&client->lock);
	while (take_import(client, 0, &import))
		import.answer(import.context, IMPORT_FAILED, "the signer is shutting down");
}

void control_client_free(struct control_client *client)
{
	if (!client)
		return;
	control_client_close(client);
	(void)pthread_mutex_destroy(&client->lock);
	free(client);
}
