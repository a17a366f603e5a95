/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/signing_root.h"

#include "eth/containers.h"
#include "vectors.h"

static void read_bytes(json_t *object, const char *name, uint8_t *ret_bytes, size_t size)
{
	struct error error = {0};

	assert_ok(json_read_hex(object, name, ret_bytes, size, &error), &error);
}

static uint64_t read_u64(json_t *object, const char *name)
{
	struct error error = {0};
	uint64_t value = 0;

	assert_ok(json_read_u64(object, name, &value, &error), &error);
	return value;
}

static json_t *load_own(const char *relative)
{
	AUTO_FREE char *path = own_vector_path(relative);

	return load_json(path);
}

static void test_domains(void **state)
{
	AUTO_JSON json_t *cases = load_own("signing-roots/domains.json");
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 400);
	json_array_foreach(cases, i, entry)
	{
		uint8_t type[DOMAIN_TYPE_SIZE];
		uint8_t version[FORK_VERSION_SIZE];
		uint8_t genesis_validators_root[ROOT_SIZE];
		uint8_t expected[ROOT_SIZE];
		uint8_t domain[ROOT_SIZE];

		read_bytes(entry, "domain_type", type, sizeof type);
		read_bytes(entry, "fork_version", version, sizeof version);
		read_bytes(entry, "genesis_validators_root", genesis_validators_root, ROOT_SIZE);
		read_bytes(entry, "domain", expected, ROOT_SIZE);
		compute_domain(type, version, genesis_validators_root, domain);
		assert_memory_equal(domain, expected, ROOT_SIZE);
	}
}

static void test_domain_types(void **state)
{
	static const struct {
		const char *name;
		const uint8_t *type;
	} types[] = {
		{"DOMAIN_BEACON_PROPOSER", DOMAIN_BEACON_PROPOSER},
		{"DOMAIN_BEACON_ATTESTER", DOMAIN_BEACON_ATTESTER},
		{"DOMAIN_RANDAO", DOMAIN_RANDAO},
		{"DOMAIN_DEPOSIT", DOMAIN_DEPOSIT},
		{"DOMAIN_VOLUNTARY_EXIT", DOMAIN_VOLUNTARY_EXIT},
		{"DOMAIN_SELECTION_PROOF", DOMAIN_SELECTION_PROOF},
		{"DOMAIN_AGGREGATE_AND_PROOF", DOMAIN_AGGREGATE_AND_PROOF},
		{"DOMAIN_SYNC_COMMITTEE", DOMAIN_SYNC_COMMITTEE},
		{"DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF", DOMAIN_SYNC_COMMITTEE_SELECTION_PROOF},
		{"DOMAIN_CONTRIBUTION_AND_PROOF", DOMAIN_CONTRIBUTION_AND_PROOF},
		{"DOMAIN_BLS_TO_EXECUTION_CHANGE", DOMAIN_BLS_TO_EXECUTION_CHANGE},
		{"DOMAIN_BEACON_BUILDER", DOMAIN_BEACON_BUILDER},
		{"DOMAIN_PTC_ATTESTER", DOMAIN_PTC_ATTESTER},
		{"DOMAIN_PROPOSER_PREFERENCES", DOMAIN_PROPOSER_PREFERENCES},
		{"DOMAIN_APPLICATION_BUILDER", DOMAIN_APPLICATION_BUILDER},
		{"DOMAIN_BUILDER_REQUEST_AUTH", DOMAIN_BUILDER_REQUEST_AUTH},
	};
	AUTO_JSON json_t *cases = load_own("signing-roots/domains.json");
	json_t *entry;
	size_t i;

	(void)state;
	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		size_t found = 0;

		json_array_foreach(cases, i, entry)
		{
			uint8_t type[DOMAIN_TYPE_SIZE];

			if (strcmp(json_string_value(json_object_get(entry, "domain_name")), types[t].name) != 0)
				continue;
			read_bytes(entry, "domain_type", type, sizeof type);
			assert_memory_equal(types[t].type, type, sizeof type);
			found++;
		}
		assert_true(found > 0);
	}
}

