/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_setup.h"

#include <sys/stat.h>

#include "base/file.h"
#include "base/process.h"
#include "cli/local_fresh.h"
#include "cli/local_machine.h"
#include "cli/release.h"
#include "image/configuration.h"
#include "image/machine.h"

/* A sanitizer build of the enclave has some 30 MB. */
#define PROGRAM_MAX_SIZE (256u << 20)

bool local_setup_kms_key(const struct local_setup *setup, struct error *error)
{
	AUTO_FREE char *policy = local_key_policy(setup->endpoints->operator_arn, setup->endpoints->role_arn, NULL);

	if (setup->settings->kms_key_arn[0])
		return true;
	if (!kms_create_key(&setup->kms->kms, "ensign local", policy, setup->settings->kms_key_arn, error))
		return error_prefix(error, "making the KMS key");
	return local_settings_write(setup->folder->settings, setup->settings, error);
}

/* ---- keys ---- */

/* Leaves the rows that are not in the table yet at the front of `rows`. */
static size_t drop_present(struct key_rows *rows, const struct key_rows *present)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->count; i++) {
		struct key_row row = rows->rows[i];

		if (key_rows_find(present, row.pubkey))
			continue;
		rows->rows[i] = rows->rows[kept];
		rows->rows[kept++] = row;
	}
	return kept;
}

bool local_setup_data_key(const struct local_setup *setup, struct secret *ret_data_key, struct buffer *ret_wrapped_b64,
			  struct error *error)
{
	const struct kms_context context = {"fleet", LOCAL_FLEET};
	AUTO_BUFFER struct buffer wrapped = {0};

	if (!kms_generate_data_key(&setup->kms->kms, setup->settings->kms_key_arn, context, ret_data_key, &wrapped, error))
		return error_prefix(error, "data key");
	base64_encode(buffer_view(&wrapped), ret_wrapped_b64);
	return true;
}

static bool make_rows(const struct local_setup *setup, const struct key_source *source, const struct key_import_progress *progress,
		      struct key_rows *ret_rows, struct error *error)
{
	AUTO_BUFFER struct buffer wrapped_b64 = {0};
	AUTO_SECRET struct secret data_key = {0};
	struct key_seal seal = {.web3signer_uuid = LOCAL_UUID, .chain = setup->settings->network.name};

	if (!local_setup_data_key(setup, &data_key, &wrapped_b64, error))
		return false;
	seal.data_key = secret_view(&data_key);
	seal.data_key_b64 = buffer_text(&wrapped_b64);
	if (!source)
		return key_import_new(&seal, ret_rows, error);
	if (key_import(source, &seal, progress, ret_rows, error))
		return true;
	/* Whatever is wrong with a keystore or its password file, it is what the user gave. */
	error->code = ERROR_INPUT;
	return false;
}

/* A network is its name and its root. Its fork schedule may change: forks to come get their epochs. */
static bool check_network(const struct local_setup *setup, const char *chain, struct error *error)
{
	const struct network *network = &setup->settings->network;
	const struct network *before = setup->network_before;

	if (strcmp(chain, network->name) != 0)
		return error_set(error, ERROR_INPUT, "--network %s: the keys in %s are sealed for %s; use another --dir",
				 network->name, setup->folder->path, chain);
	if (!before || (before->genesis_validators_root_known == network->genesis_validators_root_known &&
			before->genesis_validators_root_learned == network->genesis_validators_root_learned &&
			memcmp(before->genesis_validators_root, network->genesis_validators_root, ROOT_SIZE) == 0))
		return true;
	return error_set(error, ERROR_INPUT,
			 "--genesis-validators-root: the keys in %s were used on a network %s with another one; use another --dir",
			 setup->folder->path, network->name);
}

bool local_setup_keys(const struct local_setup *setup, const struct key_source *source, const struct key_import_progress *progress,
		      struct local_import_result *ret_result, struct error *error)
{
	AUTO_KEY_TABLE struct key_table *table = key_table_open_sqlite(setup->folder->tables, error);
	AUTO_KEY_ROWS struct key_rows present = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};
	size_t added;

	if (!table || !key_table_list(table, LOCAL_UUID, false, &present, error))
		return false;
	if (present.count && !check_network(setup, present.rows[0].chain, error))
		return false;
	if (!source && present.count) {
		*ret_result = (struct local_import_result){0};
		return true;
	}
	if (!make_rows(setup, source, progress, &rows, error))
		return false;
	added = drop_present(&rows, &present);
	if (added &&
	    (!local_fresh_note(setup->folder, &rows, added, error) || !key_table_put(table, rows.rows, added, false, error)))
		return false;
	*ret_result = (struct local_import_result){.added = added, .already_present = rows.count - added};
	return true;
}

