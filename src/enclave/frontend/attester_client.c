/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/attester_client.h"

#include <fcntl.h>

#include "enclave/frontend/pending.h"

struct attester_client {
	int fd;
	struct pending *pending; /* attester_answer */
};

struct attester_client *attester_client_new(int fd, struct error *error)
{
	int flags = fcntl(fd, F_GETFL);
	struct attester_client *client;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return (void)error_set_errno(error, ERROR_IO, "the attester's socket"), NULL;
	client = (struct attester_client *)memory_allocate_zeroed(1, sizeof *client);
	client->fd = fd;
	client->pending = pending_new(ATTESTATIONS_MAX);
	return client;
}

static void answer_one(const struct pending_request *request, struct view document)
{
	((attester_answer *)request->answer)(request->context, document);
}

bool attester_client_ask(struct attester_client *client, const struct client_statement *statement, struct view nonce,
			 attester_answer *answer, void *context, struct error *error)
{
	struct message_attest message;
	struct pending_request ignored;
	uint64_t id = pending_add(client->pending, (pending_answer *)answer, context);

	if (id == 0)
		return error_set(error, ERROR_PEER, "too many attestations at one time; try again");
	message_init(&message, MESSAGE_ATTEST, id);
	message.statement = *statement;
	message.nonce_size = (uint32_t)nonce.size;
	if (nonce.size)
		memcpy(message.nonce, nonce.data, nonce.size);
	if (message_send(client->fd, &message, error))
		return true;
	(void)pending_take(client->pending, id, &ignored);
	return error_prefix(error, "attester");
}

bool attester_client_receive(struct attester_client *client, struct error *error)
{
	union message message;

	while (message_receive(client->fd, &message, sizeof message, NULL, error)) {
		const struct message_attest_result *result = &message.attest_result;
		struct pending_request request;

		if (result->header.type != MESSAGE_ATTEST_RESULT)
			return error_set(error, ERROR_PEER, "attester: message of type %u", result->header.type);
		if (pending_take(client->pending, result->header.id, &request))
			answer_one(&request, view_of(result->document, result->document_size));
	}
	return error->code == ERROR_NONE || error_prefix(error, "attester");
}

void attester_client_close(struct attester_client *client)
{
	struct pending_request request;

	pending_close(client->pending);
	while (pending_take_any(client->pending, &request))
		answer_one(&request, (struct view){0});
}

void attester_client_free(struct attester_client *client)
{
	if (!client)
		return;
	attester_client_close(client);
	pending_free(client->pending);
	free(client);
}
