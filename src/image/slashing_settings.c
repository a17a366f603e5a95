/* SPDX-License-Identifier: Apache-2.0 */
#include "image/slashing_settings.h"

static const char *const members[] = {"store", "table", "host", "credentials", "first_use", "quiet_period_s"};

/* One of two words; *ret_second says which. */
static bool read_choice(json_t *object, const char *name, const char *first, const char *second, bool *ret_second,
			struct error *error)
{
	const char *text;

	if (!json_read_text(object, name, &text, error))
		return false;
	*ret_second = strcmp(text, second) == 0;
	return *ret_second || strcmp(text, first) == 0 ||
	       error_set(error, ERROR_INPUT, "%s: %s or %s, not %.16s", name, first, second, text);
}

static bool is_name_character(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
}

/* These go into URLs and JSON as they are. `more` is allowed too. */
static bool read_name(json_t *object, const char *name, char more, char *ret_text, size_t size, struct error *error)
{
	const char *text;

	if (!json_read_text(object, name, &text, error))
		return false;
	if (text[0] == 0 || strlen(text) >= size)
		return error_set(error, ERROR_INPUT, "%s: 1 to %zu characters are allowed", name, size - 1);
	for (const char *c = text; *c; c++) {
		if (!is_name_character(*c) && *c != more)
			return error_set(error, ERROR_INPUT, "%s: only letters, digits, '-', '_' and '.' are allowed", name);
	}
	memcpy(ret_text, text, strlen(text) + 1);
	return true;
}

static bool read_table(json_t *object, struct slashing_settings *settings, struct error *error)
{
	static const char *const table_members[] = {"table", "host", "credentials"};

	for (size_t i = 0; !settings->uses_dynamodb && i < ARRAY_SIZE(table_members); i++) {
		if (json_object_get(object, table_members[i]))
			return error_set(error, ERROR_INPUT, "%s: only with store dynamodb", table_members[i]);
	}
	return !settings->uses_dynamodb ||
	       (read_name(object, "table", 0, settings->table, sizeof settings->table, error) &&
		read_name(object, "host", ':', settings->host, sizeof settings->host, error) &&
		read_choice(object, "credentials", "parent", "sealed", &settings->has_sealed_credentials, error));
}

static bool read_quiet_period(json_t *object, struct slashing_settings *settings, struct error *error)
{
	uint64_t seconds = 0;

	if (json_object_get(object, "quiet_period_s") && !json_read_u64(object, "quiet_period_s", &seconds, error))
		return false;
	settings->quiet_period_s = (uint32_t)seconds;
	return seconds <= SLASHING_QUIET_PERIOD_MAX_S ||
	       error_set(error, ERROR_INPUT, "quiet_period_s: at most %d", SLASHING_QUIET_PERIOD_MAX_S);
}

bool slashing_settings_read(json_t *configuration, struct slashing_settings *ret_settings, struct error *error)
{
	struct slashing_settings settings = {0};
	json_t *object;

	*ret_settings = settings;
	if (!json_object_get(configuration, "slashing"))
		return true;
	if (!json_read_object(configuration, "slashing", &object, error))
		return false;
	if (!json_check_members(object, members, ARRAY_SIZE(members), error) ||
	    !read_choice(object, "store", "embedded", "dynamodb", &settings.uses_dynamodb, error) ||
	    !read_table(object, &settings, error) ||
	    !read_choice(object, "first_use", "operator", "host", &settings.host_may_begin, error) ||
	    !read_quiet_period(object, &settings, error))
		return error_prefix(error, "slashing");
	*ret_settings = settings;
	return true;
}

bool slashing_settings_equal(const struct slashing_settings *a, const struct slashing_settings *b)
{
	AUTO_JSON json_t *one = slashing_settings_json_new(a);
	AUTO_JSON json_t *other = slashing_settings_json_new(b);

	return json_equal(one, other) != 0;
}

json_t *slashing_settings_json_new(const struct slashing_settings *settings)
{
	json_t *object = json_pack("{s:s}", "store", settings->uses_dynamodb ? "dynamodb" : "embedded");

	if (settings->uses_dynamodb) {
		(void)json_object_set_new(object, "table", json_string(settings->table));
		(void)json_object_set_new(object, "host", json_string(settings->host));
		(void)json_object_set_new(object, "credentials",
					  json_string(settings->has_sealed_credentials ? "sealed" : "parent"));
	}
	(void)json_object_set_new(object, "first_use", json_string(settings->host_may_begin ? "host" : "operator"));
	(void)json_object_set_new(object, "quiet_period_s", json_integer(settings->quiet_period_s));
	return object;
}

void slashing_settings_write(const struct slashing_settings *settings, struct buffer *ret_json)
{
	AUTO_JSON json_t *object = NULL;

	if (!settings->uses_dynamodb && !settings->host_may_begin && settings->quiet_period_s == 0)
		return;
	object = slashing_settings_json_new(settings);
	buffer_append_text(ret_json, " \"slashing\": ");
	json_write(object, ret_json);
	buffer_append_text(ret_json, ",\n");
}