static bool check_present(const char *path, const struct key_rows *present, struct error *error)
{
	char pubkey[KEY_TABLE_PUBKEY_SIZE];
	bool has_pubkey;

	if (!keystore_file_read_pubkey(path, pubkey, &has_pubkey, error))
		return false;
	if (!has_pubkey)
		return error_set(error, ERROR_INPUT, "%s: pubkey: missing", path);
	if (!key_rows_find(present, pubkey))
		return error_set(error, ERROR_INPUT, "%s: this key is not in the signer, which is up already", path);
	return true;
}

bool local_setup_keys_present(const struct local_folder *folder, const char *keystores, struct error *error)
{
	AUTO_KEY_TABLE struct key_table *table = key_table_open_sqlite(folder->tables, error);
	AUTO_KEY_ROWS struct key_rows present = {0};
	AUTO_KEY_PATHS struct key_paths paths = {0};

	if (!table || !key_table_list(table, LOCAL_UUID, false, &present, error) || !key_paths_list(keystores, &paths, error))
		return false;
	for (size_t i = 0; i < paths.count; i++) {
		if (!check_present(paths.paths[i], &present, error))
			return false;
	}
	return true;
}

/* ---- image, policy, host ---- */

static bool copy_program(const char *to, struct error *error)
{
	AUTO_FREE char *programs = process_executable_folder(error);
	AUTO_FREE char *from = programs ? memory_format("%s/ensign-enclave", programs) : NULL;
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_BUFFER struct buffer present = {0};
	struct error ignored;

	if (!from || !file_read(from, PROGRAM_MAX_SIZE, &bytes, error))
		return false;
	if (file_exists(to) && file_read(to, PROGRAM_MAX_SIZE, &present, &ignored) &&
	    view_equal(buffer_view(&bytes), buffer_view(&present)))
		return true;
	return file_write_atomic(to, buffer_view(&bytes), 0700, error);
}

static bool write_configuration(const struct local_setup *setup, struct error *error)
{
	AUTO_CONFIGURATION struct configuration configuration = {0};
	const struct local_endpoints *endpoints = setup->endpoints;
	AUTO_BUFFER struct buffer text = {0};

	configuration.network = setup->settings->network;
	configuration.slashing_protection = setup->settings->slashing_protection;
	(void)snprintf(configuration.fleet, sizeof configuration.fleet, "%s", LOCAL_FLEET);
	(void)snprintf(configuration.region, sizeof configuration.region, "%s", endpoints->region);
	(void)snprintf(configuration.kms_host, sizeof configuration.kms_host, "%s", endpoints->kms_host);
	(void)snprintf(configuration.kms_key_arn, sizeof configuration.kms_key_arn, "%s", setup->settings->kms_key_arn);
	buffer_append(&configuration.ca_pem, buffer_view(&setup->kms->ca_pem));
	if (setup->settings->slashing.uses_dynamodb && file_exists(setup->folder->table_ca) &&
	    !file_read(setup->folder->table_ca, CONFIGURATION_MAX_SIZE, &configuration.ca_pem, error))
		return false;
	configuration.policy = *setup->policy;
	configuration.clients = *setup->clients;
	configuration.key_manager.is_on = hex_decode(view_of_text(setup->settings->key_manager_token_sha256),
						     configuration.key_manager.token_sha256, KEY_MANAGER_DIGEST_SIZE);
	configuration.slashing = setup->settings->slashing;
	/* Else a machine refuses to keep histories in its memory. */
	configuration.is_debug = local_machine_forgets(setup->settings);
	configuration_write(&configuration, &text);
	configuration.policy = (struct signing_policy){0}; /* the caller's, not ours to free */
	configuration.clients = (struct client_settings){0};
	if (text.size > CONFIGURATION_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "the configuration with this policy has %zu bytes, at most %u are taken",
				 text.size, CONFIGURATION_MAX_SIZE);
	return file_write_atomic(setup->folder->configuration, buffer_view(&text), 0600, error);
}

