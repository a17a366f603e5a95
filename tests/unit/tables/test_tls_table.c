/* SPDX-License-Identifier: Apache-2.0 */
#include "table_place.h"

static void put(struct tls_table *table, uint64_t key_id, const char *encrypted, const char *cert_pem)
{
	AUTO_TLS_ROW struct tls_row row = {
		.key_id = key_id, .encrypted_tls_key_b64 = memory_copy_text(encrypted), .cert_pem = memory_copy_text(cert_pem)};
	struct error error = {0};

	assert_ok(tls_table_put(table, &row, &error), &error);
}

static void assert_row(struct tls_table *table, uint64_t key_id, const char *encrypted, const char *cert_pem)
{
	AUTO_TLS_ROW struct tls_row row = {0};
	struct error error = {0};

	assert_ok(tls_table_get(table, key_id, &row, &error), &error);
	assert_int_equal(row.key_id, key_id);
	assert_string_equal(row.encrypted_tls_key_b64, encrypted);
	assert_string_equal(row.cert_pem, cert_pem);
}

static void keeps_and_replaces_rows(void **state)
{
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(*state);

	put(table, TLS_TABLE_KEY_ID, "encrypted", "pem");
	put(table, 2, "second", "");
	assert_row(table, TLS_TABLE_KEY_ID, "encrypted", "pem");
	put(table, TLS_TABLE_KEY_ID, "renewed", "new pem");
	tls_table_done(&table);
	table = open_tls_table(*state);
	assert_row(table, TLS_TABLE_KEY_ID, "renewed", "new pem");
	assert_row(table, 2, "second", "");
}

static void says_what_is_not_there(void **state)
{
	static const uint64_t ids[] = {0, 2, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX};
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(*state);

	put(table, TLS_TABLE_KEY_ID, "encrypted", "pem");
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++) {
		AUTO_TLS_ROW struct tls_row row = {0};
		struct error error = {0};

		assert_false(tls_table_get(table, ids[i], &row, &error));
		assert_int_equal(error.code, ERROR_NOT_FOUND);
		assert_null(row.cert_pem);
	}
}

static void refuses_incomplete_rows(void **state)
{
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(*state);
	char text[] = "text";
	const struct tls_row rows[] = {{.key_id = 1, .cert_pem = text},
				       {.key_id = 1, .encrypted_tls_key_b64 = text},
				       {.key_id = UINT64_MAX, .encrypted_tls_key_b64 = text, .cert_pem = text},
				       {1, text, text, text, NULL},
				       {1, text, text, NULL, text}};
	static const char *const messages[] = {"encrypted_tls_key_b64: missing", "cert_pem: missing", "key_id: too large",
					       "known_clients_data_key_b64: missing", "known_clients_sealed_b64: missing"};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error error = {0};

		assert_false(tls_table_put(table, &rows[i], &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, messages[i]);
	}
	for (uint64_t key_id = 0; key_id < 3; key_id++) {
		AUTO_TLS_ROW struct tls_row row = {0};
		struct error error = {0};

		assert_false(tls_table_get(table, key_id, &row, &error));
		assert_int_equal(error.code, ERROR_NOT_FOUND);
	}
}

static void keeps_what_may_be_absent(void **state)
{
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(*state);
	AUTO_TLS_ROW struct tls_row row = {0};
	struct error error = {0};

	put(table, 1, "encrypted", "pem");
	assert_ok(tls_table_get(table, 1, &row, &error), &error);
	assert_null(row.known_clients_sealed_b64);
	assert_null(row.known_clients_data_key_b64);
	row.known_clients_sealed_b64 = memory_copy_text("sealed");
	row.known_clients_data_key_b64 = memory_copy_text("wrapped");
	row.slashing_credentials_b64 = memory_copy_text("credentials");
	assert_ok(tls_table_put(table, &row, &error), &error);
	tls_row_done(&row);
	assert_ok(tls_table_get(table, 1, &row, &error), &error);
	assert_string_equal(row.known_clients_sealed_b64, "sealed");
	assert_string_equal(row.known_clients_data_key_b64, "wrapped");
	assert_string_equal(row.slashing_credentials_b64, "credentials");
	/* The row is replaced whole. */
	put(table, 1, "again", "pem");
	tls_row_done(&row);
	assert_ok(tls_table_get(table, 1, &row, &error), &error);
	assert_string_equal(row.encrypted_tls_key_b64, "again");
	assert_null(row.known_clients_sealed_b64);
	assert_null(row.known_clients_data_key_b64);
	assert_null(row.slashing_credentials_b64);
}

