/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/attester_client.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>

struct pending {
	uint64_t id; /* 0: free */
	attester_answer *answer;
	void *context;
};

struct attester_client {
	int fd;
	pthread_mutex_t lock; /* what follows */
	uint64_t last_id;
	bool is_closed;
	struct pending pending[ATTESTATIONS_MAX];
};

struct attester_client *attester_client_new(int fd, struct error *error)
{
	int flags = fcntl(fd, F_GETFL);
	struct attester_client *client;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return (void)error_set_errno(error, ERROR_IO, "the attester's socket"), NULL;
	client = (struct attester_client *)memory_allocate_zeroed(1, sizeof *client);
	client->fd = fd;
	(void)pthread_mutex_init(&client->lock, NULL);
	return client;
}

/* 0: there is no room. */
static uint64_t take_place(struct attester_client *client, attester_answer *answer, void *context)
{
	uint64_t id = 0;

	(void)pthread_mutex_lock(&client->lock);
	for (size_t i = 0; i < ATTESTATIONS_MAX && id == 0 && !client->is_closed; i++) {
		if (client->pending[i].id != 0)
			continue;
		id = ++client->last_id;
		client->pending[i] = (struct pending){id, answer, context};
	}
	(void)pthread_mutex_unlock(&client->lock);
	return id;
}

/* Empty it. False: there is none of this id; 0 is any. */
static bool take_pending(struct attester_client *client, uint64_t id, struct pending *ret_pending)
{
	bool found = false;

	(void)pthread_mutex_lock(&client->lock);
	for (size_t i = 0; i < ATTESTATIONS_MAX && !found; i++) {
		found = client->pending[i].id != 0 && (id == 0 || client->pending[i].id == id);
		if (found) {
			*ret_pending = client->pending[i];
			client->pending[i] = (struct pending){0};
		}
	}
	(void)pthread_mutex_unlock(&client->lock);
	return found;
}

bool attester_client_ask(struct attester_client *client, const struct client_statement *statement, struct view nonce,
			 attester_answer *answer, void *context, struct error *error)
{
	struct message_attest message;
	struct pending ignored;
	uint64_t id = take_place(client, answer, context);

	if (id == 0)
		return error_set(error, ERROR_PEER, "too many attestations at one time; try again");
	message_init(&message, MESSAGE_ATTEST, id);
	message.statement = *statement;
	message.nonce_size = (uint32_t)nonce.size;
	if (nonce.size)
		memcpy(message.nonce, nonce.data, nonce.size);
	if (message_send(client->fd, &message, error))
		return true;
	(void)take_pending(client, id, &ignored);
	return error_prefix(error, "attester");
}

bool attester_client_receive(struct attester_client *client, struct error *error)
{
	union message message;

	while (message_receive(client->fd, &message, sizeof message, NULL, error)) {
		const struct message_attest_result *result = &message.attest_result;
		struct pending pending;

		if (result->header.type != MESSAGE_ATTEST_RESULT)
			return error_set(error, ERROR_PEER, "attester: message of type %u", result->header.type);
		if (result->header.id != 0 && take_pending(client, result->header.id, &pending))
			pending.answer(pending.context, view_of(result->document, result->document_size));
	}
	return error->code == ERROR_NONE || error_prefix(error, "attester");
}

void attester_client_close(struct attester_client *client)
{
	struct pending pending;

	(void)pthread_mutex_lock(&client->lock);
	client->is_closed = true;
	(void)pthread_mutex_unlock(&client->lock);
	while (take_pending(client, 0, &pending))
		pending.answer(pending.context, (struct view){0});
}

void attester_client_free(struct attester_client *client)
{
	if (!client)
		return;
	attester_client_close(client);
	(void)pthread_mutex_destroy(&client->lock);
	free(client);
}
