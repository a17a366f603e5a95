/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/deposit_file.h"

#include "deposit_support.h"

/* Two deposits of mainnet, as json.dumps of Python writes them. */
static const char PYTHON_TEXT[] =
	"[{\"pubkey\": \"b3e445d43871965d890a398f719348a1405ac72e35b92727cc570026f54471af7ea7b2040622a8fd0b5bfb2"
	"a209b5911\", \"withdrawal_credentials\": \"01000000000000000000000000000000219ab540356cbb839cbe05303d770"
	"5fa\", \"amount\": 32000000000, \"signature\": \"a9642f3ee6a2a3c5aa0a4645782d9b9e70edb14b71bc7cc9485af2c47"
	"65ddf62d5739c4650b1d323f950ecc52c97046904183e6fb08b39e79a2a47bf30d3441fd174d456a775d73606615fa8511c8"
	"81578bd456caab624d38c94096c7deb77e7\", \"deposit_message_root\": \"5e1b59a256fec19555a2215b2ed53689498e0"
	"0b50821938915abf0de96d495d5\", \"deposit_data_root\": \"d144af5a7e40542410eb19b8a0594554d2a746efbdedbf5a"
	"79ec410769ed153f\", \"fork_version\": \"00000000\", \"network_name\": \"mainnet\", \"deposit_cli_version\": \"2."
	"7.0\"}, {\"pubkey\": \"aeb399bf5648b0e9980c1731824c269631a41320c3d7f730c40587e1a37a5e1c8b5755fd90080a7b3"
	"fb90d3fd419c0a7\", \"withdrawal_credentials\": \"01000000000000000000000000000000219ab540356cbb839cbe053"
	"03d7705fa\", \"amount\": 32000000000, \"signature\": \"af87e38e25fb8b7e537d577d56d092ffda0cd5a07429c101591"
	"ea7dbc438a612280ab57bcf297dfdeeb2e8e4e45c1d7e122bcfd2221827bb8acc64a12e4a639283b4ca8ac843273d4de9e23"
	"3e9cf909420b21bee6a43d06d4babb13507247896\", \"deposit_message_root\": \"46090380073ce3729e784a1f2ee0581"
	"d59936399dfd046e35d17673d27a4867b\", \"deposit_data_root\": \"b41cefa41542a52109bb8e2e7ec8079308ff7be03b"
	"50025ea3783e241dde6090\", \"fork_version\": \"00000000\", \"network_name\": \"mainnet\", \"deposit_cli_version"
	"\": \"2.7.0\"}]";

static void reads_and_writes_what_python_writes(void **state)
{
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};

	(void)state;
	assert_ok(deposit_file_parse(view_of_text(PYTHON_TEXT), &file, &error), &error);
	assert_int_equal(file.count, 2);
	assert_int_equal(file.deposits[1].data.message.amount, 32000000000);
	assert_string_equal(file.deposits[1].network_name, "mainnet");
	assert_string_equal(file.deposits[1].cli_version, "2.7.0");
	assert_ok(deposit_file_check(&file, network_find("mainnet", &error), &error), &error);
	deposit_file_write(file.deposits, file.count, &text);
	assert_string_equal(buffer_text(&text), PYTHON_TEXT);
}

/* The launchpad's verdict, and the field that it is about; the first at fault. */
static void check_refusal(json_t *entry)
{
	AUTO_JSON json_t *array = json_pack("[O]", json_object_get(entry, "deposit"));
	const char *reason = name_of(entry, "reason");
	AUTO_FREE char *message = memory_format("deposit 1: %s: ", reason);
	AUTO_BUFFER struct buffer text = {0};
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};
	struct error error = {0};

	json_write(array, &text);
	if (strcmp(reason, "malformed") == 0) {
		assert_false(deposit_file_parse(buffer_view(&text), &file, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		return;
	}
	assert_ok(deposit_file_parse(buffer_view(&text), &file, &error), &error);
	assert_false(deposit_file_check(&file, network_of(json_object_get(entry, "deposit"), "network_name"), &error));
	if (strncmp(error.message, message, strlen(message)) != 0)
		fail_msg("%s: %s", name_of(entry, "name"), error.message);
}

static void names_the_field_at_fault(void **state)
{
	AUTO_FREE char *path = own_vector_path("deposit/invalid.json");
	AUTO_JSON json_t *cases = load_json(path);
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) >= 14);
	json_array_foreach(cases, i, entry) check_refusal(entry);
}

