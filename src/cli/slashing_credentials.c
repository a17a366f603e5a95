/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory.h"
#include "tables/tls_companions.h"

static const struct command_help help = {
	.usage = "ensign slashing credentials FILE | --none (--outputs F | --tls-table NAME --region R --kms-key ARN) ...",
	.description = "Seals credentials of the slashing table's own with the fleet's KMS key, which only the measured image may "
		       "use, and puts\n"
		       "them into the TLS table, for enclaves whose measured configuration says "
		       "\"slashing\":{\"credentials\":\"sealed\"}. The\n"
		       "parent never sees them, so root on it cannot set the table back (docs/slashing.md). FILE is\n"
		       "{\"access_key_id\":\"…\",\"secret_access_key\":\"…\"} of an IAM user that alone may write the table; "
		       "remove it afterwards.\n"
		       "Enclaves that start from now on have them. --none takes them away. A local signer has "
		       "--slashing-credentials of `local up`.\n"
		       "\n"
		       "  ensign slashing credentials table.json --outputs output.json",
};

struct request {
	struct inventory_place place;
	const char *path;
	bool none;
};

static bool seal(struct inventory *inventory, const char *path, struct tls_row *row, struct error *error)
{
	AUTO_CREDENTIALS struct credentials credentials = {0};

	if (credentials_from_file(path, &credentials, error))
		return inventory_seal_credentials(inventory, &credentials, row, error);
	error->code = ERROR_INPUT;
	return false;
}

static bool change(const struct request *request, struct error *error)
{
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_TLS_ROW struct tls_row row = {0};

	if (!inventory_place_is_fleet(&request->place))
		return error_set(error, ERROR_INPUT,
				 "which fleet? --outputs or --tls-table; a local signer: ensign local up --slashing-credentials F");
	if (!inventory_open_tls(&request->place, &inventory, error) || !tls_table_get(inventory.tls, TLS_TABLE_KEY_ID, &row, error))
		return false;
	tls_row_drop_credentials(&row);
	return (!request->path || seal(&inventory, request->path, &row, error)) &&
	       tls_table_put_companions(inventory.tls, &row, error);
}

static int run(const struct request *request)
{
	struct error error = {0};

	if (!request->path == !request->none)
		(void)error_set(&error, ERROR_INPUT, request->none ? "FILE and --none: give one of them" : "FILE: missing");
	if (error.code)
		return command_fail(&error, "usage: %s", help.usage);
	if (!change(request, &error))
		return command_fail(&error, error.code == ERROR_NOT_FOUND ? "They lie beside the TLS key: ensign tls create, or "
									    "ensign invoke set_tls_key, first."
									  : NULL);
	(void)puts(request->none ? "enclaves have no credentials of the table's own any more"
				 : "enclaves that start from now on have credentials of the table's own");
	return EXIT_CODE_OK;
}

int slashing_credentials_main(int argc, char **argv)
{
	static const char *words[1];
	struct request request = {0};
	struct inventory_place *place = &request.place;
	const struct option options[] = {
		{"none", OPTION_FLAG, &request.none, NULL, "take them away"},
		{"outputs", OPTION_TEXT, &place->outputs, "F", "a stack's outputs: its fleet, with your credentials"},
		{"tls-table", OPTION_TEXT, &place->table, "NAME", "or a fleet's TLS table in DynamoDB"},
		{"region", OPTION_TEXT, &place->region, "R", "of the table and of KMS"},
		{"host", OPTION_TEXT, &place->host, "HOST", "of DynamoDB; default dynamodb.REGION.amazonaws.com"},
		{"kms-host", OPTION_TEXT, &place->kms_host, "HOST", "of KMS; default kms.REGION.amazonaws.com"},
		{"ca", OPTION_TEXT, &place->ca, "FILE", "authorities for both, PEM; default: the system's"},
		{"credentials", OPTION_TEXT, &place->credentials, "FROM",
		 "yours: JSON file, or imds; default: AWS_ACCESS_KEY_ID and so on"},
		{"kms-key", OPTION_TEXT, &place->kms_key, "ARN", "that seals them"},
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
