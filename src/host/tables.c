/* SPDX-License-Identifier: Apache-2.0 */
#include "host/tables.h"

#include "base/file.h"
#include "host/instance_credentials.h"
#include "tables/key_table_dynamodb.h"
#include "tables/tls_table_dynamodb.h"

static void access_done(struct host_table_access *borrowed)
{
	aws_access_done(&borrowed->access);
	credentials_done(&borrowed->credentials);
}

static bool gain_access(const struct settings *settings, struct host_table_access *ret_borrowed, struct error *error)
{
	const struct aws_place place = instance_place_of(&settings->dynamodb);

	return aws_access_init("dynamodb", &place, &ret_borrowed->access, error) &&
	       instance_credentials_read(settings, &ret_borrowed->credentials, error);
}

static bool check_file(const char *what, const char *path, struct error *error)
{
	return file_exists(path) || error_set(error, ERROR_NOT_FOUND, "%s: does not exist", what);
}

/* ---- keys ---- */

void host_key_table_done(struct host_key_table *table)
{
	key_table_free(table->table);
	access_done(&table->borrowed);
}

static struct key_table *open_keys(const struct settings *settings, struct host_table_access *borrowed, struct error *error)
{
	const char *name = settings->key_table.name;
	struct key_table_dynamodb_options options = {.table = name};

	if (!settings->key_table.is_dynamodb)
		return check_file("key table", name, error) ? key_table_open_sqlite(name, error) : NULL;
	if (!gain_access(settings, borrowed, error))
		return NULL;
	options.endpoint = borrowed->access.endpoint;
	options.credentials = &borrowed->credentials;
	return key_table_open_dynamodb(&options, error);
}

bool host_key_table_open(const struct settings *settings, struct host_key_table *ret_table, struct error *error)
{
	ret_table->table = open_keys(settings, &ret_table->borrowed, error);
	return ret_table->table != NULL;
}

bool host_tables_read_keys(const struct settings *settings, struct key_rows *ret_rows, struct error *error)
{
	AUTO_HOST_KEY_TABLE struct host_key_table table = {0};

	return (host_key_table_open(settings, &table, error) &&
		key_table_list(table.table, settings->web3signer_uuid, true, ret_rows, error)) ||
	       error_prefix(error, "%s", settings->key_table.name);
}

/* ---- TLS ---- */

static struct tls_table *open_tls(const struct settings *settings, struct host_table_access *borrowed, struct error *error)
{
	const char *name = settings->tls_table.name;
	struct tls_table_dynamodb_options options = {.table = name};

	if (!settings->tls_table.is_dynamodb)
		return check_file("TLS table", name, error) ? tls_table_open_sqlite(name, error) : NULL;
	if (!gain_access(settings, borrowed, error))
		return NULL;
	options.endpoint = borrowed->access.endpoint;
	options.credentials = &borrowed->credentials;
	return tls_table_open_dynamodb(&options, error);
}

bool host_tables_read_tls(const struct settings *settings, struct tls_row *ret_row, struct error *error)
{
	CLEANUP(access_done) struct host_table_access borrowed = {0};
	AUTO_TLS_TABLE struct tls_table *table = open_tls(settings, &borrowed, error);

	return (table && tls_table_get(table, TLS_TABLE_KEY_ID, ret_row, error)) ||
	       error_prefix(error, "%s", settings->tls_table.name);
}
