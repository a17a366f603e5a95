/* SPDX-License-Identifier: Apache-2.0 */
/* The slashing table of a fleet, with the operator's own credentials: no signer needs to be up, and none is asked. */
#include "cli/histories_internal.h"

#include "aws/access.h"
#include "cli/operator_credentials.h"
#include "slashing/store_dynamodb.h"

/* The operator can wait longer than a block. */
#define DEADLINE_MS 30000

struct history_table {
	struct credentials credentials;
	struct aws_access access;
};

void history_table_free(struct history_table *table)
{
	if (!table)
		return;
	credentials_done(&table->credentials);
	aws_access_done(&table->access);
	free(table);
}

static struct history_table *new_table(const struct history_place *place, struct error *error)
{
	const struct aws_place where = {place->region, place->host, place->ca};
	struct history_table *table = memory_allocate_zeroed(1, sizeof *table);

	if (credentials_of_operator(place->credentials, &table->credentials, error) &&
	    aws_access_init("dynamodb", &where, &table->access, error))
		return table;
	history_table_free(table);
	return NULL;
}

struct history_source *history_source_of_table(const struct history_place *place, const struct network *network,
					       struct error *error)
{
	struct store_dynamodb_options options = {.table = place->table, .deadline_ms = DEADLINE_MS};
	struct history_source *source;
	struct slashing_store *store;
	struct history_table *table;

	if (!place->region)
		return error_set(error, ERROR_INPUT, "--region: missing; the table is of one"), NULL;
	if (!network->genesis_validators_root_known)
		return error_set(error, ERROR_INPUT, "--network: a table is of a network whose genesis validators root is known"),
		       NULL;
	table = new_table(place, error);
	if (!table)
		return NULL;
	options.endpoint = table->access.endpoint;
	options.credentials = &table->credentials;
	store = slashing_store_open_dynamodb(&options, error);
	if (!store) {
		history_table_free(table);
		return NULL;
	}
	slashing_store_use_root(store, network->genesis_validators_root);
	source = history_source_of_store(store);
	source->table = table;
	return source;
}
