/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What differs between Ethereum networks, as data: the fork schedule, the genesis validators root, the preset's constants.
 * A new fork epoch changes a table (or a configuration file), never code. Sources: consensus-specs, eth-clients.
 */
#pragma once

#include "base/bytes.h"

#define ROOT_SIZE 32
#define FORK_VERSION_SIZE 4
#define DOMAIN_TYPE_SIZE 4
#define NETWORK_NAME_SIZE 32
#define EPOCH_NEVER UINT64_MAX /* FAR_FUTURE_EPOCH: not scheduled */

enum fork {
	FORK_PHASE0,
	FORK_ALTAIR,
	FORK_BELLATRIX,
	FORK_CAPELLA,
	FORK_DENEB,
	FORK_ELECTRA,
	FORK_FULU,
	FORK_GLOAS,
	FORK_HEZE,
	FORK_COUNT,
};

struct fork_schedule_entry {
	uint8_t version[FORK_VERSION_SIZE]; /* all zero behind an unscheduled fork: not chosen yet */
	uint64_t epoch;                     /* EPOCH_NEVER when not scheduled */
};

/* Fixed size and free of pointers: it is handed to roles as it is. */
struct network {
	char name[NETWORK_NAME_SIZE];
	bool genesis_validators_root_known;   /* false for presets without a network behind them (minimal) */
	bool genesis_validators_root_learned; /* not known, and the first one that something slashable is signed for becomes it */
	uint8_t genesis_validators_root[ROOT_SIZE];
	uint64_t slots_per_epoch;
	uint64_t sync_committee_size;
	uint64_t max_committees_per_slot;
	struct fork_schedule_entry forks[FORK_COUNT];
};

/* mainnet, hoodi, sepolia, holesky, gnosis, chiado, minimal. NULL (ERROR_INPUT, listing the names) for any other. */
MUST_USE const struct network *network_find(const char *name, struct error *error);
/* The sizes of a preset, by the name that PRESET_BASE has in consensus-specs: mainnet, gnosis, minimal. */
struct network_preset {
	const char *name;
	uint64_t slots_per_epoch;
	uint64_t sync_committee_size;
	uint64_t max_committees_per_slot;
};

/* NULL (ERROR_INPUT, listing the names) for any other. */
MUST_USE const struct network_preset *network_preset_find(const char *name, struct error *error);
/* 1 to NETWORK_NAME_SIZE - 1 letters, digits, '.', '-', '_': it goes into log lines, messages and rows of the key table as it is. */
bool network_name_is_plain(const char *name);
/*
 * Whether a network that was put together from outside is one: a plain name, sizes of a known preset, forks in order, and under
 * the name of a built-in network that one's genesis validators root. ERROR_INPUT says what is not.
 */
MUST_USE bool network_check(const struct network *network, struct error *error);
/* Member by member. */
bool network_equal(const struct network *a, const struct network *b);
/* The fork that is live at `epoch`. */
enum fork network_fork_at(const struct network *network, uint64_t epoch);
/* "PHASE0", … as the remote-signing API spells versions. */
const char *fork_name(enum fork fork);
/* Case-sensitive, upper case. False when unknown. */
MUST_USE bool fork_parse(const char *name, enum fork *ret_fork);
