/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/inventory.h"
#include "tables/tls_companions.h"

static const struct command_help help = {
	.usage = "ensign tls clients FILE | --none (--outputs F | --table NAME --region R --kms-key ARN --fleet NAME) ...",
	.description =
		"Seals the list of clients that may connect, and puts it beside the fleet's TLS key. The file is Web3Signer's: a "
		"line\n"
		"\"<common name> <SHA-256 fingerprint>\" each. Within a minute hosts hand it to enclaves whose measured "
		"configuration says\n"
		"\"clients\":{\"known\":true}; they can neither read nor change it. A client that is not on it any more is refused "
		"from then\n"
		"on, on open connections too. --none takes the list away for enclaves that start later, which then let nobody in; "
		"one that\n"
		"runs keeps its list (an empty file is an empty list). A local signer has `ensign local up --known-clients`.\n"
		"\n"
		"  ensign tls clients known-clients.txt --outputs output.json",
};

struct request {
	struct inventory_place place;
	const char *path;
	bool none;
	bool as_json;
};

static bool read_list(const char *path, struct known_clients *ret_list, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	if (file_read(path, KNOWN_CLIENTS_FILE_MAX_SIZE, &text, error) && known_clients_parse(buffer_view(&text), ret_list, error))
		return true;
	error->code = ERROR_INPUT;
	return error_prefix(error, "%s", path);
}

/* Its serial is the time: an enclave takes no list that is older than the one it has. */
static bool seal(struct inventory *inventory, struct known_clients *list, struct tls_row *row, struct error *error)
{
	AUTO_SECRET struct secret data_key = {0};
	AUTO_BUFFER struct buffer wrapped_b64 = {0};
	const char *fleet = inventory->place.fleet ? inventory->place.fleet : LOCAL_FLEET;

	list->serial = clock_realtime_ms();
	return inventory_new_data_key(inventory, &data_key, &wrapped_b64, error) &&
	       tls_row_seal_clients(row, secret_view(&data_key), buffer_text(&wrapped_b64), fleet, list, error);
}

static bool change(const struct request *request, struct known_clients *list, struct error *error)
{
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_TLS_ROW struct tls_row row = {0};

	if (!inventory_place_is_fleet(&request->place))
		return error_set(error, ERROR_INPUT,
				 "which fleet? --outputs or --table; a local signer: ensign local up --known-clients F");
	if (request->path && !read_list(request->path, list, error))
		return false;
	if (!inventory_open_tls(&request->place, &inventory, error) || !tls_table_get(inventory.tls, TLS_TABLE_KEY_ID, &row, error))
		return false;
	tls_row_drop_clients(&row);
	return (!request->path || seal(&inventory, list, &row, error)) && tls_table_put_companions(inventory.tls, &row, error);
}

static int run(const struct request *request)
{
	struct known_clients list = {0};
	struct error error = {0};

	if (!request->path == !request->none)
		(void)error_set(&error, ERROR_INPUT, request->none ? "FILE and --none: give one of them" : "FILE: missing");
	if (error.code)
		return command_fail(&error, "usage: %s", help.usage);
	if (!change(request, &list, &error))
		return command_fail(&error, error.code == ERROR_NOT_FOUND
						    ? "The list lies beside the TLS key: ensign tls create, or "
						      "ensign invoke set_tls_key, first."
						    : NULL);
	if (request->as_json)
		(void)printf("{\"clients\":%zu}\n", list.count);
	else
		(void)printf(request->none ? "there is no list any more\n" : "%zu clients may connect\n", list.count);
	return EXIT_CODE_OK;
}

int tls_clients_main(int argc, char **argv)
{
	static const char *words[1];
	struct request request = {0};
	const struct option options[] = {
		{"none", OPTION_FLAG, &request.none, NULL, "take the list away"},
		INVENTORY_TABLE_OPTIONS(request.place),
		INVENTORY_SEAL_OPTIONS(request.place),
		INVENTORY_FLEET_OPTION(request.place),
		{"json", OPTION_FLAG, &request.as_json, NULL, "print {\"clients\":N}"},
	};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, words, ARRAY_SIZE(words), &count, &done, &code);
	if (done)
		return code;
	request.path = count ? words[0] : NULL;
	return run(&request);
}
