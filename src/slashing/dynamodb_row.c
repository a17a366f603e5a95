/* SPDX-License-Identifier: Apache-2.0 */
#include "slashing/dynamodb_row.h"

#include "base/clock.h"

/* ---- reading ---- */

static bool read_watermark(json_t *item, struct watermark *watermark, struct error *error)
{
	bool has_source, has_root;

	if (!dynamodb_read_number(item, "block_slot", &watermark->has_block, &watermark->block_slot, error) ||
	    !dynamodb_read_hex(item, "block_root", &has_root, watermark->block_root, ROOT_SIZE, error) ||
	    !dynamodb_read_number(item, "source_epoch", &has_source, &watermark->source_epoch, error) ||
	    !dynamodb_read_number(item, "target_epoch", &watermark->has_attestation, &watermark->target_epoch, error) ||
	    !dynamodb_read_hex(item, "attestation_root", &has_root, watermark->attestation_root, ROOT_SIZE, error))
		return false;
	if (has_source != watermark->has_attestation)
		return error_set(error, ERROR_PEER, "source_epoch or target_epoch without the other");
	return true;
}

bool dynamodb_row_read(json_t *item, struct dynamodb_row *ret_row, struct error *error)
{
	struct dynamodb_row row = {0};
	const char *origin;
	bool has_retired, has_edits;

	if (!dynamodb_read_hex(item, "genesis_validators_root", &row.has_root, row.genesis_validators_root, ROOT_SIZE, error) ||
	    !read_watermark(item, &row.watermark, error) ||
	    !dynamodb_read_flag(item, "retired", &has_retired, &row.is_retired, error) ||
	    !dynamodb_read_number(item, "begun_at", &row.is_begun, &row.begun_s, error) ||
	    !dynamodb_read_text(item, "origin", &origin, error) ||
	    !dynamodb_read_number(item, "edits", &has_edits, &row.edits, error))
		return error_prefix(error, "row of the slashing table");
	row.origin = origin ? history_origin_parse(origin) : ORIGIN_UNKNOWN;
	*ret_row = row;
	return true;
}

bool dynamodb_row_has_history(const struct dynamodb_row *row)
{
	return row->is_begun || row->watermark.has_block || row->watermark.has_attestation;
}

/* ---- writing ---- */

json_t *dynamodb_row_key(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	return json_pack("{s:o}", "pubkey", dynamodb_hex(view_of(public_key, BLS_PUBLIC_KEY_SIZE)));
}

