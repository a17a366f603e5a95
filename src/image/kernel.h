/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels as an EIF takes them: a bzImage on x86-64 (Documentation/arch/x86/boot.rst), a raw Image on AArch64
 * (Documentation/arch/arm64/booting.rst). Anything else hangs an enclave without a word, so it is refused here.
 */
#pragma once

#include "base/bytes.h"

/* Ours has 3 MB, the largest of distributions about 15. */
#define KERNEL_MAX_SIZE (64u << 20)
#define KERNEL_VERSION_SIZE 65 /* utsname's release is at most 64 characters */

/*
 * The kernel as it goes into the image, appended: as it is, but for AArch64's text_offset, which the loader of Nitro wants to be 2 MiB.
 * ret_version is the release that it says it is, "unknown" where it does not say.
 */
MUST_USE bool kernel_prepare(struct view kernel, bool is_aarch64, struct buffer *ret_kernel, char ret_version[KERNEL_VERSION_SIZE],
			     struct error *error);
