/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The image of a machine of this computer: FOLDER/image.eif (image/machine.h). Who launches the machine unpacks it for qemu, who simulates its NSM
 * measures it; both read that one file, so what boots is what is measured. It must not be replaced while the machine runs.
 */
#pragma once

#include "image/eif_measure.h"

struct machine_image {
	struct buffer bytes;
	struct eif eif; /* borrows from bytes */
};

void machine_image_done(struct machine_image *image);
#define AUTO_MACHINE_IMAGE CLEANUP(machine_image_done)

/* ERROR_INPUT when it is no image of an x86-64 machine or is damaged (its CRC is wrong); ERROR_NOT_FOUND when it is not there. */
MUST_USE bool machine_image_read(const char *folder, struct machine_image *ret_image, struct error *error);
/*
 * As the hypervisor does. ret_pcr8 is zero for an image that is not signed; ERROR_CRYPTO when its signature is wrong at at_ms: then nothing
 * boots it.
 */
MUST_USE bool machine_image_measure(const struct machine_image *image, uint64_t at_ms, struct measurement *ret_measurement,
				    uint8_t ret_pcr8[NSM_PCR_SIZE], struct error *error);
/*
 * FOLDER/kernel and FOLDER/ramdisk, as qemu takes them: the ramdisks one behind the other. ret_command_line is appended to.
 */
MUST_USE bool machine_image_unpack(const struct machine_image *image, const char *folder, struct buffer *ret_command_line,
				   struct error *error);
