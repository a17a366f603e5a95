/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/key_table_dynamodb.h"

#include "net/deadline.h"
#include "tables/dynamodb_table.h"
#include "tables/key_item.h"
#include "tables/key_table_backend.h"

_Static_assert(KEY_TABLE_DYNAMODB_ALL_MAX <= DYNAMODB_TRANSACTION_MAX, "a transaction has room for them");

/* Without a filter there are none, as far as is known; a table of nothing else must come to an end. */
#define EMPTY_PAGES_MAX 16

struct dynamodb_key_table {
	struct key_table base;
	struct dynamodb_table table;
};

static struct dynamodb_table *table_of(struct key_table *base)
{
	return &((struct dynamodb_key_table *)base)->table;
}

/* ---- listing ---- */

struct listing {
	const char *web3signer_uuid;
	bool only_active;
	struct key_rows *rows;
	size_t capacity;
	size_t seen; /* active or not */
	size_t empty_pages;
	char *last; /* pubkey, whatever it is; NULL: none yet */
};

static void listing_done(struct listing *listing)
{
	free(listing->last);
}

/* Whatever answers, no key comes twice and there is an end. */
static bool check_order(struct listing *listing, json_t *item, struct error *error)
{
	const char *pubkey;

	if (++listing->seen > KEY_TABLE_ROWS_MAX)
		return error_set(error, ERROR_INPUT, "more than %d keys", KEY_TABLE_ROWS_MAX);
	if (!dynamodb_read_text(item, "pubkey", &pubkey, error))
		return false;
	if (!pubkey)
		return error_set(error, ERROR_PEER, "a row without pubkey");
	if (listing->last && strcmp(pubkey, listing->last) <= 0)
		return error_set(error, ERROR_PEER, "pubkey %.*s: comes out of order", KEY_TABLE_PUBKEY_SIZE, pubkey);
	free(listing->last);
	listing->last = memory_copy_text(pubkey);
	return true;
}

static bool take_item(struct listing *listing, json_t *item, struct error *error)
{
	AUTO_KEY_ROW struct key_row row = {0};
	struct error problem;
	bool is_whole;

	if (!check_order(listing, item, error))
		return false;
	is_whole = key_item_read(item, listing->web3signer_uuid, &row, &problem);
	if (listing->only_active && !row.active)
		return true;
	if (is_whole)
		return key_rows_append(listing->rows, &listing->capacity, &row, error);
	key_rows_append_problem(listing->rows, row.pubkey, &problem);
	return true;
}

static bool take_page(struct listing *listing, json_t *page, struct error *error)
{
	json_t *items = json_object_get(page, "Items");
	json_t *item;
	size_t i;

	if (json_array_size(items) == 0 && ++listing->empty_pages > EMPTY_PAGES_MAX)
		return error_set(error, ERROR_PEER, "%d empty pages", EMPTY_PAGES_MAX);
	json_array_foreach(items, i, item)
	{
		if (!take_item(listing, item, error))
			return false;
	}
	return true;
}

static bool list(struct key_table *base, const char *web3signer_uuid, bool only_active, struct key_rows *ret_rows,
		 struct error *error)
{
	const struct dynamodb_table *table = table_of(base);
	AUTO_JSON json_t *uuid = dynamodb_text(web3signer_uuid);
	const struct dynamodb_query query = {.table = table->name, .key_name = "web3signer_uuid", .key_value = uuid};
	CLEANUP(listing_done)
	struct listing listing = {.web3signer_uuid = web3signer_uuid, .only_active = only_active, .rows = ret_rows};
	AUTO_JSON json_t *after = NULL;

	do {
		AUTO_JSON json_t *page = dynamodb_query(table->client, &query, after, deadline_after(table->deadline_ms), error);

		if (!page || !take_page(&listing, page, error))
			return false;
		json_decref(after);
		after = json_incref(json_object_get(page, "LastEvaluatedKey"));
	} while (after);
	return true;
}

/* ---- writing ---- */

struct items {
	struct dynamodb_item items[KEY_TABLE_DYNAMODB_ALL_MAX];
	size_t count;
};

static void items_done(struct items *items)
{
	for (size_t i = 0; i < items->count; i++)
		dynamodb_item_done(&items->items[i]);
}

