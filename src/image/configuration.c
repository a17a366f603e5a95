/* SPDX-License-Identifier: Apache-2.0 */
#include "image/configuration.h"

#include <fcntl.h>
#include <sys/mman.h>

#include "base/file.h"
#include "image/network_json.h"

#define ALL_WRITE_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

void configuration_done(struct configuration *configuration)
{
	if (!configuration)
		return;
	buffer_done(&configuration->ca_pem);
	signing_policy_done(&configuration->policy);
	client_settings_done(&configuration->clients);
	*configuration = (struct configuration){0};
}

/* Every member of the file. One that is not here is refused, and one that is here must be given, but for the optional ones. */
static const struct text_member {
	const char *name;
	size_t offset;
} text_members[] = {
	{"fleet", offsetof(struct configuration, fleet)},
	{"region", offsetof(struct configuration, region)},
	{"kms_host", offsetof(struct configuration, kms_host)},
	{"kms_key_arn", offsetof(struct configuration, kms_key_arn)},
};

static const char *const other_members[] = {"version", "network",        "slashing_protection", "ca_pem",   "policy",
					    "clients", "host_allowlist", "key_manager",         "slashing", "debug"};

static bool is_known_member(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(text_members); i++) {
		if (strcmp(text_members[i].name, name) == 0)
			return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(other_members); i++) {
		if (strcmp(other_members[i], name) == 0)
			return true;
	}
	return false;
}

static bool check_member_names(json_t *object, struct error *error)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value)
	{
		if (!is_known_member(name))
			return error_set(error, ERROR_INPUT, "%s: no such setting", name);
	}
	return true;
}

/* These go into URLs, headers and log lines as they are. */
static bool is_plain_text(const char *text)
{
	for (; *text; text++) {
		if (*text <= ' ' || *text > '~' || *text == '"' || *text == '\\')
			return false;
	}
	return true;
}

static bool read_text_members(json_t *object, struct configuration *configuration, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(text_members); i++) {
		char *field = (char *)configuration + text_members[i].offset;
		const char *name = text_members[i].name;
		const char *text;

		if (!json_read_text(object, name, &text, error))
			return false;
		if (text[0] == 0 || strlen(text) >= CONFIGURATION_TEXT_SIZE)
			return error_set(error, ERROR_INPUT, "%s: 1 to %d characters are allowed", name,
					 CONFIGURATION_TEXT_SIZE - 1);
		if (!is_plain_text(text))
			return error_set(error, ERROR_INPUT,
					 "%s: only printable ASCII without blanks, quotes and backslashes is allowed", name);
		memcpy(field, text, strlen(text) + 1);
	}
	return true;
}

static bool read_debug(json_t *object, bool *ret_is_debug, struct error *error)
{
	return !json_object_get(object, "debug") || json_read_bool(object, "debug", ret_is_debug, error);
}

static bool read_policy(json_t *object, struct signing_policy *policy, struct error *error)
{
	json_t *value;

	if (!json_object_get(object, "policy"))
		return true;
	if (!json_read_object(object, "policy", &value, error))
		return false;
	return signing_policy_read(value, policy, error) || error_prefix(error, "policy");
}

static bool read_members(json_t *object, struct configuration *configuration, struct error *error)
{
	const char *ca_pem;
	uint64_t version;

	if (!check_member_names(object, error) || !json_read_u64(object, "version", &version, error))
		return false;
	if (version != CONFIGURATION_VERSION)
		return error_set(error, ERROR_INPUT, "version: %llu, this program knows %d", (unsigned long long)version,
				 CONFIGURATION_VERSION);
	if (!network_json_read(object, "network", &configuration->network, error))
		return false;
	if (!json_read_bool(object, "slashing_protection", &configuration->slashing_protection, error))
		return false;
	if (!read_debug(object, &configuration->is_debug, error) || !read_text_members(object, configuration, error) ||
	    !json_read_text(object, "ca_pem", &ca_pem, error))
		return false;
	if (!strstr(ca_pem, "-----BEGIN CERTIFICATE-----"))
		return error_set(error, ERROR_INPUT, "ca_pem: holds no certificate");
	buffer_append_text(&configuration->ca_pem, ca_pem);
	return read_policy(object, &configuration->policy, error) && client_settings_read(object, &configuration->clients, error) &&
	       key_manager_read(object, &configuration->key_manager, error) &&
	       slashing_settings_read(object, &configuration->slashing, error);
}

bool configuration_parse(struct view json, struct configuration *ret_configuration, struct error *error)
{
	AUTO_CONFIGURATION struct configuration configuration = {0};
	AUTO_JSON json_t *object = NULL;

	if (json.size > CONFIGURATION_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "configuration: larger than %u bytes", CONFIGURATION_MAX_SIZE);
	object = json_parse_object(json, "configuration", error);
	if (!object)
		return false;
	if (!read_members(object, &configuration, error))
		return error_prefix(error, "configuration");
	*ret_configuration = configuration;
	configuration = (struct configuration){0};
	return true;
}

int configuration_seal(const char *path, struct error *error)
{
	AUTO_FD int fd = memfd_create("ensign-configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	AUTO_BUFFER struct buffer text = {0};

	if (fd < 0)
		return error_set_errno(error, ERROR_IO, "cannot make a memfd for the configuration"), -1;
	if (!file_read(path, CONFIGURATION_MAX_SIZE, &text, error))
		return -1;
	if (!fd_write_all(fd, text.data, text.size) || fcntl(fd, F_ADD_SEALS, ALL_WRITE_SEALS) != 0)
		return error_set_errno(error, ERROR_IO, "cannot seal the configuration"), -1;
	return take_fd(&fd);
}

static void write_policy(const struct signing_policy *policy, struct buffer *ret_json)
{
	AUTO_JSON json_t *object = signing_policy_json_new(policy);

	/* No rules and no policy are the same, and so are their bytes. */
	if (policy->count == 0)
		return;
	buffer_append_text(ret_json, " \"policy\": ");
	json_write(object, ret_json);
	buffer_append_text(ret_json, ",\n");
}

void configuration_write(const struct configuration *configuration, struct buffer *ret_json)
{
	AUTO_JSON json_t *ca_pem = json_stringn((const char *)configuration->ca_pem.data, configuration->ca_pem.size);
	AUTO_JSON json_t *network = network_json_new(&configuration->network);

	buffer_append_format(ret_json, "{\"version\": %d,\n \"network\": ", CONFIGURATION_VERSION);
	json_write(network, ret_json);
	buffer_append_format(ret_json, ",\n \"slashing_protection\": %s,\n", configuration->slashing_protection ? "true" : "false");
	/* False and absent are the same, and so are their bytes. */
	if (configuration->is_debug)
		buffer_append_text(ret_json, " \"debug\": true,\n");
	write_policy(&configuration->policy, ret_json);
	client_settings_write(&configuration->clients, ret_json);
	key_manager_write(&configuration->key_manager, ret_json);
	slashing_settings_write(&configuration->slashing, ret_json);
	for (size_t i = 0; i < ARRAY_SIZE(text_members); i++)
		buffer_append_format(ret_json, " \"%s\": \"%s\",\n", text_members[i].name,
				     (const char *)configuration + text_members[i].offset);
	buffer_append_text(ret_json, " \"ca_pem\": ");
	json_write(ca_pem, ret_json);
	buffer_append_text(ret_json, "}\n");
}