static void put_identity_keeps_the_rest(void **state)
{
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(*state);
	AUTO_TLS_ROW struct tls_row row = {.key_id = 1,
					   .encrypted_tls_key_b64 = memory_copy_text("encrypted"),
					   .cert_pem = memory_copy_text("pem"),
					   .known_clients_sealed_b64 = memory_copy_text("sealed"),
					   .known_clients_data_key_b64 = memory_copy_text("wrapped"),
					   .slashing_credentials_b64 = memory_copy_text("credentials")};
	char renewed[] = "renewed", new_pem[] = "new pem";
	const struct tls_row identity = {.key_id = 1, .encrypted_tls_key_b64 = renewed, .cert_pem = new_pem};
	struct error error = {0};

	assert_ok(tls_table_put(table, &row, &error), &error);
	assert_ok(tls_table_put_identity(table, &identity, &error), &error);
	tls_row_done(&row);
	assert_row(table, 1, "renewed", "new pem");
	assert_ok(tls_table_get(table, 1, &row, &error), &error);
	assert_string_equal(row.known_clients_sealed_b64, "sealed");
	assert_string_equal(row.known_clients_data_key_b64, "wrapped");
	assert_string_equal(row.slashing_credentials_b64, "credentials");
}

static void put_companions_keeps_the_identity(void **state)
{
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(*state);
	AUTO_TLS_ROW struct tls_row row = {0};
	char sealed[] = "sealed", wrapped[] = "wrapped";
	struct tls_row beside = {.key_id = 1, .known_clients_sealed_b64 = sealed};
	struct error error = {0};

	put(table, 1, "encrypted", "pem");
	assert_false(tls_table_put_companions(table, &beside, &error));
	assert_message_contains(&error, "known_clients_data_key_b64: missing");
	beside.known_clients_data_key_b64 = wrapped;
	assert_ok(tls_table_put_companions(table, &beside, &error), &error);
	assert_row(table, 1, "encrypted", "pem");
	assert_ok(tls_table_get(table, 1, &row, &error), &error);
	assert_string_equal(row.known_clients_sealed_b64, "sealed");
	assert_null(row.slashing_credentials_b64);
	tls_row_done(&row);
	beside = (struct tls_row){.key_id = 1, .slashing_credentials_b64 = sealed};
	assert_ok(tls_table_put_companions(table, &beside, &error), &error);
	assert_ok(tls_table_get(table, 1, &row, &error), &error);
	assert_null(row.known_clients_sealed_b64);
	assert_string_equal(row.slashing_credentials_b64, "sealed");
	assert_string_equal(row.encrypted_tls_key_b64, "encrypted");
	/* Nothing is made where nothing is. */
	beside.key_id = 7;
	assert_false(tls_table_put_companions(table, &beside, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	tls_row_done(&row);
	assert_false(tls_table_get(table, 7, &row, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
}

static void add_identity_never_replaces(void **state)
{
	AUTO_TLS_TABLE struct tls_table *table = open_tls_table(*state);
	AUTO_TLS_TABLE struct tls_table *other = open_tls_table(*state);
	char one[] = "one", pem[] = "pem", two[] = "two";
	const struct tls_row first = {.key_id = 1, .encrypted_tls_key_b64 = one, .cert_pem = pem};
	const struct tls_row second = {.key_id = 1, .encrypted_tls_key_b64 = two, .cert_pem = pem};
	const struct tls_row incomplete = {.key_id = 2, .encrypted_tls_key_b64 = two};
	struct error error = {0};
	bool added = false;

	assert_ok(tls_table_add_identity(table, &first, &added, &error), &error);
	assert_true(added);
	assert_ok(tls_table_add_identity(other, &second, &added, &error), &error);
	assert_false(added);
	assert_row(table, 1, "one", "pem");
	/* Not even by the same. */
	assert_ok(tls_table_add_identity(table, &first, &added, &error), &error);
	assert_false(added);
	assert_false(tls_table_add_identity(table, &incomplete, &added, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_ok(tls_table_put_identity(other, &second, &error), &error);
	assert_row(table, 1, "two", "pem");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(keeps_and_replaces_rows),     WITH_PLACE(says_what_is_not_there),
		WITH_PLACE(refuses_incomplete_rows),     WITH_PLACE(keeps_what_may_be_absent),
		WITH_PLACE(put_identity_keeps_the_rest), WITH_PLACE(put_companions_keeps_the_identity),
		WITH_PLACE(add_identity_never_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
