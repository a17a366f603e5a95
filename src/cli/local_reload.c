/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "cli/local_host.h"

static const struct command_help help = {
	.usage = "ensign local reload [--dir D] [--json]",
	.description =
		"Has the running signer read its tables again: keys that are new there sign, keys that are gone or inactive stop "
		"at "
		"once,\n"
		"a new TLS identity or list of known clients is taken up. No connection is dropped and no request refused for it.\n"
		"When it fails nothing changes, and the exit code is 1. A row that is bad is passed over and named; it does not "
		"stop the others.\n"
		"\n"
		"  ensign local reload --json | jq .key_count",
};

static void print_result(const struct local_host_status *status, bool as_json)
{
	AUTO_JSON json_t *object = json_pack("{s:I, s:I, s:I}", "key_count", (json_int_t)status->key_count, "added",
					     (json_int_t)status->reload_added, "removed", (json_int_t)status->reload_removed);

	if (!as_json) {
		(void)printf("reloaded: %llu keys sign, %llu of them new; %llu were taken out\n",
			     (unsigned long long)status->key_count, (unsigned long long)status->reload_added,
			     (unsigned long long)status->reload_removed);
		local_host_failures_print(status, "");
		return;
	}
	local_host_failures_write(status, object);
	command_print_json(object);
}

int local_reload_main(int argc, char **argv)
{
	AUTO_LOCAL_HOST_STATUS struct local_host_status status = {0};
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	struct error error = {0};
	const char *dir = NULL;
	bool as_json = false;
	const struct option options[] = {
		{"dir", OPTION_TEXT, &dir, "D", "folder of this signer; default ~/.local/state/ensign/local"},
		{"json", OPTION_FLAG, &as_json, NULL, "print one JSON object"},
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	if (!local_folder_init(dir, &folder, &error))
		return command_fail(&error, NULL);
	if (!local_host_reload(&folder, &status, &error))
		return command_fail(&error,
				    error.code == ERROR_NOT_FOUND ? "Start it: ensign local up%s" : "The log: ensign local logs%s",
				    folder.option);
	print_result(&status, as_json);
	return EXIT_CODE_OK;
}
