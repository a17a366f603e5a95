/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The root file system of the enclave, as two ramdisks that Linux unpacks one behind the other:
 *
 *   1  software     /init (the enclave program itself), its loader and shared libraries where they are looked for, the empty folders
 *                   that something is mounted on, and /nsm.ko for a kernel that has the NSM's driver as a module
 *   2  settings     /etc/ensign/enclave.json, the measured configuration, and the CA bundle if there is one
 *
 * Nothing else is in it: no shell, no package data, no device nodes (devtmpfs brings them).
 *
 * Why two: PCR1 covers the first ramdisk and PCR2 the second. So PCR1 is the software alone, the same for everyone who built the same release
 * with the same kernel, and PCR2 the configuration alone, which a reviewer can compute from its text; with one ramdisk PCR2 would
 * be a constant that says nothing. It is also how the `process` launcher is measured (image/measurement.h).
 *
 * Why compressed: Debian's libraries are 22 MB, and 10 MB in gzip, which Linux unpacks by itself (CONFIG_RD_GZIP, on in the kernels of AWS and in ours).
 * The bytes are zlib's of the machine that builds, as the libraries are that machine's: the same packages give the same image.
 */
#pragma once

#include "image/closure.h"
#include "image/machine.h"

/* Where OpenSSL, GnuTLS and libcurl of Debian look. */
#define RAMDISK_CA_BUNDLE_PATH "/etc/ssl/certs/ca-certificates.crt"

/* Both appended: gzip, or the archives as they are; a multiple of 4 bytes, so that the next may follow. nsm_module empty: none. */
MUST_USE bool ramdisk_write_software(const struct closure *closure, struct view nsm_module, bool compressed,
				     struct buffer *ret_ramdisk, struct error *error);
/* ca_bundle is PEM; empty: none. */
MUST_USE bool ramdisk_write_settings(struct view configuration, struct view ca_bundle, bool compressed, struct buffer *ret_ramdisk,
				     struct error *error);
