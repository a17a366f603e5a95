/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/init/boot_parameters.h"

#define PREFIX "ensign."
#define PARENT_CID_ON_EC2 3
/* 0 and 1 are this machine itself, as the kernel sees it. */
#define PARENT_CID_MIN 2

static bool read_parent_cid(struct view value, struct boot_parameters *parameters, struct error *error)
{
	uint64_t cid;

	if (!u64_parse(value, &cid) || cid < PARENT_CID_MIN || cid >= UINT32_MAX)
		return error_set(error, ERROR_INPUT, "not a number from %d to 2^32-2", PARENT_CID_MIN);
	parameters->parent_cid = (uint32_t)cid;
	return true;
}

static bool read_nsm(struct view value, struct boot_parameters *parameters, struct error *error)
{
	AUTO_FREE char *text = memory_format("%.*s", (int)value.size, (const char *)value.data);

	parameters->has_simulated_nsm = true;
	return address_parse(text, &parameters->simulated_nsm, error);
}

static const struct parameter {
	const char *name;
	bool (*read)(struct view value, struct boot_parameters *parameters, struct error *error);
} known[] = {
	{PREFIX "parent_cid", read_parent_cid},
	{PREFIX "nsm", read_nsm},
};

static bool read_word(struct view word, struct boot_parameters *parameters, unsigned *seen, struct error *error)
{
	const uint8_t *equals = (const uint8_t *)memchr(word.data, '=', word.size);
	size_t name_size = equals ? (size_t)(equals - word.data) : word.size;

	if (word.size < strlen(PREFIX) || memcmp(word.data, PREFIX, strlen(PREFIX)) != 0)
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		if (!view_equal_text(view_of(word.data, name_size), known[i].name))
			continue;
		if (*seen >> i & 1)
			return error_set(error, ERROR_INPUT, "%s: is there twice", known[i].name);
		*seen |= 1u << i;
		if (!equals)
			return error_set(error, ERROR_INPUT, "%s: has no value", known[i].name);
		return known[i].read(view_of(equals + 1, word.size - name_size - 1), parameters, error) ||
		       error_prefix(error, "%s", known[i].name);
	}
	return error_set(error, ERROR_INPUT, "%.*s: no such parameter", (int)name_size, (const char *)word.data);
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n';
}

bool boot_parameters_parse(struct view command_line, struct boot_parameters *ret_parameters, struct error *error)
{
	struct boot_parameters parameters = {.parent_cid = PARENT_CID_ON_EC2};
	unsigned seen = 0;

	for (size_t at = 0; at < command_line.size;) {
		size_t end = at;

		while (end < command_line.size && !is_blank(command_line.data[end]))
			end++;
		if (!read_word(view_of(command_line.data + at, end - at), &parameters, &seen, error))
			return error_prefix(error, "kernel command line");
		at = end + 1;
	}
	*ret_parameters = parameters;
	return true;
}
