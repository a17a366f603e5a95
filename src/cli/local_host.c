/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_host.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/process.h"
#include "cli/commands.h"
#include "cli/local_daemon.h"
#include "cli/progress.h"
#include "cli/signer_options.h"
#include "tables/key_table.h"

#define STATUS_MAX_SIZE 65536
/* New keystore rows take the enclave half a second each; it is at work all the same when nobody waits any more. */
#define RELOAD_TIMEOUT_MS 120000
/* 10,000 keys open in seconds; a computer under full load may take many times as long. */
#define READY_TIMEOUT_MS 60000
/* An emulated machine boots in some ten seconds, and opens keys ten times as slowly. */
#define MACHINE_READY_TIMEOUT_MS 180000
#define READY_POLL_US 10000
#define UPCHECK_TIMEOUT_MS 2000
/* The host gives its enclave some seconds of its own to end. */
#define HOST_STOP_GRACE_MS 15000
#define SIMULATOR_STOP_GRACE_MS 5000
#define ENCLAVE_STOP_GRACE_MS 3000

void local_host_status_done(struct local_host_status *status)
{
	if (!status)
		return;
	json_done(&status->json);
	*status = (struct local_host_status){0};
}

static bool read_last_error(json_t *object, struct local_host_status *status, struct error *error)
{
	json_t *last = json_object_get(object, "last_error");

	if (!last || json_is_null(last))
		return true;
	return json_read_text(last, "code", &status->error_code, error) &&
	       json_read_text(last, "message", &status->error_message, error);
}

static bool read_optional_number(json_t *object, const char *name, uint64_t *ret_value, struct error *error)
{
	json_t *value = json_object_get(object, name);

	*ret_value = 0;
	if (!value || json_is_null(value))
		return true;
	return json_read_u64(object, name, ret_value, error);
}

static bool read_last_reload(json_t *object, struct local_host_status *status, struct error *error)
{
	json_t *reload = json_object_get(object, "last_reload");
	json_t *failure;

	if (!json_is_object(reload))
		return true;
	failure = json_object_get(reload, "error");
	if (json_is_object(failure) && !json_read_text(failure, "message", &status->reload_error, error))
		return error_prefix(error, "last_reload");
	return (json_read_u64(reload, "number", &status->reload_number, error) &&
		json_read_u64(reload, "added", &status->reload_added, error) &&
		json_read_u64(reload, "removed", &status->reload_removed, error)) ||
	       error_prefix(error, "last_reload");
}

bool local_host_status_read(const char *path, struct local_host_status *ret_status, struct error *error)
{
	AUTO_LOCAL_HOST_STATUS struct local_host_status status = {0};
	AUTO_BUFFER struct buffer text = {0};

	if (!file_read(path, STATUS_MAX_SIZE, &text, error))
		return false;
	status.json = json_parse_object(buffer_view(&text), path, error);
	if (!status.json)
		return false;
	if (!json_read_text(status.json, "state", &status.state, error) ||
	    !json_read_text(status.json, "since", &status.since, error) ||
	    !read_optional_number(status.json, "pid", &status.pid, error) ||
	    !read_optional_number(status.json, "enclave_pid", &status.enclave_pid, error) ||
	    !read_optional_number(status.json, "key_count", &status.key_count, error) ||
	    !read_optional_number(status.json, "failed", &status.failed, error) ||
	    !read_optional_number(status.json, "restarts", &status.restarts, error) ||
	    !read_last_error(status.json, &status, error) || !read_last_reload(status.json, &status, error))
		return error_prefix(error, "%s", path);
	status.failures = json_object_get(status.json, "failures");
	*ret_status = status;
	status = (struct local_host_status){0};
	return true;
}

void local_host_failures_write(const struct local_host_status *status, json_t *object)
{
	(void)json_object_set_new(object, "failed", json_integer((json_int_t)status->failed));
	(void)json_object_set_new(object, "failures", status->failures ? json_incref(status->failures) : json_array());
}

