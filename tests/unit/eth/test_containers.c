/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/containers.h"

#include "vectors.h"

static void read_root(json_t *object, const char *name, uint8_t ret_root[ROOT_SIZE])
{
	struct error error = {0};

	assert_ok(json_read_hex(object, name, ret_root, ROOT_SIZE, &error), &error);
}

static uint64_t read_u64(json_t *object, const char *name)
{
	struct error error = {0};
	uint64_t value = 0;

	assert_ok(json_read_u64(object, name, &value, &error), &error);
	return value;
}

static void attestation_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	json_t *source = json_object_get(value, "source");
	json_t *target = json_object_get(value, "target");
	struct attestation_data data = {
		.slot = read_u64(value, "slot"),
		.index = read_u64(value, "index"),
		.source.epoch = read_u64(source, "epoch"),
		.target.epoch = read_u64(target, "epoch"),
	};

	read_root(value, "beacon_block_root", data.beacon_block_root);
	read_root(source, "root", data.source.root);
	read_root(target, "root", data.target.root);
	attestation_data_root(&data, ret_root);
}

static void header_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct beacon_block_header header = {
		.slot = read_u64(value, "slot"),
		.proposer_index = read_u64(value, "proposer_index"),
	};

	read_root(value, "parent_root", header.parent_root);
	read_root(value, "state_root", header.state_root);
	read_root(value, "body_root", header.body_root);
	beacon_block_header_root(&header, ret_root);
}

static void uint64_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	uint64_t number = 0;

	assert_true(u64_parse(view_of_text(json_string_value(value)), &number));
	uint64_root(number, ret_root);
}

static void read_bytes(json_t *object, const char *name, uint8_t *ret_bytes, size_t size)
{
	struct error error = {0};

	assert_ok(json_read_hex(object, name, ret_bytes, size, &error), &error);
}

static uint8_t read_flag(json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}

static void voluntary_exit_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct voluntary_exit message = {read_u64(value, "epoch"), read_u64(value, "validator_index")};

	voluntary_exit_root(&message, ret_root);
}

static void sync_selection_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct sync_aggregator_selection_data data = {read_u64(value, "slot"), read_u64(value, "subcommittee_index")};

	sync_aggregator_selection_data_root(&data, ret_root);
}

static void deposit_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct deposit_message message = {.amount = read_u64(value, "amount")};

	read_bytes(value, "pubkey", message.pubkey, sizeof message.pubkey);
	read_root(value, "withdrawal_credentials", message.withdrawal_credentials);
	deposit_message_root(&message, ret_root);
}

static void deposit_data_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct deposit_data data = {.message.amount = read_u64(value, "amount")};

	read_bytes(value, "pubkey", data.message.pubkey, sizeof data.message.pubkey);
	read_root(value, "withdrawal_credentials", data.message.withdrawal_credentials);
	read_bytes(value, "signature", data.signature, sizeof data.signature);
	deposit_data_root(&data, ret_root);
}

static void bls_to_execution_change_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct bls_to_execution_change message = {.validator_index = read_u64(value, "validator_index")};

	read_bytes(value, "from_bls_pubkey", message.from_bls_pubkey, sizeof message.from_bls_pubkey);
	read_bytes(value, "to_execution_address", message.to_execution_address, sizeof message.to_execution_address);
	bls_to_execution_change_root(&message, ret_root);
}

static void registration_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct validator_registration registration = {
		.gas_limit = read_u64(value, "gas_limit"),
		.timestamp = read_u64(value, "timestamp"),
	};

	read_bytes(value, "fee_recipient", registration.fee_recipient, sizeof registration.fee_recipient);
	read_bytes(value, "pubkey", registration.pubkey, sizeof registration.pubkey);
	validator_registration_root(&registration, ret_root);
}

static void payload_attestation_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct payload_attestation_data data = {
		.slot = read_u64(value, "slot"),
		.payload_present = read_flag(value, "payload_present"),
		.blob_data_available = read_flag(value, "blob_data_available"),
	};

	read_root(value, "beacon_block_root", data.beacon_block_root);
	payload_attestation_data_root(&data, ret_root);
}

