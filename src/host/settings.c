/* SPDX-License-Identifier: Apache-2.0 */
#include "host/settings.h"

#include "base/file.h"
#include "host/instance_settings.h"
#include "image/machine.h"

#define SQLITE_PREFIX "sqlite:"
#define DYNAMODB_PREFIX "dynamodb:"
#define IMDS_PREFIX "imds:"

static bool copy_text(const char *text, const char *name, char *ret_text, size_t size, struct error *error)
{
	if (!*text)
		return error_set(error, ERROR_INPUT, "%s: empty", name);
	if (strlen(text) >= size)
		return error_set(error, ERROR_INPUT, "%s: %zu bytes, at most %zu are allowed", name, strlen(text), size - 1);
	memcpy(ret_text, text, strlen(text) + 1);
	return true;
}

static bool read_plain(const char *text, const char *name, void *target, size_t size, struct error *error)
{
	return copy_text(text, name, target, size, error);
}

static bool read_table(const char *text, const char *name, void *target, size_t size, struct error *error)
{
	struct table_settings *table = target;
	size_t prefix_size = strlen(SQLITE_PREFIX);

	(void)size;
	table->is_dynamodb = strncmp(text, DYNAMODB_PREFIX, strlen(DYNAMODB_PREFIX)) == 0;
	if (table->is_dynamodb)
		prefix_size = strlen(DYNAMODB_PREFIX);
	else if (strncmp(text, SQLITE_PREFIX, prefix_size) != 0)
		return error_set(error, ERROR_INPUT, "%s: neither sqlite:PATH nor dynamodb:NAME", name);
	return copy_text(text + prefix_size, name, table->name, sizeof table->name, error);
}

static bool read_address(const char *text, const char *name, void *target, size_t size, struct error *error)
{
	(void)size;
	return address_parse(text, target, error) || error_prefix(error, "%s", name);
}

#define MEMBER(field) #field, offsetof(struct settings, field), sizeof(((struct settings *)0)->field)

/* Every text member of the file: where it goes and how it is read. */
static const struct text_member {
	const char *name;
	size_t offset;
	size_t size;
	bool (*read)(const char *text, const char *name, void *target, size_t size, struct error *error);
} text_members[] = {
	{MEMBER(launcher), read_plain},   {MEMBER(program), read_plain},      {MEMBER(configuration), read_plain},
	{MEMBER(run_folder), read_plain}, {MEMBER(store_folder), read_plain}, {MEMBER(web3signer_uuid), read_plain},
	{MEMBER(key_table), read_table},  {MEMBER(tls_table), read_table},    {MEMBER(listen), read_address},
	{MEMBER(nsm), read_address},
};

static const char *const other_members[] = {"credentials",   "relays",     "metrics_listen", "log_format",
					    "tables_poll_s", "dynamodb",   "machine",        "nitro",
					    "ssm",           "start_flag", "drain_s"};
/* What a Nitro enclave has in its image, and finds for itself. */
static const char *const process_members[] = {"program", "configuration", "nsm"};
static const char *const relay_members[] = {"name", "listen", "connect"};
static const char *const place_members[] = {"region", "host", "ca_file"};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static bool is_text_member(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(text_members); i++) {
		if (strcmp(text_members[i].name, name) == 0)
			return true;
	}
	return false;
}

static bool check_member_names(json_t *object, struct error *error)
{
	const char *name;
	json_t *member;

	json_object_foreach(object, name, member)
	{
		(void)member;
		if (!is_text_member(name) && !is_one_of(name, other_members, ARRAY_SIZE(other_members)))
			return error_set(error, ERROR_INPUT, "%.64s: not a setting of ensign-host", name);
	}
	return true;
}

static bool read_text_members(json_t *object, struct settings *settings, struct error *error)
{
	bool is_nitro = json_object_get(object, "nitro") != NULL;

	for (size_t i = 0; i < ARRAY_SIZE(text_members); i++) {
		const struct text_member *member = &text_members[i];
		const char *text;

		if (is_nitro && !json_object_get(object, member->name) &&
		    is_one_of(member->name, process_members, ARRAY_SIZE(process_members)))
			continue;
		if (!json_read_text(object, member->name, &text, error) ||
		    !member->read(text, member->name, (char *)settings + member->offset, member->size, error))
			return false;
	}
	return true;
}

