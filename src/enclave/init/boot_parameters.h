/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's command line says to init when it is PID 1 of a virtual machine. The line is part of the image (PCR0, PCR1), so these are as
 * trustworthy as the program. Everything else on it is the kernel's own.
 *
 *   ensign.parent_cid=N   who is at the other end of the vsock: 3 on EC2 (the default), 2 where a local back end hands connections to the host
 *   ensign.nsm=ADDRESS    a simulated NSM, for local machines; without it there must be /dev/nsm
 */
#pragma once

#include "net/address.h"

struct boot_parameters {
	uint32_t parent_cid;
	bool has_simulated_nsm;
	struct address simulated_nsm;
};

/* ERROR_INPUT names the parameter: one with "ensign." in front that is unknown, malformed or there twice. */
MUST_USE bool boot_parameters_parse(struct view command_line, struct boot_parameters *ret_parameters, struct error *error);
