/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/network.h"

#define FORK(number, first_epoch)                                                                                                  \
	{                                                                                                                          \
		.version = {(uint8_t)((number) >> 24), (uint8_t)((number) >> 16 & 0xff), (uint8_t)((number) >> 8 & 0xff),          \
			    (uint8_t)((number)&0xff)},                                                                             \
		.epoch = (first_epoch),                                                                                            \
	}
/* The network's operators have not given this fork a version yet. */
#define FORK_UNNAMED FORK(0, EPOCH_NEVER)

/* What the networks on the mainnet preset share; the gnosis preset differs in the length of an epoch. */
#define MAINNET_PRESET(slots) .slots_per_epoch = (slots), .sync_committee_size = 512, .max_committees_per_slot = 64

/*
 * From the configuration that each network publishes (eth-clients/mainnet, hoodi, sepolia and holesky; gnosischain/configs) and
 * the presets of consensus-specs, as of 2026-08.
 */
// clang-format off
static const struct network networks[] = {
	{
		.name = "mainnet",
		.genesis_validators_root_known = true,
		.genesis_validators_root = {
			0x4b, 0x36, 0x3d, 0xb9, 0x4e, 0x28, 0x61, 0x20, 0xd7, 0x6e, 0xb9, 0x05, 0x34, 0x0f, 0xdd, 0x4e,
			0x54, 0xbf, 0xe9, 0xf0, 0x6b, 0xf3, 0x3f, 0xf6, 0xcf, 0x5a, 0xd2, 0x7f, 0x51, 0x1b, 0xfe, 0x95,
		},
		MAINNET_PRESET(32),
		.forks = {
			[FORK_PHASE0] = FORK(0x00000000, 0),
			[FORK_ALTAIR] = FORK(0x01000000, 74240),
			[FORK_BELLATRIX] = FORK(0x02000000, 144896),
			[FORK_CAPELLA] = FORK(0x03000000, 194048),
			[FORK_DENEB] = FORK(0x04000000, 269568),
			[FORK_ELECTRA] = FORK(0x05000000, 364032),
			[FORK_FULU] = FORK(0x06000000, 411392),
			[FORK_GLOAS] = FORK(0x07000000, EPOCH_NEVER),
			[FORK_HEZE] = FORK(0x08000000, EPOCH_NEVER),
		},
	},
	{
		.name = "hoodi",
		.genesis_validators_root_known = true,
		.genesis_validators_root = {
			0x21, 0x2f, 0x13, 0xfc, 0x4d, 0xf0, 0x78, 0xb6, 0xcb, 0x7d, 0xb2, 0x28, 0xf1, 0xc8, 0x30, 0x75,
			0x66, 0xdc, 0xec, 0xf9, 0x00, 0x86, 0x74, 0x01, 0xa9, 0x20, 0x23, 0xd7, 0xba, 0x99, 0xcb, 0x5f,
		},
		MAINNET_PRESET(32),
		.forks = {
			[FORK_PHASE0] = FORK(0x10000910, 0),
			[FORK_ALTAIR] = FORK(0x20000910, 0),
			[FORK_BELLATRIX] = FORK(0x30000910, 0),
			[FORK_CAPELLA] = FORK(0x40000910, 0),
			[FORK_DENEB] = FORK(0x50000910, 0),
			[FORK_ELECTRA] = FORK(0x60000910, 2048),
			[FORK_FULU] = FORK(0x70000910, 50688),
			[FORK_GLOAS] = FORK(0x80000910, EPOCH_NEVER),
			[FORK_HEZE] = FORK_UNNAMED,
		},
	},
	{
		.name = "sepolia",
		.genesis_validators_root_known = true,
		.genesis_validators_root = {
			0xd8, 0xea, 0x17, 0x1f, 0x3c, 0x94, 0xae, 0xa2, 0x1e, 0xbc, 0x42, 0xa1, 0xed, 0x61, 0x05, 0x2a,
			0xcf, 0x3f, 0x92, 0x09, 0xc0, 0x0e, 0x4e, 0xfb, 0xaa, 0xdd, 0xac, 0x09, 0xed, 0x9b, 0x80, 0x78,
		},
		MAINNET_PRESET(32),
		.forks = {
			[FORK_PHASE0] = FORK(0x90000069, 0),
			[FORK_ALTAIR] = FORK(0x90000070, 50),
			[FORK_BELLATRIX] = FORK(0x90000071, 100),
			[FORK_CAPELLA] = FORK(0x90000072, 56832),
			[FORK_DENEB] = FORK(0x90000073, 132608),
			[FORK_ELECTRA] = FORK(0x90000074, 222464),
			[FORK_FULU] = FORK(0x90000075, 272640),
			[FORK_GLOAS] = FORK(0x90000076, EPOCH_NEVER),
			[FORK_HEZE] = FORK_UNNAMED,
		},
	},
	{
		.name = "holesky",
		.genesis_validators_root_known = true,
		.genesis_validators_root = {
			0x91, 0x43, 0xaa, 0x7c, 0x61, 0x5a, 0x7f, 0x71, 0x15, 0xe2, 0xb6, 0xaa, 0xc3, 0x19, 0xc0, 0x35,
			0x29, 0xdf, 0x82, 0x42, 0xae, 0x70, 0x5f, 0xba, 0x9d, 0xf3, 0x9b, 0x79, 0xc5, 0x9f, 0xa8, 0xb1,
		},
		MAINNET_PRESET(32),
		.forks = {
			[FORK_PHASE0] = FORK(0x01017000, 0),
			[FORK_ALTAIR] = FORK(0x02017000, 0),
			[FORK_BELLATRIX] = FORK(0x03017000, 0),
			[FORK_CAPELLA] = FORK(0x04017000, 256),
			[FORK_DENEB] = FORK(0x05017000, 29696),
			[FORK_ELECTRA] = FORK(0x06017000, 115968),
			[FORK_FULU] = FORK(0x07017000, 165120),
			[FORK_GLOAS] = FORK_UNNAMED,
			[FORK_HEZE] = FORK_UNNAMED,
		},
	},
	{
		.name = "gnosis",
		.genesis_validators_root_known = true,
		.genesis_validators_root = {
			0xf5, 0xdc, 0xb5, 0x56, 0x4e, 0x82, 0x9a, 0xab, 0x27, 0x26, 0x4b, 0x9b, 0xec, 0xd5, 0xdf, 0xaa,
			0x01, 0x70, 0x85, 0x61, 0x12, 0x24, 0xcb, 0x30, 0x36, 0xf5, 0x73, 0x36, 0x8d, 0xbb, 0x9d, 0x47,
		},
		MAINNET_PRESET(16),
		.forks = {
			[FORK_PHASE0] = FORK(0x00000064, 0),
			[FORK_ALTAIR] = FORK(0x01000064, 512),
			[FORK_BELLATRIX] = FORK(0x02000064, 385536),
			[FORK_CAPELLA] = FORK(0x03000064, 648704),
			[FORK_DENEB] = FORK(0x04000064, 889856),
			[FORK_ELECTRA] = FORK(0x05000064, 1337856),
			[FORK_FULU] = FORK(0x06000064, 1714688),
			[FORK_GLOAS] = FORK(0x07000064, EPOCH_NEVER),
			[FORK_HEZE] = FORK_UNNAMED,
		},
	},
	{
		.name = "chiado",
		.genesis_validators_root_known = true,
		.genesis_validators_root = {
			0x9d, 0x64, 0x2d, 0xac, 0x73, 0x05, 0x8f, 0xbf, 0x39, 0xc0, 0xae, 0x41, 0xab, 0x1e, 0x34, 0xe4,
			0xd8, 0x89, 0x04, 0x3c, 0xb1, 0x99, 0x85, 0x1d, 0xed, 0x70, 0x95, 0xbc, 0x99, 0xeb, 0x4c, 0x1e,
		},
		MAINNET_PRESET(16),
		.forks = {
			[FORK_PHASE0] = FORK(0x0000006f, 0),
			[FORK_ALTAIR] = FORK(0x0100006f, 90),
			[FORK_BELLATRIX] = FORK(0x0200006f, 180),
			[FORK_CAPELLA] = FORK(0x0300006f, 244224),
			[FORK_DENEB] = FORK(0x0400006f, 516608),
			[FORK_ELECTRA] = FORK(0x0500006f, 948224),
			[FORK_FULU] = FORK(0x0600006f, 1353216),
			[FORK_GLOAS] = FORK(0x0700006f, EPOCH_NEVER),
			[FORK_HEZE] = FORK_UNNAMED,
		},
	},
	{
		.name = "minimal",
		.slots_per_epoch = 8, .sync_committee_size = 32, .max_committees_per_slot = 4,
		.forks = {
			[FORK_PHASE0] = FORK(0x00000001, 0),
			[FORK_ALTAIR] = FORK(0x01000001, EPOCH_NEVER),
			[FORK_BELLATRIX] = FORK(0x02000001, EPOCH_NEVER),
			[FORK_CAPELLA] = FORK(0x03000001, EPOCH_NEVER),
			[FORK_DENEB] = FORK(0x04000001, EPOCH_NEVER),
			[FORK_ELECTRA] = FORK(0x05000001, EPOCH_NEVER),
			[FORK_FULU] = FORK(0x06000001, EPOCH_NEVER),
			[FORK_GLOAS] = FORK(0x07000001, EPOCH_NEVER),
			[FORK_HEZE] = FORK(0x08000001, EPOCH_NEVER),
		},
	},
};
// clang-format on

