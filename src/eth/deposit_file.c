/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/deposit_file.h"

#include "base/json.h"

#define MEMBER(member) offsetof(struct deposit, member), sizeof(((struct deposit *)NULL)->member)

/* What is hex in an entry, and whether it stands before `amount`. */
static const struct hex_member {
	const char *name;
	size_t offset;
	size_t size;
} HEX_MEMBERS[] = {
	{"pubkey", MEMBER(data.message.pubkey)},  {"withdrawal_credentials", MEMBER(data.message.withdrawal_credentials)},
	{"signature", MEMBER(data.signature)},    {"deposit_message_root", MEMBER(message_root)},
	{"deposit_data_root", MEMBER(data_root)}, {"fork_version", MEMBER(fork_version)},
};
#define HEX_MEMBERS_BEFORE_AMOUNT 2

static void set_member(json_t *object, const char *name, json_t *value)
{
	if (json_object_set_new(object, name, value) != 0)
		abort(); /* a text of ours that is not UTF-8: cannot be */
}

static json_t *entry_json(const struct deposit *deposit)
{
	json_t *entry = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(HEX_MEMBERS); i++) {
		struct view bytes = view_of((const uint8_t *)deposit + HEX_MEMBERS[i].offset, HEX_MEMBERS[i].size);

		if (i == HEX_MEMBERS_BEFORE_AMOUNT)
			set_member(entry, "amount", json_integer((json_int_t)deposit->data.message.amount));
		set_member(entry, HEX_MEMBERS[i].name, json_text_of_hex("", bytes));
	}
	if (deposit->network_name[0])
		set_member(entry, "network_name", json_string(deposit->network_name));
	set_member(entry, "deposit_cli_version", json_string(deposit->cli_version));
	return entry;
}

void deposit_file_write(const struct deposit *deposits, size_t count, struct buffer *ret_json)
{
	AUTO_JSON json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(array, entry_json(&deposits[i]));
	json_write_spaced(array, ret_json);
}

/* Exactly the digits: the launchpad counts them, and does not know 0x. */
static bool read_hex(json_t *entry, const struct hex_member *member, struct deposit *deposit, struct error *error)
{
	const char *text;

	if (!json_read_text(entry, member->name, &text, error))
		return false;
	if (strlen(text) != 2 * member->size || !hex_decode(view_of_text(text), (uint8_t *)deposit + member->offset, member->size))
		return error_set(error, ERROR_INPUT, "%s: not %zu hex digits without 0x", member->name, 2 * member->size);
	return true;
}

static bool read_amount(json_t *entry, uint64_t *ret_amount, struct error *error)
{
	json_t *member = json_object_get(entry, "amount");

	if (!member)
		return error_set(error, ERROR_INPUT, "amount: missing");
	if (!json_is_integer(member) || json_integer_value(member) < 0)
		return error_set(error, ERROR_INPUT, "amount: not an integer from 0 up, in Gwei");
	*ret_amount = (uint64_t)json_integer_value(member);
	return true;
}

/* Text of 1 to size - 1 bytes; NULL stays "". */
static bool take_text(const char *text, const char *name, char *ret_text, size_t size, struct error *error)
{
	if (!text)
		return true;
	if (text[0] == 0 || strlen(text) >= size)
		return error_set(error, ERROR_INPUT, "%s: not of 1 to %zu bytes", name, size - 1);
	memcpy(ret_text, text, strlen(text) + 1);
	return true;
}

static bool read_names(json_t *entry, struct deposit *deposit, struct error *error)
{
	const char *network_name;
	const char *cli_version;

	return json_read_text_optional(entry, "network_name", &network_name, error) &&
	       json_read_text(entry, "deposit_cli_version", &cli_version, error) &&
	       take_text(network_name, "network_name", deposit->network_name, sizeof deposit->network_name, error) &&
	       take_text(cli_version, "deposit_cli_version", deposit->cli_version, sizeof deposit->cli_version, error);
}

static bool read_entry(json_t *entry, struct deposit *deposit, struct error *error)
{
	if (!json_is_object(entry))
		return error_set(error, ERROR_INPUT, "not an object");
	for (size_t i = 0; i < ARRAY_SIZE(HEX_MEMBERS); i++) {
		if (!read_hex(entry, &HEX_MEMBERS[i], deposit, error))
			return false;
	}
	return read_amount(entry, &deposit->data.message.amount, error) && read_names(entry, deposit, error);
}

bool deposit_file_parse(struct view json, struct deposit_file *ret_file, struct error *error)
{
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};
	AUTO_JSON json_t *array = NULL;

	if (json.size > DEPOSIT_FILE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "deposit file: %zu bytes, at most %u are allowed", json.size,
				 DEPOSIT_FILE_MAX_SIZE);
	array = json_parse(json, "deposit file", error);
	if (!array)
		return false;
	if (!json_is_array(array) || json_array_size(array) == 0)
		return error_set(error, ERROR_INPUT, "deposit file: not an array of one deposit or more");
	file.count = json_array_size(array);
	file.deposits = (struct deposit *)memory_allocate_zeroed(file.count, sizeof *file.deposits);
	for (size_t i = 0; i < file.count; i++) {
		if (!read_entry(json_array_get(array, i), &file.deposits[i], error))
			return error_prefix(error, "deposit %zu", i + 1);
	}
	*ret_file = file;
	file = (struct deposit_file){0};
	return true;
}

bool deposit_file_check(const struct deposit_file *file, const struct network *network, struct error *error)
{
	for (size_t i = 0; i < file->count; i++) {
		if (!deposit_check(&file->deposits[i], network, error))
			return error_prefix(error, "deposit %zu", i + 1);
	}
	return true;
}

void deposit_file_done(struct deposit_file *file)
{
	if (!file)
		return;
	free(file->deposits);
	*file = (struct deposit_file){0};
}
