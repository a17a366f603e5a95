/* SPDX-License-Identifier: Apache-2.0 */
/* The list of known clients, from the parent's hands to the frontend. */
#include "enclave/opener/opener.h"
#include "tables/known_clients.h"

static bool open_list(struct opening *opening, json_t *object, struct message_known_clients *ret_clients, struct error *error)
{
	AUTO_BUFFER struct buffer sealed = {0};
	struct known_clients clients;
	struct view data_key;

	if (!json_read_base64(object, "sealed_b64", KNOWN_CLIENTS_SEALED_MAX_SIZE, &sealed, error) ||
	    !opening_find_data_key(opening, object, &data_key, error))
		return false;
	/* What opens but is no list is not the request's fault. */
	if (!known_clients_open(data_key, opening->opener->configuration.fleet, buffer_view(&sealed), &clients, error))
		return opening_blame_content(error);
	message_init(ret_clients, MESSAGE_KNOWN_CLIENTS, 0);
	ret_clients->serial = clients.serial;
	ret_clients->count = clients.count;
	memcpy(ret_clients->clients, clients.clients, sizeof ret_clients->clients);
	return true;
}

bool opening_read_known_clients(struct opening *opening, json_t *request, struct message_known_clients *ret_clients,
				struct error *error)
{
	json_t *object;

	ret_clients->header = (struct message_header){0};
	if (!json_object_get(request, "known_clients"))
		return true;
	return (json_read_object(request, "known_clients", &object, error) && open_list(opening, object, ret_clients, error)) ||
	       error_prefix(error, "known_clients");
}

bool opener_send_known_clients(const struct message_known_clients *clients, struct error *error)
{
	return clients->header.type == 0 || message_send(ROLE_FD_FRONTEND, clients, error) || error_prefix(error, "frontend");
}
