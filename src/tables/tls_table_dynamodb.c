/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/tls_table_dynamodb.h"

#include "net/deadline.h"
#include "tables/dynamodb_table.h"
#include "tables/tls_table_backend.h"

struct dynamodb_tls_table {
	struct tls_table base;
	struct dynamodb_table table;
};

static const struct column {
	const char *name;
	size_t offset;  /* of the char * in struct tls_row */
	bool is_wanted; /* of the identity; what is not is a companion of it */
} columns[] = {
	{"encrypted_tls_key_b64", offsetof(struct tls_row, encrypted_tls_key_b64), true},
	{"cert_pem", offsetof(struct tls_row, cert_pem), true},
	{"known_clients_sealed_b64", offsetof(struct tls_row, known_clients_sealed_b64), false},
	{"known_clients_data_key_b64", offsetof(struct tls_row, known_clients_data_key_b64), false},
	{"slashing_credentials_b64", offsetof(struct tls_row, slashing_credentials_b64), false},
};

/* As dynamodb_update() calls the first two columns. */
#define NO_IDENTITY "attribute_not_exists(#0) AND attribute_not_exists(#1)"

static struct dynamodb_table *table_of(struct tls_table *base)
{
	return &((struct dynamodb_tls_table *)base)->table;
}

static char **text_of(struct tls_row *row, const struct column *column)
{
	return (char **)(void *)((char *)row + column->offset);
}

static const char *value_of(const struct tls_row *row, const struct column *column)
{
	return *(char *const *)(const void *)((const char *)row + column->offset);
}

static json_t *key_of(uint64_t key_id)
{
	return json_pack("{s:o}", "key_id", dynamodb_number(key_id));
}

static bool read_columns(json_t *item, struct tls_row *row, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		char **text = text_of(row, &columns[i]);

		if (!dynamodb_table_copy_text(item, columns[i].name, TLS_TABLE_DYNAMODB_TEXT_MAX_SIZE, text, error))
			return false;
		if (!*text && columns[i].is_wanted)
			return error_set(error, ERROR_PEER, "%s: missing", columns[i].name);
	}
	return true;
}

static bool get(struct tls_table *base, uint64_t key_id, struct tls_row *ret_row, struct error *error)
{
	const struct dynamodb_table *table = table_of(base);
	CLEANUP(dynamodb_item_done) struct dynamodb_item item = {.request = key_of(key_id)};

	if (!dynamodb_read(table->client, table->name, &item, 1, deadline_after(table->deadline_ms), error))
		return false;
	if (!item.found)
		return error_set(error, ERROR_NOT_FOUND, "key_id %llu: is not there", (unsigned long long)key_id);
	ret_row->key_id = key_id;
	if (read_columns(item.found, ret_row, error))
		return true;
	/* DynamoDB gave what somebody wrote: it is the row that is at fault. */
	if (error)
		error->code = ERROR_INPUT;
	return error_prefix(error, "key_id %llu", (unsigned long long)key_id);
}

static bool check_sizes(const struct tls_row *row, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		const char *text = value_of(row, &columns[i]);

		if (text && strlen(text) > TLS_TABLE_DYNAMODB_TEXT_MAX_SIZE)
			return error_set(error, ERROR_INPUT, "%s: %zu bytes, at most %d are allowed", columns[i].name, strlen(text),
					 TLS_TABLE_DYNAMODB_TEXT_MAX_SIZE);
	}
	return true;
}

static bool put(struct tls_table *base, const struct tls_row *row, struct error *error)
{
	const struct dynamodb_table *table = table_of(base);
	CLEANUP(dynamodb_item_done) struct dynamodb_item item = {0};
	struct dynamodb_attribute values[ARRAY_SIZE(columns)];

	if (!check_sizes(row, error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		values[i] = (struct dynamodb_attribute){columns[i].name, dynamodb_table_text(value_of(row, &columns[i]))};
	item.request = dynamodb_update(table->name, key_of(row->key_id), values, ARRAY_SIZE(columns), NULL);
	return dynamodb_write(table->client, &item, 1, deadline_after(table->deadline_ms), error);
}

/* Of one kind of columns; `condition` NULL: in any case. *ret_done false: it does not hold. */
static bool put_some(struct tls_table *base, const struct tls_row *row, bool of_identity, const char *condition, bool *ret_done,
		     struct error *error)
{
	const struct dynamodb_table *table = table_of(base);
	CLEANUP(dynamodb_item_done) struct dynamodb_item item = {0};
	struct dynamodb_attribute values[ARRAY_SIZE(columns)];
	size_t count = 0;

	if (!check_sizes(row, error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		if (columns[i].is_wanted == of_identity)
			values[count++] =
				(struct dynamodb_attribute){columns[i].name, dynamodb_table_text(value_of(row, &columns[i]))};
	}
	item.request = dynamodb_update(table->name, key_of(row->key_id), values, count, condition);
	/* A transaction is applied once, however often it is sent: its own first attempt does not make it refused. */
	if (!dynamodb_transact(table->client, &item, 1, deadline_after(table->deadline_ms), error))
		return false;
	*ret_done = item.fate == DYNAMODB_DONE;
	return true;
}

static bool put_identity(struct tls_table *base, const struct tls_row *row, bool replaces, bool *ret_done, struct error *error)
{
	return put_some(base, row, true, replaces ? NULL : NO_IDENTITY, ret_done, error);
}

static bool put_companions(struct tls_table *base, const struct tls_row *row, bool *ret_found, struct error *error)
{
	return put_some(base, row, false, "attribute_exists(key_id)", ret_found, error);
}

static void free_table(struct tls_table *base)
{
	dynamodb_table_done(table_of(base));
	free(base);
}

struct tls_table *tls_table_open_dynamodb(const struct tls_table_dynamodb_options *options, struct error *error)
{
	static const struct tls_table_operations operations = {get, put, put_identity, put_companions, free_table};
	struct dynamodb_tls_table *table = (struct dynamodb_tls_table *)memory_allocate_zeroed(1, sizeof *table);

	table->base.operations = &operations;
	if (dynamodb_table_init(&table->table, &options->endpoint, options->credentials,
				options->table ? options->table : TLS_TABLE_DYNAMODB_TABLE, options->deadline_ms, error))
		return &table->base;
	free(table);
	return error_prefix(error, "TLS table"), NULL;
}
