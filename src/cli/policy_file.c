/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/policy_file.h"

#include "base/file.h"
#include "image/configuration.h"

#define NO_TYPES "none"

bool policy_file_read(const char *option, const char *path, struct signing_policy *ret_policy, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	if (!file_read(path, CONFIGURATION_MAX_SIZE, &text, error)) {
		error->code = ERROR_INPUT;
		return error_prefix(error, "%s", option);
	}
	return signing_policy_parse(buffer_view(&text), ret_policy, error) || error_prefix(error, "%s %s", option, path);
}

static void append_text(const struct signing_policy *policy, struct buffer *text)
{
	AUTO_JSON json_t *json = signing_policy_json_new(policy);

	json_write(json, text);
	buffer_append_byte(text, '\n');
}

bool policy_file_write(const char *path, const struct signing_policy *policy, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	append_text(policy, &text);
	return file_write_atomic(path, buffer_view(&text), 0600, error);
}

static bool append_types(const char *types, json_t *list, struct error *error)
{
	for (;;) {
		size_t size = strcspn(types, ",");
		AUTO_FREE char *name = memory_format("%.*s", (int)size, types);
		enum artifact_type type;

		if (!artifact_type_parse(name, &type))
			return error_set(error, ERROR_INPUT, "--allow: \"%.64s\" is no type of the signing API", name);
		(void)json_array_append_new(list, json_string(name));
		if (!types[size])
			return true;
		types += size + 1;
	}
}

bool policy_of_types(const char *types, struct signing_policy *ret_policy, struct error *error)
{
	AUTO_JSON json_t *list = json_array();
	AUTO_JSON json_t *policy = NULL;

	if (strcmp(types, NO_TYPES) == 0) {
		*ret_policy = (struct signing_policy){0};
		return true;
	}
	if (!append_types(types, list, error))
		return false;
	policy = json_pack("{s:[{s:s, s:s, s:s, s:O, s:s}]}", "rules", "name", "allowed-types", "effect", "allow", "clients", "*",
			   "types", list, "keys", "*");
	return signing_policy_read(policy, ret_policy, error) || error_prefix(error, "--allow");
}

bool policy_equal(const struct signing_policy *a, const struct signing_policy *b)
{
	AUTO_BUFFER struct buffer text_a = {0};
	AUTO_BUFFER struct buffer text_b = {0};

	append_text(a, &text_a);
	append_text(b, &text_b);
	return view_equal(buffer_view(&text_a), buffer_view(&text_b));
}