void local_host_failures_print(const struct local_host_status *status, const char *indent)
{
	json_t *failure;
	size_t index;

	if (status->failed == 0)
		return;
	(void)printf("%s%-11s %llu of the key table, whose keys could not be loaded:\n", indent, "bad rows",
		     (unsigned long long)status->failed);
	json_array_foreach(status->failures, index, failure)
	{
		const char *pubkey = json_string_value(json_object_get(failure, "pubkey"));
		const char *message = json_string_value(json_object_get(failure, "message"));

		(void)printf("%s  ", indent);
		command_print_escaped(stdout, pubkey ? pubkey : "?");
		(void)printf(": ");
		command_print_escaped(stdout, message ? message : "?");
		(void)printf("\n");
	}
	if (status->failed > json_array_size(status->failures))
		(void)printf("%s  and %llu more\n", indent,
			     (unsigned long long)(status->failed - json_array_size(status->failures)));
}

bool local_host_start(const struct local_folder *folder, bool *ret_started, struct error *error)
{
	AUTO_FREE char *programs = process_executable_folder(error);
	AUTO_FREE char *program = programs ? memory_format("%s/ensign-host", programs) : NULL;
	const char *const argv[] = {"ensign-host", "--config", folder->host_config, NULL};
	const struct local_daemon daemon = {program, argv, folder->host_pid, folder->host_log};
	pid_t pid;

	*ret_started = false;
	if (!program)
		return false;
	if (local_daemon_running(folder->host_pid, NULL))
		return true;
	(void)unlink(folder->status);
	*ret_started = local_daemon_start(&daemon, &pid, error);
	return *ret_started;
}

/* Errors that waiting does not mend: the keys do not open, the policy refuses, the configuration is wrong. */
static bool is_final(const struct local_host_status *status)
{
	static const char *const final_codes[] = {"policy", "input", "crypto", "not_found", "bug"};

	if (!status->error_code || strcmp(status->state, "serving") == 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(final_codes); i++) {
		if (strcmp(final_codes[i], status->error_code) == 0)
			return true;
	}
	return false;
}

static bool note_last_error(const struct local_host_status *status, struct error *error)
{
	if (!status->error_message)
		return error_set(error, ERROR_IO, "the host is still %s", status->state ? status->state : "starting");
	return error_set(error, strcmp(status->error_code, "policy") == 0 ? ERROR_POLICY : ERROR_IO, "the host reports: %s: %s",
			 status->error_code, status->error_message);
}

bool local_host_is_open(const struct local_settings *settings, const struct client_settings *clients)
{
	return !client_settings_require_certificate(clients) && clients->host_count == 0 && !settings->tls_is_own;
}

static json_t *keys_of_table(const struct local_folder *folder, struct error *error)
{
	AUTO_KEY_TABLE struct key_table *table = key_table_open_sqlite(folder->tables, error);
	AUTO_KEY_ROWS struct key_rows rows = {0};
	json_t *keys;

	if (!table || !key_table_list(table, LOCAL_UUID, true, &rows, error))
		return NULL;
	keys = json_array();
	for (size_t i = 0; i < rows.count; i++) {
		AUTO_FREE char *key = memory_format("0x%s", rows.rows[i].pubkey);

		(void)json_array_append_new(keys, json_string(key));
	}
	return keys;
}

/* One look. *ret_final: no use in looking again. `target` NULL: it is not open. */
static json_t *look(const struct local_folder *folder, const struct signer_target *target, bool *ret_final, struct error *error)
{
	AUTO_LOCAL_HOST_STATUS struct local_host_status status = {0};
	struct error ignored;
	pid_t pid = 0;

	*ret_final = false;
	if (!local_daemon_running(folder->host_pid, &pid)) {
		*ret_final = true;
		if (local_host_status_read(folder->status, &status, &ignored) && status.error_message)
			return (void)note_last_error(&status, error), NULL;
		return error_set(error, ERROR_IO, "the host ended"), NULL;
	}
	if (!local_host_status_read(folder->status, &status, &ignored))
		return error_set(error, ERROR_IO, "the host has not said anything yet"), NULL;
	*ret_final = is_final(&status);
	if (strcmp(status.state, "serving") != 0)
		return (void)note_last_error(&status, error), NULL;
	if (!target)
		return keys_of_table(folder, error);
	if (!signer_upcheck(target, UPCHECK_TIMEOUT_MS, NULL, error))
		return NULL;
	return signer_public_keys(target, SIGNER_TIMEOUT_MS, error);
}

