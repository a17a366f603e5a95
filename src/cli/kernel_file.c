/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kernel_file.h"

#include <limits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/process.h"
#include "base/process_output.h"
#include "cli/checkout.h"

#define INSTALLED_KERNEL "image/bzImage"
#define SCRIPT "scripts/get-kernel"

/* The script hashes its inputs and asks gcc and ld for their versions. */
#define SCRIPT_TIMEOUT_MS 30000u

static char *find_cached(const char *checkout)
{
	AUTO_FREE char *script = memory_format("%s/" SCRIPT, checkout);
	const char *const argv[] = {script, "--cached", NULL};
	const struct process_call call = {
		.argv = argv,
		.envp = (const char *const *)environ, /* PATH names the compiler */
		.timeout_ms = SCRIPT_TIMEOUT_MS,
		.cancel_fd = -1,
		.output_max_size = PATH_MAX,
		.messages_max_size = PATH_MAX,
	};
	AUTO_BUFFER struct buffer output = {0};
	AUTO_BUFFER struct buffer messages = {0};
	struct error ignored = {0};
	size_t size;
	int status;

	if (!process_output_read(&call, &output, &messages, &status, &ignored) || status != 0)
		return NULL;
	size = strcspn(buffer_text(&output), "\n");
	return size > 0 ? memory_format("%.*s", (int)size, buffer_text(&output)) : NULL;
}

char *kernel_file_find(struct error *error)
{
	AUTO_FREE char *programs = process_executable_folder(error);
	AUTO_FREE char *installed = programs ? memory_format("%s/" INSTALLED_KERNEL, programs) : NULL;
	AUTO_FREE char *checkout = checkout_folder();
	AUTO_FREE char *cached = NULL;

	if (!programs)
		return NULL;
	if (file_exists(installed))
		return memory_copy_text(installed);
	cached = checkout ? find_cached(checkout) : NULL;
	if (cached)
		return memory_copy_text(cached);
	if (checkout)
		return error_set(error, ERROR_NOT_FOUND,
				 "no kernel: %s/" SCRIPT " builds one, in some minutes; or give another with --kernel", checkout),
		       NULL;
	return error_set(error, ERROR_NOT_FOUND,
			 "no kernel: %s does not exist; " SCRIPT " of the sources builds one; or give another with --kernel",
			 installed),
	       NULL;
}
