/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_up.h"

static json_t *measurement_json(const struct measurement *measurement)
{
	const uint8_t *const pcrs[] = {measurement->pcr0, measurement->pcr1, measurement->pcr2};
	static const char *const names[] = {"PCR0", "PCR1", "PCR2"};
	json_t *object = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(pcrs); i++) {
		char hex[NSM_PCR_TEXT_SIZE];

		hex_encode(view_of(pcrs[i], NSM_PCR_SIZE), hex);
		(void)json_object_set_new(object, names[i], json_string(hex));
	}
	return object;
}

static json_t *rule_names(const struct signing_policy *policy)
{
	json_t *names = json_array();

	for (size_t i = 0; i < policy->count; i++)
		(void)json_array_append_new(names, json_string(policy->rules[i].name));
	return names;
}

static json_t *host_names(const struct client_settings *settings)
{
	json_t *names = json_array();

	for (size_t i = 0; i < settings->host_count; i++)
		(void)json_array_append_new(names, json_string(settings->hosts[i]));
	return names;
}

void local_up_print_json(const struct up *up, json_t *keys, uint64_t took_ms)
{
	AUTO_FREE char *url = local_settings_url(&up->settings);
	AUTO_FREE char *clients = local_clients_describe(&up->clients);
	AUTO_JSON json_t *object =
		json_pack("{s:s, s:s, s:s, s:o, s:O, s:o, s:s, s:b, s:o, s:s, s:b, s:b, s:b, s:I, s:I, s:I}", "url", url, "ca_file",
			  up->folder.ca, "clients", clients, "host_allowlist", host_names(&up->clients.settings), "public_keys",
			  keys, "measurement", measurement_json(&up->measurement), "network", up->settings.network.name,
			  "slashing_protection", up->settings.slashing_protection, "policy_rules", rule_names(&up->policy), "dir",
			  up->folder.path, "already_up", up->already_up, "reloaded", up->reloaded, "measurement_changed",
			  up->repinned, "keys_imported", (json_int_t)up->imported.added, "keys_already_present",
			  (json_int_t)up->imported.already_present, "took_ms", (json_int_t)took_ms);

	(void)json_object_set_new(object, "launcher", json_string(up->settings.launcher));
	(void)json_object_set_new(object, "keys_without_history", json_integer((json_int_t)up->without));
	(void)json_object_set_new(object, "histories_begun", json_integer((json_int_t)up->histories.new_keys));
	(void)json_object_set_new(object, "key_manager", json_boolean(up->settings.key_manager_token_sha256[0] != 0));
	command_print_json(object);
}

/* Of the hosts that requests may name one that the certificate has too, or else the first; NULL: they may name any. */
static const char *host_to_name(const struct up *up, bool *ret_is_in_certificate)
{
	const struct client_settings *clients = &up->clients.settings;

	*ret_is_in_certificate = true;
	for (size_t i = 0; i < clients->host_count; i++) {
		if (local_tls_has_name(&up->folder, clients->hosts[i]))
			return clients->hosts[i];
	}
	*ret_is_in_certificate = false;
	return clients->host_count > 0 ? clients->hosts[0] : NULL;
}

/* A request that the signer answers, though it may know this machine by another name. */
static void print_next(const struct up *up, const char *url)
{
	static const char path[] = "/api/v1/eth2/publicKeys";
	const struct client_settings *clients = &up->clients.settings;
	const char *certificate = client_settings_require_certificate(clients) ? " --cert CERT --key KEY" : "";
	const char *authority = url + strlen("https://");
	bool is_in_certificate;
	const char *name = host_to_name(up, &is_in_certificate);
	AUTO_FREE char *shown = NULL;
	char host[LOCAL_LISTEN_SIZE];
	uint16_t port;

	(void)printf("next: curl --cacert %s%s", up->folder.ca, certificate);
	if (!name || client_settings_allow_host(clients, view_of_text(authority))) {
		(void)printf(" %s%s\n", url, path);
		return;
	}
	shown = memory_format(strchr(name, ':') ? "[%s]" : "%s", name);
	if (!is_in_certificate) {
		(void)printf(" -H 'Host: %s' %s%s\n", shown, url, path);
		return;
	}
	local_settings_host(&up->settings, host, &port);
	(void)printf(" --connect-to ::%s https://%s:%u%s\n", authority, shown, port, path);
}

void local_up_print(const struct up *up, json_t *keys, uint64_t took_ms)
{
	AUTO_FREE char *url = local_settings_url(&up->settings);
	AUTO_FREE char *clients = local_clients_describe(&up->clients);
	AUTO_JSON json_t *measurement = measurement_json(&up->measurement);

	if (up->imported.already_present)
		(void)printf("%zu keystores were already present\n", up->imported.already_present);
	if (up->reloaded)
		(void)printf("the running signer took up what is new in its tables\n");
	if (up->repinned)
		(void)printf("the program or its configuration changed: measured again, and the key policy pinned to that\n");
	(void)printf("%s %s (%.1f s)\n", up->already_up ? "already up at" : "up at", url, (double)took_ms / 1000);
	(void)printf("  CA file      %s%s\n", up->folder.ca,
		     up->settings.tls_is_own ? " (of the identity that you gave, or that ensign tls made)" : "");
	if (local_settings_is_machine(&up->settings))
		(void)printf("  enclave      a machine of its own, under qemu; its console is in %s\n", up->folder.console);
	(void)printf("  clients      %s\n", clients);
	for (size_t i = 0; i < up->clients.settings.host_count; i++)
		(void)printf("%s%s%s", i ? ", " : "  hosts        ", up->clients.settings.hosts[i],
			     i + 1 == up->clients.settings.host_count ? "\n" : "");
	(void)printf("  network      %s, slashing protection %s\n", up->settings.network.name,
		     up->settings.slashing_protection ? "on" : "OFF");
	if (up->histories.keys)
		(void)printf("  histories    %llu keys %s\n", (unsigned long long)up->histories.keys,
			     up->interchange.keys ? "imported" : "counted as never used");
	if (up->without)
		(void)printf("  histories    %zu keys have NONE: they sign no block and no vote until it is said what they signed\n"
			     "               (ensign slashing import FILE; ensign slashing fresh only if they never did)\n",
			     up->without);
	for (size_t i = 0; i < up->policy.count; i++)
		(void)printf("%s%s%s", i ? ", " : "  policy       ", up->policy.rules[i].name,
			     i + 1 == up->policy.count ? "\n" : "");
	if (up->settings.key_manager_token_sha256[0])
		(void)printf("  key manager  /eth/v1/keystores, for who has the token\n");
	(void)printf("  measurement  PCR0 %s\n", json_string_value(json_object_get(measurement, "PCR0")));
	(void)printf("  public keys  %zu\n", json_array_size(keys));
	for (size_t i = 0; i < json_array_size(keys); i++)
		(void)printf("    %s\n", json_string_value(json_array_get(keys, i)));
	print_next(up, url);
}