json_t *local_host_wait(const struct local_folder *folder, const struct local_settings *settings, bool is_open, struct error *error)
{
	const uint64_t begun_ms = clock_monotonic_ms();
	const unsigned timeout_ms = local_settings_is_machine(settings) ? MACHINE_READY_TIMEOUT_MS : READY_TIMEOUT_MS;
	const char *what = local_settings_is_machine(settings) ? "booting the machine" : "waiting for the signer";
	AUTO_SIGNER_TARGET struct signer_target target = {0};
	AUTO_FREE char *url = local_settings_url(settings);
	bool final = false;

	if (!signer_target_init(url, folder->ca, &target, error))
		return NULL;
	while (!final && clock_monotonic_ms() - begun_ms < timeout_ms) {
		json_t *keys = look(folder, is_open ? &target : NULL, &final, error);
		const unsigned waited_s = (unsigned)((clock_monotonic_ms() - begun_ms) / 1000);

		progress_show_wait(what, waited_s, keys || final);
		if (keys)
			return keys;
		/* A host that this command started and that has ended is to be reaped. */
		(void)waitpid(-1, NULL, WNOHANG);
		(void)usleep(READY_POLL_US);
	}
	if (!final)
		(void)error_prefix(error, "not ready after %u s", timeout_ms / 1000);
	return NULL;
}

bool local_stop_all(const struct local_folder *folder, bool host, bool simulator, struct local_stopped *ret_stopped,
		    struct error *error)
{
	AUTO_FREE char *control = memory_format("unix:%s", folder->control);
	struct local_stopped stopped = {0};
	struct error host_error = {0};
	bool host_gone = true;

	if (host) {
		stopped.host = local_daemon_running(folder->host_pid, NULL);
		host_gone = local_daemon_stop(folder->host_pid, HOST_STOP_GRACE_MS, NULL, &host_error);
		stopped.strays = local_daemon_sweep(control, ENCLAVE_STOP_GRACE_MS);
	}
	if (simulator) {
		stopped.simulator = local_daemon_running(folder->sim_pid, NULL);
		if (!local_daemon_stop(folder->sim_pid, SIMULATOR_STOP_GRACE_MS, NULL, error))
			return false;
	}
	if (!host_gone) {
		*error = host_error;
		return false;
	}
	*ret_stopped = stopped;
	return true;
}

bool local_host_reload(const struct local_folder *folder, struct local_host_status *ret_status, struct error *error)
{
	uint64_t deadline_ms = clock_monotonic_ms() + RELOAD_TIMEOUT_MS;
	AUTO_LOCAL_HOST_STATUS struct local_host_status before = {0};
	pid_t host;

	if (!local_daemon_running(folder->host_pid, &host))
		return error_set(error, ERROR_NOT_FOUND, "the signer in %s is not up", folder->path);
	if (!local_host_status_read(folder->status, &before, error))
		return false;
	if (kill(host, SIGHUP) != 0)
		return error_set_errno(error, ERROR_IO, "cannot reach the host");
	while (clock_monotonic_ms() < deadline_ms) {
		AUTO_LOCAL_HOST_STATUS struct local_host_status now = {0};

		if (!local_host_status_read(folder->status, &now, error))
			return false;
		if (now.reload_number > before.reload_number && now.reload_error)
			return error_set(error, ERROR_IO, "the reload failed, and nothing changed: %s", now.reload_error);
		if (now.reload_number > before.reload_number) {
			*ret_status = now;
			now = (struct local_host_status){0};
			return true;
		}
		(void)usleep(READY_POLL_US);
	}
	return error_set(error, ERROR_IO, "the host did not reload within %d s", RELOAD_TIMEOUT_MS / 1000);
}