static bool read_credentials(json_t *object, struct settings *settings, struct error *error)
{
	const char *text;

	if (!json_read_text(object, "credentials", &text, error))
		return false;
	if (strcmp(text, "environment") == 0) {
		settings->credential_source = CREDENTIAL_SOURCE_ENVIRONMENT;
		return true;
	}
	/* The metadata service speaks plain HTTP on a link-local address; anything else would send the token elsewhere. */
	if (strncmp(text, IMDS_PREFIX "http://", strlen(IMDS_PREFIX "http://")) != 0)
		return error_set(error, ERROR_INPUT, "credentials: neither imds:http://HOST[:PORT] nor environment");
	settings->credential_source = CREDENTIAL_SOURCE_IMDS;
	return copy_text(text + strlen(IMDS_PREFIX), "credentials", settings->imds_url, sizeof settings->imds_url, error);
}

static bool is_name(const char *text)
{
	return *text && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen(text);
}

static bool read_relay(json_t *object, const struct settings *settings, struct relay_settings *relay, struct error *error)
{
	const char *texts[ARRAY_SIZE(relay_members)];

	if (!json_is_object(object))
		return error_set(error, ERROR_INPUT, "not an object");
	if (!json_check_members(object, relay_members, ARRAY_SIZE(relay_members), error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (!json_read_text(object, relay_members[i], &texts[i], error))
			return false;
	}
	if (!is_name(texts[0]))
		return error_set(error, ERROR_INPUT, "name: not made of a-z, 0-9 and -");
	if (settings_find_relay(settings, texts[0]))
		return error_set(error, ERROR_INPUT, "name: %.64s is there twice", texts[0]);
	return copy_text(texts[0], "name", relay->name, sizeof relay->name, error) &&
	       read_address(texts[1], "listen", &relay->listen, 0, error) &&
	       read_address(texts[2], "connect", &relay->connect, 0, error);
}

static bool read_relays(json_t *object, struct settings *settings, struct error *error)
{
	json_t *list;
	json_t *item;
	size_t index;

	if (!json_read_array(object, "relays", &list, error))
		return false;
	if (json_array_size(list) > SETTINGS_MAX_RELAYS)
		return error_set(error, ERROR_INPUT, "relays: %zu, at most %d are allowed", json_array_size(list),
				 SETTINGS_MAX_RELAYS);
	json_array_foreach(list, index, item)
	{
		if (!read_relay(item, settings, &settings->relays[settings->relay_count], error))
			return error_prefix(error, "relays[%zu]", index);
		settings->relay_count++;
	}
	if (!settings_find_relay(settings, SETTINGS_KMS_RELAY))
		return error_set(error, ERROR_INPUT,
				 "relays: none has the name " SETTINGS_KMS_RELAY ", which the enclave opens its keys through");
	return true;
}

static bool read_place(json_t *object, struct place_settings *place, struct error *error)
{
	const char *region, *host, *ca_file;

	return json_check_members(object, place_members, ARRAY_SIZE(place_members), error) &&
	       json_read_text(object, "region", &region, error) && json_read_text_optional(object, "host", &host, error) &&
	       json_read_text_optional(object, "ca_file", &ca_file, error) &&
	       copy_text(region, "region", place->region, sizeof place->region, error) &&
	       (!host || copy_text(host, "host", place->host, sizeof place->host, error)) &&
	       (!ca_file || copy_text(ca_file, "ca_file", place->ca_file, sizeof place->ca_file, error));
}

static bool read_dynamodb(json_t *object, struct settings *settings, struct error *error)
{
	json_t *member;

	if (json_object_get(object, "dynamodb"))
		return json_read_object(object, "dynamodb", &member, error) &&
		       (read_place(member, &settings->dynamodb, error) || error_prefix(error, "dynamodb"));
	if (settings->key_table.is_dynamodb || settings->tls_table.is_dynamodb)
		return error_set(error, ERROR_INPUT, "dynamodb: missing; a table is in it, of which region?");
	return true;
}

static bool read_start_flag(json_t *object, struct settings *settings, struct error *error)
{
	const char *text;
	json_t *place;

	if (!json_read_text_optional(object, "start_flag", &text, error))
		return false;
	if (!text)
		return true;
	if (!json_object_get(object, "ssm"))
		return error_set(error, ERROR_INPUT, "ssm: missing; the start flag is a parameter of which region?");
	return copy_text(text, "start_flag", settings->start_flag, sizeof settings->start_flag, error) &&
	       json_read_object(object, "ssm", &place, error) &&
	       (read_place(place, &settings->ssm, error) || error_prefix(error, "ssm"));
}

static bool read_metrics(json_t *object, struct settings *settings, struct error *error)
{
	const char *text;

	if (!json_read_text_optional(object, "metrics_listen", &text, error))
		return false;
	settings->has_metrics = text != NULL;
	return !text || read_address(text, "metrics_listen", &settings->metrics_listen, 0, error);
}

static bool read_log_format(json_t *object, struct settings *settings, struct error *error)
{
	const char *text;

	if (!json_read_text_optional(object, "log_format", &text, error))
		return false;
	settings->log_is_json = text && strcmp(text, "json") == 0;
	return !text || settings->log_is_json || strcmp(text, "text") == 0 ||
	       error_set(error, ERROR_INPUT, "log_format: neither text nor json");
}

static bool read_accelerator(json_t *machine, struct settings *settings, struct error *error)
{
	static const char *const accelerators[] = {"tcg", "kvm"};
	const char *text;

	if (!json_read_text_optional(machine, "accelerator", &text, error))
		return false;
	if (!text)
		text = accelerators[0];
	if (!is_one_of(text, accelerators, ARRAY_SIZE(accelerators)))
		return error_set(error, ERROR_INPUT, "accelerator: neither tcg nor kvm");
	return copy_text(text, "accelerator", settings->machine.accelerator, SETTINGS_NAME_SIZE, error);
}

static bool read_machine(json_t *object, struct settings *settings, struct error *error)
{
	static const char *const members[] = {"folder", "qemu", "vsock_backend", "memory_mib", "accelerator"};
	const char *folder, *qemu, *vsock_backend;
	uint64_t memory_mib;
	json_t *machine;

	if (!json_object_get(object, "machine"))
		return true;
	if (!json_read_object(object, "machine", &machine, error))
		return false;
	if (!json_check_members(machine, members, ARRAY_SIZE(members), error) ||
	    !json_read_text(machine, "folder", &folder, error) || !json_read_text(machine, "qemu", &qemu, error) ||
	    !json_read_text(machine, "vsock_backend", &vsock_backend, error) ||
	    !json_read_u64(machine, "memory_mib", &memory_mib, error) ||
	    !copy_text(folder, "folder", settings->machine.folder, SETTINGS_PATH_SIZE, error) ||
	    !copy_text(qemu, "qemu", settings->machine.qemu, SETTINGS_PATH_SIZE, error) ||
	    !copy_text(vsock_backend, "vsock_backend", settings->machine.vsock_backend, SETTINGS_PATH_SIZE, error) ||
	    !read_accelerator(machine, settings, error))
		return error_prefix(error, "machine");
	if (memory_mib < SETTINGS_MACHINE_MEMORY_MIN_MIB || memory_mib > SETTINGS_MACHINE_MEMORY_MAX_MIB)
		return error_set(error, ERROR_INPUT, "machine: memory_mib: not %d to %d", SETTINGS_MACHINE_MEMORY_MIN_MIB,
				 SETTINGS_MACHINE_MEMORY_MAX_MIB);
	settings->machine.memory_mib = (unsigned)memory_mib;
	settings->has_machine = true;
	return true;
}

/* A number that may be left out, and its default then. */
static bool read_number(json_t *object, const char *name, unsigned min, unsigned max, unsigned *value, struct error *error)
{
	uint64_t number;

	if (!json_object_get(object, name))
		return true;
	if (!json_read_u64(object, name, &number, error))
		return false;
	if (number < min || number > max)
		return error_set(error, ERROR_INPUT, "%s: not %u to %u", name, min, max);
	*value = (unsigned)number;
	return true;
}

/* An address that may be left out: the port of the enclave's vsock then. */
static bool read_port(json_t *object, const char *name, unsigned port, const struct nitro_settings *nitro,
		      struct address *ret_address, struct error *error)
{
	const char *text;

	if (!json_read_text_optional(object, name, &text, error))
		return false;
	*ret_address = (struct address){.kind = ADDRESS_VSOCK, .cid = nitro->cid, .port = port};
	return !text || read_address(text, name, ret_address, 0, error);
}

static bool read_nitro_texts(json_t *object, struct nitro_settings *nitro, struct error *error)
{
	const char *eif, *nitro_cli, *name;

	return json_read_text(object, "eif", &eif, error) && json_read_text_optional(object, "nitro_cli", &nitro_cli, error) &&
	       json_read_text_optional(object, "name", &name, error) &&
	       copy_text(eif, "eif", nitro->eif, sizeof nitro->eif, error) &&
	       copy_text(nitro_cli ? nitro_cli : SETTINGS_NITRO_CLI, "nitro_cli", nitro->nitro_cli, sizeof nitro->nitro_cli,
			 error) &&
	       copy_text(name ? name : SETTINGS_NITRO_NAME, "name", nitro->name, sizeof nitro->name, error) &&
	       (is_name(nitro->name) || error_set(error, ERROR_INPUT, "name: not made of a-z, 0-9 and -"));
}

static bool read_nitro_numbers(json_t *object, struct nitro_settings *nitro, struct error *error)
{
	nitro->cid = SETTINGS_NITRO_CID;
	if (json_object_get(object, "debug") && !json_read_bool(object, "debug", &nitro->is_debug, error))
		return false;
	if (!read_number(object, "cpu_count", 1, SETTINGS_NITRO_CPUS_MAX, &nitro->cpu_count, error) ||
	    !read_number(object, "memory_mib", SETTINGS_MACHINE_MEMORY_MIN_MIB, SETTINGS_MACHINE_MEMORY_MAX_MIB, &nitro->memory_mib,
			 error) ||
	    !read_number(object, "cid", SETTINGS_NITRO_CID_MIN, UINT32_MAX - 1, &nitro->cid, error))
		return false;
	if (nitro->cpu_count == 0 || nitro->memory_mib == 0)
		return error_set(error, ERROR_INPUT, "%s: missing", nitro->cpu_count == 0 ? "cpu_count" : "memory_mib");
	return true;
}

static bool read_nitro(json_t *object, struct settings *settings, struct error *error)
{
	static const char *const members[] = {"eif", "cpu_count", "memory_mib", "nitro_cli", "name",
					      "cid", "debug",     "control",    "signing"};
	struct nitro_settings *nitro = &settings->nitro;
	json_t *member;

	if (!json_object_get(object, "nitro"))
		return true;
	settings->has_nitro = true;
	if (!json_read_object(object, "nitro", &member, error))
		return false;
	return (json_check_members(member, members, ARRAY_SIZE(members), error) && read_nitro_texts(member, nitro, error) &&
		read_nitro_numbers(member, nitro, error) &&
		read_port(member, "control", MACHINE_CONTROL_PORT, nitro, &nitro->control, error) &&
		read_port(member, "signing", MACHINE_SIGNING_PORT, nitro, &nitro->signing, error)) ||
	       error_prefix(error, "nitro");
}

static bool read_tables_poll(json_t *object, struct settings *settings, struct error *error)
{
	uint64_t seconds = SETTINGS_TABLES_POLL_DEFAULT_S;

	if (json_object_get(object, "tables_poll_s") && !json_read_u64(object, "tables_poll_s", &seconds, error))
		return false;
	if (seconds > SETTINGS_TABLES_POLL_MAX_S)
		return error_set(error, ERROR_INPUT, "tables_poll_s: more than %d", SETTINGS_TABLES_POLL_MAX_S);
	settings->tables_poll_s = (unsigned)seconds;
	return true;
}

static bool read_object(json_t *object, struct settings *ret_settings, struct error *error)
{
	AUTO_FREE struct settings *settings = memory_allocate_zeroed(1, sizeof *settings);

	if (!check_member_names(object, error) || !read_text_members(object, settings, error) ||
	    !read_credentials(object, settings, error) || !read_relays(object, settings, error) ||
	    !read_metrics(object, settings, error) || !read_log_format(object, settings, error) ||
	    !read_tables_poll(object, settings, error) || !read_dynamodb(object, settings, error) ||
	    !read_start_flag(object, settings, error) ||
	    !read_number(object, "drain_s", 0, SETTINGS_DRAIN_MAX_S, &settings->drain_s, error) ||
	    !read_machine(object, settings, error) || !read_nitro(object, settings, error))
		return false;
	*ret_settings = *settings;
	return true;
}

bool settings_parse(struct view json, struct settings *ret_settings, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(json, "host settings", error);

	return object && read_object(object, ret_settings, error);
}

static bool add_file(const char *path, json_t *object, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *members = NULL;

	if (!file_read(path, SETTINGS_MAX_SIZE, &text, error))
		return false;
	members = json_parse_object(buffer_view(&text), "host settings", error);
	return members && (json_object_update(object, members) == 0 || error_set(error, ERROR_BUG, "settings"));
}

bool settings_read(const char *path, bool is_of_instance, struct settings *ret_settings, struct error *error)
{
	AUTO_JSON json_t *object = is_of_instance ? instance_settings_new(error) : json_object();

	if (!object)
		return false;
	return ((!path || add_file(path, object, error)) && read_object(object, ret_settings, error)) ||
	       error_prefix(error, "%s", path ? path : "environment");
}

const struct relay_settings *settings_find_relay(const struct settings *settings, const char *name)
{
	for (size_t i = 0; i < settings->relay_count; i++) {
		if (strcmp(settings->relays[i].name, name) == 0)
			return &settings->relays[i];
	}
	return NULL;
}
