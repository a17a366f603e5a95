/* SPDX-License-Identifier: Apache-2.0 */
#include "store_place_dynamodb.h"

#include <unistd.h>

int make_place(void **state)
{
	static unsigned tables;
	struct place *place = (struct place *)memory_allocate_zeroed(1, sizeof *place);

	if (!dynamodb_server_init(&place->server))
		return -1;
	(void)snprintf(place->table, sizeof place->table, "SlashingProtection-%ld-%u", (long)getpid(), tables++);
	place->options = (struct store_dynamodb_options){
		.endpoint = place->server.endpoint,
		.credentials = &place->server.credentials,
		.table = place->table,
	};
	dynamodb_server_create_table(&place->server, place->table, "pubkey", "S", NULL);
	*state = place;
	return 0;
}

int remove_place(void **state)
{
	struct place *place = (struct place *)*state;

	dynamodb_server_delete_table(&place->server, place->table);
	dynamodb_server_done(&place->server);
	free(place);
	return 0;
}

struct slashing_store *open_store(const struct place *place)
{
	struct error error = {0};
	struct slashing_store *store = slashing_store_open_dynamodb(&place->options, &error);

	assert_ok(store != NULL, &error);
	return store;
}
