/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/dynamodb_high.h"

#include "base/clock.h"

#define KEY_PREFIX "high_watermark_"

static json_t *item_key(const struct dynamodb_high *high)
{
	char hex[2 * ROOT_SIZE + 1];
	char name[sizeof KEY_PREFIX + sizeof hex];

	hex_encode(view_of(high->genesis_validators_root, ROOT_SIZE), hex);
	(void)snprintf(name, sizeof name, KEY_PREFIX "%s", hex);
	return json_pack("{s:o}", "pubkey", dynamodb_text(name));
}

bool dynamodb_high_is_item(json_t *item)
{
	const char *name = json_string_value(json_object_get(json_object_get(item, "pubkey"), "S"));

	return name && strncmp(name, KEY_PREFIX, strlen(KEY_PREFIX)) == 0;
}

static void remember(struct dynamodb_high *high, const struct high_watermark *known)
{
	high->known = *known;
	high->known_ms = clock_monotonic_ms();
	high->is_known = true;
}

static bool parse(json_t *item, struct high_watermark *ret_high, struct error *error)
{
	struct high_watermark high = {0};
	bool has_slot, has_epoch;

	if (!dynamodb_read_number(item, "high_slot", &has_slot, &high.slot, error) ||
	    !dynamodb_read_number(item, "high_epoch", &has_epoch, &high.epoch, error))
		return error_prefix(error, "high watermark of the slashing table");
	high.has_slot = has_slot;
	high.has_epoch = has_epoch;
	*ret_high = high;
	return true;
}

bool dynamodb_high_read(struct dynamodb_high *high, uint64_t max_age_ms, uint64_t deadline_ms, struct high_watermark *ret_high,
			struct error *error)
{
	CLEANUP(dynamodb_item_done) struct dynamodb_item item = {0};
	struct high_watermark found = {0};

	if (high->has_root && !(high->is_known && clock_monotonic_ms() - high->known_ms < max_age_ms)) {
		item.request = item_key(high);
		if (!dynamodb_read(high->client, high->table, &item, 1, deadline_ms, error) || !parse(item.found, &found, error))
			return false;
		remember(high, &found);
	}
	*ret_high = high->known;
	return true;
}

/* Absent is how the item says that there is none. */
static json_t *number_if(bool is_there, uint64_t number)
{
	return is_there ? dynamodb_number(number) : NULL;
}

static json_t *make_update(const struct dynamodb_high *high, const struct high_watermark *wanted)
{
	const struct dynamodb_attribute columns[] = {
		{"high_slot", number_if(wanted->has_slot, wanted->slot)},
		{"high_epoch", number_if(wanted->has_epoch, wanted->epoch)},
	};

	return dynamodb_update(high->table, item_key(high), columns, ARRAY_SIZE(columns), NULL);
}

bool dynamodb_high_write(struct dynamodb_high *high, const struct high_watermark *wanted, uint64_t deadline_ms, struct error *error)
{
	CLEANUP(dynamodb_item_done) struct dynamodb_item item = {0};

	if (!high->has_root)
		return error_set(error, ERROR_INPUT, "a high watermark is of a network whose genesis validators root is known");
	item.request = make_update(high, wanted);
	/* In doubt until it is done; what is known meanwhile is read again. */
	high->is_known = false;
	if (!dynamodb_write(high->client, &item, 1, deadline_ms, error))
		return false;
	remember(high, wanted);
	return true;
}
