/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/network_config.h"

#include <inttypes.h>

#include "cli/yaml_flat.h"

/* PRESET_BASE has them; some clients write them into the file as well, and then they must say the same. */
static const struct preset_key {
	const char *key;
	size_t offset;
} preset_keys[] = {
	{"SLOTS_PER_EPOCH", offsetof(struct network, slots_per_epoch)},
	{"SYNC_COMMITTEE_SIZE", offsetof(struct network, sync_committee_size)},
	{"MAX_COMMITTEES_PER_SLOT", offsetof(struct network, max_committees_per_slot)},
};

/* "line N: KEY: reason" is the form of every message about a value. */
static bool refuse(const struct yaml_entry *entry, const char *reason, struct error *error)
{
	return error_set(error, ERROR_INPUT, "line %zu: %s: %s", entry->line, entry->key, reason);
}

/* An entry with a plain value. */
static const struct yaml_entry *find_text(const struct yaml_flat *flat, const char *key, struct error *error)
{
	const struct yaml_entry *entry = yaml_flat_find(flat, key);

	if (!entry)
		return error_set(error, ERROR_INPUT, "%s: missing", key), NULL;
	if (!entry->value)
		return refuse(entry, "not a plain value", error), NULL;
	return entry;
}

static bool read_number(const struct yaml_flat *flat, const char *key, uint64_t *ret_number, struct error *error)
{
	const struct yaml_entry *entry = find_text(flat, key, error);

	return entry && (u64_parse(view_of_text(entry->value), ret_number) ||
			 refuse(entry, "not a decimal number of 0 to 18446744073709551615", error));
}

static bool read_version(const struct yaml_flat *flat, const char *key, uint8_t ret_version[FORK_VERSION_SIZE], struct error *error)
{
	const struct yaml_entry *entry = find_text(flat, key, error);

	if (!entry)
		return false;
	/* Without 0x it would be a number to other readers of YAML. */
	if (strncmp(entry->value, "0x", 2) != 0 || !hex_decode(view_of_text(entry->value), ret_version, FORK_VERSION_SIZE))
		return refuse(entry, "not 0x and 8 hex digits", error);
	return true;
}

static bool read_name(const struct yaml_flat *flat, struct network *network, struct error *error)
{
	const struct yaml_entry *entry = find_text(flat, "CONFIG_NAME", error);

	if (!entry)
		return false;
	if (!network_name_is_plain(entry->value))
		return refuse(entry, "not of 1 to 31 letters, digits, dots, hyphens and underscores", error);
	memcpy(network->name, entry->value, strlen(entry->value) + 1);
	return true;
}

static bool read_preset(const struct yaml_flat *flat, struct network *network, struct error *error)
{
	const struct yaml_entry *entry = find_text(flat, "PRESET_BASE", error);
	const struct network_preset *preset = entry ? network_preset_find(entry->value, error) : NULL;

	if (!entry)
		return false;
	if (!preset)
		return error_prefix(error, "line %zu: PRESET_BASE", entry->line);
	network->slots_per_epoch = preset->slots_per_epoch;
	network->sync_committee_size = preset->sync_committee_size;
	network->max_committees_per_slot = preset->max_committees_per_slot;
	for (size_t i = 0; i < ARRAY_SIZE(preset_keys); i++) {
		uint64_t has = *(const uint64_t *)(const void *)((const char *)network + preset_keys[i].offset);
		uint64_t given = has;

		entry = yaml_flat_find(flat, preset_keys[i].key);
		if (entry && !read_number(flat, preset_keys[i].key, &given, error))
			return false;
		if (given != has)
			return error_set(error, ERROR_INPUT, "line %zu: %s: %" PRIu64 ", but the preset %s has %" PRIu64,
					 entry->line, entry->key, given, preset->name, has);
	}
	return true;
}

static bool read_fork(const struct yaml_flat *flat, enum fork fork, struct fork_schedule_entry *schedule, struct error *error)
{
	AUTO_FREE char *version_key = memory_format("%s_FORK_VERSION", fork_name(fork));
	AUTO_FREE char *epoch_key = memory_format("%s_FORK_EPOCH", fork_name(fork));

	schedule->epoch = EPOCH_NEVER;
	if (yaml_flat_find(flat, epoch_key) && !read_number(flat, epoch_key, &schedule->epoch, error))
		return false;
	/* Only a fork that nobody has scheduled may do without a version. */
	if (schedule->epoch == EPOCH_NEVER && !yaml_flat_find(flat, version_key))
		return true;
	return read_version(flat, version_key, schedule->version, error);
}

static bool check_order(const struct yaml_flat *flat, const struct network *network, enum fork fork, struct error *error)
{
	AUTO_FREE char *key = memory_format("%s_FORK_EPOCH", fork_name(fork));
	const struct yaml_entry *entry = yaml_flat_find(flat, key);
	uint64_t before = network->forks[fork - 1].epoch;

	if (network->forks[fork].epoch >= before)
		return true;
	if (before == EPOCH_NEVER)
		return error_set(error, ERROR_INPUT, "line %zu: %s: %s before it is not scheduled", entry ? entry->line : 0, key,
				 fork_name(fork - 1));
	return error_set(error, ERROR_INPUT, "line %zu: %s: before that of %s, %" PRIu64, entry ? entry->line : 0, key,
			 fork_name(fork - 1), before);
}

bool network_config_parse(struct view yaml, struct network *ret_network, struct error *error)
{
	AUTO_YAML_FLAT struct yaml_flat flat = {0};
	struct network network = {0};

	if (yaml.size > NETWORK_CONFIG_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "larger than %u bytes", NETWORK_CONFIG_MAX_SIZE);
	if (!yaml_flat_parse(yaml, &flat, error) || !read_name(&flat, &network, error) || !read_preset(&flat, &network, error) ||
	    !read_version(&flat, "GENESIS_FORK_VERSION", network.forks[FORK_PHASE0].version, error))
		return false;
	for (enum fork fork = FORK_ALTAIR; fork < FORK_COUNT; fork++) {
		if (!read_fork(&flat, fork, &network.forks[fork], error) || !check_order(&flat, &network, fork, error))
			return false;
	}
	*ret_network = network;
	return true;
}
