/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/checkout.h"

#include "base/file.h"
#include "base/process.h"

/* From SOURCE/BUILD/src/bin, where the program is. */
#define BUILD_MARK "../../build.ninja"
#define SOURCE_MARK "../../../scripts/get-kernel"
#define SOURCE "../../.."

char *checkout_folder(void)
{
	struct error ignored = {0};
	AUTO_FREE char *programs = process_executable_folder(&ignored);
	AUTO_FREE char *build = programs ? memory_format("%s/" BUILD_MARK, programs) : NULL;
	AUTO_FREE char *source = programs ? memory_format("%s/" SOURCE_MARK, programs) : NULL;
	AUTO_FREE char *path = programs ? memory_format("%s/" SOURCE, programs) : NULL;

	return programs && file_exists(build) && file_exists(source) ? realpath(path, NULL) : NULL;
}