static json_t *new_update(const char *table, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const char *update,
			  const char *condition, json_t *values)
{
	return json_pack("{s:{s:s,s:o,s:s,s:s,s:o,s:s}}", "Update", "TableName", table, "Key", dynamodb_row_key(public_key),
			 "UpdateExpression", update, "ConditionExpression", condition, "ExpressionAttributeValues", values,
			 "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
}

/* An attribute that is not there compares as false, whichever way: what may be absent has to be allowed. */
#define OF_THE_NETWORK "(attribute_not_exists(genesis_validators_root) OR genesis_validators_root = :network)"
#define NOT_RETIRED " AND (attribute_not_exists(retired) OR retired = :no)"
#define WITH_HISTORY " AND (attribute_exists(begun_at) OR attribute_exists(block_slot) OR attribute_exists(target_epoch))"
/* A key that has no history begins one; what is written down of how one began stays. */
#define BEGIN ", begun_at = if_not_exists(begun_at, :now), origin = if_not_exists(origin, :quiet)"
#define BLOCK_SAFE "attribute_not_exists(block_slot) OR block_slot < :slot"
#define BLOCK_REPEAT " OR (block_slot = :slot AND block_root = :root)"
/* A row with just one of the two epochs is damaged, and none of these. */
#define ATTESTATION_SAFE                                                                                                           \
	"(attribute_not_exists(source_epoch) AND attribute_not_exists(target_epoch))"                                              \
	" OR (source_epoch <= :source AND target_epoch < :target)"
#define ATTESTATION_REPEAT " OR (source_epoch = :source AND target_epoch = :target AND attestation_root = :root)"

/* All zero is a root that nobody knows, which is the same as no other. */
static bool is_known_root(const uint8_t root[ROOT_SIZE])
{
	static const uint8_t unknown[ROOT_SIZE];

	return memcmp(root, unknown, ROOT_SIZE) != 0;
}

static json_t *root_value(const uint8_t root[ROOT_SIZE])
{
	return dynamodb_hex(view_of(root, ROOT_SIZE));
}

json_t *dynamodb_row_commit(const char *table, const struct store_commit *commit)
{
	bool is_block = commit->duty == STORE_DUTY_BLOCK;
	bool may_repeat = is_known_root(commit->signing_root);
	const char *safe = is_block ? BLOCK_SAFE : ATTESTATION_SAFE;
	const char *repeat = is_block ? BLOCK_REPEAT : ATTESTATION_REPEAT;
	const char *update = is_block ? "SET genesis_validators_root = :network, block_slot = :slot, block_root = :root"
				      : "SET genesis_validators_root = :network, source_epoch = :source, target_epoch = :target,"
					" attestation_root = :root";
	AUTO_FREE char *update_and_begin = memory_format("%s%s", update, commit->may_begin ? BEGIN : "");
	AUTO_FREE char *condition = memory_format(OF_THE_NETWORK NOT_RETIRED "%s AND (%s%s)", commit->may_begin ? "" : WITH_HISTORY,
						  safe, may_repeat ? repeat : "");
	json_t *values = json_pack("{s:o,s:o,s:o}", ":network", root_value(commit->genesis_validators_root), ":no",
				   dynamodb_flag(false), ":root", root_value(commit->signing_root));

	if (commit->may_begin) {
		(void)json_object_set_new(values, ":now", dynamodb_number(clock_realtime_ms() / 1000));
		(void)json_object_set_new(values, ":quiet", dynamodb_text(history_origin_name(ORIGIN_QUIET)));
	}
	if (is_block)
		(void)json_object_set_new(values, ":slot", dynamodb_number(commit->slot));
	if (!is_block) {
		(void)json_object_set_new(values, ":source", dynamodb_number(commit->source_epoch));
		(void)json_object_set_new(values, ":target", dynamodb_number(commit->target_epoch));
	}
	return new_update(table, commit->public_key, update_and_begin, condition, values);
}

/* The row's attributes but for its key; those that it has not are absent. Not retired is what was never said, or what is said now. */
static json_t *row_attributes(const struct dynamodb_row *row, bool tells_retired)
{
	const struct watermark *watermark = &row->watermark;
	json_t *attributes = json_object();

	if (row->has_root)
		(void)json_object_set_new(attributes, "genesis_validators_root", root_value(row->genesis_validators_root));
	if (watermark->has_block) {
		(void)json_object_set_new(attributes, "block_slot", dynamodb_number(watermark->block_slot));
		(void)json_object_set_new(attributes, "block_root", root_value(watermark->block_root));
	}
	if (watermark->has_attestation) {
		(void)json_object_set_new(attributes, "source_epoch", dynamodb_number(watermark->source_epoch));
		(void)json_object_set_new(attributes, "target_epoch", dynamodb_number(watermark->target_epoch));
		(void)json_object_set_new(attributes, "attestation_root", root_value(watermark->attestation_root));
	}
	if (row->is_retired || tells_retired)
		(void)json_object_set_new(attributes, "retired", dynamodb_flag(row->is_retired));
	if (row->is_begun) {
		(void)json_object_set_new(attributes, "begun_at", dynamodb_number(row->begun_s));
		(void)json_object_set_new(attributes, "origin", dynamodb_text(history_origin_name(row->origin)));
	}
	return attributes;
}

static const char *const attribute_names[] = {
	"genesis_validators_root", "block_slot", "block_root", "source_epoch", "target_epoch",
	"attestation_root",        "retired",    "begun_at",   "origin",
};

/* The values as they were found go back into the condition, whatever they look like. */
json_t *dynamodb_row_replace(const char *table, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], json_t *found,
			     const struct dynamodb_row *row)
{
	AUTO_JSON json_t *wanted = row_attributes(row, json_object_get(found, "retired") != NULL);
	AUTO_JSON json_t *values = json_object();
	AUTO_BUFFER struct buffer update = {0};
	AUTO_BUFFER struct buffer condition = {0};

	buffer_append_text(&condition, found ? "attribute_exists(pubkey)" : "attribute_not_exists(pubkey)");
	for (size_t i = 0; i < ARRAY_SIZE(attribute_names); i++) {
		const char *name = attribute_names[i];
		json_t *old_value = json_object_get(found, name);
		json_t *new_value = json_object_get(wanted, name);
		char old_name[] = ":old0", new_name[] = ":new0";

		old_name[4] = new_name[4] = (char)('0' + i);
		if (old_value)
			(void)json_object_set(values, old_name, old_value);
		if (old_value)
			buffer_append_format(&condition, " AND %s = %s", name, old_name);
		else
			buffer_append_format(&condition, " AND attribute_not_exists(%s)", name);
		if (!new_value || json_equal(new_value, old_value))
			continue;
		(void)json_object_set(values, new_name, new_value);
		buffer_append_format(&update, "%s %s = %s", update.size ? "," : "SET", name, new_name);
	}
	if (update.size == 0)
		return NULL;
	if (json_object_get(found, "edits"))
		(void)json_object_set(values, ":edits", json_object_get(found, "edits"));
	buffer_append_text(&condition,
			   json_object_get(found, "edits") ? " AND edits = :edits" : " AND attribute_not_exists(edits)");
	(void)json_object_set_new(values, ":edited", dynamodb_number(row->edits + 1));
	buffer_append_text(&update, ", edits = :edited");
	return new_update(table, public_key, buffer_text(&update), buffer_text(&condition), json_incref(values));
}