bool local_setup_image(const struct local_setup *setup, struct measurement *ret_measurement, struct error *error)
{
	if (!write_configuration(setup, error))
		return error_prefix(error, "image");
	if (local_settings_is_machine(setup->settings))
		return local_machine_image(setup, ret_measurement, error) || error_prefix(error, "image");
	if (!copy_program(setup->folder->enclave, error) || !release_link_root(setup->folder->image, error))
		return error_prefix(error, "image");
	return measurement_of_process_files(setup->folder->enclave, setup->folder->configuration, ret_measurement, error);
}

bool local_setup_policy(const struct local_setup *setup, const struct measurement *measurement, bool *ret_changed,
			struct error *error)
{
	AUTO_FREE char *policy = local_key_policy(setup->endpoints->operator_arn, setup->endpoints->role_arn, measurement);
	struct local_settings *settings = setup->settings;
	char pcr0[NSM_PCR_TEXT_SIZE];

	hex_encode(view_of(measurement->pcr0, sizeof measurement->pcr0), pcr0);
	if (!kms_put_key_policy(&setup->kms->kms, settings->kms_key_arn, policy, error))
		return error_prefix(error, "key policy");
	*ret_changed = settings->pcr0[0] && strcmp(settings->pcr0, pcr0) != 0;
	memcpy(settings->pcr0, pcr0, sizeof pcr0);
	return true;
}

/* Where the enclave finds a way out: a port of its machine's vsock, or (0) a socket. */
static char *relay_address(const struct local_folder *folder, unsigned port, const char *socket_name)
{
	return port ? memory_format("hybrid:%s/" MACHINE_VSOCK ":%u", folder->machine, port)
		    : memory_format("unix:%s/%s", folder->run, socket_name);
}

bool local_setup_host(const struct local_setup *setup, struct error *error)
{
	const struct local_folder *folder = setup->folder;
	const struct local_endpoints *endpoints = setup->endpoints;
	AUTO_FREE char *table = memory_format("sqlite:%s", folder->tables);
	AUTO_FREE char *listen = memory_format("tcp:%s", setup->settings->listen);
	AUTO_FREE char *metrics = memory_format("tcp:%s", setup->settings->metrics_listen);
	AUTO_FREE char *credentials = memory_format("imds:%s", endpoints->imds_url);
	const bool is_machine = local_settings_is_machine(setup->settings);
	AUTO_FREE char *relay = relay_address(folder, is_machine ? MACHINE_KMS_PORT : 0, "kms.sock");
	AUTO_FREE char *table_relay = relay_address(folder, is_machine ? MACHINE_TABLE_PORT : 0, "dynamodb.sock");
	AUTO_JSON json_t *object =
		json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "launcher",
			  setup->settings->launcher, "program", folder->enclave, "configuration", folder->configuration,
			  "run_folder", folder->run, "store_folder", folder->store, "web3signer_uuid", LOCAL_UUID, "key_table",
			  table, "tls_table", table, "listen", listen, "credentials", credentials, "nsm", endpoints->nsm_address,
			  "relays", "name", "kms", "listen", relay, "connect", endpoints->kms_address);
	AUTO_BUFFER struct buffer text = {0};

	if (!object)
		return error_set(error, ERROR_INPUT, "%s: not UTF-8", folder->path);
	if (setup->settings->slashing.uses_dynamodb)
		(void)json_array_append_new(json_object_get(object, "relays"),
					    json_pack("{s:s, s:s, s:s}", "name", "dynamodb", "listen", table_relay, "connect",
						      setup->settings->table_connect));
	if (is_machine && json_object_set_new(object, "machine", local_machine_json(folder, error)) != 0)
		return false;
	if (setup->settings->metrics_listen[0])
		(void)json_object_set_new(object, "metrics_listen", json_string(metrics));
	/* Whoever changes a local signer's tables tells it: `ensign keys`, `ensign local`. */
	(void)json_object_set_new(object, "tables_poll_s", json_integer(0));
	(void)json_object_set_new(object, "log_format", json_string(setup->settings->log_is_json ? "json" : "text"));
	json_write(object, &text);
	buffer_append_byte(&text, '\n');
	return file_write_atomic(folder->host_config, buffer_view(&text), 0600, error);
}
