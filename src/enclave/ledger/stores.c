/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/ledger/stores.h"

#include "base/options.h"
#include "net/http_client.h"
#include "slashing/high_watermark.h"
#include "slashing/store_dynamodb.h"

static struct slashing_store *open_embedded(const struct network *network, struct error *error)
{
	AUTO_SLASHING_STORE struct slashing_store *store = slashing_store_open_sqlite(ROLE_FD_STORE, error);
	struct slashing_store *opened;

	if (!store)
		return NULL;
	if (network->genesis_validators_root_known)
		slashing_store_use_root(store, network->genesis_validators_root);
	if (network->genesis_validators_root_learned && !slashing_store_learn_root(store, error))
		return NULL;
	opened = store;
	store = NULL;
	return opened;
}

static bool read_arguments(int argc, char **argv, struct address *ret_relay, struct error *error)
{
	const char *relay = NULL;
	const struct option options[] = {{"table", OPTION_TEXT, &relay, "ADDRESS", "relay to DynamoDB"}};
	size_t positional_count;
	bool help;

	if (!options_parse(options, ARRAY_SIZE(options), argc, argv, NULL, 0, &positional_count, &help, error))
		return false;
	if (!relay)
		return error_set(
			error, ERROR_INPUT,
			"the measured configuration keeps histories in a DynamoDB table, but there is no --table to reach it");
	return role_parse_relay("table", relay, ret_relay, error);
}

static bool open_remote(struct ledger_stores *stores, int argc, char **argv, const struct network *network, struct error *error)
{
	const struct configuration *configuration = &stores->configuration;
	const struct store_dynamodb_options options = {
		.endpoint = {.region = configuration->region,
			     .host = configuration->slashing.host,
			     .via = &stores->relay,
			     .ca_pem = buffer_view(&configuration->ca_pem)},
		.credentials = &stores->credentials,
		.table = configuration->slashing.table,
	};

	if (!network->genesis_validators_root_known)
		return error_set(error, ERROR_INPUT, "a slashing table is of a network whose genesis validators root is known");
	/* What libraries read when they start, they must read before the sandbox. */
	if (!read_arguments(argc, argv, &stores->relay, error) || !http_client_prepare(error))
		return false;
	stores->store = slashing_store_open_dynamodb(&options, error);
	if (stores->store)
		slashing_store_use_root(stores->store, network->genesis_validators_root);
	return stores->store != NULL;
}

bool ledger_stores_open(struct ledger_stores *stores, int argc, char **argv, const struct message_start *start, struct error *error)
{
	stores->tells_retired = start->slashing_protection != 0;
	stores->is_remote = start->uses_table != 0;
	if (stores->is_remote)
		return role_read_configuration(&stores->configuration, error) &&
		       open_remote(stores, argc, argv, &start->network, error);
	stores->store = open_embedded(&start->network, error);
	return stores->store != NULL;
}

void ledger_stores_done(struct ledger_stores *stores)
{
	slashing_store_free(stores->store);
	credentials_done(&stores->credentials);
	configuration_done(&stores->configuration);
}

/* ---- retired keys ---- */

/* In pages; none: one page that says so. */
static bool send_retired(const struct buffer *keys, struct error *error)
{
	size_t total = keys->size / BLS_PUBLIC_KEY_SIZE;
	struct message_keys page;
	size_t sent = 0;

	do {
		size_t count = total - sent < MESSAGE_KEYS_CAPACITY ? total - sent : MESSAGE_KEYS_CAPACITY;

		message_init(&page, MESSAGE_KEYS, 0);
		page.total = total;
		page.first = sent;
		page.count = count;
		if (count > 0)
			memcpy(page.keys, keys->data + sent * BLS_PUBLIC_KEY_SIZE, count * BLS_PUBLIC_KEY_SIZE);
		if (!message_send(ROLE_FD_KEEPER, &page, error))
			return error_prefix(error, "keeper");
		sent += count;
	} while (sent < total);
	return true;
}

bool ledger_stores_tell_retired(struct ledger_stores *stores, struct error *error)
{
	AUTO_BUFFER struct buffer keys = {0};

	if (!stores->is_remote && !slashing_store_list_retired(stores->store, RETIRED_KEYS_MAX, &keys, error))
		return false;
	return send_retired(&keys, error);
}

/* ---- the high watermark ---- */

static bool may_ask(const struct ledger_stores *stores)
{
	return stores->tells_retired && (!stores->is_remote || stores->has_told);
}

bool ledger_stores_tell_high(struct ledger_stores *stores, uint64_t max_age_ms, struct error *error)
{
	struct message_high_watermark message;
	struct high_watermark high;

	if (!may_ask(stores) || !slashing_store_high(stores->store, max_age_ms, &high, NULL) ||
	    high_watermark_equal(&high, &stores->told))
		return true;
	message_init(&message, MESSAGE_HIGH_WATERMARK, 0);
	message.high_watermark = stores->told = high;
	return message_send(ROLE_FD_KEEPER, &message, error) || error_prefix(error, "keeper");
}

/* ---- credentials ---- */

static bool copy_secret(const uint8_t *bytes, uint32_t size, struct secret *ret_secret, struct error *error)
{
	if (size == 0)
		return true;
	if (!secret_init(ret_secret, size, error))
		return false;
	memcpy(ret_secret->data, bytes, size);
	return true;
}

static bool read_credentials(const struct message_store_credentials *message, struct credentials *credentials, struct error *error)
{
	_Static_assert(STORE_ACCESS_KEY_ID_MAX_SIZE < CREDENTIALS_KEY_ID_SIZE, "there is room for the end of the text");
	memcpy(credentials->access_key_id, message->access_key_id, message->access_key_id_size);
	return copy_secret(message->secret_access_key, message->secret_access_key_size, &credentials->secret_access_key, error) &&
	       copy_secret(message->session_token, message->session_token_size, &credentials->session_token, error);
}

/* A row that nobody has: an answer, whatever it is, says that the table is there and can be read. */
static bool try_table(struct ledger_stores *stores, struct error *error)
{
	const struct store_history nobody = {.action = STORE_READ};
	struct store_history_result result;

	return slashing_store_history(stores->store, &nobody, 1, &result, error);
}

bool ledger_stores_take_credentials(struct ledger_stores *stores, const struct message_store_credentials *message,
				    struct error *error)
{
	AUTO_CREDENTIALS struct credentials credentials = {0};
	AUTO_BUFFER struct buffer keys = {0};

	if (!read_credentials(message, &credentials, error))
		return false;
	credentials_done(&stores->credentials);
	stores->credentials = credentials;
	credentials = (struct credentials){0};
	if (!try_table(stores, error))
		return false;
	if (!stores->tells_retired || stores->has_told)
		return true;
	stores->has_told = slashing_store_list_retired(stores->store, RETIRED_KEYS_MAX, &keys, error) && send_retired(&keys, error);
	return stores->has_told && ledger_stores_tell_high(stores, UINT64_MAX, error);
}
