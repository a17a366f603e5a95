/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Measurements, as the Nitro hypervisor takes them of an image: PCR = SHA384(0^48 ‖ SHA384(parts)). For the `process` launcher
 * the parts are the enclave program and the measured configuration: PCR0 = program ‖ configuration, PCR1 = program,
 * PCR2 = configuration. The simulator measures the running process and the CLI predicts the same values from the files.
 */
#pragma once

#include "attestation/nsm.h"

struct measurement {
	uint8_t pcr0[NSM_PCR_SIZE];
	uint8_t pcr1[NSM_PCR_SIZE];
	uint8_t pcr2[NSM_PCR_SIZE];
};

/* Reads both descriptors from their beginning; neither offset moves. */
MUST_USE bool measurement_of_process_image(int program_fd, int configuration_fd, struct measurement *ret_measurement,
					   struct error *error);
MUST_USE bool measurement_of_process_files(const char *program_path, const char *configuration_path,
					   struct measurement *ret_measurement, struct error *error);
/* SHA384(0^48 ‖ SHA384(parts one behind the other)); no parts give SHA384(0^48 ‖ SHA384("")). */
MUST_USE bool measurement_of_parts(const struct view *parts, size_t count, uint8_t ret_pcr[NSM_PCR_SIZE], struct error *error);
/* SHA384(0^48 ‖ text): what PCR3 (role ARN) and PCR4 (instance id) hold. */
void measurement_extend_text(const char *text, uint8_t ret_pcr[NSM_PCR_SIZE]);
