/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/histories_internal.h"

#include <fcntl.h>
#include <sys/socket.h>

#include "base/file.h"
#include "cli/local_daemon.h"
#include "cli/local_machine.h"
#include "cli/outputs.h"

void histories_done(struct histories *histories)
{
	if (!histories)
		return;
	free(histories->items);
	*histories = (struct histories){0};
}

void histories_reserve(struct histories *histories, size_t more)
{
	struct history *items = memory_allocate_zeroed(histories->count + more + 1, sizeof *items);

	if (histories->count > 0)
		memcpy(items, histories->items, histories->count * sizeof *items);
	free(histories->items);
	histories->items = items;
}

static int compare_histories(const void *a, const void *b)
{
	return memcmp(((const struct history *)a)->public_key, ((const struct history *)b)->public_key, BLS_PUBLIC_KEY_SIZE);
}

const struct history *histories_find(const struct histories *histories, const char *pubkey)
{
	struct history wanted;

	if (histories->count == 0 || !hex_decode(view_of_text(pubkey), wanted.public_key, sizeof wanted.public_key))
		return NULL;
	return bsearch(&wanted, histories->items, histories->count, sizeof wanted, compare_histories);
}

/* ---- where ---- */

static struct history_source *open_store(const char *path, const struct network *network, struct error *error)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	AUTO_SLASHING_STORE struct slashing_store *store = NULL;
	struct history_source *source;

	if (fd < 0)
		return error_set_errno(error, ERROR_NOT_FOUND, "slashing store %s", path), NULL;
	store = slashing_store_open_sqlite(fd, error);
	if (!store)
		return NULL;
	if (network->genesis_validators_root_known)
		slashing_store_use_root(store, network->genesis_validators_root);
	if (network->genesis_validators_root_learned && !slashing_store_learn_root(store, error))
		return NULL;
	source = history_source_of_store(store);
	store = NULL;
	return source;
}

static struct history_source *open_named(const struct history_place *place, struct error *error)
{
	const struct network *network = network_find(place->network ? place->network : "mainnet", error);

	if (!network)
		return error_prefix(error, "--network"), NULL;
	return place->table ? history_source_of_table(place, network, error) : open_store(place->store, network, error);
}

static struct history_source *open_control(const char *text, struct error *error)
{
	struct address address;

	if (!address_parse(text, &address, error))
		return error_prefix(error, "--control"), NULL;
	return history_source_of_control(&address);
}

/* While its host runs the signer is up or about to be, and its store is not ours to open. */
static struct history_source *open_folder(const char *dir, struct error *error)
{
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	struct local_settings settings;
	AUTO_FREE char *control = NULL;

	if (!local_folder_init(dir, &folder, error))
		return NULL;
	if (!file_exists(folder.settings))
		return (void)local_folder_missing(&folder, error), NULL;
	if (!local_settings_read(folder.settings, &settings, error))
		return NULL;
	control = local_control_address(&folder, &settings);
	if (local_daemon_running(folder.host_pid, NULL))
		return open_control(control, error);
	if (local_machine_forgets(&settings))
		return error_set(error, ERROR_NOT_FOUND,
				 "the histories of the signer in %s were in the memory of its machine, which is down", folder.path),
		       NULL;
	return open_store(folder.store, &settings.network, error);
}

static bool check_table_options(const struct history_place *place, struct error *error)
{
	const struct {
		const char *option;
		const char *value;
	} of_tables[] = {
		{"--region", place->region}, {"--host", place->host}, {"--ca", place->ca}, {"--credentials", place->credentials}};

	for (size_t i = 0; i < ARRAY_SIZE(of_tables); i++) {
		if (of_tables[i].value && !place->table)
			return error_set(error, ERROR_INPUT, "%s: only with --outputs or --table", of_tables[i].option);
	}
	return true;
}

