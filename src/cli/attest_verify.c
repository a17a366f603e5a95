/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/birth_statement.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/attest_session.h"
#include "cli/attested.h"
#include "cli/commands.h"
#include "crypto/certificate_file.h"

static const struct command_help help = {
	.usage = "ensign attest verify FILE [--pcr0 HEX] | --url U --pcr0 HEX [--cert-out F] [--root PEM] [--json]",
	.description =
		"With --url, checks whom a client talks to: the signer's attestation document has to be fresh (it names a nonce), "
		"signed under\n"
		"AWS's root, of an image with that PCR0 or PCR8, and to name the very key of the TLS session that it came over. "
		"No CA is\n"
		"needed for that: --cert-out writes the certificate that was proven, for the validator client to trust.\n"
		"\n"
		"  ensign attest verify --url https://signer:8443 --pcr0 $(jq -r .Measurements.PCR0 image.json) --cert-out "
		"signer.pem\n"
		"\n"
		"With FILE, "
		"checks where validator keys were born: FILE is what `ensign keys generate --inside --births-out FILE` wrote. The "
		"enclave's\n"
		"attestation document has to be signed under AWS's root (or --root, for a local signer "
		"SIGNER/sim/attestation-root.pem)\n"
		"and has to name exactly these keys, these withdrawal credentials and this recovery key. Prints the image that "
		"made\n"
		"them; --pcr0 says which it has to be. A debug enclave, whose PCRs are zero, proves nothing and is refused.\n"
		"\n"
		"  ensign attest verify births.json --pcr0 $(jq -r .Measurements.PCR0 image.json)\n"
		"\n"
		"Exit code 3: it does not hold.",
};

/* A thousand public keys are 100 KiB. */
#define BIRTHS_MAX_SIZE (4u << 20)
#define RECOVERY_KEY_MAX_SIZE 4096

struct births {
	json_t *object;
	struct buffer document;
	struct buffer recovery_spki;
	uint8_t (*public_keys)[BLS_PUBLIC_KEY_SIZE];
	struct birth_statement statement;
};

static void births_done(struct births *births)
{
	json_decref(births->object);
	buffer_done(&births->document);
	buffer_done(&births->recovery_spki);
	free(births->public_keys);
}

static bool read_keys(struct births *births, struct error *error)
{
	json_t *list, *item;
	size_t index;

	if (!json_read_array(births->object, "public_keys", &list, error))
		return false;
	births->public_keys = memory_allocate_zeroed(json_array_size(list) + 1, sizeof *births->public_keys);
	json_array_foreach(list, index, item)
	{
		const char *text = json_string_value(item);

		if (text && strncmp(text, "0x", 2) == 0)
			text += 2;
		if (!text || !hex_decode(view_of_text(text), births->public_keys[index], BLS_PUBLIC_KEY_SIZE))
			return error_set(error, ERROR_INPUT, "public_keys[%zu]: not 96 hex digits", index);
	}
	births->statement.public_keys = (const uint8_t(*)[BLS_PUBLIC_KEY_SIZE])births->public_keys;
	births->statement.count = json_array_size(list);
	return births->statement.count > 0 || error_set(error, ERROR_INPUT, "public_keys: empty");
}

static bool read_births(const char *path, struct births *births, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	if (!file_read(path, BIRTHS_MAX_SIZE, &text, error))
		return error->code = ERROR_INPUT, false;
	births->object = json_parse_object(buffer_view(&text), path, error);
	if (!births->object)
		return false;
	if (!read_keys(births, error) ||
	    !json_read_hex(births->object, "withdrawal_credentials", births->statement.withdrawal_credentials,
			   BIRTH_CREDENTIALS_SIZE, error) ||
	    !json_read_base64(births->object, "attestation_document_b64", ATTESTATION_DOCUMENT_MAX_SIZE, &births->document,
			      error) ||
	    (json_object_get(births->object, "recovery_public_key_b64") &&
	     !json_read_base64(births->object, "recovery_public_key_b64", RECOVERY_KEY_MAX_SIZE, &births->recovery_spki, error)))
		return error_prefix(error, "%s", path);
	births->statement.recovery_spki = buffer_view(&births->recovery_spki);
	return true;
}

