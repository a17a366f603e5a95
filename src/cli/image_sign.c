/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/image_file.h"
#include "crypto/certificate_file.h"

static const struct command_help help = {
	.usage = "ensign image sign FILE --key KEY --cert CERT [--out FILE]",
	.description = "Signs an enclave image, in place of a signature that it may have, and prints its measurements. PCR0, 1 and "
		       "2 stay what they\n"
		       "are; PCR8 becomes the measurement of the certificate, so a key policy on PCR8 goes along with the next "
		       "image of the same\n"
		       "signer. KEY and CERT are PEM: a key on P-384, and a certificate of it that is valid now. Who issued it "
		       "does not matter.\n"
		       "\n"
		       "  openssl ecparam -name secp384r1 -genkey -noout -out signer.key\n"
		       "  openssl req -new -x509 -key signer.key -sha384 -days 365 -subj /CN=ensign -out signer.pem\n"
		       "  ensign image sign ensign.eif --key signer.key --cert signer.pem",
};

#define IMAGE_MODE 0644

static void key_done(EVP_PKEY **key)
{
	EVP_PKEY_free(*key);
}

static bool sign(const struct image_file *file, const char *key_path, const char *certificate_path, struct buffer *ret_bytes,
		 struct error *error)
{
	CLEANUP(key_done) EVP_PKEY *key = private_key_file_read(key_path, error);
	AUTO_X509 X509 *certificate = key ? certificate_file_read(certificate_path, error) : NULL;
	AUTO_BUFFER struct buffer section = {0};
	struct eif eif = file->eif;

	if (!certificate)
		return false;
	if (!eif_signature_write(file->measurement.pcr0, certificate, key, clock_realtime_ms(), &section, error))
		return error_prefix(error, "%s", certificate_path);
	eif_remove(&eif, EIF_SECTION_SIGNATURE);
	return eif_add(&eif, EIF_SECTION_SIGNATURE, buffer_view(&section), error) && eif_write(&eif, ret_bytes, error);
}

/* Reads the file, and writes and reads back the signed one. */
static bool sign_file(const char *path, const char *out, const char *key, const char *certificate, struct image_file *ret_signed,
		      struct error *error)
{
	AUTO_IMAGE_FILE struct image_file file = {0};
	AUTO_BUFFER struct buffer bytes = {0};

	if (!image_file_read(path, &file, error))
		return false;
	/* A signature would give a damaged file a right CRC. */
	if (!image_file_crc_is_right(&file))
		return error_set(error, ERROR_CRYPTO, "%s: its CRC is wrong: the file is damaged", path);
	return sign(&file, key, certificate, &bytes, error) &&
	       file_write_atomic(out ? out : path, buffer_view(&bytes), IMAGE_MODE, error) &&
	       image_file_take(&bytes, ret_signed, error) &&
	       eif_signature_verify(&ret_signed->signature, ret_signed->measurement.pcr0, clock_realtime_ms(), error);
}

int image_sign_main(int argc, char **argv)
{
	AUTO_IMAGE_FILE struct image_file file = {0};
	AUTO_JSON json_t *object = NULL;
	const char *path = NULL, *key = NULL, *certificate = NULL, *out = NULL;
	const struct option options[] = {
		{"key", OPTION_TEXT, &key, "KEY", "private key on P-384, in PEM, not encrypted"},
		{"cert", OPTION_TEXT, &certificate, "CERT", "its certificate, in PEM"},
		{"out", OPTION_TEXT, &out, "FILE", "where the signed image goes; default: it takes the place of the other"},
	};
	struct error error = {0};
	size_t count;
	bool done;
	int code;

	command_parse_words(&help, options, ARRAY_SIZE(options), argc, argv, &path, 1, &count, &done, &code);
	if (done)
		return code;
	if (count == 0 || !key || !certificate) {
		(void)error_set(&error, ERROR_INPUT, "%s: missing", count == 0 ? "FILE" : !key ? "--key" : "--cert");
		return command_fail(&error, "usage: %s", help.usage);
	}
	if (!sign_file(path, out, key, certificate, &file, &error))
		return command_fail(&error, NULL);
	object = json_pack("{s:o}", "Measurements", image_file_measurements(&file));
	command_print_json_pretty(object);
	return EXIT_CODE_OK;
}
