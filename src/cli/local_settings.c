/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_settings.h"

#include "base/file.h"
#include "cli/manager_token.h"
#include "cli/network_config.h"
#include "image/network_json.h"
#include "net/address.h"

#define SETTINGS_VERSION 1
#define SETTINGS_MAX_SIZE 16384 /* ours is under 1 KiB */

static const struct text_member {
	const char *name;
	size_t offset;
	size_t size;
} text_members[] = {
	{"listen", offsetof(struct local_settings, listen), LOCAL_LISTEN_SIZE},
	{"launcher", offsetof(struct local_settings, launcher), LOCAL_LAUNCHER_SIZE},
	{"kernel", offsetof(struct local_settings, kernel), LOCAL_KERNEL_SIZE},
	{"kms_key_arn", offsetof(struct local_settings, kms_key_arn), KMS_ARN_SIZE},
	{"tls_listen", offsetof(struct local_settings, tls_listen), LOCAL_LISTEN_SIZE},
	{"metrics_listen", offsetof(struct local_settings, metrics_listen), LOCAL_LISTEN_SIZE},
	{"key_manager_token_sha256", offsetof(struct local_settings, key_manager_token_sha256), 2 * KEY_MANAGER_DIGEST_SIZE + 1},
	{"table_connect", offsetof(struct local_settings, table_connect), LOCAL_ADDRESS_SIZE},
	{"pcr0", offsetof(struct local_settings, pcr0), NSM_PCR_TEXT_SIZE},
};

static const struct bool_member {
	const char *name;
	size_t offset;
} bool_members[] = {
	{"any_port", offsetof(struct local_settings, any_port)},
	{"slashing_protection", offsetof(struct local_settings, slashing_protection)},
	{"tls_is_own", offsetof(struct local_settings, tls_is_own)},
	{"log_is_json", offsetof(struct local_settings, log_is_json)},
};

/* Files of earlier versions lack these. */
static bool is_absent(json_t *object, const char *name)
{
	static const char *const later[] = {"tls_is_own",
					    "known_clients_serial",
					    "key_manager_token_sha256",
					    "metrics_listen",
					    "table_connect",
					    "log_is_json",
					    "launcher",
					    "kernel"};

	for (size_t i = 0; i < ARRAY_SIZE(later); i++) {
		if (strcmp(later[i], name) == 0)
			return !json_object_get(object, name);
	}
	return false;
}

void local_settings_default(struct local_settings *ret_settings)
{
	struct error error;
	const struct network *mainnet = network_find("mainnet", &error);

	*ret_settings = (struct local_settings){.listen = "127.0.0.1:8443",
						.launcher = LOCAL_LAUNCHER_PROCESS,
						.slashing_protection = true,
						.slashing.host_may_begin = true};
	if (mainnet)
		ret_settings->network = *mainnet;
}

static bool read_members(json_t *object, struct local_settings *settings, struct error *error)
{
	uint64_t version;

	if (!json_read_u64(object, "version", &version, error))
		return false;
	if (version != SETTINGS_VERSION)
		return error_set(error, ERROR_INPUT, "version: %llu, this program knows %d", (unsigned long long)version,
				 SETTINGS_VERSION);
	if (!network_json_read(object, "network", &settings->network, error))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(text_members); i++) {
		const char *text;

		if (is_absent(object, text_members[i].name))
			continue;
		if (!json_read_text(object, text_members[i].name, &text, error))
			return false;
		if (strlen(text) >= text_members[i].size)
			return error_set(error, ERROR_INPUT, "%s: too long", text_members[i].name);
		memcpy((char *)settings + text_members[i].offset, text, strlen(text) + 1);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bool_members); i++) {
		bool *value = (bool *)(void *)((char *)settings + bool_members[i].offset);

		if (!is_absent(object, bool_members[i].name) && !json_read_bool(object, bool_members[i].name, value, error))
			return false;
	}
	if (strcmp(settings->launcher, LOCAL_LAUNCHER_PROCESS) != 0 && !local_settings_is_machine(settings))
		return error_set(error, ERROR_INPUT, "launcher: neither " LOCAL_LAUNCHER_PROCESS " nor " LOCAL_LAUNCHER_QEMU);
	if (!slashing_settings_read(object, &settings->slashing, error))
		return false;
	/* On a laptop whoever starts the signer is its operator. */
	settings->slashing.host_may_begin = true;
	return json_read_u64(object, "tls_created_ms", &settings->tls_created_ms, error) &&
	       (is_absent(object, "known_clients_serial") ||
		json_read_u64(object, "known_clients_serial", &settings->known_clients_serial, error));
}

