/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "cli/local_folder.h"

static const struct command_help help = {
	.usage = "ensign local logs [--dir D] [--follow] [--lines N] [--simulator | --console]",
	.description =
		"Prints the last lines of the log of host and enclave, of the simulator, or what a machine (--launcher qemu)\n"
		"printed on its console: its kernel, and why it ended.\n"
		"\n"
		"  ensign local logs --follow",
};

#define LINES_DEFAULT 100
#define FOLLOW_POLL_US 200000
#define CHUNK_SIZE 65536
/* The last lines are looked for in this much of the file's end. */
#define TAIL_MAX_SIZE (4u << 20)

/* Copies what is behind `*offset` to stdout and moves it. */
static bool copy_rest(int fd, off_t *offset, struct error *error)
{
	char chunk[CHUNK_SIZE];

	for (;;) {
		ssize_t got = pread(fd, chunk, sizeof chunk, *offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(error, ERROR_IO, "read failed");
		if (got == 0)
			return true;
		if (!fd_write_all(STDOUT_FILENO, chunk, (size_t)got))
			return error_set_errno(error, ERROR_IO, "standard output");
		*offset += got;
	}
}

/* Where the last `lines` lines begin. */
static off_t find_tail(int fd, off_t size, uint64_t lines)
{
	size_t window = size > (off_t)TAIL_MAX_SIZE ? TAIL_MAX_SIZE : (size_t)size;
	AUTO_FREE char *tail = (char *)memory_allocate(window + 1);
	off_t start = size - (off_t)window;
	ssize_t got = pread(fd, tail, window, start);
	uint64_t seen = 0;

	for (ssize_t i = got - 1; i > 0; i--) {
		if (tail[i - 1] == '\n' && ++seen == lines)
			return start + i;
	}
	return start;
}

static int print_log(const char *path, uint64_t lines, bool follow, const char *advice, const char *folder_option)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct error error = {0};
	struct stat status;
	off_t offset;

	if (fd < 0 || fstat(fd, &status) != 0) {
		(void)error_set_errno(&error, ERROR_NOT_FOUND, "%s", path);
		return command_fail(&error, "%s%s", advice, folder_option);
	}
	offset = lines ? find_tail(fd, status.st_size, lines) : status.st_size;
	do {
		if (!copy_rest(fd, &offset, &error))
			return command_fail(&error, NULL);
	} while (follow && usleep(FOLLOW_POLL_US) == 0);
	return EXIT_CODE_OK;
}

int local_logs_main(int argc, char **argv)
{
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	uint64_t lines = LINES_DEFAULT;
	struct error error = {0};
	const char *dir = NULL;
	bool simulator = false;
	bool console = false;
	bool follow = false;
	const struct option options[] = {
		{"dir", OPTION_TEXT, &dir, "D", "folder of this signer; default ~/.local/state/ensign/local"},
		{"follow", OPTION_FLAG, &follow, NULL, "go on printing what is added"},
		{"lines", OPTION_NUMBER, &lines, "N", "how many of the last lines; default 100"},
		{"simulator", OPTION_FLAG, &simulator, NULL, "the simulator's log"},
		{"console", OPTION_FLAG, &console, NULL, "the console of the enclave's machine"},
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!local_folder_init(dir, &folder, &error))
		return command_fail(&error, NULL);
	if (console)
		return print_log(folder.console, lines, follow,
				 "Only a machine (--launcher qemu) has a console. What an enclave says: ensign local logs",
				 folder.option);
	return print_log(simulator ? folder.sim_log : folder.host_log, lines, follow,
			 "Has this signer been up? See: ensign local status", folder.option);
}
