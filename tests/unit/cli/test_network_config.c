/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/network_config.h"
#include "cli/yaml_flat.h"

#include "base/file.h"
#include "vectors.h"

#define GOOD "CONFIG_NAME: d\nPRESET_BASE: mainnet\nGENESIS_FORK_VERSION: 0x01020304\n" /* 3 lines */
#define ALTAIR "ALTAIR_FORK_VERSION: 0x00000001\n"
#define BELLATRIX "BELLATRIX_FORK_VERSION: 0x00000002\n"

static struct network read_network(const char *vector)
{
	AUTO_FREE char *path = own_vector_path(vector);
	AUTO_BUFFER struct buffer yaml = {0};
	struct network network = {0};
	struct error error = {0};

	assert_ok(file_read(path, NETWORK_CONFIG_MAX_SIZE, &yaml, &error), &error);
	assert_ok(network_config_parse(buffer_view(&yaml), &network, &error), &error);
	return network;
}

static void reads_a_devnet(void **state)
{
	static const uint64_t epochs[FORK_COUNT] = {0, 0, 0, 0, 3, 3, 7, EPOCH_NEVER, EPOCH_NEVER};
	static const uint8_t first_bytes[FORK_COUNT] = {0x90, 0x40, 0x30, 0x20, 0x10, 0x70, 0x50, 0x60, 0};
	struct network network = read_network("network/devnet.yaml");

	(void)state;
	assert_string_equal(network.name, "devnet-7");
	assert_int_equal(network.slots_per_epoch, 32);
	assert_int_equal(network.sync_committee_size, 512);
	assert_int_equal(network.max_committees_per_slot, 64);
	assert_false(network.genesis_validators_root_known);
	for (enum fork fork = FORK_PHASE0; fork < FORK_COUNT; fork++) {
		assert_true(network.forks[fork].epoch == epochs[fork]);
		assert_int_equal(network.forks[fork].version[0], first_bytes[fork]);
	}
	assert_int_equal(network.forks[FORK_PHASE0].version[3], 0xef);
	/* Shapes follow the schedule, whatever the versions look like. */
	assert_int_equal(network_fork_at(&network, 0), FORK_CAPELLA);
	assert_int_equal(network_fork_at(&network, 2), FORK_CAPELLA);
	assert_int_equal(network_fork_at(&network, 3), FORK_ELECTRA);
	assert_int_equal(network_fork_at(&network, 6), FORK_ELECTRA);
	assert_int_equal(network_fork_at(&network, 7), FORK_FULU);
	assert_int_equal(network_fork_at(&network, UINT64_MAX), FORK_FULU);
}

static void reads_the_least(void **state)
{
	struct network network = read_network("network/small.yaml");

	(void)state;
	assert_string_equal(network.name, "small");
	assert_int_equal(network.slots_per_epoch, 8);
	assert_int_equal(network.sync_committee_size, 32);
	assert_int_equal(network.max_committees_per_slot, 4);
	assert_int_equal(network_fork_at(&network, UINT64_MAX - 1), FORK_PHASE0);
}

