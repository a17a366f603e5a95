/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/kernel_file.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/process.h"
#include "cli/checkout.h"

#define INSTALLED_KERNEL "image/bzImage"
#define SCRIPT "scripts/get-kernel"

/* The first line that a program prints; NULL when it fails or prints none. */
static char *first_line_of(const char *const *argv, struct error *error)
{
	char line[PATH_MAX] = "";
	size_t size = 0;
	int status = -1;
	int pipe_fds[2];
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC) != 0)
		return error_set_errno(error, ERROR_IO, "%s", argv[0]), NULL;
	AUTO_FD int from = pipe_fds[0];
	AUTO_FD int to = pipe_fds[1];
	const struct process_fd fds[] = {{to, STDOUT_FILENO}};
	const struct process_spawn_options options = {
		.path = argv[0], .argv = argv, .envp = (const char *const *)environ, .fds = fds, .fd_count = ARRAY_SIZE(fds)};

	if (!process_spawn(&options, &pid, error))
		return NULL;
	(void)close(take_fd(&to));
	while (size < sizeof line - 1 && read(from, line + size, 1) == 1 && line[size] != '\n')
		size++;
	line[size] = 0;
	/* Whatever else it prints is not waited for. */
	(void)close(take_fd(&from));
	if (waitpid(pid, &status, 0) != pid || status != 0 || size == 0)
		return error_set(error, ERROR_NOT_FOUND, "%s: there is none", argv[0]), NULL;
	return memory_copy_text(line);
}

static char *find_cached(const char *checkout)
{
	AUTO_FREE char *script = memory_format("%s/" SCRIPT, checkout);
	const char *const argv[] = {script, "--cached", NULL};
	struct error ignored = {0};

	return first_line_of(argv, &ignored);
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
				 "no kernel: %s/" SCRIPT " builds one, in some minutes; or give another with --kernel",
				 checkout),
		       NULL;
	return error_set(error, ERROR_NOT_FOUND,
			 "no kernel: %s does not exist; " SCRIPT " of the sources builds one; or give another with --kernel",
			 installed),
	       NULL;
}
