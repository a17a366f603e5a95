/* SPDX-License-Identifier: Apache-2.0 */
#include "table_place_dynamodb.h"

#include <unistd.h>

int make_place(void **state)
{
	static unsigned places;
	struct place *place = (struct place *)memory_allocate_zeroed(1, sizeof *place);

	if (!dynamodb_server_init(&place->server))
		return -1;
	(void)snprintf(place->key_table, sizeof place->key_table, "ValidatorKeys-%ld-%u", (long)getpid(), places);
	(void)snprintf(place->tls_table, sizeof place->tls_table, "TLSKeys-%ld-%u", (long)getpid(), places++);
	place->key_options = (struct key_table_dynamodb_options){
		.endpoint = place->server.endpoint, .credentials = &place->server.credentials, .table = place->key_table};
	place->tls_options = (struct tls_table_dynamodb_options){
		.endpoint = place->server.endpoint, .credentials = &place->server.credentials, .table = place->tls_table};
	dynamodb_server_create_table(&place->server, place->key_table, "web3signer_uuid", "S", "pubkey");
	dynamodb_server_create_table(&place->server, place->tls_table, "key_id", "N", NULL);
	*state = place;
	return 0;
}

int remove_place(void **state)
{
	struct place *place = (struct place *)*state;

	dynamodb_server_delete_table(&place->server, place->key_table);
	dynamodb_server_delete_table(&place->server, place->tls_table);
	dynamodb_server_done(&place->server);
	free(place);
	return 0;
}

struct key_table *open_key_table(const struct place *place)
{
	struct error error = {0};
	struct key_table *table = key_table_open_dynamodb(&place->key_options, &error);

	assert_ok(table != NULL, &error);
	return table;
}

struct tls_table *open_tls_table(const struct place *place)
{
	struct error error = {0};
	struct tls_table *table = tls_table_open_dynamodb(&place->tls_options, &error);

	assert_ok(table != NULL, &error);
	return table;
}

void put_item(const struct place *place, const char *table, json_t *item)
{
	json_decref(dynamodb_server_call(&place->server, "PutItem", json_pack("{s:s,s:o}", "TableName", table, "Item", item)));
}

json_t *get_item(const struct place *place, const char *table, json_t *key)
{
	AUTO_JSON json_t *answer = dynamodb_server_call(
		&place->server, "GetItem", json_pack("{s:s,s:o,s:b}", "TableName", table, "Key", key, "ConsistentRead", 1));

	return json_incref(json_object_get(answer, "Item"));
}
