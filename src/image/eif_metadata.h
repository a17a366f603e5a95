/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metadata section of an enclave image: JSON that says what the image is and how it was built, for people and for `describe`. It is not
 * measured, so it proves nothing; members as nitro-cli has them.
 *
 *   {"ImageName": "…", "ImageVersion": "…", "BuildMetadata": {"BuildTime": RFC 3339, "BuildTool": "…", "BuildToolVersion": "…",
 *    "OperatingSystem": "…", "KernelVersion": "…"}, "DockerInfo": object or null, "CustomMetadata": object or null}
 */
#pragma once

#include "base/json.h"
#include "image/eif.h"

#define EIF_METADATA_CUSTOM_MAX_SIZE 4096 /* nitro-cli's limit, of the text */
#define EIF_METADATA_NAME_MAX_SIZE 128

struct eif_metadata {
	const char *image_name; /* 1 to EIF_METADATA_NAME_MAX_SIZE characters, as are the others */
	const char *image_version;
	const char *build_tool_version;
	const char *operating_system;
	const char *kernel_version;
	uint64_t build_time_ms; /* UTC, since 1970; whole seconds count */
	json_t *custom;         /* an object, borrowed; NULL: none */
};

/* The section, appended: equal metadata give equal bytes. ERROR_INPUT names the member. */
MUST_USE bool eif_metadata_write(const struct eif_metadata *metadata, struct buffer *ret_section, struct error *error);
/* Parse a section: all members of their types. NULL on failure, ERROR_INPUT names the member; caller releases. */
MUST_USE json_t *eif_metadata_read(struct view section, struct error *error);
