/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/certificate_file.h"
#include "cli/local_daemon.h"
#include "cli/local_host.h"
#include "net/control_call.h"

#define CONNECT_TIMEOUT_MS 5000
/* The longest job: 32 keystores of the usual cost under emulation. */
#define ANSWER_TIMEOUT_MS 300000
/* What the enclave's control takes for one at most. */
#define ANSWER_MAX_SIZE (4u << 20)
/* Somebody else's job: a reload takes seconds. */
#define BUSY_TIMEOUT_MS 60000
#define BUSY_PAUSE_US 100000

void inventory_done(struct inventory *inventory)
{
	if (!inventory)
		return;
	key_table_free(inventory->table);
	local_folder_done(&inventory->folder);
	*inventory = (struct inventory){0};
}

bool inventory_open(const struct inventory_place *place, struct inventory *ret_inventory, struct error *error)
{
	struct inventory *inventory = ret_inventory;

	if (!local_folder_init(place->dir, &inventory->folder, error))
		return false;
	if (!file_exists(inventory->folder.settings))
		return error_set(error, ERROR_NOT_FOUND, "there is no local signer in %s", inventory->folder.path);
	if (!local_settings_read(inventory->folder.settings, &inventory->settings, error))
		return false;
	inventory->table = key_table_open_sqlite(inventory->folder.tables, error);
	inventory->web3signer_uuid = place->uuid ? place->uuid : LOCAL_UUID;
	inventory->chain = inventory->settings.network.name;
	return inventory->table != NULL;
}

bool inventory_list(struct inventory *inventory, bool only_active, struct key_rows *ret_rows, struct error *error)
{
	return key_table_list(inventory->table, inventory->web3signer_uuid, only_active, ret_rows, error);
}

bool inventory_new_data_key(struct inventory *inventory, struct secret *ret_data_key, struct buffer *ret_wrapped_b64,
			    struct error *error)
{
	const struct kms_context context = {"fleet", LOCAL_FLEET};
	AUTO_LOCAL_ENDPOINTS struct local_endpoints endpoints = {0};
	AUTO_LOCAL_KMS struct local_kms kms = {0};
	AUTO_BUFFER struct buffer wrapped = {0};

	if (!local_daemon_running(inventory->folder.sim_pid, NULL))
		return error_set(error, ERROR_NOT_FOUND, "the simulator of %s does not run, and its KMS seals new keys",
				 inventory->folder.path);
	if (!local_endpoints_read(inventory->folder.endpoints, &endpoints, error) || !local_kms_init(&kms, &endpoints, error))
		return false;
	if (!kms_generate_data_key(&kms.kms, inventory->settings.kms_key_arn, context, ret_data_key, &wrapped, error))
		return error_prefix(error, "data key");
	base64_encode(buffer_view(&wrapped), ret_wrapped_b64);
	return true;
}

static bool find_control(struct inventory *inventory, struct address *ret_control, struct error *error)
{
	AUTO_FREE char *text = memory_format("unix:%s", inventory->folder.control);

	if (!local_daemon_running(inventory->folder.host_pid, NULL))
		return error_set(error, ERROR_NOT_FOUND, "the signer in %s does not run, and this is for its enclave to do",
				 inventory->folder.path);
	return address_parse(text, ret_control, error);
}

/* Of the instance's role, as the host gets them. */
static bool add_credential(struct inventory *inventory, json_t *request, struct error *error)
{
	AUTO_LOCAL_ENDPOINTS struct local_endpoints endpoints = {0};
	AUTO_CREDENTIALS struct credentials credentials = {0};
	json_t *credential;

	if (!local_endpoints_read(inventory->folder.endpoints, &endpoints, error) ||
	    !credentials_from_imds(endpoints.imds_url, &credentials, error))
		return false;
	credential = credentials_to_json(&credentials, error);
	if (credential)
		(void)json_object_set_new(request, "credential", credential);
	return credential != NULL;
}

json_t *inventory_ask_enclave(struct inventory *inventory, json_t *request, struct error *error)
{
	AUTO_WIPED_BUFFER struct buffer text = {0};
	uint64_t deadline_ms = clock_monotonic_ms() + BUSY_TIMEOUT_MS;
	struct address control;
	unsigned status;
	json_t *body;

	if (!find_control(inventory, &control, error) || !add_credential(inventory, request, error))
		return NULL;
	json_write(request, &text);
	for (;;) {
		body = control_call(&control, buffer_view(&text), ANSWER_MAX_SIZE, CONNECT_TIMEOUT_MS, ANSWER_TIMEOUT_MS, &status,
				    error);
		if (body || status != CONTROL_STATUS_CONFLICT || clock_monotonic_ms() > deadline_ms)
			return body;
		(void)usleep(BUSY_PAUSE_US);
	}
}

X509 *inventory_attestation_root(struct inventory *inventory, struct error *error)
{
	AUTO_FREE char *path = memory_format("%s/attestation-root.pem", inventory->folder.sim);

	return certificate_file_read(path, error);
}

bool inventory_tell_signer(struct inventory *inventory, bool *ret_told, struct error *error)
{
	AUTO_LOCAL_HOST_STATUS struct local_host_status status = {0};

	*ret_told = local_daemon_running(inventory->folder.host_pid, NULL);
	return !*ret_told || local_host_reload(&inventory->folder, &status, error);
}

static int compare_rows(const void *a, const void *b)
{
	return strcmp(((const struct key_row *)a)->pubkey, ((const struct key_row *)b)->pubkey);
}

const struct key_row *inventory_find(const struct key_rows *rows, const char *pubkey)
{
	struct key_row wanted = {0};

	(void)snprintf(wanted.pubkey, sizeof wanted.pubkey, "%s", pubkey);
	return rows->count == 0 ? NULL : bsearch(&wanted, rows->rows, rows->count, sizeof wanted, compare_rows);
}

bool inventory_parse_keys(const struct key_rows *rows, const char *const *words, size_t count,
			  char (**ret_pubkeys)[KEY_TABLE_PUBKEY_SIZE], struct error *error)
{
	AUTO_FREE char(*pubkeys)[KEY_TABLE_PUBKEY_SIZE] = memory_allocate_zeroed(count + 1, sizeof *pubkeys);

	for (size_t i = 0; i < count; i++) {
		const char *text = strncmp(words[i], "0x", 2) == 0 ? words[i] + 2 : words[i];
		uint8_t bytes[BLS_PUBLIC_KEY_SIZE];

		if (!hex_decode(view_of_text(text), bytes, sizeof bytes))
			return error_set(error, ERROR_INPUT, "%.100s: not a public key of 96 hex digits", words[i]);
		hex_encode(view_of(bytes, sizeof bytes), pubkeys[i]);
		if (!inventory_find(rows, pubkeys[i]))
			return error_set(error, ERROR_NOT_FOUND, "0x%s: has no row in the key table", pubkeys[i]);
	}
	*ret_pubkeys = pubkeys;
	pubkeys = NULL;
	return true;
}
