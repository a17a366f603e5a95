/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enclave image files (EIF), the format that `nitro-cli run-enclave` boots: a header with a table of sections, the sections one behind the
 * other, and a CRC over all of it. Big endian. Format: aws-nitro-enclaves-image-format, src/defs.
 *
 * What is measured: kernel, command line and ramdisks (image/eif_measure.h). Metadata and signature are not; only the CRC covers them.
 */
#pragma once

#include "base/bytes.h"
#include "image/machine.h"

#define EIF_VERSION 4
#define EIF_VERSION_OLDEST 2 /* that a reader takes; metadata came with 4 */
#define EIF_SECTIONS_MAX 32  /* the table has as many places */
/* nitro-cli wants four times the image's size as memory; images with containers in them have some hundred megabytes. */
#define EIF_MAX_SIZE (1u << 30)
#define EIF_SIGNATURE_MAX_SIZE 32768 /* nitro-cli's limit */
/* Ours has 300 bytes; nitro-cli puts all that Docker says of a container in it. */
#define EIF_METADATA_MAX_SIZE (1u << 20)

enum eif_section_type {
	EIF_SECTION_INVALID = 0,
	EIF_SECTION_KERNEL = 1,
	EIF_SECTION_CMDLINE = 2,
	EIF_SECTION_RAMDISK = 3,
	EIF_SECTION_SIGNATURE = 4,
	EIF_SECTION_METADATA = 5,
};

struct eif_section {
	enum eif_section_type type;
	struct view data; /* borrowed */
};

struct eif {
	uint16_t version;
	bool is_aarch64;
	uint64_t default_memory; /* bytes; both are written and read by nobody */
	uint64_t default_cpus;
	struct eif_section sections[EIF_SECTIONS_MAX]; /* in the order of the file */
	size_t section_count;
	uint32_t crc, computed_crc; /* after eif_read: as the file has it, and as it should be */
};

/*
 * Read a file without believing it: sections follow each other without a gap from the header to the end, each size is there twice and
 * agrees, one kernel, one command line without NUL and line end, ramdisks behind the kernel, at most one metadata (from version 4 on exactly
 * one) and one signature. ERROR_INPUT names the field. A wrong CRC is not an error: compare the two. Views borrow from `bytes`.
 */
MUST_USE bool eif_read(struct view bytes, struct eif *ret_eif, struct error *error);
/* The sections in the order given, appended. ERROR_INPUT when eif_read would refuse what comes out. */
MUST_USE bool eif_write(const struct eif *eif, struct buffer *ret_bytes, struct error *error);

/* An image without sections. */
struct eif eif_new(bool is_aarch64);
/* Add a section behind the others. */
MUST_USE bool eif_add(struct eif *eif, enum eif_section_type type, struct view data, struct error *error);
/* Take the section of a type out, if there is one. */
void eif_remove(struct eif *eif, enum eif_section_type type);
/* The first section of a type, or NULL. */
const struct eif_section *eif_find(const struct eif *eif, enum eif_section_type type);
/* "kernel", "cmdline", …; NULL for a type that does not exist. */
const char *eif_section_name(unsigned type);