/* One transaction. *ret_refused: the place of the first whose condition does not hold; items->count: none, it is done. */
static bool transact(const struct dynamodb_table *table, struct items *items, size_t *ret_refused, struct error *error)
{
	size_t i = 0;

	if (!dynamodb_transact(table->client, items->items, items->count, deadline_after(table->deadline_ms), error))
		return false;
	while (i < items->count && items->items[i].fate != DYNAMODB_REFUSED)
		i++;
	*ret_refused = i;
	return true;
}

/* What is done with each of the rows. */
typedef json_t *item_maker(const char *table, const struct key_row *row);

static json_t *put_new(const char *table, const struct key_row *row)
{
	return key_item_put(table, row, false);
}

static json_t *put_over(const char *table, const struct key_row *row)
{
	return key_item_put(table, row, true);
}

static bool transact_rows(const struct dynamodb_table *table, const struct key_row *const *rows, size_t count, item_maker *make,
			  struct error *error)
{
	CLEANUP(items_done) struct items items = {.count = count};
	size_t refused;

	for (size_t i = 0; i < count; i++)
		items.items[i].request = make(table->name, rows[i]);
	if (!transact(table, &items, &refused, error))
		return false;
	return refused == count || error_set(error, ERROR_INPUT, "pubkey %s: is there already", rows[refused]->pubkey);
}

/* *ret_done counts the rows of the transactions that went well. */
static bool transact_all(const struct dynamodb_table *table, const struct key_row *const *rows, size_t count, item_maker *make,
			 size_t *ret_done, struct error *error)
{
	for (size_t done = 0; done < count;) {
		size_t left = count - done;
		size_t size = left < KEY_TABLE_DYNAMODB_ALL_MAX ? left : KEY_TABLE_DYNAMODB_ALL_MAX;

		*ret_done = done;
		if (!transact_rows(table, rows + done, size, make, error))
			return false;
		done += size;
	}
	return true;
}

static int compare_keys(const struct key_row *a, const struct key_row *b)
{
	int order = strcmp(a->web3signer_uuid, b->web3signer_uuid);

	return order ? order : strcmp(a->pubkey, b->pubkey);
}

/* Rows of one key in the order in which they were given. */
static int compare_rows(const void *a, const void *b)
{
	const struct key_row *first = *(const struct key_row *const *)a;
	const struct key_row *second = *(const struct key_row *const *)b;
	int order = compare_keys(first, second);

	return order ? order : (first > second) - (first < second);
}

/* A transaction takes each item once: of rows of one key the last is kept. */
static bool sort_rows(const struct key_row *rows, size_t count, bool replace, const struct key_row **sorted, size_t *ret_count,
		      struct error *error)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		sorted[i] = &rows[i];
	if (count > 0)
		qsort(sorted, count, sizeof(const struct key_row *), compare_rows);
	for (size_t i = 0; i < count; i++) {
		bool is_twice = kept > 0 && compare_keys(sorted[kept - 1], sorted[i]) == 0;

		if (is_twice && !replace)
			return error_set(error, ERROR_INPUT, "pubkey %s: is put twice", sorted[i]->pubkey);
		kept -= is_twice;
		sorted[kept++] = sorted[i];
	}
	*ret_count = kept;
	return true;
}

static bool put(struct key_table *base, const struct key_row *rows, size_t count, bool replace, struct error *error)
{
	const struct dynamodb_table *table = table_of(base);
	AUTO_FREE const struct key_row **sorted =
		(const struct key_row **)memory_allocate_zeroed(count + 1, sizeof(const struct key_row *));
	size_t done = 0;

	if (!sort_rows(rows, count, replace, sorted, &count, error))
		return false;
	if (!replace && count > KEY_TABLE_DYNAMODB_ALL_MAX &&
	    !transact_all(table, sorted, count, key_item_expect_none, &done, error))
		return false;
	if (transact_all(table, sorted, count, replace ? put_over : put_new, &done, error))
		return true;
	return done == 0 ? false : error_prefix(error, "the first %zu of %zu rows are put, then", done, count);
}

/* A write that was applied and is sent again is refused by its own condition: what is there tells. */
static bool is_resealed(const struct dynamodb_item *item, const struct key_reseal *reseal)
{
	struct error ignored;
	const char *sealed;

	if (item->fate != DYNAMODB_REFUSED)
		return item->fate == DYNAMODB_DONE;
	return item->found && dynamodb_read_text(item->found, "sealed_key_b64", &sealed, &ignored) && sealed &&
	       strcmp(sealed, reseal->sealed_key_b64) == 0;
}

