/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_setup.h"

#include <openssl/rand.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "crypto/tls_identity.h"
#include "image/configuration.h"
#include "tables/tls_table.h"

/* A sanitizer build of the enclave has some 30 MB. */
#define PROGRAM_MAX_SIZE (256u << 20)
/* Browsers and some TLS stacks refuse a longer life. */
#define TLS_DAYS 825
#define TLS_RENEW_AFTER_MS (730ull * 24 * 3600 * 1000)
/* As 64 hex digits. */
#define TLS_PASSWORD_RANDOM_SIZE 32
#define FLEET_CONTEXT ((struct kms_context){"fleet", LOCAL_FLEET})
#define NO_CONTEXT ((struct kms_context){NULL, NULL})

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

static bool row_is_listed(const struct key_rows *present, const char *pubkey)
{
	/* Rows come in order of pubkey. */
	size_t low = 0;
	size_t high = present->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(present->rows[middle].pubkey, pubkey);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		if (order > 0)
			high = middle;
	}
	return false;
}

/* Leaves the rows that are not in the table yet at the front of `rows`. */
static size_t drop_present(struct key_rows *rows, const struct key_rows *present)
{
	size_t kept = 0;

	for (size_t i = 0; i < rows->count; i++) {
		struct key_row row = rows->rows[i];

		if (row_is_listed(present, row.pubkey))
			continue;
		rows->rows[i] = rows->rows[kept];
		rows->rows[kept++] = row;
	}
	return kept;
}

static bool make_rows(const struct local_setup *setup, const struct key_source *source, key_import_progress progress,
		      struct key_rows *ret_rows, struct error *error)
{
	AUTO_BUFFER struct buffer wrapped = {0};
	AUTO_BUFFER struct buffer wrapped_b64 = {0};
	AUTO_SECRET struct secret data_key = {0};
	struct key_seal seal = {.web3signer_uuid = LOCAL_UUID, .chain = setup->settings->network.name};

