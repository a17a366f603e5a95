/* SPDX-License-Identifier: Apache-2.0 */
#include "image/client_settings.h"

void client_settings_done(struct client_settings *settings)
{
	if (!settings)
		return;
	buffer_done(&settings->ca_pem);
	free(settings->hosts);
	*settings = (struct client_settings){0};
}

/* ---- hosts ---- */

/* Names and addresses, as they stand in a Host header. A colon is IPv6's. */
static bool is_host(struct view text)
{
	if (text.size == 0 || text.size >= HOST_ALLOWLIST_HOST_SIZE)
		return false;
	for (size_t i = 0; i < text.size; i++) {
		uint8_t c = text.data[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '.' ||
		      c == '_' || c == ':'))
			return false;
	}
	return true;
}

static int compare_hosts(const void *a, const void *b)
{
	return strcmp((const char *)a, (const char *)b);
}

static struct view without_brackets(struct view host)
{
	if (host.size >= 2 && host.data[0] == '[' && host.data[host.size - 1] == ']')
		return view_of(host.data + 1, host.size - 2);
	return host;
}

static void to_lower(struct view host, char ret_text[HOST_ALLOWLIST_HOST_SIZE])
{
	memset(ret_text, 0, HOST_ALLOWLIST_HOST_SIZE);
	for (size_t i = 0; i < host.size; i++)
		ret_text[i] = (char)(host.data[i] >= 'A' && host.data[i] <= 'Z' ? host.data[i] + ('a' - 'A') : host.data[i]);
}

static bool find_host(const struct client_settings *settings, const char *host)
{
	return settings->host_count > 0 &&
	       bsearch(host, settings->hosts, settings->host_count, sizeof settings->hosts[0], compare_hosts) != NULL;
}

bool client_settings_add_host(struct client_settings *settings, const char *text, struct error *error)
{
	struct view host = without_brackets(view_of_text(text));
	char lower[HOST_ALLOWLIST_HOST_SIZE];

	if (!is_host(host))
		return error_set(error, ERROR_INPUT, "\"%.64s\" is no name or address of a host (without port)", text);
	to_lower(host, lower);
	if (find_host(settings, lower))
		return true;
	if (settings->host_count == HOST_ALLOWLIST_MAX)
		return error_set(error, ERROR_INPUT, "more than %d hosts", HOST_ALLOWLIST_MAX);
	if (!settings->hosts)
		settings->hosts =
			(char(*)[HOST_ALLOWLIST_HOST_SIZE])memory_allocate_zeroed(HOST_ALLOWLIST_MAX, sizeof settings->hosts[0]);
	memcpy(settings->hosts[settings->host_count++], lower, sizeof lower);
	qsort(settings->hosts, settings->host_count, sizeof settings->hosts[0], compare_hosts);
	return true;
}

/* RFC 9112 section 3.2: uri-host [ ":" port ]. Only an address in brackets has colons of its own. */
static struct view host_part(struct view header)
{
	size_t size = 0;

	if (header.size > 0 && header.data[0] == '[') {
		const uint8_t *end = (const uint8_t *)memchr(header.data, ']', header.size);

		return end ? view_of(header.data + 1, (size_t)(end - header.data) - 1) : view_of(NULL, 0);
	}
	while (size < header.size && header.data[size] != ':')
		size++;
	return view_of(header.data, size);
}

bool client_settings_allow_host(const struct client_settings *settings, struct view header)
{
	struct view host = host_part(header);
	char lower[HOST_ALLOWLIST_HOST_SIZE];

	if (settings->host_count == 0)
		return true;
	if (!is_host(host))
		return false;
	to_lower(host, lower);
	return find_host(settings, lower);
}

/* ---- JSON ---- */

static bool read_clients(json_t *object, struct client_settings *settings, struct error *error)
{
	static const char *const names[] = {"ca_pem", "known"};
	const char *ca_pem;

	if (!json_check_members(object, names, ARRAY_SIZE(names), error))
		return false;
	if (!json_read_text_optional(object, "ca_pem", &ca_pem, error))
		return false;
	if (json_object_get(object, "known") && !json_read_bool(object, "known", &settings->known, error))
		return false;
	/* What says nothing has no second way to be written. */
	if (json_object_get(object, "known") && !settings->known)
		return error_set(error, ERROR_INPUT, "known: true, or left out");
	if (ca_pem && !strstr(ca_pem, "-----BEGIN CERTIFICATE-----"))
		return error_set(error, ERROR_INPUT, "ca_pem: holds no certificate");
	if (!ca_pem && json_object_get(object, "ca_pem"))
		return error_set(error, ERROR_INPUT, "ca_pem: not a string");
	if (!ca_pem && !settings->known)
		return error_set(error, ERROR_INPUT, "neither ca_pem nor known: leave it out to let any client connect");
	if (ca_pem)
		buffer_append_text(&settings->ca_pem, ca_pem);
	return true;
}

static bool read_hosts(json_t *array, struct client_settings *settings, struct error *error)
{
	/* An empty list would refuse everybody, or nobody: which is meant is not for us to guess. */
	if (json_array_size(array) == 0)
		return error_set(error, ERROR_INPUT, "empty; leave it out to allow every host");
	for (size_t i = 0; i < json_array_size(array); i++) {
		json_t *entry = json_array_get(array, i);

		if (!json_is_string(entry) || strlen(json_string_value(entry)) != json_string_length(entry))
			return error_set(error, ERROR_INPUT, "[%zu]: not a string", i);
		if (!client_settings_add_host(settings, json_string_value(entry), error))
			return error_prefix(error, "[%zu]", i);
	}
	return true;
}

static bool read_members(json_t *configuration, struct client_settings *settings, struct error *error)
{
	json_t *value;

	if (json_object_get(configuration, "clients")) {
		if (!json_read_object(configuration, "clients", &value, error))
			return false;
		if (!read_clients(value, settings, error))
			return error_prefix(error, "clients");
	}
	if (!json_object_get(configuration, "host_allowlist"))
		return true;
	if (!json_read_array(configuration, "host_allowlist", &value, error))
		return false;
	return read_hosts(value, settings, error) || error_prefix(error, "host_allowlist");
}

bool client_settings_read(json_t *configuration, struct client_settings *ret_settings, struct error *error)
{
	AUTO_CLIENT_SETTINGS struct client_settings settings = {0};

	if (!read_members(configuration, &settings, error))
		return false;
	*ret_settings = settings;
	settings = (struct client_settings){0};
	return true;
}

static void write_clients(const struct client_settings *settings, struct buffer *ret_json)
{
	AUTO_JSON json_t *object = json_object();

	if (!client_settings_require_certificate(settings))
		return;
	if (settings->ca_pem.size)
		(void)json_object_set_new(object, "ca_pem",
					  json_stringn((const char *)settings->ca_pem.data, settings->ca_pem.size));
	if (settings->known)
		(void)json_object_set_new(object, "known", json_true());
	buffer_append_text(ret_json, " \"clients\": ");
	json_write(object, ret_json);
	buffer_append_text(ret_json, ",\n");
}

void client_settings_write(const struct client_settings *settings, struct buffer *ret_json)
{
	AUTO_JSON json_t *hosts = json_array();

	write_clients(settings, ret_json);
	if (settings->host_count == 0)
		return;
	for (size_t i = 0; i < settings->host_count; i++)
		(void)json_array_append_new(hosts, json_string(settings->hosts[i]));
	buffer_append_text(ret_json, " \"host_allowlist\": ");
	json_write(hosts, ret_json);
	buffer_append_text(ret_json, ",\n");
}
