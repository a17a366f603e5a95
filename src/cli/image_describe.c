/* SPDX-License-Identifier: Apache-2.0 */
/* `ensign image describe` and `ensign image measure`. */
#include <openssl/err.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/image_file.h"

static const struct command_help describe_help = {
	.usage = "ensign image describe FILE",
	.description =
		"Prints all that an enclave image says of itself, in the JSON of `nitro-cli describe-eif`: measurements, whether "
		"the CRC\n"
		"and the signature are right, who signed it, name and version, how it was built. The latter two are not measured.\n"
		"\n"
		"  ensign image describe ensign.eif | jq .Metadata.KernelVersion",
};

static const struct command_help measure_help = {
	.usage = "ensign image measure FILE",
	.description = "Prints the measurements of an enclave image, in the JSON of `nitro-cli build-enclave`. PCR0 is all of it, "
		       "PCR1 kernel,\n"
		       "command line and software, PCR2 the configuration; a signed image has a PCR8, of its signer.\n"
		       "\n"
		       "  ensign image measure ensign.eif | jq -r .Measurements.PCR0\n"
		       "\n"
		       "Exit code 1: the file is damaged (its CRC is wrong).",
};

/* The text that OpenSSL prints of something, as a JSON string. */
static json_t *json_of_time(const ASN1_TIME *time)
{
	BIO *memory = BIO_new(BIO_s_mem());
	json_t *json = NULL;
	char *text = NULL;
	long size;

	if (memory && ASN1_TIME_print(memory, time) == 1 && (size = BIO_get_mem_data(memory, &text)) > 0)
		json = json_stringn(text, (size_t)size);
	(void)BIO_free(memory);
	return json ? json : json_null();
}

static json_t *json_of_name(const X509_NAME *name)
{
	json_t *object = json_object();

	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
		unsigned char *text = NULL;
		int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
		const char *member = OBJ_nid2ln(OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)));

		if (size >= 0 && member)
			(void)json_object_set_new(object, member, json_stringn((const char *)text, (size_t)size));
		OPENSSL_free(text);
	}
	ERR_clear_error();
	return object;
}

static json_t *json_of_certificate(const X509 *certificate)
{
	const ASN1_BIT_STRING *signature = NULL;
	const char *algorithm = OBJ_nid2ln(X509_get_signature_nid(certificate));

	X509_get0_signature(&signature, NULL, certificate);
	return json_pack("{s:o, s:s, s:o, s:o, s:o}", "IssuerName", json_of_name(X509_get_issuer_name(certificate)), "Algorithm",
			 algorithm ? algorithm : "unknown", "NotBefore", json_of_time(X509_get0_notBefore(certificate)), "NotAfter",
			 json_of_time(X509_get0_notAfter(certificate)), "Signature",
			 json_text_of_hex("", view_of(ASN1_STRING_get0_data(signature), (size_t)ASN1_STRING_length(signature))));
}

/* nitro-cli's form: what is custom stands beside the rest. */
static json_t *json_of_build(json_t *metadata)
{
	json_t *object = json_copy(json_object_get(metadata, "BuildMetadata"));
	json_t *docker = json_object_get(metadata, "DockerInfo");
	json_t *custom = json_object_get(metadata, "CustomMetadata");

	(void)json_object_set(object, "DockerInfo", docker ? docker : json_null());
	if (json_is_object(custom))
		(void)json_object_update_missing(object, custom);
	return object;
}

static json_t *describe(const struct image_file *file)
{
	json_t *object = json_pack("{s:i, s:o, s:b}", "EifVersion", file->eif.version, "Measurements",
				   image_file_measurements(file), "IsSigned", file->is_signed);

	if (file->is_signed)
		(void)json_object_set_new(object, "SigningCertificate", json_of_certificate(file->signature.certificate));
	(void)json_object_set_new(object, "CheckCRC", json_boolean(image_file_crc_is_right(file)));
	if (file->is_signed)
		(void)json_object_set_new(
			object, "SignatureCheck",
			json_boolean(eif_signature_verify(&file->signature, file->measurement.pcr0, clock_realtime_ms(), NULL)));
	if (!file->metadata)
		return object;
	(void)json_object_set(object, "ImageName", json_object_get(file->metadata, "ImageName"));
	(void)json_object_set(object, "ImageVersion", json_object_get(file->metadata, "ImageVersion"));
	(void)json_object_set_new(object, "Metadata", json_of_build(file->metadata));
	return object;
}

/* The command line of both: *ret_exit is set when there is no file to go on with. */
static bool open_file(const struct command_help *help, int argc, char **argv, struct image_file *ret_file, int *ret_exit)
{
	const char *path = NULL;
	struct error error = {0};
	size_t count;
	bool done;

	command_parse_words(help, NULL, 0, argc, argv, &path, 1, &count, &done, ret_exit);
	if (done)
		return false;
	if (count == 0) {
		(void)error_set(&error, ERROR_INPUT, "FILE: missing");
		*ret_exit = command_fail(&error, "usage: %s", help->usage);
		return false;
	}
	if (image_file_read(path, ret_file, &error))
		return true;
	*ret_exit = command_fail(&error, NULL);
	return false;
}

int image_describe_main(int argc, char **argv)
{
	AUTO_IMAGE_FILE struct image_file file = {0};
	AUTO_JSON json_t *object = NULL;
	int code;

	if (!open_file(&describe_help, argc, argv, &file, &code))
		return code;
	object = describe(&file);
	command_print_json_pretty(object);
	return EXIT_CODE_OK;
}

int image_measure_main(int argc, char **argv)
{
	AUTO_IMAGE_FILE struct image_file file = {0};
	AUTO_JSON json_t *object = NULL;
	struct error error = {0};
	int code;

	if (!open_file(&measure_help, argc, argv, &file, &code))
		return code;
	if (!image_file_crc_is_right(&file)) {
		(void)error_set(&error, ERROR_CRYPTO, "CRC: %08x, but the file's contents have %08x", file.eif.crc,
				file.eif.computed_crc);
		return command_fail(&error, "The file is damaged: get it again.");
	}
	object = json_pack("{s:o}", "Measurements", image_file_measurements(&file));
	command_print_json_pretty(object);
	return EXIT_CODE_OK;
}
