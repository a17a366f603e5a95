/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/known_clients.h"

#include "vectors.h"

#define FP "DD9B9D7A0F7E2C5AC3D04A9B0E1D7B3F5C8A6E2D1F0B4C7A9E8D3C2B1A0F9E8D"
#define FP_COLONS "dd:9b:9d:7a:0f:7e:2c:5a:c3:d0:4a:9b:0e:1d:7b:3f:5c:8a:6e:2d:1f:0b:4c:7a:9e:8d:3c:2b:1a:0f:9e:8d"
#define OTHER "0000000000000000000000000000000000000000000000000000000000000001"
#define NAME_64 "0123456789012345678901234567890123456789012345678901234567890123"

static const uint8_t data_key[32] = {1, 2, 3};

static struct known_clients clients;
static struct known_clients again;

static int prepare(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

static void files_are_read(void **state)
{
	static const char text[] = "# validator clients\n"
				   "\n"
				   "vc-1 " FP "\r\n"
				   "  vc 2\t" FP_COLONS "  \n"
				   "   # indented\n"
				   "J\xc3\xbcrgen " OTHER "\n"
				   "vc-1 " OTHER "\n"
				   "vc-1 " FP_COLONS "\n" /* once more: the same */
		NAME_64 " " FP;
	struct error error;

	(void)state;
	clients.serial = 7;
	assert_ok(known_clients_parse(view_of_text(text), &clients, &error), &error);
	assert_int_equal(clients.serial, 7);
	assert_int_equal(clients.count, 5);
	/* sorted */
	assert_string_equal(clients.clients[0].common_name, NAME_64);
	assert_string_equal(clients.clients[1].common_name, "J\xc3\xbcrgen");
	assert_string_equal(clients.clients[2].common_name, "vc 2");
	assert_string_equal(clients.clients[3].common_name, "vc-1");
	assert_string_equal(clients.clients[4].common_name, "vc-1");
	assert_memory_equal(clients.clients[0].fingerprint, clients.clients[2].fingerprint, 32);
	assert_memory_equal(clients.clients[0].fingerprint, clients.clients[4].fingerprint, 32);
	assert_int_equal(clients.clients[0].fingerprint[0], 0xdd);
	assert_int_equal(clients.clients[1].fingerprint[31], 1);
	assert_int_equal(clients.clients[3].fingerprint[31], 1);
	assert_ok(known_clients_parse(view_of(NULL, 0), &clients, &error), &error);
	assert_int_equal(clients.count, 0);
}

static void mistakes_name_their_line(void **state)
{
	static const struct {
		struct view text;
		const char *message;
	} cases[] = {
#define TEXT(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
		{TEXT("# x\nvc-1\n"), "line 2: not a common name and a fingerprint"},
		{TEXT(FP "\n"), "line 1: not a common name"},
		{TEXT("vc " FP "\nvc " FP "00\n"), "line 2: the fingerprint"},
		{TEXT("vc dd9b\n"), "line 1: the fingerprint"},
		{TEXT("vc 0x" OTHER "\n"), "line 1: the fingerprint"},
		{TEXT("vc zz" FP_COLONS "\n"), "line 1: the fingerprint"},
		{TEXT("vc dd9b:9d:7a:0f:7e:2c:5a:c3:d0:4a:9b:0e:1d:7b:3f:5c:8a:6e:2d:1f:0b:4c:7a:9e:8d:3c:2b:1a:0f:9e:8d:\n"),
		 "line 1: the fingerprint"},
		{TEXT("\n\n" NAME_64 "x " FP), "line 3: the common name has 65 bytes"},
		{TEXT("v\0c " FP), "line 1: the common name"},
		{TEXT("v\x1b[31mc " FP), "line 1: the common name"},
	};
	struct error error;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (known_clients_parse(cases[i].text, &clients, &error))
			fail_msg("case %zu was taken", i);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

static void fill(struct buffer *text, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		buffer_append_format(text, "vc-%u " FP "\n", i);
}

static void there_are_not_too_many(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct error error;

	(void)state;
	fill(&text, KNOWN_CLIENTS_MAX);
	assert_ok(known_clients_parse(buffer_view(&text), &clients, &error), &error);
	fill(&text, KNOWN_CLIENTS_MAX + 1);
	assert_false(known_clients_parse(buffer_view(&text), &clients, &error));
	assert_message_contains(&error, "line 513: more than 256 clients");
	while (text.size <= KNOWN_CLIENTS_FILE_MAX_SIZE)
		buffer_append_byte(&text, '\n');
	assert_false(known_clients_parse(buffer_view(&text), &clients, &error));
	assert_message_contains(&error, "more than 131072 bytes");
}

static void sealed_lists_open(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct error error;

	(void)state;
	for (unsigned count = 0; count <= KNOWN_CLIENTS_MAX; count += KNOWN_CLIENTS_MAX / 2) {
		AUTO_BUFFER struct buffer sealed = {0};

		buffer_clear(&text);
		fill(&text, count);
		clients.serial = 0x0102030405060708 + count;
		assert_ok(known_clients_parse(buffer_view(&text), &clients, &error), &error);
		assert_ok(known_clients_seal(view_of(data_key, 32), "fleet", &clients, &sealed, &error), &error);
		assert_true(sealed.size <= KNOWN_CLIENTS_SEALED_MAX_SIZE);
		assert_ok(known_clients_open(view_of(data_key, 32), "fleet", buffer_view(&sealed), &again, &error), &error);
		assert_memory_equal(&again, &clients, sizeof clients);
	}
}

static void others_do_not_open(void **state)
{
	static const uint8_t other_key[32] = {9};
	AUTO_BUFFER struct buffer sealed = {0};
	struct error error;

	(void)state;
	assert_ok(known_clients_parse(view_of_text("vc " FP), &clients, &error), &error);
	assert_ok(known_clients_seal(view_of(data_key, 32), "fleet", &clients, &sealed, &error), &error);
	assert_false(known_clients_open(view_of(other_key, 32), "fleet", buffer_view(&sealed), &again, &error));
	assert_int_equal(error.code, ERROR_CRYPTO);
	assert_false(known_clients_open(view_of(data_key, 32), "fleet2", buffer_view(&sealed), &again, &error));
	for (size_t i = 0; i < sealed.size; i++) {
		sealed.data[i] ^= 1;
		assert_false(known_clients_open(view_of(data_key, 32), "fleet", buffer_view(&sealed), &again, &error));
		assert_int_equal(error.code, ERROR_CRYPTO);
		sealed.data[i] ^= 1;
	}
	assert_false(known_clients_open(view_of(data_key, 32), "fleet", view_of(sealed.data, sealed.size - 1), &again, &error));
}

/* Even from whoever has the data key. */
static void malformed_contents_are_refused(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_BUFFER struct buffer good = {0};
	struct error error;

	(void)state;
	assert_ok(known_clients_parse(view_of_text("vc " FP), &clients, &error), &error);
	known_clients_encode(&clients, &good);
	for (size_t size = 0; size < good.size; size++) {
		bool is_empty_list = size == 8;

		assert_int_equal(known_clients_decode(view_of(good.data, size), &again, &error), is_empty_list);
	}
	for (unsigned i = 0; i <= KNOWN_CLIENTS_MAX; i++)
		buffer_append(&bytes, i ? view_of(good.data + 8, good.size - 8) : buffer_view(&good));
	assert_false(known_clients_decode(buffer_view(&bytes), &again, &error));
	assert_message_contains(&error, "more than 256");
	good.data[8] = 0;
	assert_false(known_clients_decode(buffer_view(&good), &again, &error));
	good.data[8] = 2;
	good.data[9] = 0;
	assert_false(known_clients_decode(buffer_view(&good), &again, &error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_are_read),         cmocka_unit_test(mistakes_name_their_line),
		cmocka_unit_test(there_are_not_too_many), cmocka_unit_test(sealed_lists_open),
		cmocka_unit_test(others_do_not_open),     cmocka_unit_test(malformed_contents_are_refused),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