static void test_fork_data(void **state)
{
	AUTO_JSON json_t *cases = load_own("ssz/phase0/ForkData.json");
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) >= 4);
	json_array_foreach(cases, i, entry)
	{
		json_t *value = json_object_get(entry, "value");
		uint8_t version[FORK_VERSION_SIZE];
		uint8_t genesis_validators_root[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];
		uint8_t domain[ROOT_SIZE];

		read_bytes(value, "current_version", version, sizeof version);
		read_bytes(value, "genesis_validators_root", genesis_validators_root, ROOT_SIZE);
		read_bytes(entry, "root", root, ROOT_SIZE);
		compute_domain(DOMAIN_BEACON_ATTESTER, version, genesis_validators_root, domain);
		assert_memory_equal(domain, DOMAIN_BEACON_ATTESTER, DOMAIN_TYPE_SIZE);
		assert_memory_equal(domain + DOMAIN_TYPE_SIZE, root, ROOT_SIZE - DOMAIN_TYPE_SIZE);
	}
}

static void test_signing_data(void **state)
{
	AUTO_JSON json_t *cases = load_own("ssz/phase0/SigningData.json");
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) >= 4);
	json_array_foreach(cases, i, entry)
	{
		json_t *value = json_object_get(entry, "value");
		uint8_t object_root[ROOT_SIZE];
		uint8_t domain[ROOT_SIZE];
		uint8_t expected[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];

		read_bytes(value, "object_root", object_root, ROOT_SIZE);
		read_bytes(value, "domain", domain, ROOT_SIZE);
		read_bytes(entry, "root", expected, ROOT_SIZE);
		compute_signing_root(object_root, domain, root);
		assert_memory_equal(root, expected, ROOT_SIZE);
	}
}

static void test_signing_roots(void **state)
{
	AUTO_JSON json_t *cases = load_own("signing-roots/signing.json");
	json_t *entry;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 100);
	json_array_foreach(cases, i, entry)
	{
		uint8_t object_root[ROOT_SIZE];
		uint8_t domain[ROOT_SIZE];
		uint8_t expected[ROOT_SIZE];
		uint8_t root[ROOT_SIZE];

		read_bytes(entry, "object_root", object_root, ROOT_SIZE);
		read_bytes(entry, "domain", domain, ROOT_SIZE);
		read_bytes(entry, "signing_root", expected, ROOT_SIZE);
		compute_signing_root(object_root, domain, root);
		assert_memory_equal(root, expected, ROOT_SIZE);
	}
}

/* What each kind of request signs, and the epoch that picks its fork version. Mainnet preset: 32 slots an epoch. */
static uint64_t randao_object(json_t *request, uint8_t ret_root[ROOT_SIZE])
{
	uint64_t epoch = read_u64(json_object_get(request, "randao_reveal"), "epoch");

	uint64_root(epoch, ret_root);
	return epoch;
}

static uint64_t slot_object(json_t *request, uint8_t ret_root[ROOT_SIZE])
{
	uint64_t slot = read_u64(json_object_get(request, "aggregation_slot"), "slot");

	uint64_root(slot, ret_root);
	return slot / 32;
}

static uint64_t attestation_object(json_t *request, uint8_t ret_root[ROOT_SIZE])
{
	json_t *value = json_object_get(request, "attestation");
	json_t *source = json_object_get(value, "source");
	json_t *target = json_object_get(value, "target");
	struct attestation_data data = {
		.slot = read_u64(value, "slot"),
		.index = read_u64(value, "index"),
		.source.epoch = read_u64(source, "epoch"),
		.target.epoch = read_u64(target, "epoch"),
	};

	read_bytes(value, "beacon_block_root", data.beacon_block_root, ROOT_SIZE);
	read_bytes(source, "root", data.source.root, ROOT_SIZE);
	read_bytes(target, "root", data.target.root, ROOT_SIZE);
	attestation_data_root(&data, ret_root);
	return data.target.epoch;
}

