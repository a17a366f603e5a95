/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tls_make.h"
#include "cli/tls_show.h"
#include "crypto/certificate_facts.h"

static const struct command_help help = {
	.usage = "ensign tls rotate [--names A,B] [--days N] [--outside | --tls-cert F --tls-key F | ...] | --activate",
	.description = "Changes the key and the certificate of a signer in two steps, so that no client is refused in between:\n"
		       "  1. `ensign tls rotate` makes the next one, which does not serve yet; the CA file has both from then on. "
		       "Give it to "
		       "the\n     clients.\n"
		       "  2. `ensign tls rotate --activate` has it serve. Connections that are open stay open.\n"
		       "The names stay as they are unless --names gives others. The key is made in the enclave, as by `ensign tls "
		       "create`.\n"
		       "\n"
		       "  ensign tls rotate && ensign tls rotate --activate",
};

struct request {
	struct inventory_place place;
	struct tls_wish wish;
	const char *ca_out;
	bool activate;
	bool dry_run;
	bool as_json;
};

/* Comma separated; NULL: it has none. Caller frees. */
static char *names_of(const struct tls_identity_row *row)
{
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	AUTO_BUFFER struct buffer text = {0};
	struct error ignored;

	if (!row->is_there || !certificate_facts_read(buffer_view(&row->chain), &facts, &ignored))
		return NULL;
	for (size_t i = 0; i < facts.name_count; i++)
		buffer_append_format(&text, "%s%s", i ? "," : "", facts.names[i]);
	return text.size ? memory_copy_text(buffer_text(&text)) : NULL;
}

static bool prepare(const struct request *request, struct inventory *inventory, const struct tls_rows *rows, struct error *error)
{
	AUTO_TLS_SEALED struct tls_sealed sealed = {0};
	AUTO_FREE char *names = names_of(&rows->current);

	return request->dry_run || (tls_wish_make(&request->wish, inventory, names, &sealed, error) &&
				    tls_sealed_put(inventory->tls, TLS_TABLE_NEXT_KEY_ID, &sealed, error));
}

static bool activate(const struct request *request, struct inventory *inventory, const struct tls_rows *rows, struct error *error)
{
	const struct tls_sealed next = {rows->next.row.encrypted_tls_key_b64, rows->next.row.cert_pem};
	bool told;

	if (!rows->next.is_there)
		return error_set(error, ERROR_NOT_FOUND, "TLS table: there is none that is to follow; ensign tls rotate makes it");
	if (request->dry_run)
		return true;
	return tls_sealed_put(inventory->tls, TLS_TABLE_KEY_ID, &next, error) && tls_rows_note_chosen(inventory, error) &&
	       inventory_tell_signer(inventory, &told, error);
}

/* Before the first step and after it; the CA file has had both when the second comes, and keeps both. */
static bool rotate(const struct request *request, struct inventory *inventory, struct tls_rows *before, struct tls_rows *after,
		   struct error *error)
{
	if (!inventory_open_tls(&request->place, inventory, error) || !tls_rows_read(inventory->tls, before, error))
		return false;
	if (!before->current.is_there)
		return error_set(error, ERROR_NOT_FOUND, "TLS table: there is no key to follow; ensign tls create makes the first");
	if (!(request->activate ? activate : prepare)(request, inventory, before, error) ||
	    !tls_rows_read(inventory->tls, after, error))
		return false;
	return request->dry_run || tls_rows_write_anchors(request->activate ? before : after, inventory, request->ca_out, error);
}

static void print_advice(const struct request *request, const struct inventory *inventory)
{
	const char *ca = request->ca_out ? request->ca_out : inventory->fleet ? NULL : inventory->folder.ca;

	if (request->activate || request->dry_run)
		return;
	(void)fprintf(stderr, "It does not serve yet. Give clients %s, then: ensign tls rotate --activate\n",
		      ca ? ca : "what `ensign tls show --ca-out F` writes");
}

static bool check(const struct request *request, struct error *error)
{
	if (!request->activate)
		return tls_wish_check(&request->wish, &request->place, error);
	return !tls_wish_is_any(&request->wish) ||
	       error_set(error, ERROR_INPUT, "--activate: the next one is made already; without it another is made");
}

static int run(const struct request *request)
{
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_TLS_ROWS struct tls_rows before = {0};
	AUTO_TLS_ROWS struct tls_rows after = {0};
	AUTO_JSON json_t *shown = NULL;
	struct error error = {0};

	if (!check(request, &error))
		return command_fail(&error, "usage: %s", help.usage);
	if (!rotate(request, &inventory, &before, &after, &error))
		return command_fail(&error, NULL);
	shown = tls_json_of(&inventory, request->activate && !request->dry_run ? &after.current : &after.next, &error);
	if (!shown)
		return command_fail(&error, NULL);
	if (request->as_json)
		command_print_json(shown);
	else if (request->dry_run)
		(void)printf("%s\n", request->activate ? "the next one would serve" : "the next one would be made");
	else
		tls_print(request->activate ? "serves now" : "is to follow", shown);
	print_advice(request, &inventory);
	return EXIT_CODE_OK;
}

int tls_rotate_main(int argc, char **argv)
{
	struct request request = {0};
	const struct option options[] = {
		{"activate", OPTION_FLAG, &request.activate, NULL, "have the next one serve"},
		TLS_WISH_OPTIONS(request.wish),
		{"ca-out", OPTION_TEXT, &request.ca_out, "F", "write what clients have to trust; default a local signer's ca.pem"},
		{"dry-run", OPTION_FLAG, &request.dry_run, NULL, "change nothing"},
		INVENTORY_PLACE_OPTIONS(request.place, "up (with --activate: or down)"),
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
