/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/network.h"

#include "eth/signing_root.h"
#include "vectors.h"

static const char *const names[] = {"mainnet", "hoodi", "sepolia", "holesky", "gnosis", "chiado", "minimal"};

static const struct network *find(const char *name)
{
	struct error error = {0};
	const struct network *network = network_find(name, &error);

	assert_ok(network != NULL, &error);
	return network;
}

static void check_schedule(const struct network *network, json_t *forks)
{
	struct error error = {0};
	json_t *entry;
	size_t i;

	json_array_foreach(forks, i, entry)
	{
		const struct fork_schedule_entry *ours = &network->forks[i];
		uint8_t version[FORK_VERSION_SIZE];
		bool hypothetical;
		uint64_t epoch;
		const char *name;

		assert_ok(json_read_text(entry, "fork", &name, &error), &error);
		assert_ok(json_read_hex(entry, "version", version, sizeof version, &error), &error);
		assert_ok(json_read_u64(entry, "epoch", &epoch, &error), &error);
		assert_ok(json_read_bool(entry, "epoch_is_hypothetical", &hypothetical, &error), &error);
		assert_int_equal(strcasecmp(name, fork_name((enum fork)i)), 0);
		assert_memory_equal(ours->version, version, sizeof version);
		assert_true(ours->epoch == (hypothetical ? EPOCH_NEVER : epoch));
	}
	assert_true(i >= FORK_FULU + 1);
}

static void test_agrees_with_published_schedules(void **state)
{
	AUTO_FREE char *path = own_vector_path("signing-roots/networks.json");
	AUTO_JSON json_t *networks = load_json(path);
	struct error error = {0};
	const char *name;
	json_t *expected;

	(void)state;
	assert_int_equal(json_object_size(networks), 4);
	json_object_foreach(networks, name, expected)
	{
		const struct network *network = find(name);
		uint8_t root[ROOT_SIZE];

		assert_string_equal(network->name, name);
		assert_true(network->genesis_validators_root_known);
		assert_ok(json_read_hex(expected, "genesis_validators_root", root, sizeof root, &error), &error);
		assert_memory_equal(network->genesis_validators_root, root, sizeof root);
		check_schedule(network, json_object_get(expected, "forks"));
	}
}

static void assert_epochs(const char *name, const uint64_t epochs[FORK_COUNT])
{
	const struct network *network = find(name);

	for (size_t i = 0; i < FORK_COUNT; i++)
		assert_true(network->forks[i].epoch == epochs[i]);
}

static void assert_version(const char *name, enum fork fork, const char *hex)
{
	uint8_t version[FORK_VERSION_SIZE];

	assert_true(hex_decode(view_of_text(hex), version, sizeof version));
	assert_memory_equal(find(name)->forks[fork].version, version, sizeof version);
}

static void test_gnosis_networks(void **state)
{
	static const uint64_t gnosis[FORK_COUNT] = {0, 512, 385536, 648704, 889856, 1337856, 1714688, EPOCH_NEVER, EPOCH_NEVER};
	static const uint64_t chiado[FORK_COUNT] = {0, 90, 180, 244224, 516608, 948224, 1353216, EPOCH_NEVER, EPOCH_NEVER};

	(void)state;
	assert_epochs("gnosis", gnosis);
	assert_epochs("chiado", chiado);
	assert_version("gnosis", FORK_PHASE0, "00000064");
	assert_version("gnosis", FORK_CAPELLA, "03000064");
	assert_version("gnosis", FORK_FULU, "06000064");
	assert_version("chiado", FORK_PHASE0, "0000006f");
	assert_version("chiado", FORK_ELECTRA, "0500006f");
	assert_int_equal(find("gnosis")->slots_per_epoch, 16);
	assert_int_equal(find("chiado")->slots_per_epoch, 16);
	assert_int_equal(find("gnosis")->sync_committee_size, 512);
}

/* The first four bytes of the fork data root are the fork digest that nodes show to each other: f9ab5f85 on Gnosis in Fulu. */
static void test_gnosis_fork_digest(void **state)
{
	const struct network *gnosis = find("gnosis");
	static const uint8_t digest[4] = {0xf9, 0xab, 0x5f, 0x85};
	uint8_t domain[ROOT_SIZE];

	(void)state;
	compute_domain(DOMAIN_RANDAO, gnosis->forks[FORK_FULU].version, gnosis->genesis_validators_root, domain);
	assert_memory_equal(domain + DOMAIN_TYPE_SIZE, digest, sizeof digest);
}

static void test_minimal_preset(void **state)
{
	const struct network *minimal = find("minimal");

	(void)state;
	assert_false(minimal->genesis_validators_root_known);
	assert_int_equal(minimal->slots_per_epoch, 8);
	assert_int_equal(minimal->sync_committee_size, 32);
	assert_int_equal(minimal->max_committees_per_slot, 4);
	assert_true(minimal->forks[FORK_PHASE0].epoch == 0);
	for (size_t i = 0; i < FORK_COUNT; i++) {
		const uint8_t version[FORK_VERSION_SIZE] = {(uint8_t)i, 0, 0, 1};

		assert_memory_equal(minimal->forks[i].version, version, sizeof version);
		if (i != FORK_PHASE0)
			assert_true(minimal->forks[i].epoch == EPOCH_NEVER);
	}
	assert_int_equal(network_fork_at(minimal, 0), FORK_PHASE0);
	assert_int_equal(network_fork_at(minimal, UINT64_MAX), FORK_PHASE0);
}

