/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measurements that the hypervisor takes of an enclave image: SHA384(0^48 ‖ SHA384(contents of sections, in the order of the file)).
 *
 *   PCR0  kernel, command line, all ramdisks
 *   PCR1  kernel, command line, the first ramdisk
 *   PCR2  the ramdisks behind the first; of none it is the constant of an empty text
 *   PCR8  the signing certificate (DER), of a signed image
 *
 * Section headers, metadata, signature and the file's header are not measured.
 */
#pragma once

#include "image/eif.h"
#include "image/measurement.h"

MUST_USE bool eif_measure(const struct eif *eif, struct measurement *ret_measurement, struct error *error);
/* PCR8 of an image that is signed with this certificate (DER). */
MUST_USE bool eif_measure_certificate(struct view certificate, uint8_t ret_pcr8[NSM_PCR_SIZE], struct error *error);