static void preferences_case(json_t *value, uint8_t ret_root[ROOT_SIZE])
{
	struct proposer_preferences preferences = {
		.proposal_slot = read_u64(value, "proposal_slot"),
		.validator_index = read_u64(value, "validator_index"),
		.target_gas_limit = read_u64(value, "target_gas_limit"),
	};

	read_root(value, "dependent_root", preferences.dependent_root);
	read_bytes(value, "fee_recipient", preferences.fee_recipient, sizeof preferences.fee_recipient);
	proposer_preferences_root(&preferences, ret_root);
}

static void check_file(const char *relative, void (*compute)(json_t *value, uint8_t ret_root[ROOT_SIZE]))
{
	AUTO_FREE char *path = own_vector_path(relative);
	AUTO_JSON json_t *cases = load_json(path);
	json_t *entry;
	size_t i;

	assert_true(json_array_size(cases) >= 4);
	json_array_foreach(cases, i, entry)
	{
		uint8_t expected[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];

		read_root(entry, "root", expected);
		compute(json_object_get(entry, "value"), root);
		assert_memory_equal(root, expected, ROOT_SIZE);
	}
}

static void test_attestation_data(void **state)
{
	(void)state;
	check_file("ssz/phase0/AttestationData.json", attestation_case);
}

static void test_beacon_block_header(void **state)
{
	(void)state;
	check_file("ssz/phase0/BeaconBlockHeader.json", header_case);
}

static void test_uint64(void **state)
{
	(void)state;
	check_file("ssz/phase0/Epoch.json", uint64_case);
	check_file("ssz/phase0/Slot.json", uint64_case);
}

static void test_small_containers(void **state)
{
	(void)state;
	check_file("ssz/phase0/VoluntaryExit.json", voluntary_exit_case);
	check_file("ssz/altair/SyncAggregatorSelectionData.json", sync_selection_case);
	check_file("ssz/phase0/DepositMessage.json", deposit_case);
	check_file("ssz/phase0/DepositData.json", deposit_data_case);
	check_file("ssz/capella/BLSToExecutionChange.json", bls_to_execution_change_case);
	check_file("ssz/bellatrix/ValidatorRegistrationV1.json", registration_case);
	check_file("ssz/gloas/PayloadAttestationData.json", payload_attestation_case);
	check_file("ssz/gloas/ProposerPreferences.json", preferences_case);
}

/* A byte that only a broken frontend sends must not choose a third root. */
static void test_booleans_are_two(void **state)
{
	struct payload_attestation_data one = {.payload_present = 1};
	struct payload_attestation_data other = {.payload_present = 0xff};
	uint8_t root[ROOT_SIZE];
	uint8_t other_root[ROOT_SIZE];

	(void)state;
	payload_attestation_data_root(&one, root);
	payload_attestation_data_root(&other, other_root);
	assert_memory_equal(root, other_root, ROOT_SIZE);
}

/* No field may be left out of the root, or two messages would be one. */
static void test_every_field_counts(void **state)
{
	struct attestation_data data = {0};
	struct beacon_block_header header = {0};
	uint8_t base[ROOT_SIZE];
	uint8_t root[ROOT_SIZE];

	(void)state;
	attestation_data_root(&data, base);
	for (size_t i = 0; i < sizeof data; i++) {
		((uint8_t *)&data)[i] ^= 1;
		attestation_data_root(&data, root);
		assert_memory_not_equal(root, base, ROOT_SIZE);
		((uint8_t *)&data)[i] ^= 1;
	}
	beacon_block_header_root(&header, base);
	for (size_t i = 0; i < sizeof header; i++) {
		((uint8_t *)&header)[i] ^= 1;
		beacon_block_header_root(&header, root);
		assert_memory_not_equal(root, base, ROOT_SIZE);
		((uint8_t *)&header)[i] ^= 1;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_attestation_data), cmocka_unit_test(test_beacon_block_header),
		cmocka_unit_test(test_uint64),           cmocka_unit_test(test_small_containers),
		cmocka_unit_test(test_booleans_are_two), cmocka_unit_test(test_every_field_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