static void test_every_network_is_well_formed(void **state)
{
	static const uint8_t zero_root[ROOT_SIZE];

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		const struct network *network = find(names[n]);
		bool root_is_zero = memcmp(network->genesis_validators_root, zero_root, ROOT_SIZE) == 0;

		assert_true(network->genesis_validators_root_known == !root_is_zero);
		assert_true(network->slots_per_epoch > 0);
		assert_true(network->forks[FORK_PHASE0].epoch == 0);
		for (size_t i = 1; i < FORK_COUNT; i++)
			assert_true(network->forks[i].epoch >= network->forks[i - 1].epoch);
		for (size_t i = 0; i < FORK_COUNT && network->forks[i].epoch != EPOCH_NEVER; i++) {
			for (size_t j = 0; j < i; j++)
				assert_memory_not_equal(network->forks[i].version, network->forks[j].version, FORK_VERSION_SIZE);
		}
		for (size_t m = 0; m < n; m++)
			assert_memory_not_equal(network->genesis_validators_root, find(names[m])->genesis_validators_root,
						ROOT_SIZE);
	}
}

static void test_fork_at_boundaries(void **state)
{
	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		const struct network *network = find(names[n]);

		for (enum fork fork = FORK_ALTAIR; fork < FORK_COUNT; fork++) {
			uint64_t epoch = network->forks[fork].epoch;

			if (epoch == 0 || epoch == EPOCH_NEVER)
				continue;
			assert_int_equal(network_fork_at(network, epoch), fork);
			assert_int_equal(network_fork_at(network, epoch + 1), fork);
			assert_int_equal(network_fork_at(network, epoch - 1), fork - 1);
		}
	}
	assert_int_equal(network_fork_at(find("mainnet"), 0), FORK_PHASE0);
	/* Five forks start together at hoodi's genesis. */
	assert_int_equal(network_fork_at(find("hoodi"), 0), FORK_DENEB);
	/* FAR_FUTURE_EPOCH itself does not switch on the forks that are set to it. */
	assert_int_equal(network_fork_at(find("mainnet"), UINT64_MAX), FORK_FULU);
	assert_int_equal(network_fork_at(find("mainnet"), UINT64_MAX - 1), FORK_FULU);
}

static void test_find_refuses_unknown(void **state)
{
	static const char *const unknown[] = {"", "Mainnet", "mainnet ", "goerli", "main"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		struct error error = {0};

		assert_null(network_find(unknown[i], &error));
		assert_int_equal(error.code, ERROR_INPUT);
		for (size_t n = 0; n < ARRAY_SIZE(names); n++)
			assert_message_contains(&error, names[n]);
	}
	assert_null(network_find("nowhere", NULL));
}

static void test_fork_names(void **state)
{
	static const char *const unknown[] = {"", "phase0", "PHASE0 ", "Deneb", "UNKNOWN", "PHASE"};
	enum fork fork = FORK_COUNT;

	(void)state;
	for (enum fork i = FORK_PHASE0; i < FORK_COUNT; i++) {
		assert_true(fork_parse(fork_name(i), &fork));
		assert_int_equal(fork, i);
	}
	assert_string_equal(fork_name(FORK_PHASE0), "PHASE0");
	assert_string_equal(fork_name(FORK_FULU), "FULU");
	assert_string_equal(fork_name(FORK_COUNT), "UNKNOWN");
	fork = FORK_CAPELLA;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		assert_false(fork_parse(unknown[i], &fork));
	assert_int_equal(fork, FORK_CAPELLA);
}

static void test_built_in_networks_pass_the_check(void **state)
{
	struct error error = {0};

	(void)state;
	for (size_t n = 0; n < ARRAY_SIZE(names); n++) {
		const struct network *built_in = find(names[n]);
		struct network network = *built_in;

		assert_ok(network_check(&network, &error), &error);
		assert_true(network_equal(&network, built_in));
		assert_false(network_equal(&network, find(names[(n + 1) % ARRAY_SIZE(names)])));
		/* Its next fork may get an epoch, behind one that has one. */
		network.forks[FORK_GLOAS].epoch = EPOCH_NEVER - 1;
		assert_true(network_check(&network, &error) == (network.forks[FORK_FULU].epoch != EPOCH_NEVER));
		assert_false(network_equal(&network, built_in));
		network = *built_in;
		network.genesis_validators_root_learned = true;
		network.genesis_validators_root_known = false;
		assert_true(network_check(&network, &error) == !built_in->genesis_validators_root_known);
		assert_false(network_equal(&network, built_in));
	}
}

static void test_presets(void **state)
{
	struct error error = {0};

	(void)state;
	assert_int_equal(network_preset_find("gnosis", &error)->slots_per_epoch, 16);
	assert_int_equal(network_preset_find("minimal", &error)->sync_committee_size, 32);
	assert_null(network_preset_find("Mainnet", &error));
	assert_message_contains(&error, "mainnet, gnosis, minimal");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agrees_with_published_schedules),
		cmocka_unit_test(test_gnosis_networks),
		cmocka_unit_test(test_gnosis_fork_digest),
		cmocka_unit_test(test_minimal_preset),
		cmocka_unit_test(test_every_network_is_well_formed),
		cmocka_unit_test(test_fork_at_boundaries),
		cmocka_unit_test(test_find_refuses_unknown),
		cmocka_unit_test(test_fork_names),
		cmocka_unit_test(test_built_in_networks_pass_the_check),
		cmocka_unit_test(test_presets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
