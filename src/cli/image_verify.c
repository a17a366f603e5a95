/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/document.h"
#include "base/clock.h"
#include "cli/commands.h"
#include "cli/image_file.h"

static const struct command_help help = {
	.usage = "ensign image verify FILE [--pcr0 HEX] [--pcr8 HEX] [--signed] [--json]",
	.description = "Checks an enclave image: sections as the format has them, the CRC, the signature if there is one (by the "
		       "certificate's key,\n"
		       "over this image, within the certificate's dates). --pcr0 says which image it has to be, --pcr8 who has to "
		       "have signed it:\n"
		       "without these a sound image of anybody's passes.\n"
		       "\n"
		       "  ensign image verify ensign.eif --pcr0 $(jq -r .Measurements.PCR0 published.json)\n"
		       "\n"
		       "Exit code 1: a check failed. 2: it is no enclave image.",
};

struct wishes {
	const char *pcr0, *pcr8; /* hex; NULL: any */
	uint8_t pcr0_bytes[NSM_PCR_SIZE], pcr8_bytes[NSM_PCR_SIZE];
	bool has_to_be_signed;
};

struct verdict {
	const char *name;
	bool is_checked;
	struct error error; /* ERROR_NONE: it holds */
};

enum { VERDICT_SECTIONS, VERDICT_CRC, VERDICT_SIGNATURE, VERDICT_PCR0, VERDICT_PCR8, VERDICT_COUNT };

static bool read_wishes(struct wishes *wishes, struct error *error)
{
	return (!wishes->pcr0 || attestation_parse_pcr("--pcr0", wishes->pcr0, wishes->pcr0_bytes, error)) &&
	       (!wishes->pcr8 || attestation_parse_pcr("--pcr8", wishes->pcr8, wishes->pcr8_bytes, error));
}

/* `pcr` NULL: the image has none. */
static void judge_pcr(const uint8_t wanted[NSM_PCR_SIZE], const uint8_t *pcr, struct verdict *verdict)
{
	char text[NSM_PCR_TEXT_SIZE];

	verdict->is_checked = true;
	if (!pcr) {
		(void)error_set(&verdict->error, ERROR_CRYPTO, "the image is not signed");
		return;
	}
	hex_encode(view_of(pcr, NSM_PCR_SIZE), text);
	if (memcmp(wanted, pcr, NSM_PCR_SIZE) != 0)
		(void)error_set(&verdict->error, ERROR_CRYPTO, "another one: %s", text);
}

static void judge(const struct image_file *file, const struct wishes *wishes, struct verdict verdicts[VERDICT_COUNT])
{
	struct verdict *signature = &verdicts[VERDICT_SIGNATURE];

	if (!image_file_crc_is_right(file))
		(void)error_set(&verdicts[VERDICT_CRC].error, ERROR_CRYPTO, "%08x, but the file's contents have %08x",
				file->eif.crc, file->eif.computed_crc);
	signature->is_checked = file->is_signed || wishes->has_to_be_signed;
	if (file->is_signed)
		(void)!eif_signature_verify(&file->signature, file->measurement.pcr0, clock_realtime_ms(), &signature->error);
	else if (wishes->has_to_be_signed)
		(void)error_set(&signature->error, ERROR_CRYPTO, "the image is not signed");
	if (wishes->pcr0)
		judge_pcr(wishes->pcr0_bytes, file->measurement.pcr0, &verdicts[VERDICT_PCR0]);
	if (wishes->pcr8)
		judge_pcr(wishes->pcr8_bytes, file->is_signed ? file->pcr8 : NULL, &verdicts[VERDICT_PCR8]);
}

static void print_json(const struct image_file *file, const struct verdict *verdicts, bool holds)
{
	AUTO_JSON json_t *object =
		json_pack("{s:b, s:b, s:o}", "ok", holds, "signed", file->is_signed, "measurements", image_file_measurements(file));
	json_t *checks = json_object();

	for (size_t i = 0; i < VERDICT_COUNT; i++) {
		if (verdicts[i].is_checked)
			(void)json_object_set_new(checks, verdicts[i].name,
						  json_text_of_any(verdicts[i].error.code ? verdicts[i].error.message : "ok"));
	}
	(void)json_object_set_new(object, "checks", checks);
	command_print_json(object);
}

static void print_text(const struct image_file *file, const struct verdict *verdicts, bool holds)
{
	for (size_t i = 0; i < VERDICT_COUNT; i++) {
		const struct verdict *verdict = &verdicts[i];

		if (!verdict->is_checked)
			continue;
		(void)printf("%-7s %-10s ", verdict->error.code ? "FAILED" : "ok", verdict->name);
		command_print_escaped(stdout, verdict->error.message);
		(void)printf("\n");
	}
	if (!file->is_signed)
		(void)printf("-       signature  none: PCR8 of an enclave of this image is zero\n");
	(void)printf("%s\n", holds ? "The image is sound." : "Do not run this image.");
}

int image_verify_main(int argc, char **argv)
{
	struct verdict verdicts[VERDICT_COUNT] = {
		[VERDICT_SECTIONS] = {"sections", .is_checked = true}, /* image_file_read() has looked */
		[VERDICT_CRC] = {"crc", .is_checked = true},
		[VERDICT_SIGNATURE] = {"signature"},
		[VERDICT_PCR0] = {"pcr0"},
		[VERDICT_PCR8] = {"pcr8"},
	};
	AUTO_IMAGE_FILE struct image_file file = {0};
	struct wishes wishes = {0};
	const char *path = NULL;
	bool as_json = false, holds = true;
	const struct option options[] = {
		{"pcr0", OPTION_TEXT, &wishes.pcr0, "HEX", "measurement that the image has to have"},
		{"pcr8", OPTION_TEXT, &wishes.pcr8, "HEX", "measurement of the certificate that it has to be signed with"},
		{"signed", OPTION_FLAG, &wishes.has_to_be_signed, NULL, "an image that is not signed fails"},
		{"json", OPTION_FLAG, &as_json, NULL, "print one JSON object"},
	};
	struct error error = {0};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, &path, 1, &count, &done, &code);
	if (done)
		return code;
	if (count == 0) {
		(void)error_set(&error, ERROR_INPUT, "FILE: missing");
		return command_fail(&error, "usage: %s", help.usage);
	}
	if (!read_wishes(&wishes, &error) || !image_file_read(path, &file, &error))
		return command_fail(&error, NULL);
	judge(&file, &wishes, verdicts);
	for (size_t i = 0; i < VERDICT_COUNT; i++)
		holds = holds && verdicts[i].error.code == ERROR_NONE;
	if (as_json)
		print_json(&file, verdicts, holds);
	else
		print_text(&file, verdicts, holds);
	return holds ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}
