/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory.h"

#include "base/file.h"
#include "cli/histories.h"
#include "cli/inventory_fleet.h"
#include "cli/local_daemon.h"
#include "cli/local_fresh.h"
#include "cli/local_host.h"
#include "cli/local_machine.h"
#include "crypto/certificate_file.h"
#include "net/control_call.h"

/* The longest job: 32 keystores of the usual cost under emulation. */
#define ANSWER_TIMEOUT_MS 300000
/* What the enclave's control takes for one at most. */
#define ANSWER_MAX_SIZE (4u << 20)
/* Somebody else's job: a reload takes seconds. */
#define BUSY_TIMEOUT_MS 60000

void inventory_done(struct inventory *inventory)
{
	if (!inventory)
		return;
	key_table_free(inventory->table);
	tls_table_free(inventory->tls);
	inventory_fleet_free(inventory->fleet);
	local_folder_done(&inventory->folder);
	outputs_done(&inventory->outputs);
	*inventory = (struct inventory){0};
}

static bool check_local(const struct inventory_place *place, struct error *error)
{
	const struct {
		const char *option;
		const char *value;
	} of_fleets[] = {
		{"--region", place->region},   {"--network", place->network},   {"--host", place->host},
		{"--ca", place->ca},           {"--kms-host", place->kms_host}, {"--credentials", place->credentials},
		{"--kms-key", place->kms_key}, {"--fleet", place->fleet},       {"--control", place->control},
	};

	for (size_t i = 0; i < ARRAY_SIZE(of_fleets); i++) {
		if (of_fleets[i].value)
			return error_set(error, ERROR_INPUT, "%s: only with --outputs or --table", of_fleets[i].option);
	}
	return true;
}

static bool open_local(const struct inventory_place *place, struct inventory *inventory, struct error *error)
{
	if (!check_local(place, error) || !local_folder_init(place->dir, &inventory->folder, error))
		return false;
	if (!file_exists(inventory->folder.settings))
		return local_folder_missing(&inventory->folder, error);
	if (!local_settings_read(inventory->folder.settings, &inventory->settings, error))
		return false;
	inventory->web3signer_uuid = place->uuid ? place->uuid : LOCAL_UUID;
	inventory->network = inventory->settings.network;
	return true;
}

static bool open_fleet(const struct inventory_place *place, struct inventory *inventory, struct error *error)
{
	const struct network *network = network_find(place->network ? place->network : "mainnet", error);

	if (!network)
		return error_prefix(error, "--network");
	inventory->network = *network;
	inventory->web3signer_uuid = place->uuid;
	inventory->fleet = inventory_fleet_new(place, error);
	return inventory->fleet != NULL;
}

bool inventory_place_is_fleet(const struct inventory_place *place)
{
	return place->table || place->outputs;
}

static void fill(const char **value, const char *otherwise)
{
	*value = *value ? *value : otherwise;
}

/* What the command line says counts. `table` is the output's name. */
static bool take_outputs(struct inventory *inventory, const char *table, struct error *error)
{
	struct inventory_place *place = &inventory->place;
	const struct outputs *outputs = &inventory->outputs;
	const char *table_name, *key, *uuid;

	if (!place->outputs)
		return true;
	if (!outputs_read(place->outputs, &inventory->outputs, error) || !outputs_need(outputs, table, &table_name, error) ||
	    !outputs_need(outputs, "KMSKeyARN", &key, error) || !outputs_need(outputs, "Web3SignerUuid", &uuid, error))
		return false;
	fill(&place->table, table_name);
	fill(&place->region, outputs->region);
	fill(&place->kms_key, key);
	fill(&place->uuid, uuid);
	fill(&place->fleet, outputs->stack);
	return true;
}

static bool open_place(const struct inventory_place *given, const char *table, struct inventory *inventory, struct error *error)
{
	inventory->place = *given;
	if (!take_outputs(inventory, table, error) ||
	    !(inventory->place.table ? open_fleet : open_local)(&inventory->place, inventory, error))
		return false;
	inventory->chain = inventory->network.name;
	return true;
}

