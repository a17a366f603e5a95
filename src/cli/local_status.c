/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "cli/histories.h"
#include "cli/local_clients.h"
#include "cli/local_daemon.h"
#include "cli/local_host.h"
#include "cli/signer_options.h"
#include "tables/key_table.h"

static const struct command_help help = {
	.usage = "ensign local status [--dir D] [--json]",
	.description = "Says what of the local signer runs, whether it signs, and what went wrong last. Exit code 0: it signs; 1: "
		       "it does\n"
		       "not.\n"
		       "\n"
		       "  ensign local status --json | jq .last_error",
};

#define UPCHECK_TIMEOUT_MS 3000

struct report {
	struct local_settings settings;
	struct local_host_status host;
	pid_t host_pid; /* 0: does not run */
	pid_t sim_pid;
	bool has_histories; /* of the loaded keys, by origin; without is ORIGIN_COUNT's */
	uint64_t histories[ORIGIN_COUNT + 1];
	bool answers; /* /upcheck over HTTPS; of a signer that does not answer anybody: it serves */
	const char *state;
};

static bool check_answers(const struct local_folder *folder, const struct local_settings *settings)
{
	AUTO_CLIENT_SETTINGS struct client_settings clients = {0};
	AUTO_SIGNER_TARGET struct signer_target target = {0};
	AUTO_FREE char *url = local_settings_url(settings);
	struct error ignored;

	if (local_clients_read(folder, &clients, &ignored) && !local_host_is_open(settings, &clients))
		return true;
	return signer_target_init(url, folder->ca, &target, &ignored) &&
	       signer_upcheck(&target, UPCHECK_TIMEOUT_MS, NULL, &ignored);
}

/* Of the keys in the key table: how each one's history began. A signer that is busy with another job is not waited for long. */
static bool count_histories(const struct local_folder *folder, struct report *report, struct error *error)
{
	AUTO_HISTORY_SOURCE struct history_source *source =
		history_source_open(&(struct history_place){.dir = folder->path}, error);
	AUTO_KEY_TABLE struct key_table *table = key_table_open_sqlite(folder->tables, error);
	AUTO_HISTORIES struct histories histories = {0};
	AUTO_KEY_ROWS struct key_rows rows = {0};

	if (!source || !table || !key_table_list(table, LOCAL_UUID, true, &rows, error) ||
	    !history_source_read(source, NULL, 0, &histories, error))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		const struct history *history = histories_find(&histories, rows.rows[i].pubkey);

		report->histories[history ? history->origin : ORIGIN_COUNT]++;
	}
	return true;
}

static void gather(const struct local_folder *folder, struct report *report)
{
	struct error ignored;

	report->state = "down";
	if (!local_daemon_running(folder->sim_pid, &report->sim_pid))
		report->sim_pid = 0;
	if (!local_daemon_running(folder->host_pid, &report->host_pid)) {
		report->host_pid = 0;
		return;
	}
	report->state = "starting";
	if (!local_host_status_read(folder->status, &report->host, &ignored))
		return;
	report->state = report->host.state;
	report->answers = strcmp(report->state, "serving") == 0 && check_answers(folder, &report->settings);
	report->has_histories =
		report->answers && report->settings.slashing_protection && count_histories(folder, report, &ignored);
}

static json_t *last_error_json(const struct local_host_status *host)
{
	if (!host->error_code)
		return json_null();
	return json_pack("{s:s, s:s}", "code", host->error_code, "message", host->error_message);
}

/* By origin, and of the keys that have none; null when it is not known now. */
static json_t *histories_json(const struct report *report)
{
	json_t *object =
		report->has_histories ? json_pack("{s:I}", "none", (json_int_t)report->histories[ORIGIN_COUNT]) : json_null();

	for (uint32_t origin = 0; report->has_histories && origin < ORIGIN_COUNT; origin++)
		(void)json_object_set_new(object, history_origin_name(origin), json_integer((json_int_t)report->histories[origin]));
	return object;
}

static void print_json(const struct local_folder *folder, const struct report *report)
{
	AUTO_FREE char *url = local_settings_url(&report->settings);
	AUTO_JSON json_t *object =
		json_pack("{s:s, s:s, s:b, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:o}", "dir", folder->path, "state",
			  report->state, "signs", report->answers, "url", url, "ca_file", folder->ca, "network",
			  report->settings.network.name, "slashing_protection", report->settings.slashing_protection,
			  "simulator_pid", (json_int_t)report->sim_pid, "host_pid", (json_int_t)report->host_pid, "enclave_pid",
			  (json_int_t)report->host.enclave_pid, "key_count", (json_int_t)report->host.key_count, "restarts",
			  (json_int_t)report->host.restarts, "last_error", last_error_json(&report->host));

	(void)json_object_set_new(object, "launcher", json_string(report->settings.launcher));
	(void)json_object_set_new(object, "histories", histories_json(report));
	local_host_failures_write(&report->host, object);
	command_print_json(object);
}

static void print_histories(const struct report *report)
{
	const char *separator = "";

	(void)printf("  %-11s ", "histories");
	for (uint32_t origin = 0; origin < ORIGIN_COUNT; origin++) {
		if (report->histories[origin] == 0)
			continue;
		(void)printf("%s%llu %s", separator, (unsigned long long)report->histories[origin], history_origin_name(origin));
		separator = ", ";
	}
	if (report->histories[ORIGIN_COUNT])
		(void)printf("%s%llu without: they sign no block and no vote (see ensign slashing --help)", separator,
			     (unsigned long long)report->histories[ORIGIN_COUNT]);
	(void)printf("\n");
}

static void print_process(const char *name, pid_t pid)
{
	if (pid == 0)
		(void)printf("  %-11s not running\n", name);
	else
		(void)printf("  %-11s process %d\n", name, (int)pid);
}

static void print_human(const struct local_folder *folder, const struct report *report)
{
	AUTO_FREE char *url = local_settings_url(&report->settings);

	(void)printf("%s: %s%s\n", folder->path, report->state,
		     report->answers ? ", and it answers" : (report->host_pid ? ", and it does not answer" : ""));
	(void)printf("  %-11s %s\n  %-11s %s\n", "url", url, "CA file", folder->ca);
	(void)printf("  %-11s %s, slashing protection %s\n", "network", report->settings.network.name,
		     report->settings.slashing_protection ? "on" : "OFF");
	(void)printf("  %-11s %s\n", "launcher", report->settings.launcher);
	print_process("simulator", report->sim_pid);
	print_process("host", report->host_pid);
	print_process("enclave", report->host_pid ? (pid_t)report->host.enclave_pid : 0);
	if (report->host_pid)
		(void)printf("  %-11s %llu\n  %-11s %llu\n", "keys", (unsigned long long)report->host.key_count, "restarts",
			     (unsigned long long)report->host.restarts);
	local_host_failures_print(&report->host, "  ");
	if (report->has_histories)
		print_histories(report);
	if (report->host.error_code)
		(void)printf("  %-11s %s: %s\n", "last error", report->host.error_code, report->host.error_message);
}

int local_status_main(int argc, char **argv)
{
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	struct report report = {0};
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
	if (!local_settings_read(folder.settings, &report.settings, &error))
		return command_fail(&error, "There is no local signer here. Make one: ensign local up --dir %s", folder.path);
	gather(&folder, &report);
	(as_json ? print_json : print_human)(&folder, &report);
	local_host_status_done(&report.host);
	return report.answers ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}
