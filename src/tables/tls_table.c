/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/tls_table.h"

#include "tables/tls_table_backend.h"

void tls_row_done(struct tls_row *row)
{
	if (!row)
		return;
	free(row->encrypted_tls_key_b64);
	free(row->cert_pem);
	free(row->known_clients_sealed_b64);
	free(row->known_clients_data_key_b64);
	free(row->slashing_credentials_b64);
	*row = (struct tls_row){0};
}

bool tls_table_get(struct tls_table *table, uint64_t key_id, struct tls_row *ret_row, struct error *error)
{
	AUTO_TLS_ROW struct tls_row row = {0};

	if (!table->operations->get(table, key_id, &row, error))
		return error_prefix(error, "TLS table");
	*ret_row = row;
	row = (struct tls_row){0};
	return true;
}

static bool check_identity(const struct tls_row *row, struct error *error)
{
	/* SQLite's and DynamoDB's numbers are both exact up to here. */
	if (row->key_id > INT64_MAX)
		return error_set(error, ERROR_INPUT, "TLS table: key_id: too large");
	if (!row->encrypted_tls_key_b64 || !row->cert_pem)
		return error_set(error, ERROR_INPUT, "TLS table: %s: missing",
				 row->cert_pem ? "encrypted_tls_key_b64" : "cert_pem");
	return true;
}

static bool check_companions(const struct tls_row *row, struct error *error)
{
	return !row->known_clients_sealed_b64 == !row->known_clients_data_key_b64 ||
	       error_set(error, ERROR_INPUT, "TLS table: %s: missing",
			 row->known_clients_sealed_b64 ? "known_clients_data_key_b64" : "known_clients_sealed_b64");
}

bool tls_table_put(struct tls_table *table, const struct tls_row *row, struct error *error)
{
	return check_identity(row, error) && check_companions(row, error) &&
	       (table->operations->put(table, row, error) || error_prefix(error, "TLS table"));
}

bool tls_table_put_companions(struct tls_table *table, const struct tls_row *row, struct error *error)
{
	bool found;

	if (!check_companions(row, error))
		return false;
	if (!table->operations->put_companions(table, row, &found, error))
		return error_prefix(error, "TLS table");
	return found || error_set(error, ERROR_NOT_FOUND, "TLS table: key_id %llu: is not there", (unsigned long long)row->key_id);
}

bool tls_table_put_identity(struct tls_table *table, const struct tls_row *row, struct error *error)
{
	bool done;

	return check_identity(row, error) &&
	       (table->operations->put_identity(table, row, true, &done, error) || error_prefix(error, "TLS table"));
}

bool tls_table_add_identity(struct tls_table *table, const struct tls_row *row, bool *ret_added, struct error *error)
{
	return check_identity(row, error) &&
	       (table->operations->put_identity(table, row, false, ret_added, error) || error_prefix(error, "TLS table"));
}

void tls_table_free(struct tls_table *table)
{
	if (table)
		table->operations->free(table);
}