static uint64_t header_object(json_t *request, uint8_t ret_root[ROOT_SIZE])
{
	json_t *value = json_object_get(json_object_get(request, "beacon_block"), "block_header");
	struct beacon_block_header header = {
		.slot = read_u64(value, "slot"),
		.proposer_index = read_u64(value, "proposer_index"),
	};

	read_bytes(value, "parent_root", header.parent_root, ROOT_SIZE);
	read_bytes(value, "state_root", header.state_root, ROOT_SIZE);
	read_bytes(value, "body_root", header.body_root, ROOT_SIZE);
	beacon_block_header_root(&header, ret_root);
	return header.slot / 32;
}

static const struct {
	const char *object_type;
	const uint8_t *domain_type;
	uint64_t (*read_object)(json_t *request, uint8_t ret_root[ROOT_SIZE]);
} artifacts[] = {
	{"Epoch", DOMAIN_RANDAO, randao_object},
	{"Slot", DOMAIN_SELECTION_PROOF, slot_object},
	{"AttestationData", DOMAIN_BEACON_ATTESTER, attestation_object},
	{"BeaconBlockHeader", DOMAIN_BEACON_PROPOSER, header_object},
};

static struct fork_info read_fork_info(json_t *request)
{
	json_t *json = json_object_get(request, "fork_info");
	json_t *fork = json_object_get(json, "fork");
	struct fork_info info = {.epoch = read_u64(fork, "epoch")};

	read_bytes(fork, "previous_version", info.previous_version, FORK_VERSION_SIZE);
	read_bytes(fork, "current_version", info.current_version, FORK_VERSION_SIZE);
	read_bytes(json, "genesis_validators_root", info.genesis_validators_root, ROOT_SIZE);
	return info;
}

/* From the request to the signing root, as the keeper does it. The *_before_fork_epoch cases need the previous version. */
static void test_requests_to_signing_roots(void **state)
{
	AUTO_JSON json_t *cases = load_own("signing-roots/signing.json");
	size_t checked = 0;
	json_t *entry;
	size_t i;

	(void)state;
	json_array_foreach(cases, i, entry)
	{
		json_t *request = json_object_get(entry, "request");
		const char *type = json_string_value(json_object_get(entry, "object_type"));

		for (size_t a = 0; a < ARRAY_SIZE(artifacts); a++) {
			uint8_t expected[ROOT_SIZE];
			uint8_t object_root[ROOT_SIZE];
			uint8_t domain[ROOT_SIZE];
			uint8_t root[ROOT_SIZE];
			struct fork_info info;
			uint64_t epoch;

			if (strcmp(type, artifacts[a].object_type) != 0)
				continue;
			epoch = artifacts[a].read_object(request, object_root);
			info = read_fork_info(request);
			compute_domain(artifacts[a].domain_type, fork_info_version(&info, epoch), info.genesis_validators_root,
				       domain);
			compute_signing_root(object_root, domain, root);
			read_bytes(entry, "signing_root", expected, ROOT_SIZE);
			assert_memory_equal(root, expected, ROOT_SIZE);
			checked++;
		}
	}
	assert_true(checked >= 50);
}

static void test_fork_info_version(void **state)
{
	struct fork_info info = {.previous_version = {1}, .current_version = {2}, .epoch = 10};

	(void)state;
	assert_ptr_equal(fork_info_version(&info, 0), info.previous_version);
	assert_ptr_equal(fork_info_version(&info, 9), info.previous_version);
	assert_ptr_equal(fork_info_version(&info, 10), info.current_version);
	assert_ptr_equal(fork_info_version(&info, UINT64_MAX), info.current_version);
	info.epoch = 0;
	assert_ptr_equal(fork_info_version(&info, 0), info.current_version);
	info.epoch = UINT64_MAX;
	assert_ptr_equal(fork_info_version(&info, UINT64_MAX - 1), info.previous_version);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_domains),           cmocka_unit_test(test_domain_types),
		cmocka_unit_test(test_fork_data),         cmocka_unit_test(test_signing_data),
		cmocka_unit_test(test_signing_roots),     cmocka_unit_test(test_requests_to_signing_roots),
		cmocka_unit_test(test_fork_info_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
