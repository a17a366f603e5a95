/* SPDX-License-Identifier: Apache-2.0 */
#include "image/machine_image.h"

#include "base/file.h"
#include "image/eif_sign.h"

#define PART_MODE 0600

void machine_image_done(struct machine_image *image)
{
	if (!image)
		return;
	buffer_done(&image->bytes);
	*image = (struct machine_image){0};
}

static bool check(struct machine_image *image, struct error *error)
{
	if (!eif_read(buffer_view(&image->bytes), &image->eif, error))
		return false;
	if (image->eif.crc != image->eif.computed_crc)
		return error_set(error, ERROR_INPUT, "damaged: its CRC is %08x, and should be %08x", image->eif.computed_crc,
				 image->eif.crc);
	return !image->eif.is_aarch64 || error_set(error, ERROR_INPUT, "for AArch64, and the machine is an x86-64");
}

bool machine_image_read(const char *folder, struct machine_image *ret_image, struct error *error)
{
	AUTO_FREE char *path = memory_format("%s/" MACHINE_IMAGE, folder);
	AUTO_MACHINE_IMAGE struct machine_image image = {0};

	if (!file_read(path, EIF_MAX_SIZE, &image.bytes, error))
		return false;
	if (!check(&image, error))
		return error_prefix(error, "%s", path);
	*ret_image = image;
	image = (struct machine_image){0};
	return true;
}

static bool measure_signature(struct view section, uint64_t at_ms, const uint8_t pcr0[NSM_PCR_SIZE], uint8_t ret_pcr8[NSM_PCR_SIZE],
			      struct error *error)
{
	AUTO_EIF_SIGNATURE struct eif_signature signature = {0};

	return eif_signature_read(section, &signature, error) && eif_signature_verify(&signature, pcr0, at_ms, error) &&
	       eif_measure_certificate(buffer_view(&signature.certificate_der), ret_pcr8, error);
}

bool machine_image_measure(const struct machine_image *image, uint64_t at_ms, struct measurement *ret_measurement,
			   uint8_t ret_pcr8[NSM_PCR_SIZE], struct error *error)
{
	const struct eif_section *signature = eif_find(&image->eif, EIF_SECTION_SIGNATURE);
	uint8_t pcr8[NSM_PCR_SIZE] = {0};
	struct measurement measurement;

	if (!eif_measure(&image->eif, &measurement, error))
		return false;
	if (signature && !measure_signature(signature->data, at_ms, measurement.pcr0, pcr8, error))
		return error_prefix(error, "signature");
	*ret_measurement = measurement;
	memcpy(ret_pcr8, pcr8, NSM_PCR_SIZE);
	return true;
}

static bool write_part(const char *folder, const char *name, struct view bytes, struct error *error)
{
	AUTO_FREE char *path = memory_format("%s/%s", folder, name);

	return file_write_atomic(path, bytes, PART_MODE, error);
}

bool machine_image_unpack(const struct machine_image *image, const char *folder, struct buffer *ret_command_line,
			  struct error *error)
{
	AUTO_BUFFER struct buffer ramdisk = {0};

	for (size_t i = 0; i < image->eif.section_count; i++) {
		if (image->eif.sections[i].type == EIF_SECTION_RAMDISK)
			buffer_append(&ramdisk, image->eif.sections[i].data);
	}
	/* eif_read() saw to it that both are there. */
	buffer_append(ret_command_line, eif_find(&image->eif, EIF_SECTION_CMDLINE)->data);
	return write_part(folder, MACHINE_KERNEL, eif_find(&image->eif, EIF_SECTION_KERNEL)->data, error) &&
	       write_part(folder, MACHINE_RAMDISK, buffer_view(&ramdisk), error);
}