	if (!kms_generate_data_key(&setup->kms->kms, setup->settings->kms_key_arn, FLEET_CONTEXT, &data_key, &wrapped, error))
		return error_prefix(error, "data key");
	base64_encode(buffer_view(&wrapped), &wrapped_b64);
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

bool local_setup_keys(const struct local_setup *setup, const struct key_source *source, key_import_progress progress,
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
	if (added && !key_table_put(table, rows.rows, added, false, error))
		return false;
	*ret_result = (struct local_import_result){.added = added, .already_present = rows.count - added};
	return true;
}

static bool check_present(const char *path, const struct key_rows *present, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *object = NULL;
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	char pubkey[KEY_TABLE_PUBKEY_SIZE];

	if (!file_read(path, KEYSTORE_MAX_SIZE, &text, error))
		return false;
	object = json_parse_object(buffer_view(&text), path, error);
	if (!object)
		return false;
	if (!json_read_hex(object, "pubkey", public_key, sizeof public_key, error))
		return error_prefix(error, "%s", path);
	hex_encode(view_of(public_key, sizeof public_key), pubkey);
	if (!row_is_listed(present, pubkey))
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

/* ---- TLS ---- */

/* {"tls_password_b64","tls_keystore_b64"} as the TLS table wants it, still in the clear. */
static bool make_tls_plaintext(const struct tls_identity *identity, struct secret *ret_plaintext, struct error *error)
{
	AUTO_SECRET struct secret password = {0};
	AUTO_BUFFER struct buffer password_b64 = {0};
	AUTO_BUFFER struct buffer pkcs12_b64 = {0};
	AUTO_BUFFER struct buffer pkcs12 = {0};
	AUTO_JSON json_t *object = json_object();
	uint8_t random[TLS_PASSWORD_RANDOM_SIZE];
	bool done;

	if (!secret_init(&password, 2 * sizeof random + 1, error))
		return false;
	if (RAND_bytes(random, sizeof random) != 1)
		return error_set(error, ERROR_CRYPTO, "no random bytes");
	hex_encode(view_of(random, sizeof random), (char *)password.data);
	secret_wipe(random, sizeof random);
	if (!tls_identity_to_pkcs12(identity, view_of(password.data, password.size - 1), &pkcs12, error))
		return false;
	base64_encode(buffer_view(&pkcs12), &pkcs12_b64);
	/* Room at once, so that no copy of it stays behind where the buffer grew. */
	buffer_reserve(&password_b64, 2 * password.size);
	base64_encode(view_of(password.data, password.size - 1), &password_b64);
	(void)json_object_set_new(object, "tls_password_b64", json_string(buffer_text(&password_b64)));
	(void)json_object_set_new(object, "tls_keystore_b64", json_string(buffer_text(&pkcs12_b64)));
	done = json_write_secret(object, ret_plaintext, error);
	secret_wipe(password_b64.data, password_b64.size);
	return done;
}

static bool store_tls(const struct local_setup *setup, const struct tls_identity *identity, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(setup->folder->tables, error);
	AUTO_SECRET struct secret plaintext = {0};
	AUTO_BUFFER struct buffer ciphertext = {0};
	AUTO_BUFFER struct buffer ciphertext_b64 = {0};
	AUTO_BUFFER struct buffer chain_b64 = {0};
	struct tls_row row = {.key_id = TLS_TABLE_KEY_ID};

	if (!table || !make_tls_plaintext(identity, &plaintext, error))
		return false;
	if (!kms_encrypt(&setup->kms->kms, setup->settings->kms_key_arn, NO_CONTEXT, secret_view(&plaintext), &ciphertext, error))
		return false;
	base64_encode(buffer_view(&ciphertext), &ciphertext_b64);
	base64_encode(buffer_view(&identity->chain), &chain_b64);
	/* The table copies; the row borrows from the two buffers. */
	row.encrypted_tls_key_b64 = (char *)(uintptr_t)buffer_text(&ciphertext_b64);
	row.cert_pem = (char *)(uintptr_t)buffer_text(&chain_b64);
	return tls_table_put(table, &row, error);
}

static bool is_usual_name(const char *host)
{
	static const char *const usual[] = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		if (strcmp(usual[i], host) == 0)
			return true;
	}
	return false;
}

bool local_setup_tls(const struct local_setup *setup, bool *ret_made, struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca_pem = {0};
	struct local_settings *settings = setup->settings;
	char host[LOCAL_LISTEN_SIZE];
	const char *const names[] = {"localhost", "127.0.0.1", "::1", host};
	size_t name_count = ARRAY_SIZE(names);
	uint64_t now_ms = clock_realtime_ms();
	uint16_t port;

	local_settings_host(settings, host, &port);
	if (is_usual_name(host)) {
		host[0] = 0;
		name_count--;
	}
	*ret_made = false;
	if (file_exists(setup->folder->ca) && strcmp(host, settings->tls_listen) == 0 && settings->tls_created_ms <= now_ms &&
	    settings->tls_created_ms + TLS_RENEW_AFTER_MS > now_ms)
		return true;
	if (!tls_identity_create("ensign local", names, name_count, TLS_DAYS, &identity, &ca_pem, error) ||
	    !store_tls(setup, &identity, error) || !file_write_atomic(setup->folder->ca, buffer_view(&ca_pem), 0644, error))
		return error_prefix(error, "TLS");
	(void)snprintf(settings->tls_listen, sizeof settings->tls_listen, "%s", host);
	settings->tls_created_ms = now_ms;
	*ret_made = true;
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
	configuration.policy = *setup->policy;
	configuration_write(&configuration, &text);
	configuration.policy = (struct signing_policy){0}; /* the caller's, not ours to free */
	if (text.size > CONFIGURATION_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "the configuration with this policy has %zu bytes, at most %u are taken",
				 text.size, CONFIGURATION_MAX_SIZE);
	return file_write_atomic(setup->folder->configuration, buffer_view(&text), 0600, error);
}

bool local_setup_image(const struct local_setup *setup, struct measurement *ret_measurement, struct error *error)
{
	if (!copy_program(setup->folder->enclave, error) || !write_configuration(setup, error))
		return error_prefix(error, "image");
	return measurement_of_process_files(setup->folder->enclave, setup->folder->configuration, ret_measurement, error);
}

bool local_setup_policy(const struct local_setup *setup, const struct measurement *measurement, bool *ret_changed,
			struct error *error)
{
	AUTO_FREE char *policy = local_key_policy(setup->endpoints->operator_arn, setup->endpoints->role_arn, measurement);
	struct local_settings *settings = setup->settings;
	char pcr0[2 * NSM_PCR_SIZE + 1];

	hex_encode(view_of(measurement->pcr0, sizeof measurement->pcr0), pcr0);
	if (!kms_put_key_policy(&setup->kms->kms, settings->kms_key_arn, policy, error))
		return error_prefix(error, "key policy");
	*ret_changed = settings->pcr0[0] && strcmp(settings->pcr0, pcr0) != 0;
	memcpy(settings->pcr0, pcr0, sizeof pcr0);
	return true;
}

bool local_setup_host(const struct local_setup *setup, struct error *error)
{
	const struct local_folder *folder = setup->folder;
	const struct local_endpoints *endpoints = setup->endpoints;
	AUTO_FREE char *table = memory_format("sqlite:%s", folder->tables);
	AUTO_FREE char *listen = memory_format("tcp:%s", setup->settings->listen);
	AUTO_FREE char *credentials = memory_format("imds:%s", endpoints->imds_url);
	AUTO_FREE char *relay = memory_format("unix:%s/kms.sock", folder->run);
	AUTO_JSON json_t *object = json_pack(
		"{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:[{s:s, s:s, s:s}]}", "launcher", "process", "program",
		folder->enclave, "configuration", folder->configuration, "run_folder", folder->run, "store_folder", folder->store,
		"web3signer_uuid", LOCAL_UUID, "key_table", table, "tls_table", table, "listen", listen, "credentials", credentials,
		"nsm", endpoints->nsm_address, "relays", "name", "kms", "listen", relay, "connect", endpoints->kms_address);
	AUTO_BUFFER struct buffer text = {0};

	if (!object)
		return error_set(error, ERROR_INPUT, "%s: not UTF-8", folder->path);
	json_write(object, &text);
	buffer_append_byte(&text, '\n');
	return file_write_atomic(folder->host_config, buffer_view(&text), 0600, error);
}
