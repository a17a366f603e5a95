/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands on enclave images share: an image file, read and measured, and its measurements as nitro-cli prints them. */
#pragma once

#include "base/json.h"
#include "image/eif_measure.h"
#include "image/eif_sign.h"

struct image_file {
	struct buffer bytes;
	struct eif eif; /* borrows from bytes */
	struct measurement measurement;
	bool is_signed;
	struct eif_signature signature; /* read, not verified */
	uint8_t pcr8[NSM_PCR_SIZE];
	json_t *metadata; /* NULL: an image of before version 4 that has none */
};

void image_file_done(struct image_file *file);
#define AUTO_IMAGE_FILE CLEANUP(image_file_done)

/* ERROR_INPUT when it is no image. A wrong CRC is not an error here. */
MUST_USE bool image_file_read(const char *path, struct image_file *ret_file, struct error *error);
/* The same of bytes that are taken over. */
MUST_USE bool image_file_take(struct buffer *bytes, struct image_file *ret_file, struct error *error);
static inline bool image_file_crc_is_right(const struct image_file *file)
{
	return file->eif.crc == file->eif.computed_crc;
}

/* {"HashAlgorithm": "Sha384 { ... }", "PCR0": …} */
MUST_USE json_t *image_file_measurements(const struct image_file *file);