static bool reseal(struct key_table *base, struct key_reseal *reseals, size_t count, struct error *error)
{
	const struct dynamodb_table *table = table_of(base);

	for (size_t done = 0; done < count;) {
		size_t size = count - done < KEY_TABLE_DYNAMODB_ALL_MAX ? count - done : KEY_TABLE_DYNAMODB_ALL_MAX;
		CLEANUP(items_done) struct items items = {.count = size};
		bool ok;

		for (size_t i = 0; i < size; i++)
			items.items[i].request = key_item_reseal(table->name, &reseals[done + i]);
		ok = dynamodb_write(table->client, items.items, size, deadline_after(table->deadline_ms), error);
		for (size_t i = 0; i < size; i++)
			reseals[done + i].is_done = is_resealed(&items.items[i], &reseals[done + i]);
		if (!ok)
			return false;
		done += size;
	}
	return true;
}

/* `request` is given away. */
static bool change_row(struct key_table *base, json_t *request, const char *pubkey, struct error *error)
{
	CLEANUP(items_done) struct items items = {.items = {{.request = request}}, .count = 1};
	size_t refused;

	if (!transact(table_of(base), &items, &refused, error))
		return error_prefix(error, "pubkey %s", pubkey);
	return refused == items.count || error_set(error, ERROR_NOT_FOUND, "pubkey %s: is not there", pubkey);
}

static bool set_row_active(struct key_table *base, const char *web3signer_uuid, const char *pubkey, bool is_active,
			   struct error *error)
{
	return change_row(base, key_item_set_active(table_of(base)->name, web3signer_uuid, pubkey, is_active), pubkey, error);
}

static bool read_one(const struct dynamodb_table *table, const char *web3signer_uuid, const char *pubkey, struct key_row *ret_row,
		     struct error *error)
{
	CLEANUP(items_done) struct items items = {.items = {{.request = key_item_key(web3signer_uuid, pubkey)}}, .count = 1};

	if (!dynamodb_read(table->client, table->name, items.items, 1, deadline_after(table->deadline_ms), error))
		return false;
	if (!items.items[0].found)
		return error_set(error, ERROR_NOT_FOUND, "pubkey %s: is not there", pubkey);
	return key_item_read(items.items[0].found, web3signer_uuid, ret_row, error) || error_prefix(error, "pubkey %s", pubkey);
}

/* Put there and taken away here in one transaction. */
static bool assign_row(struct key_table *base, const char *web3signer_uuid, const char *pubkey, const char *to_uuid,
		       struct error *error)
{
	const struct dynamodb_table *table = table_of(base);
	CLEANUP(items_done) struct items items = {.count = 2};
	AUTO_KEY_ROW struct key_row row = {0};
	size_t refused;

	if (!read_one(table, web3signer_uuid, pubkey, &row, error))
		return false;
	(void)snprintf(row.web3signer_uuid, sizeof row.web3signer_uuid, "%s", to_uuid);
	items.items[0].request = key_item_put(table->name, &row, false);
	items.items[1].request = key_item_remove(table->name, web3signer_uuid, pubkey);
	if (!transact(table, &items, &refused, error))
		return error_prefix(error, "pubkey %s", pubkey);
	if (refused == 0)
		return error_set(error, ERROR_INPUT, "pubkey %s: %s has it already", pubkey, to_uuid);
	return refused == items.count || error_set(error, ERROR_NOT_FOUND, "pubkey %s: is not there", pubkey);
}

static bool remove_row(struct key_table *base, const char *web3signer_uuid, const char *pubkey, struct error *error)
{
	return change_row(base, key_item_remove(table_of(base)->name, web3signer_uuid, pubkey), pubkey, error);
}

static void free_table(struct key_table *base)
{
	dynamodb_table_done(table_of(base));
	free(base);
}

struct key_table *key_table_open_dynamodb(const struct key_table_dynamodb_options *options, struct error *error)
{
	static const struct key_table_operations operations = {list,       put,        reseal,    set_row_active,
							       assign_row, remove_row, free_table};
	struct dynamodb_key_table *table = (struct dynamodb_key_table *)memory_allocate_zeroed(1, sizeof *table);

	table->base.operations = &operations;
	if (dynamodb_table_init(&table->table, &options->endpoint, options->credentials,
				options->table ? options->table : KEY_TABLE_DYNAMODB_TABLE, options->deadline_ms, error))
		return &table->base;
	free(table);
	return error_prefix(error, "key table"), NULL;
}