bool inventory_open(const struct inventory_place *place, struct inventory *ret_inventory, struct error *error)
{
	struct inventory *inventory = ret_inventory;

	if (place->region && !place->uuid && !place->outputs)
		return error_set(error, ERROR_INPUT, "--uuid: missing; whose rows of the table?");
	if (!open_place(place, "ValidatorKeysTableName", inventory, error))
		return false;
	inventory->table = inventory->fleet ? inventory_fleet_open_table(inventory->fleet, error)
					    : key_table_open_sqlite(inventory->folder.tables, error);
	return inventory->table != NULL;
}

bool inventory_open_tls(const struct inventory_place *place, struct inventory *ret_inventory, struct error *error)
{
	struct inventory *inventory = ret_inventory;

	if (!open_place(place, "TLSKeysTableName", inventory, error))
		return false;
	inventory->tls = inventory->fleet ? inventory_fleet_open_tls(inventory->fleet, error)
					  : tls_table_open_sqlite(inventory->folder.tables, error);
	return inventory->tls != NULL;
}

bool inventory_list(struct inventory *inventory, bool only_active, struct key_rows *ret_rows, struct error *error)
{
	return key_table_list(inventory->table, inventory->web3signer_uuid, only_active, ret_rows, error);
}

/* Of a local signer the simulator has to run. */
static bool find_simulator(struct inventory *inventory, struct local_endpoints *ret_endpoints, struct local_kms *ret_kms,
			   struct error *error)
{
	if (!local_daemon_running(inventory->folder.sim_pid, NULL))
		return error_set(error, ERROR_NOT_FOUND,
				 "the simulator of %s does not run, and its KMS seals new keys; start it: ensign local up%s",
				 inventory->folder.path, inventory->folder.option);
	return local_endpoints_read(inventory->folder.endpoints, ret_endpoints, error) &&
	       local_kms_init(ret_kms, ret_endpoints, error);
}

bool inventory_seal_tls(struct inventory *inventory, const struct tls_identity *identity, bool as_pem,
			struct tls_sealed *ret_sealed, struct error *error)
{
	AUTO_LOCAL_ENDPOINTS struct local_endpoints endpoints = {0};
	AUTO_LOCAL_KMS struct local_kms kms = {0};

	if (inventory->fleet)
		return inventory_fleet_seal_tls(inventory->fleet, identity, as_pem, ret_sealed, error);
	return find_simulator(inventory, &endpoints, &kms, error) &&
	       tls_seal(identity, as_pem, &kms.kms, inventory->settings.kms_key_arn, ret_sealed, error);
}

bool inventory_seal_credentials(struct inventory *inventory, const struct credentials *credentials, struct tls_row *row,
				struct error *error)
{
	if (!inventory->fleet)
		return error_set(error, ERROR_INPUT, "which fleet? give --outputs, or its table");
	return inventory_fleet_seal_credentials(inventory->fleet, credentials, row, error);
}

bool inventory_new_data_key(struct inventory *inventory, struct secret *ret_data_key, struct buffer *ret_wrapped_b64,
			    struct error *error)
{
	AUTO_LOCAL_ENDPOINTS struct local_endpoints endpoints = {0};
	AUTO_LOCAL_KMS struct local_kms kms = {0};
	const struct local_setup setup = {
		.folder = &inventory->folder, .endpoints = &endpoints, .kms = &kms, .settings = &inventory->settings};

	if (inventory->fleet)
		return inventory_fleet_new_data_key(inventory->fleet, ret_data_key, ret_wrapped_b64, error);
	return find_simulator(inventory, &endpoints, &kms, error) &&
	       local_setup_data_key(&setup, ret_data_key, ret_wrapped_b64, error);
}