static void refuses_what_is_wrong(void **state)
{
	static const struct {
		const char *yaml;
		const char *message;
	} cases[] = {
		{"", "line 1: holds nothing"},
		{"# only a comment\n", "holds nothing"},
		{"- a\n- b\n", "line 1: not a list of keys with values"},
		{"text", "not a list of keys with values"},
		{"a: b\n\tc: d\n", "line 2: not YAML"},
		{"a: [b\n", "not YAML"},
		{"a: \xff\n", "not YAML"},
		{GOOD "? [a]\n: b\n", "line 4: a key that is no plain text"},
		{GOOD "\"a\\0b\": c\n", "line 4: a key that is no plain text"},
		{GOOD "A: \"b\\0c\"\n", "line 4: A: holds a NUL"},
		{GOOD "A: 1\n\nA: 1\n", "line 6: A: given already, in line 4"},
		{GOOD "CONFIG_NAME: d\n", "line 4: CONFIG_NAME: given already, in line 1"},
		{GOOD "---\n" GOOD, "line 4: more than one document"},
		{"PRESET_BASE: mainnet\nGENESIS_FORK_VERSION: 0x01020304\n", "CONFIG_NAME: missing"},
		{"CONFIG_NAME: d\nGENESIS_FORK_VERSION: 0x01020304\n", "PRESET_BASE: missing"},
		{"CONFIG_NAME: d\nPRESET_BASE: mainnet\n", "GENESIS_FORK_VERSION: missing"},
		{"CONFIG_NAME: a b\n", "line 1: CONFIG_NAME: not of 1 to 31"},
		{"CONFIG_NAME:\n", "line 1: CONFIG_NAME: not of 1 to 31"},
		{"CONFIG_NAME: a-name-that-has-thirty-two-chars\n", "line 1: CONFIG_NAME: not of 1 to 31"},
		{"CONFIG_NAME: [d]\n", "line 1: CONFIG_NAME: not a plain value"},
		{"CONFIG_NAME: d\nPRESET_BASE: large\n", "line 2: PRESET_BASE: preset: \"large\" is not one of mainnet"},
		{GOOD "SLOTS_PER_EPOCH: 6\n", "line 4: SLOTS_PER_EPOCH: 6, but the preset mainnet has 32"},
		{GOOD "SYNC_COMMITTEE_SIZE: many\n", "line 4: SYNC_COMMITTEE_SIZE: not a decimal number"},
		{"CONFIG_NAME: d\nPRESET_BASE: mainnet\nGENESIS_FORK_VERSION: 01020304\n",
		 "line 3: GENESIS_FORK_VERSION: not 0x and 8"},
		{"CONFIG_NAME: d\nPRESET_BASE: mainnet\nGENESIS_FORK_VERSION: 0x0102030\n", "line 3: GENESIS_FORK_VERSION: not 0x"},
		{"CONFIG_NAME: d\nPRESET_BASE: mainnet\nGENESIS_FORK_VERSION: 0x010203zz\n",
		 "line 3: GENESIS_FORK_VERSION: not 0x"},
		{"CONFIG_NAME: d\nPRESET_BASE: mainnet\nGENESIS_FORK_VERSION: {a: b}\n",
		 "line 3: GENESIS_FORK_VERSION: not a plain"},
		{GOOD ALTAIR "ALTAIR_FORK_EPOCH: 0x10\n", "line 5: ALTAIR_FORK_EPOCH: not a decimal number"},
		{GOOD ALTAIR "ALTAIR_FORK_EPOCH: -1\n", "line 5: ALTAIR_FORK_EPOCH: not a decimal number"},
		{GOOD ALTAIR "ALTAIR_FORK_EPOCH: 18446744073709551616\n", "line 5: ALTAIR_FORK_EPOCH: not a decimal number"},
		{GOOD ALTAIR "ALTAIR_FORK_EPOCH: &a [5]\n", "line 5: ALTAIR_FORK_EPOCH: not a plain value"},
		{GOOD "A: &a 5\nALTAIR_FORK_EPOCH: *a\n", "line 5: ALTAIR_FORK_EPOCH: not a plain value"},
		{GOOD "ALTAIR_FORK_EPOCH: 5\n", "ALTAIR_FORK_VERSION: missing"},
		{GOOD "HEZE_FORK_VERSION: 7\n", "line 4: HEZE_FORK_VERSION: not 0x"},
		{GOOD ALTAIR BELLATRIX "BELLATRIX_FORK_EPOCH: 4\nALTAIR_FORK_EPOCH: 5\n",
		 "line 6: BELLATRIX_FORK_EPOCH: before that of ALTAIR, 5"},
		{GOOD BELLATRIX "BELLATRIX_FORK_EPOCH: 4\n", "line 5: BELLATRIX_FORK_EPOCH: ALTAIR before it is not scheduled"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct network network = {.slots_per_epoch = 77};
		struct error error = {0};

		assert_false(network_config_parse(view_of_text(cases[i].yaml), &network, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
		assert_int_equal(network.slots_per_epoch, 77);
	}
}

static void sizes_are_bounded(void **state)
{
	AUTO_BUFFER struct buffer many = {0};
	AUTO_BUFFER struct buffer large = {0};
	AUTO_BUFFER struct buffer deep = {0};
	struct network network;
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i <= YAML_FLAT_ENTRIES_MAX; i++)
		buffer_append_format(&many, "K%zu: 1\n", i);
	assert_false(network_config_parse(buffer_view(&many), &network, &error));
	assert_message_contains(&error, "line 1025: more than 1024 keys");
	buffer_append_text(&large, GOOD "#");
	while (large.size <= NETWORK_CONFIG_MAX_SIZE)
		buffer_append_byte(&large, 'x');
	assert_false(network_config_parse(buffer_view(&large), &network, &error));
	assert_message_contains(&error, "larger than 131072 bytes");
	large.size = NETWORK_CONFIG_MAX_SIZE;
	assert_ok(network_config_parse(buffer_view(&large), &network, &error), &error);
	buffer_append_text(&deep, "a: ");
	while (deep.size < NETWORK_CONFIG_MAX_SIZE)
		buffer_append_byte(&deep, '[');
	assert_false(network_config_parse(buffer_view(&deep), &network, &error));
	assert_message_contains(&error, "line 1: a: nested too deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_devnet),
		cmocka_unit_test(reads_the_least),
		cmocka_unit_test(refuses_what_is_wrong),
		cmocka_unit_test(sizes_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
