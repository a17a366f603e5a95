/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/image_file.h"

#include "base/file.h"
#include "image/eif_metadata.h"

void image_file_done(struct image_file *file)
{
	if (!file)
		return;
	json_decref(file->metadata);
	eif_signature_done(&file->signature);
	buffer_done(&file->bytes);
	*file = (struct image_file){0};
}

static bool read_parts(struct image_file *file, struct error *error)
{
	const struct eif_section *metadata, *signature;

	if (!eif_read(buffer_view(&file->bytes), &file->eif, error) || !eif_measure(&file->eif, &file->measurement, error))
		return false;
	metadata = eif_find(&file->eif, EIF_SECTION_METADATA);
	if (metadata && !(file->metadata = eif_metadata_read(metadata->data, error)))
		return false;
	signature = eif_find(&file->eif, EIF_SECTION_SIGNATURE);
	file->is_signed = signature != NULL;
	if (!signature)
		return true;
	if (!eif_signature_read(signature->data, &file->signature, error))
		return error_prefix(error, "signature");
	return eif_measure_certificate(buffer_view(&file->signature.certificate_der), file->pcr8, error);
}

bool image_file_take(struct buffer *bytes, struct image_file *ret_file, struct error *error)
{
	AUTO_IMAGE_FILE struct image_file file = {.bytes = *bytes};

	*bytes = (struct buffer){0};
	if (!read_parts(&file, error))
		return false;
	*ret_file = file;
	file = (struct image_file){0};
	return true;
}

bool image_file_read(const char *path, struct image_file *ret_file, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};

	if (!file_read(path, EIF_MAX_SIZE, &bytes, error))
		return error->code = ERROR_INPUT, false;
	return image_file_take(&bytes, ret_file, error) || error_prefix(error, "%s", path);
}

json_t *image_file_measurements(const struct image_file *file)
{
	json_t *object = json_pack("{s:s, s:o, s:o, s:o}", "HashAlgorithm", "Sha384 { ... }", "PCR0",
				   json_text_of_hex("", view_of(file->measurement.pcr0, NSM_PCR_SIZE)), "PCR1",
				   json_text_of_hex("", view_of(file->measurement.pcr1, NSM_PCR_SIZE)), "PCR2",
				   json_text_of_hex("", view_of(file->measurement.pcr2, NSM_PCR_SIZE)));

	if (file->is_signed)
		(void)json_object_set_new(object, "PCR8", json_text_of_hex("", view_of(file->pcr8, NSM_PCR_SIZE)));
	return object;
}