static const struct network_preset presets[] = {
	{"mainnet", 32, 512, 64},
	{"gnosis", 16, 512, 64},
	{"minimal", 8, 32, 4},
};

static const char *const fork_names[FORK_COUNT] = {
	[FORK_PHASE0] = "PHASE0",   [FORK_ALTAIR] = "ALTAIR", [FORK_BELLATRIX] = "BELLATRIX",
	[FORK_CAPELLA] = "CAPELLA", [FORK_DENEB] = "DENEB",   [FORK_ELECTRA] = "ELECTRA",
	[FORK_FULU] = "FULU",       [FORK_GLOAS] = "GLOAS",   [FORK_HEZE] = "HEZE",
};

const struct network *network_find(const char *name, struct error *error)
{
	AUTO_BUFFER struct buffer names = {0};

	for (size_t i = 0; i < ARRAY_SIZE(networks); i++) {
		if (strcmp(networks[i].name, name) == 0)
			return &networks[i];
		buffer_append_format(&names, "%s%s", i ? ", " : "", networks[i].name);
	}
	return error_set(error, ERROR_INPUT, "network: \"%.*s\" is not one of %s", NETWORK_NAME_SIZE, name, buffer_text(&names)),
	       NULL;
}

const struct network_preset *network_preset_find(const char *name, struct error *error)
{
	AUTO_BUFFER struct buffer names = {0};

	for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
		if (strcmp(presets[i].name, name) == 0)
			return &presets[i];
		buffer_append_format(&names, "%s%s", i ? ", " : "", presets[i].name);
	}
	return error_set(error, ERROR_INPUT, "preset: \"%.*s\" is not one of %s", NETWORK_NAME_SIZE, name, buffer_text(&names)),
	       NULL;
}

