/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "base/file.h"
#include "cli/local_host.h"

static const struct command_help help = {
	.usage = "ensign local down [--dir D]",
	.description = "Stops host, enclave and simulator of the local signer; leaves nothing running. The folder keeps keys, "
		       "settings and\n"
		       "logs: `ensign local up` continues with them. Delete the folder to forget the signer. Does nothing, with "
		       "exit code\n"
		       "0, when it is not up.\n"
		       "\n"
		       "  ensign local down --dir /tmp/second",
};

static void print_stopped(const struct local_folder *folder, const struct local_stopped *stopped)
{
	if (!stopped->host && !stopped->simulator && stopped->strays == 0) {
		(void)printf("%s: was not up\n", folder->path);
		return;
	}
	(void)printf("%s: down\n", folder->path);
	if (stopped->strays)
		(void)printf("  an enclave had outlived its host; it is stopped too\n");
}

int local_down_main(int argc, char **argv)
{
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	struct local_stopped stopped = {0};
	struct error error = {0};
	const char *dir = NULL;
	const struct option options[] = {
		{"dir", OPTION_TEXT, &dir, "D", "folder of this signer; default ~/.local/state/ensign/local"},
	};
	AUTO_FD int lock = -1;
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!local_folder_init(dir, &folder, &error))
		return command_fail(&error, NULL);
	if (!file_exists(folder.path)) {
		print_stopped(&folder, &stopped);
		return EXIT_CODE_OK;
	}
	lock = local_folder_lock(&folder, &error);
	if (lock < 0)
		return command_fail(&error, NULL);
	if (!local_stop_all(&folder, true, true, &stopped, &error))
		return command_fail(&error, "The logs are in %s", folder.log);
	print_stopped(&folder, &stopped);
	return EXIT_CODE_OK;
}
