/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tls_make.h"
#include "cli/tls_show.h"

static const struct command_help help = {
	.usage = "ensign tls create [--names A,B] [--days N] [--outside | --tls-cert F --tls-key F | --tls-keystore F "
		 "--tls-password-file F] ...",
	.description =
		"Makes the key and the certificate that a signer serves with, where the TLS table has none. KMS makes the key "
		"for the enclave\n"
		"alone (GenerateDataKeyPair with an attestation document), which signs a certificate for it under a CA whose "
		"key it throws\n"
		"away, and attests the certificate; nobody else ever has the key. A fleet's first start has no enclave that "
		"could: there\n"
		"--outside makes it here, or it is your own; `ensign tls rotate` then moves it inside.\n"
		"\n"
		"  ensign tls create --outside --names signer.example.org --table TLSKeys --region eu-west-1 --kms-key arn:…",
};

struct request {
	struct inventory_place place;
	struct tls_wish wish;
	const char *ca_out;
	bool dry_run;
	bool as_json;
};

/* Of a dry run *ret_rows stays empty. */
static bool create(const struct request *request, struct inventory *inventory, struct tls_rows *ret_rows, struct error *error)
{
	AUTO_TLS_SEALED struct tls_sealed sealed = {0};
	AUTO_TLS_ROWS struct tls_rows before = {0};
	bool added = false;
	bool told;

	if (!inventory_open_tls(&request->place, inventory, error) || !tls_rows_read(inventory->tls, &before, error))
		return false;
	if (!before.current.is_there) {
		if (request->dry_run)
			return true;
		if (!tls_wish_make(&request->wish, inventory, NULL, &sealed, error) ||
		    !tls_sealed_add(inventory->tls, TLS_TABLE_KEY_ID, &sealed, &added, error))
			return false;
	}
	if (!added)
		return error_set(error, ERROR_IO, "TLS table: there is a key already; ensign tls rotate makes the next one");
	return tls_rows_read(inventory->tls, ret_rows, error) &&
	       tls_rows_write_anchors(ret_rows, inventory, request->ca_out, error) && tls_rows_note_chosen(inventory, error) &&
	       inventory_tell_signer(inventory, &told, error);
}

static int run(const struct request *request)
{
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_TLS_ROWS struct tls_rows rows = {0};
	AUTO_JSON json_t *made = NULL;
	struct error error = {0};

	if (!tls_wish_check(&request->wish, &request->place, &error))
		return command_fail(&error, "usage: %s", help.usage);
	if (!create(request, &inventory, &rows, &error))
		return command_fail(&error, NULL);
	made = tls_json_of(&inventory, &rows.current, &error);
	if (!made)
		return command_fail(&error, NULL);
	if (request->as_json)
		command_print_json(made);
	else if (request->dry_run)
		(void)puts("a key and a certificate would be made");
	else
		tls_print("made", made);
	return EXIT_CODE_OK;
}

int tls_create_main(int argc, char **argv)
{
	struct request request = {0};
	const struct option options[] = {
		TLS_WISH_OPTIONS(request.wish),
		{"ca-out", OPTION_TEXT, &request.ca_out, "F", "write what clients have to trust; default a local signer's ca.pem"},
		{"dry-run", OPTION_FLAG, &request.dry_run, NULL, "change nothing"},
		INVENTORY_PLACE_OPTIONS(request.place, INVENTORY_RUNNING),
		INVENTORY_SEAL_OPTIONS(request.place),
		INVENTORY_ENCLAVE_OPTION(request.place),
		{"json", OPTION_FLAG, &request.as_json, NULL,
		 "print the certificate's facts as an object; null when --dry-run makes none"},
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	return done ? code : run(&request);
}