static json_t *load_good(void)
{
	json_t *array = json_loads(PYTHON_TEXT, 0, NULL);

	assert_non_null(array);
	return array;
}

static bool parses(const json_t *json, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};

	json_write(json, &text);
	return deposit_file_parse(buffer_view(&text), &file, error);
}

/* Each member taken away, made something else, made too long. */
static void needs_every_member(void **state)
{
	static const char *const names[] = {
		"pubkey",       "withdrawal_credentials", "amount",
		"signature",    "deposit_message_root",   "deposit_data_root",
		"fork_version", "network_name",           "deposit_cli_version",
	};
	static const char long_text[] =
		"0x00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000";
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_JSON json_t *array = load_good();
		json_t *entry = json_array_get(array, 1);
		AUTO_FREE char *message = memory_format("deposit 2: %s: ", names[i]);

		json_object_set_new(entry, names[i], json_true());
		assert_false(parses(array, &error));
		assert_message_contains(&error, message);
		json_object_set_new(entry, names[i], json_string(long_text));
		assert_false(parses(array, &error));
		assert_message_contains(&error, message);
		json_object_set_new(entry, names[i], json_string(""));
		assert_false(parses(array, &error));
		assert_message_contains(&error, message);
		json_object_del(entry, names[i]);
		assert_int_equal(parses(array, &error), strcmp(names[i], "network_name") == 0);
		assert_message_contains(&error, message);
	}
}

static void wants_hex_without_0x(void **state)
{
	static const char *const versions[] = {"0x000000", "0x00000000", "0000000g", "000000", " 0000000"};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		AUTO_JSON json_t *array = load_good();

		json_object_set_new(json_array_get(array, 0), "fork_version", json_string(versions[i]));
		assert_false(parses(array, &error));
		assert_message_contains(&error, "deposit 1: fork_version: not 8 hex digits without 0x");
	}
}

static void wants_a_whole_amount(void **state)
{
	static const char *const amounts[] = {"\"32000000000\"", "32000000000.0", "3.2e10", "-1", "null", "99999999999999999999"};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
		AUTO_FREE char *text = memory_copy_text(PYTHON_TEXT);
		char *place = strstr(text, "32000000000");
		AUTO_FREE char *changed = NULL;
		AUTO_DEPOSIT_FILE struct deposit_file file = {0};

		*place = 0;
		changed = memory_format("%s%s%s", text, amounts[i], place + strlen("32000000000"));
		assert_false(deposit_file_parse(view_of_text(changed), &file, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_null(file.deposits);
	}
}

static void refuses_what_is_no_deposit_file(void **state)
{
	static const char *const texts[] = {"", "[]", "{}", "[1]", "[[]]", "[{}]", "null", "[", "[{}] x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_DEPOSIT_FILE struct deposit_file file = {0};
		struct error error = {0};

		assert_false(deposit_file_parse(view_of_text(texts[i]), &file, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_int_equal(file.count, 0);
	}
}

static void is_bounded(void **state)
{
	AUTO_BUFFER struct buffer large = {0};
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};
	struct error error = {0};

	(void)state;
	buffer_reserve(&large, DEPOSIT_FILE_MAX_SIZE + 1);
	memset(large.data, ' ', DEPOSIT_FILE_MAX_SIZE + 1);
	assert_false(deposit_file_parse(view_of(large.data, DEPOSIT_FILE_MAX_SIZE + 1), &file, &error));
	assert_message_contains(&error, "deposit file: 8388609 bytes");
}

/* The second deposit is looked at as the first is. */
static void counts_deposits_from_one(void **state)
{
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};
	struct error error = {0};

	(void)state;
	assert_ok(deposit_file_parse(view_of_text(PYTHON_TEXT), &file, &error), &error);
	file.deposits[1].data_root[31] ^= 1;
	assert_false(deposit_file_check(&file, network_find("mainnet", &error), &error));
	assert_message_contains(&error, "deposit 2: deposit_data_root: ");
	assert_int_equal(error.code, ERROR_CRYPTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_and_writes_what_python_writes),
		cmocka_unit_test(names_the_field_at_fault),
		cmocka_unit_test(needs_every_member),
		cmocka_unit_test(wants_hex_without_0x),
		cmocka_unit_test(wants_a_whole_amount),
		cmocka_unit_test(refuses_what_is_no_deposit_file),
		cmocka_unit_test(is_bounded),
		cmocka_unit_test(counts_deposits_from_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