static bool judge(const struct births *births, const char *root_path, const char *pcr0, struct attestation_document *ret_document,
		  struct error *error)
{
	AUTO_X509 X509 *root = root_path ? certificate_file_read(root_path, error) : attestation_aws_root(error);

	if (!root)
		return error_prefix(error, "--root");
	if (!birth_statement_verify(&births->statement, buffer_view(&births->document), root, ret_document, error))
		return attested_refuse(error);
	if (attestation_is_debug(ret_document))
		return error_set(error, ERROR_POLICY, "the enclave was in debug mode, so whoever ran it could read its memory");
	return !pcr0 || attestation_check_pcr(ret_document, 0, pcr0, error) || error_prefix(error, "--pcr0") ||
	       attested_refuse(error);
}

static void print(const struct births *births, const struct attestation_document *document, bool as_json)
{
	char pcr0[NSM_PCR_TEXT_SIZE], time[CLOCK_TEXT_SIZE];
	AUTO_JSON json_t *object = NULL;

	hex_encode(view_of(document->pcrs[0], NSM_PCR_SIZE), pcr0);
	clock_format(document->timestamp_ms, time);
	if (!as_json) {
		(void)printf("%zu keys were born in the enclave\n  PCR0      %s\n  module    %s\n  time      %s\n  recovery  %s\n",
			     births->statement.count, pcr0, document->module_id, time,
			     births->recovery_spki.size ? "the mnemonic left, encrypted to the recovery key"
							: "the mnemonic never left");
		return;
	}
	object = json_pack("{s:I, s:s, s:s, s:s, s:b}", "keys", (json_int_t)births->statement.count, "PCR0", pcr0, "module_id",
			   document->module_id, "time", time, "recoverable", births->recovery_spki.size > 0);
	command_print_json(object);
}

int attest_verify_main(int argc, char **argv)
{
	CLEANUP(births_done) struct births births = {0};
	struct attest_session_request session = {0};
	const char *file = NULL;
	const struct option options[] = {
		{"root", OPTION_TEXT, &session.root, "PEM", "certificate of the attestation root; default AWS's"},
		{"pcr0", OPTION_TEXT, &session.pcr0, "HEX", "measurement that the image has to have"},
		{"url", OPTION_TEXT, &session.url, "U", "a signer, https://HOST[:PORT], instead of a file"},
		{"pcr8", OPTION_TEXT, &session.pcr8, "HEX", "of a signer: that the signer of its image has to have"},
		{"nonce", OPTION_TEXT, &session.nonce, "HEX|auto", "of a signer: what the document has to name; default auto"},
		{"cert-out", OPTION_TEXT, &session.cert_out, "F", "of a signer: write its certificate, PEM, for clients to pin"},
		{"client-cert", OPTION_TEXT, &session.client_cert, "F", "of a signer: certificate to show it, PEM"},
		{"client-key", OPTION_TEXT, &session.client_key, "F", "its key"},
		{"json", OPTION_FLAG, &session.as_json, NULL, "print one JSON object"},
	};
	struct attestation_document document;
	struct error error = {0};
	const char *advice;
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, &file, 1, &count, &done, &code);
	if (done)
		return code;
	if (session.url && count == 0)
		return attest_session(&session);
	if (count == 0 || session.url || session.pcr8 || session.nonce || session.cert_out || session.client_cert ||
	    session.client_key) {
		(void)error_set(&error, ERROR_INPUT, "FILE or --url U: give one of them, with the options that are for it");
		return command_fail(&error, "usage: %s", help.usage);
	}
	if (!attested_option_check("--pcr0", session.pcr0, &error) || !read_births(file, &births, &error))
		return command_fail(&error, NULL);
	if (!judge(&births, session.root, session.pcr0, &document, &error)) {
		advice = attested_advice(session.root, &error);
		return command_fail(&error, advice ? "%s" : NULL, advice);
	}
	print(&births, &document, session.as_json);
	return EXIT_CODE_OK;
}
