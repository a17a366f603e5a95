/* SPDX-License-Identifier: Apache-2.0 */
#include "host/tables.h"

#include "base/file.h"

bool host_tables_read_keys(const struct settings *settings, struct key_rows *ret_rows, struct error *error)
{
	AUTO_KEY_TABLE struct key_table *table = NULL;

	if (!file_exists(settings->key_table))
		return error_set(error, ERROR_NOT_FOUND, "key table: %s does not exist", settings->key_table);
	table = key_table_open_sqlite(settings->key_table, error);
	if (!table || !key_table_list(table, settings->web3signer_uuid, true, ret_rows, error))
		return error_prefix(error, "%s", settings->key_table);
	return true;
}

bool host_tables_read_tls(const struct settings *settings, struct tls_row *ret_row, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = NULL;

	if (!file_exists(settings->tls_table))
		return error_set(error, ERROR_NOT_FOUND, "TLS table: %s does not exist", settings->tls_table);
	table = tls_table_open_sqlite(settings->tls_table, error);
	if (!table || !tls_table_get(table, TLS_TABLE_KEY_ID, ret_row, error))
		return error_prefix(error, "%s", settings->tls_table);
	return true;
}
