/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tls_show.h"

#include "base/clock.h"
#include "cli/tls_births.h"
#include "crypto/certificate_facts.h"

static const struct command_help help = {
	.usage = "ensign tls show [--ca-out F] [--dir D | --table T --region R] [--json]",
	.description =
		"Shows the certificate that a signer serves with, and the one that is to follow: names, dates, fingerprints,\n"
		"how the key is sealed, and whether an enclave attested that it was born there. Warns when one expires within 30 "
		"days.\n"
		"--ca-out writes what clients have to trust.\n"
		"\n"
		"  ensign tls show --ca-out ca.pem",
};

#define WARN_DAYS 30
#define DAY_S (24 * 3600)

static json_t *time_text(int64_t seconds)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(seconds > 0 ? (uint64_t)seconds * 1000 : 0, text);
	return json_string(text);
}

/* A key that is sealed alone is what KMS makes for an enclave, but whoever may Encrypt could have sealed one of his own like that. */
static void add_birth(struct inventory *inventory, const struct tls_identity_row *row, json_t *object)
{
	bool is_key_alone = tls_birth_is_key_alone(&row->row);
	char pcr0[NSM_PCR_TEXT_SIZE];
	bool is_attested = tls_birth_find(inventory, row, pcr0);

	(void)json_object_set_new(object, "sealed", json_string(is_key_alone ? "key pair of KMS" : "KMS Encrypt"));
	(void)json_object_set_new(object, "born_inside", is_attested ? json_true() : is_key_alone ? json_null() : json_false());
	if (is_attested)
		(void)json_object_set_new(object, "born_pcr0", json_string(pcr0));
}

json_t *tls_json_of(struct inventory *inventory, const struct tls_identity_row *row, struct error *error)
{
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	json_t *names, *object;

	if (!row->is_there)
		return json_null();
	if (!certificate_facts_read(buffer_view(&row->chain), &facts, error))
		return error_prefix(error, "cert_pem"), NULL;
	names = json_array();
	for (size_t i = 0; i < facts.name_count; i++)
		(void)json_array_append_new(names, json_text_of_any(facts.names[i]));
	if (facts.not_after_s - (int64_t)(clock_realtime_ms() / 1000) < WARN_DAYS * DAY_S)
		(void)fprintf(stderr, "A certificate expires within %d days, or has expired: ensign tls rotate\n", WARN_DAYS);
	object = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "names", names, "issuer", json_text_of_any(facts.issuer), "not_before",
			   time_text(facts.not_before_s), "not_after", time_text(facts.not_after_s), "certificate_sha256",
			   json_text_of_hex("", view_of(facts.certificate_sha256, CERTIFICATE_DIGEST_SIZE)), "public_key_sha256",
			   json_text_of_hex("", view_of(facts.public_key_sha256, CERTIFICATE_DIGEST_SIZE)));
	add_birth(inventory, row, object);
	return object;
}

static void print_names(json_t *names)
{
	json_t *name;
	size_t index;

	(void)printf("  %-19s", "names");
	json_array_foreach(names, index, name)
	{
		(void)printf(" ");
		command_print_escaped(stdout, json_string_value(name));
	}
	(void)printf("\n");
}

static const char *text_of(const json_t *value)
{
	if (json_is_string(value))
		return json_string_value(value);
	if (json_is_null(value))
		return "not known: no attestation of it is here";
	return json_is_true(value) ? "yes, attested" : "no";
}

void tls_print(const char *title, json_t *object)
{
	const char *name;
	json_t *value;

	if (json_is_null(object))
		return;
	(void)printf("%s\n", title);
	json_object_foreach(object, name, value)
	{
		if (json_is_array(value)) {
			print_names(value);
			continue;
		}
		(void)printf("  %-19s ", name);
		command_print_escaped(stdout, text_of(value));
		(void)printf("\n");
	}
}

static int run(const struct inventory_place *place, const char *ca_out, bool as_json)
{
	AUTO_INVENTORY struct inventory inventory = {0};
	AUTO_TLS_ROWS struct tls_rows rows = {0};
	AUTO_JSON json_t *current = NULL;
	AUTO_JSON json_t *next = NULL;
	AUTO_JSON json_t *both = NULL;
	struct error error = {0};

	if (!inventory_open_tls(place, &inventory, &error) || !tls_rows_read(inventory.tls, &rows, &error))
		return command_fail(&error, NULL);
	if (!rows.current.is_there && !rows.next.is_there) {
		(void)error_set(&error, ERROR_NOT_FOUND, "TLS table: there is no key in it");
		return command_fail(&error, "Make one: ensign tls create");
	}
	current = tls_json_of(&inventory, &rows.current, &error);
	next = current ? tls_json_of(&inventory, &rows.next, &error) : NULL;
	if (!next || (ca_out && !tls_rows_write_anchors(&rows, &inventory, ca_out, &error)))
		return command_fail(&error, NULL);
	both = json_pack("{s:O, s:O}", "current", current, "next", next);
	if (as_json) {
		command_print_json(both);
		return EXIT_CODE_OK;
	}
	tls_print("serves now", current);
	tls_print("is to follow (ensign tls rotate --activate)", next);
	return EXIT_CODE_OK;
}

int tls_show_main(int argc, char **argv)
{
	struct inventory_place place = {0};
	const char *ca_out = NULL;
	bool as_json = false;
	const struct option options[] = {
		{"ca-out", OPTION_TEXT, &ca_out, "F", "write the certificates that clients have to trust, PEM"},
		INVENTORY_PLACE_OPTIONS(place, INVENTORY_ANY_STATE),
		{"json", OPTION_FLAG, &as_json, NULL, "print {\"current\":{…},\"next\":{…}|null}"},
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	return done ? code : run(&place, ca_out, as_json);
}
