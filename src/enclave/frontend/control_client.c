/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/control_client.h"

#include <errno.h>
#include <fcntl.h>

#include "enclave/frontend/pending.h"

struct control_client {
	int fd;
	control_reload_result *on_reload;
	void *reload_context;
	control_drain *on_drain;
	void *drain_context;
	struct pending *imports; /* control_import_answer */
};

struct control_client *control_client_new(int fd, struct error *error)
{
	int flags = fcntl(fd, F_GETFL);
	struct control_client *client;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return (void)error_set_errno(error, ERROR_IO, "control's socket"), NULL;
	client = (struct control_client *)memory_allocate_zeroed(1, sizeof *client);
	client->fd = fd;
	client->imports = pending_new(IMPORTS_MAX);
	return client;
}

void control_client_on_reload(struct control_client *client, control_reload_result *result, void *context)
{
	client->on_reload = result;
	client->reload_context = context;
}

void control_client_on_drain(struct control_client *client, control_drain *drain, void *context)
{
	client->on_drain = drain;
	client->drain_context = context;
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
	struct pending_request ignored;
	uint64_t id;

	if (keystore.size > IMPORT_KEYSTORE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "keystore: larger than %d bytes", IMPORT_KEYSTORE_MAX_SIZE);
	if (password.size > IMPORT_PASSWORD_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "password: larger than %d bytes", IMPORT_PASSWORD_MAX_SIZE);
	id = pending_add(client->imports, (pending_answer *)answer, context);
	if (id == 0)
		return error_set(error, ERROR_PEER, "too many imports at one time; try again");
	if (send_import(client, id, keystore, password, error))
		return true;
	(void)pending_take(client->imports, id, &ignored);
	return false;
}

/* ---- receiving ---- */

static void answer_import(const struct pending_request *import, enum import_status status, const char *message)
{
	((control_import_answer *)import->answer)(import->context, status, message);
}

static void handle_import_result(struct control_client *client, const struct message_import_result *result)
{
	struct pending_request import;

	if (pending_take(client->imports, result->header.id, &import))
		answer_import(&import, (enum import_status)result->status, result->message);
}

static bool handle(struct control_client *client, const union message *message, struct error *error)
{
	if (message->header.type == MESSAGE_IMPORT_RESULT && message->import_result.status < IMPORT_STATUS_COUNT) {
		handle_import_result(client, &message->import_result);
		return true;
	}
	if (message->header.type == MESSAGE_DRAIN) {
		if (client->on_drain)
			client->on_drain(client->drain_context);
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
	struct pending_request import;

	pending_close(client->imports);
	while (pending_take_any(client->imports, &import))
		answer_import(&import, IMPORT_FAILED, "the signer is shutting down");
}

void control_client_free(struct control_client *client)
{
	if (!client)
		return;
	control_client_close(client);
	pending_free(client->imports);
	free(client);
}