bool local_settings_read(const char *path, struct local_settings *ret_settings, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	struct local_settings settings = {.launcher = LOCAL_LAUNCHER_PROCESS};
	AUTO_JSON json_t *object = NULL;

	if (!file_read(path, SETTINGS_MAX_SIZE, &text, error))
		return false;
	object = json_parse_object(buffer_view(&text), path, error);
	if (!object)
		return false;
	if (!read_members(object, &settings, error))
		return error_prefix(error, "%s", path);
	*ret_settings = settings;
	return true;
}

bool local_settings_write(const char *path, const struct local_settings *settings, struct error *error)
{
	AUTO_JSON json_t *object = json_object();
	AUTO_BUFFER struct buffer text = {0};

	(void)json_object_set_new(object, "version", json_integer(SETTINGS_VERSION));
	(void)json_object_set_new(object, "network", network_json_new(&settings->network));
	for (size_t i = 0; i < ARRAY_SIZE(text_members); i++)
		(void)json_object_set_new(object, text_members[i].name,
					  json_string((const char *)settings + text_members[i].offset));
	for (size_t i = 0; i < ARRAY_SIZE(bool_members); i++)
		(void)json_object_set_new(object, bool_members[i].name,
					  json_boolean(*((const char *)settings + bool_members[i].offset) != 0));
	(void)json_object_set_new(object, "tls_created_ms", json_integer((json_int_t)settings->tls_created_ms));
	(void)json_object_set_new(object, "known_clients_serial", json_integer((json_int_t)settings->known_clients_serial));
	(void)json_object_set_new(object, "slashing", slashing_settings_json_new(&settings->slashing));
	json_write(object, &text);
	buffer_append_byte(&text, '\n');
	return file_write_atomic(path, buffer_view(&text), 0600, error);
}

bool local_settings_set_listen(struct local_settings *settings, const char *listen, struct error *error)
{
	AUTO_FREE char *text = memory_format("tcp:%s", listen);
	struct address address;

	if (strlen(listen) >= LOCAL_LISTEN_SIZE)
		return error_set(error, ERROR_INPUT, "--listen: too long");
	if (!address_parse(text, &address, error))
		return error_prefix(error, "--listen %s", listen);
	(void)snprintf(settings->listen, sizeof settings->listen, "%s", listen);
	settings->any_port = address.port == 0;
	return true;
}

bool local_settings_set_slashing(struct local_settings *settings, const char *slashing, struct error *error)
{
	if (strcmp(slashing, "on") != 0 && strcmp(slashing, "off") != 0)
		return error_set(error, ERROR_INPUT, "--slashing: on or off, not %s", slashing);
	settings->slashing_protection = strcmp(slashing, "on") == 0;
	return true;
}

bool local_settings_set_quiet_period(struct local_settings *settings, uint64_t seconds, struct error *error)
{
	if (seconds > SLASHING_QUIET_PERIOD_MAX_S)
		return error_set(error, ERROR_INPUT, "--quiet-period: at most %d seconds", SLASHING_QUIET_PERIOD_MAX_S);
	settings->slashing.quiet_period_s = (uint32_t)seconds;
	return true;
}