static bool find_control(struct inventory *inventory, struct address *ret_control, struct error *error)
{
	AUTO_FREE char *text = local_control_address(&inventory->folder, &inventory->settings);

	if (inventory->fleet)
		return inventory_fleet_control(inventory->fleet, ret_control, error);
	if (!local_daemon_running(inventory->folder.host_pid, NULL))
		return error_set(error, ERROR_NOT_FOUND,
				 "the signer in %s does not run, and this is for its enclave to do; start it: ensign local up%s",
				 inventory->folder.path, inventory->folder.option);
	return address_parse(text, ret_control, error);
}

static bool set_credential(json_t *request, const struct credentials *credentials, struct error *error)
{
	json_t *credential = credentials_to_json(credentials, error);

	if (credential)
		(void)json_object_set_new(request, "credential", credential);
	return credential != NULL;
}

/* A local signer's are of the instance's role, as the host gets them. */
static bool add_credential(struct inventory *inventory, json_t *request, struct error *error)
{
	AUTO_LOCAL_ENDPOINTS struct local_endpoints endpoints = {0};
	AUTO_CREDENTIALS struct credentials credentials = {0};

	if (inventory->fleet)
		return set_credential(request, inventory_fleet_credentials(inventory->fleet), error);
	return local_endpoints_read(inventory->folder.endpoints, &endpoints, error) &&
	       credentials_from_imds(endpoints.imds_url, &credentials, error) && set_credential(request, &credentials, error);
}

json_t *inventory_ask_enclave(struct inventory *inventory, json_t *request, struct error *error)
{
	AUTO_WIPED_BUFFER struct buffer text = {0};
	struct address control;

	if (!find_control(inventory, &control, error) || !add_credential(inventory, request, error))
		return NULL;
	json_write(request, &text);
	return control_call_job(&control, buffer_view(&text), ANSWER_MAX_SIZE, BUSY_TIMEOUT_MS, ANSWER_TIMEOUT_MS, error);
}

X509 *inventory_attestation_root(struct inventory *inventory, const char *path, struct error *error)
{
	AUTO_FREE char *simulated = NULL;

	if (path)
		return certificate_file_read(path, error);
	if (inventory->fleet)
		return attestation_aws_root(error);
	simulated = memory_format("%s/attestation-root.pem", inventory->folder.sim);
	return certificate_file_read(simulated, error);
}

bool inventory_tell_signer(struct inventory *inventory, bool *ret_told, struct error *error)
{
	AUTO_LOCAL_HOST_STATUS struct local_host_status status = {0};

	*ret_told = !inventory->fleet && local_daemon_running(inventory->folder.host_pid, NULL);
	return !*ret_told || local_host_reload(&inventory->folder, &status, error);
}

bool inventory_note_fresh(struct inventory *inventory, const struct key_rows *rows, struct error *error)
{
	return inventory->fleet || local_fresh_note(&inventory->folder, rows, rows->count, error);
}

bool inventory_settle_fresh(struct inventory *inventory, struct error *error)
{
	struct history_counts counts;

	return inventory->fleet || local_fresh_settle(&inventory->folder, NULL, &counts, error);
}

bool inventory_parse_keys(const struct key_rows *rows, const char *const *words, size_t count,
			  char (**ret_pubkeys)[KEY_TABLE_PUBKEY_SIZE], struct error *error)
{
	AUTO_FREE char(*pubkeys)[KEY_TABLE_PUBKEY_SIZE] = memory_allocate_zeroed(count + 1, sizeof *pubkeys);
	AUTO_FREE uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = NULL;

	if (!history_keys_parse(words, count, &keys, error))
		return false;
	for (size_t i = 0; i < count; i++) {
		hex_encode(view_of(keys[i], BLS_PUBLIC_KEY_SIZE), pubkeys[i]);
		if (!key_rows_find(rows, pubkeys[i]))
			return error_set(error, ERROR_NOT_FOUND, "0x%s: has no row in the key table", pubkeys[i]);
	}
	*ret_pubkeys = pubkeys;
	pubkeys = NULL;
	return true;
}