bool network_name_is_plain(const char *name)
{
	size_t size = strnlen(name, NETWORK_NAME_SIZE);

	return size > 0 && size < NETWORK_NAME_SIZE &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == size;
}

static bool is_of_a_preset(const struct network *network)
{
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
		if (network->slots_per_epoch == presets[i].slots_per_epoch &&
		    network->sync_committee_size == presets[i].sync_committee_size &&
		    network->max_committees_per_slot == presets[i].max_committees_per_slot)
			return true;
	}
	return false;
}

/* Keys are sealed for a network by its name, so no other chain may take the name of one. */
static bool has_its_names_root(const struct network *network)
{
	struct error ignored;
	const struct network *built_in = network_find(network->name, &ignored);

	if (!built_in || !built_in->genesis_validators_root_known)
		return true;
	return network->genesis_validators_root_known &&
	       memcmp(network->genesis_validators_root, built_in->genesis_validators_root, ROOT_SIZE) == 0;
}

bool network_check(const struct network *network, struct error *error)
{
	if (!network_name_is_plain(network->name))
		return error_set(error, ERROR_INPUT, "name: not of 1 to %d letters, digits, dots, hyphens and underscores",
				 NETWORK_NAME_SIZE - 1);
	if (!is_of_a_preset(network))
		return error_set(error, ERROR_INPUT,
				 "slots_per_epoch, sync_committee_size, max_committees_per_slot: of no known preset");
	if (!has_its_names_root(network))
		return error_set(error, ERROR_INPUT, "genesis_validators_root: not that of the built-in network %s", network->name);
	if (network->forks[FORK_PHASE0].epoch != 0)
		return error_set(error, ERROR_INPUT, "forks: PHASE0 does not start at epoch 0");
	for (enum fork fork = FORK_ALTAIR; fork < FORK_COUNT; fork++) {
		/* So nothing that is scheduled comes behind what is not: EPOCH_NEVER is the largest. */
		if (network->forks[fork].epoch < network->forks[fork - 1].epoch)
			return error_set(error, ERROR_INPUT, "forks: %s starts before %s", fork_name(fork), fork_name(fork - 1));
	}
	return true;
}

bool network_equal(const struct network *a, const struct network *b)
{
	for (enum fork fork = FORK_PHASE0; fork < FORK_COUNT; fork++) {
		if (a->forks[fork].epoch != b->forks[fork].epoch ||
		    memcmp(a->forks[fork].version, b->forks[fork].version, FORK_VERSION_SIZE) != 0)
			return false;
	}
	return strcmp(a->name, b->name) == 0 && a->genesis_validators_root_known == b->genesis_validators_root_known &&
	       a->genesis_validators_root_learned == b->genesis_validators_root_learned &&
	       memcmp(a->genesis_validators_root, b->genesis_validators_root, ROOT_SIZE) == 0 &&
	       a->slots_per_epoch == b->slots_per_epoch && a->sync_committee_size == b->sync_committee_size &&
	       a->max_committees_per_slot == b->max_committees_per_slot;
}

enum fork network_fork_at(const struct network *network, uint64_t epoch)
{
	/* From the newest down: several forks may start at epoch 0, and the last of them is the live one. */
	for (enum fork fork = FORK_COUNT - 1; fork > FORK_PHASE0; fork--) {
		uint64_t first_epoch = network->forks[fork].epoch;

		/* EPOCH_NEVER is also the largest epoch that a message can name: it activates nothing. */
		if (first_epoch != EPOCH_NEVER && epoch >= first_epoch)
			return fork;
	}
	return FORK_PHASE0;
}

const char *fork_name(enum fork fork)
{
	return (unsigned)fork < FORK_COUNT ? fork_names[fork] : "UNKNOWN";
}

bool fork_parse(const char *name, enum fork *ret_fork)
{
	for (enum fork fork = FORK_PHASE0; fork < FORK_COUNT; fork++) {
		if (strcmp(fork_names[fork], name) == 0) {
			*ret_fork = fork;
			return true;
		}
	}
	return false;
}