static bool set_built_in_network(struct local_settings *settings, const char *name, struct error *error)
{
	const struct network *network = network_find(name, error);

	if (!network)
		return error_prefix(error, "--network");
	settings->network = *network;
	return true;
}

bool local_settings_set_network(struct local_settings *settings, const char *name, const char *config, const char *root,
				struct error *error)
{
	AUTO_BUFFER struct buffer yaml = {0};
	struct network network;

	if (name && config)
		return error_set(error, ERROR_INPUT, "--network and --network-config: give one of them");
	if (root && !config)
		return error_set(error, ERROR_INPUT, "--genesis-validators-root: only with --network-config");
	if (name)
		return set_built_in_network(settings, name, error);
	if (!config)
		return true;
	if (!root)
		return error_set(error, ERROR_INPUT, "--network-config needs --genesis-validators-root 0x…, or learn");
	if (!file_read(config, NETWORK_CONFIG_MAX_SIZE, &yaml, error)) {
		/* Whatever is wrong with the file, it is what the user gave. */
		error->code = ERROR_INPUT;
		return error_prefix(error, "--network-config");
	}
	if (!network_config_parse(buffer_view(&yaml), &network, error))
		return error_prefix(error, "--network-config %s", config);
	if (!network_root_parse(root, &network, error) || !network_check(&network, error))
		return error_prefix(error, "--genesis-validators-root %s", root);
	settings->network = network;
	return true;
}

void local_settings_host(const struct local_settings *settings, char ret_host[LOCAL_LISTEN_SIZE], uint16_t *ret_port)
{
	const char *colon = strrchr(settings->listen, ':');
	const char *start = settings->listen;
	size_t size = colon ? (size_t)(colon - start) : strlen(start);
	uint64_t port = 0;

	if (size >= 2 && start[0] == '[' && start[size - 1] == ']') {
		start++;
		size -= 2;
	}
	(void)snprintf(ret_host, LOCAL_LISTEN_SIZE, "%.*s", (int)size, start);
	*ret_port = colon && u64_parse(view_of_text(colon + 1), &port) && port <= UINT16_MAX ? (uint16_t)port : 0;
}

char *local_settings_url(const struct local_settings *settings)
{
	char host[LOCAL_LISTEN_SIZE];
	uint16_t port;

	local_settings_host(settings, host, &port);
	if (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0)
		return memory_format("https://localhost:%u", port);
	return memory_format(strchr(host, ':') ? "https://[%s]:%u" : "https://%s:%u", host, port);
}

bool local_settings_set_key_manager(struct local_settings *settings, const char *token_file, struct error *error)
{
	uint8_t digest[KEY_MANAGER_DIGEST_SIZE];

	settings->key_manager_token_sha256[0] = 0;
	if (strcmp(token_file, "off") == 0)
		return true;
	if (!manager_token_read(token_file, digest, error))
		return false;
	hex_encode(view_of(digest, sizeof digest), settings->key_manager_token_sha256);
	return true;
}

bool local_settings_set_metrics(struct local_settings *settings, const char *listen, struct error *error)
{
	AUTO_FREE char *text = memory_format("tcp:%s", listen);
	struct address address;

	settings->metrics_listen[0] = 0;
	if (strcmp(listen, "off") == 0)
		return true;
	if (!address_parse(text, &address, error))
		return error_prefix(error, "--metrics-listen");
	if (address.port == 0 || strlen(listen) >= sizeof settings->metrics_listen)
		return error_set(error, ERROR_INPUT, "--metrics-listen: HOST:PORT, with a port other than 0");
	memcpy(settings->metrics_listen, listen, strlen(listen) + 1);
	return true;
}

bool local_settings_set_log_format(struct local_settings *settings, const char *format, struct error *error)
{
	if (strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		return error_set(error, ERROR_INPUT, "--log-format: text or json, not %s", format);
	settings->log_is_json = strcmp(format, "json") == 0;
	return true;
}
