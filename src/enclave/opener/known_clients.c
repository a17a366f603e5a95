/* SPDX-License-Identifier: Apache-2.0 */
/* The list of known clients, from the parent's hands to the frontend. */
#include "enclave/opener/opener.h"

bool opener_send_known_clients(const struct opener *opener, struct view data_key, struct view sealed, struct error *error)
{
	struct message_known_clients message;
	struct known_clients clients;

	if (!known_clients_open(data_key, opener->configuration.fleet, sealed, &clients, error)) {
		/* What opens but is no list is not the request's fault. */
		error->code = ERROR_CRYPTO;
		return false;
	}
	message_init(&message, MESSAGE_KNOWN_CLIENTS, 0);
	message.serial = clients.serial;
	message.count = clients.count;
	memcpy(message.clients, clients.clients, sizeof message.clients);
	return message_send(ROLE_FD_FRONTEND, &message, error) || error_prefix(error, "frontend");
}
