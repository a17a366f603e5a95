/* SPDX-License-Identifier: Apache-2.0 */
#include "image/network_json.h"

#include <inttypes.h>

#define HEX_TEXT_SIZE(bytes) (2 + 2 * (bytes) + 1)
#define U64_TEXT_SIZE 21

static const char *const network_members[] = {
	"name", "genesis_validators_root", "slots_per_epoch", "sync_committee_size", "max_committees_per_slot", "forks"};
static const char *const fork_members[] = {"name", "version", "epoch"};

static const struct size_member {
	const char *name;
	size_t offset;
} size_members[] = {
	{"slots_per_epoch", offsetof(struct network, slots_per_epoch)},
	{"sync_committee_size", offsetof(struct network, sync_committee_size)},
	{"max_committees_per_slot", offsetof(struct network, max_committees_per_slot)},
};

bool network_root_parse(const char *text, struct network *network, struct error *error)
{
	uint8_t root[ROOT_SIZE] = {0};
	bool learn = strcmp(text, NETWORK_ROOT_LEARN) == 0;

	if (!learn && (strncmp(text, "0x", 2) != 0 || !hex_decode(view_of_text(text), root, sizeof root)))
		return error_set(error, ERROR_INPUT, "neither 0x and %d hex digits nor " NETWORK_ROOT_LEARN, 2 * ROOT_SIZE);
	network->genesis_validators_root_learned = learn;
	network->genesis_validators_root_known = !learn;
	memcpy(network->genesis_validators_root, root, sizeof root);
	return true;
}

/* *next: the first fork that may come now. */
static bool read_fork(json_t *entry, struct network *network, enum fork *next, struct error *error)
{
	struct fork_schedule_entry *schedule;
	const char *name;
	enum fork fork;

	if (!json_is_object(entry))
		return error_set(error, ERROR_INPUT, "not an object");
	if (!json_check_members(entry, fork_members, ARRAY_SIZE(fork_members), error) ||
	    !json_read_text(entry, "name", &name, error))
		return false;
	if (!fork_parse(name, &fork) || fork < *next)
		return error_set(error, ERROR_INPUT, "name: \"%.*s\" is no fork, or out of order", NETWORK_NAME_SIZE, name);
	schedule = &network->forks[fork];
	if (!json_read_hex(entry, "version", schedule->version, sizeof schedule->version, error))
		return false;
	*next = fork + 1;
	if (json_is_null(json_object_get(entry, "epoch")))
		return true;
	if (!json_read_u64(entry, "epoch", &schedule->epoch, error))
		return false;
	return schedule->epoch != EPOCH_NEVER || error_set(error, ERROR_INPUT, "epoch: not scheduled is null");
}

static bool read_forks(json_t *object, struct network *network, struct error *error)
{
	enum fork next = FORK_PHASE0;
	json_t *entry, *forks;
	size_t i;

	for (enum fork fork = FORK_PHASE0; fork < FORK_COUNT; fork++)
		network->forks[fork].epoch = EPOCH_NEVER;
	if (!json_read_array(object, "forks", &forks, error))
		return false;
	json_array_foreach(forks, i, entry)
	{
		if (!read_fork(entry, network, &next, error))
			return error_prefix(error, "forks[%zu]", i);
	}
	return true;
}

static bool read_custom(json_t *object, struct network *network, struct error *error)
{
	const char *name, *root;

	if (!json_check_members(object, network_members, ARRAY_SIZE(network_members), error) ||
	    !json_read_text(object, "name", &name, error) || !json_read_text(object, "genesis_validators_root", &root, error))
		return false;
	if (strlen(name) >= sizeof network->name)
		return error_set(error, ERROR_INPUT, "name: longer than %d characters", NETWORK_NAME_SIZE - 1);
	memcpy(network->name, name, strlen(name) + 1);
	if (!network_root_parse(root, network, error))
		return error_prefix(error, "genesis_validators_root");
	for (size_t i = 0; i < ARRAY_SIZE(size_members); i++) {
		uint64_t *size = (uint64_t *)(void *)((char *)network + size_members[i].offset);

		if (!json_read_u64(object, size_members[i].name, size, error))
			return false;
	}
	return read_forks(object, network, error) && network_check(network, error);
}

bool network_json_read(json_t *object, const char *name, struct network *ret_network, struct error *error)
{
	json_t *value = json_object_get(object, name);
	struct network custom = {0};
	const struct network *network = &custom;
	const char *built_in;

	if (json_is_object(value)) {
		if (!read_custom(value, &custom, error))
			return error_prefix(error, "%s", name);
		*ret_network = *network;
		return true;
	}
	if (!json_read_text(object, name, &built_in, error))
		return false;
	network = network_find(built_in, error);
	if (!network)
		return error_prefix(error, "%s", name);
	*ret_network = *network;
	return true;
}

static json_t *hex_new(struct view bytes)
{
	char text[HEX_TEXT_SIZE(ROOT_SIZE)] = "0x";

	hex_encode(bytes, text + 2);
	return json_string(text);
}

static json_t *number_new(uint64_t number)
{
	char text[U64_TEXT_SIZE];

	(void)snprintf(text, sizeof text, "%" PRIu64, number);
	return json_string(text);
}

static json_t *forks_new(const struct network *network)
{
	static const uint8_t not_chosen[FORK_VERSION_SIZE];
	json_t *forks = json_array();

	for (enum fork fork = FORK_PHASE0; fork < FORK_COUNT; fork++) {
		const struct fork_schedule_entry *schedule = &network->forks[fork];
		bool scheduled = schedule->epoch != EPOCH_NEVER;

		if (!scheduled && memcmp(schedule->version, not_chosen, sizeof not_chosen) == 0)
			continue;
		(void)json_array_append_new(forks, json_pack("{s:s, s:o, s:o}", "name", fork_name(fork), "version",
							     hex_new(view_of(schedule->version, sizeof schedule->version)), "epoch",
							     scheduled ? number_new(schedule->epoch) : json_null()));
	}
	return forks;
}

json_t *network_json_new(const struct network *network)
{
	struct error ignored;
	const struct network *built_in = network_find(network->name, &ignored);
	json_t *object;

	if (built_in && network_equal(built_in, network))
		return json_string(network->name);
	object = json_object();
	(void)json_object_set_new(object, "name", json_string(network->name));
	(void)json_object_set_new(object, "genesis_validators_root",
				  network->genesis_validators_root_learned
					  ? json_string(NETWORK_ROOT_LEARN)
					  : hex_new(view_of(network->genesis_validators_root, ROOT_SIZE)));
	for (size_t i = 0; i < ARRAY_SIZE(size_members); i++)
		(void)json_object_set_new(
			object, size_members[i].name,
			number_new(*(const uint64_t *)(const void *)((const char *)network + size_members[i].offset)));
	(void)json_object_set_new(object, "forks", forks_new(network));
	return object;
}