static struct history_source *open_place(const struct history_place *place, struct error *error)
{
	if (!check_table_options(place, error))
		return NULL;
	if (place->control)
		return open_control(place->control, error);
	if (place->network && !place->store && !place->table)
		return error_set(error, ERROR_INPUT, "--network: only with --store or --table; a signer knows its own"), NULL;
	return place->store || place->table ? open_named(place, error) : open_folder(place->dir, error);
}

struct history_source *history_source_open(const struct history_place *place, struct error *error)
{
	AUTO_OUTPUTS struct outputs outputs = {0};
	struct history_place filled = *place;

	if ((place->dir != NULL) + (place->control != NULL) + (place->store != NULL) + (place->table != NULL) +
		    (place->outputs != NULL) >
	    1)
		return error_set(error, ERROR_INPUT, "--dir, --control, --store, --table and --outputs: give one of them"), NULL;
	if (!place->outputs)
		return open_place(place, error);
	if (!outputs_read(place->outputs, &outputs, error) || !outputs_need(&outputs, "SlashingTableName", &filled.table, error))
		return NULL;
	filled.region = place->region ? place->region : outputs.region;
	return open_place(&filled, error);
}

/* ---- what ---- */

void history_source_free(struct history_source *source)
{
	if (source)
		source->kind->free(source);
}

struct slashing_store *history_source_store(struct history_source *source)
{
	return source->store;
}

bool history_source_read(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
			 struct histories *ret_histories, struct error *error)
{
	AUTO_HISTORIES struct histories histories = {0};

	if (!source->kind->read(source, keys, count, &histories, error))
		return false;
	*ret_histories = histories;
	histories = (struct histories){0};
	return true;
}

bool history_source_import(struct history_source *source, const struct interchange *interchange, struct history_counts *ret_counts,
			   struct error *error)
{
	*ret_counts = (struct history_counts){0};
	return source->kind->import(source, interchange, ret_counts, error);
}

bool history_source_begin(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
			  struct history_counts *ret_counts, struct error *error)
{
	*ret_counts = (struct history_counts){0};
	return source->kind->begin(source, keys, count, ret_counts, error);
}

bool history_source_read_high(struct history_source *source, struct high_watermark *ret_high, struct error *error)
{
	return source->kind->high(source, NULL, ret_high, error);
}

bool history_source_set_high(struct history_source *source, const struct high_watermark *wanted, struct high_watermark *ret_high,
			     struct error *error)
{
	return source->kind->high(source, wanted, ret_high, error);
}

bool history_keys_parse(const char *const *words, size_t count, uint8_t (**ret_keys)[BLS_PUBLIC_KEY_SIZE], struct error *error)
{
	AUTO_FREE uint8_t(*keys)[BLS_PUBLIC_KEY_SIZE] = memory_allocate_zeroed(count + 1, sizeof *keys);

	for (size_t i = 0; i < count; i++) {
		const char *text = strncmp(words[i], "0x", 2) == 0 ? words[i] + 2 : words[i];

		if (!hex_decode(view_of_text(text), keys[i], BLS_PUBLIC_KEY_SIZE))
			return error_set(error, ERROR_INPUT, "%.100s: not a public key of 96 hex digits", words[i]);
	}
	*ret_keys = keys;
	keys = NULL;
	return true;
}

const char *history_advice(const struct error *error)
{
	if (error->code == ERROR_POLICY)
		return "Have it done through the key manager (docs/key-manager.md), or where the measured configuration allows it.";
	if (error->code == ERROR_PEER)
		return "Is the signer up? See: ensign local status";
	return NULL;
}

/* The complete history of many keys: a year of one key is 20 MB. */
#define DOCUMENT_MAX_SIZE (1u << 30)

bool history_document_read(const char *path, struct interchange *ret_interchange, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *document = NULL;

	if (!file_read(path, DOCUMENT_MAX_SIZE, &text, error))
		return error->code = ERROR_INPUT, false;
	document = json_parse_object(buffer_view(&text), path, error);
	return document && (interchange_read(document, ret_interchange, error) || error_prefix(error, "%s", path));
}
