/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "cli/local_daemon.h"
#include "cli/local_host.h"
#include "cli/local_machine.h"
#include "cli/local_table.h"
#include "cli/local_up.h"
#include "cli/policy_file.h"
#include "cli/progress.h"
#include "cli/tls_source.h"

static const struct command_help help = {
	.usage = "ensign local up [--dir D] [--listen HOST:PORT] [--keystores DIR (--passwords DIR | --password-file F)] ...",
	.description =
		"Starts a whole signer on this machine and waits until it signs: the simulator (KMS and attestation), the host,\n"
		"and the enclave program in a sandbox of its own. Keystores are decrypted here once, sealed with the local KMS\n"
		"and only opened again inside the enclave, which KMS lets decrypt by its measurement alone. Without --keystores\n"
		"it makes one new key. A folder that was up before has the same keys; options not given are those of last time.\n"
		"\n"
		"  ensign local up --keystores keys --password-file password.txt --network hoodi\n"
		"  ensign local up --dir /tmp/second --listen 127.0.0.1:0 --json\n"
		"  ensign local up --dir /tmp/third --launcher qemu\n"
		"\n"
		"Exit code 2: an option, a keystore or a password is wrong, and nothing was changed. 3: KMS refused the enclave.",
};

#define NOT_GIVEN UINT64_MAX

struct up_options {
	const char *dir;
	const char *listen;
	struct machine_choice machine;
	struct key_source keys;
	const char *network;
	const char *network_config;
	const char *genesis_validators_root;
	const char *slashing;
	const char *slashing_import;
	struct table_options table;
	uint64_t quiet_period_s; /* NOT_GIVEN: as before */
	const char *allow;
	const char *policy;
	const char *key_manager_token_file;
	const char *metrics_listen;
	const char *log_format;
	struct client_options clients;
	struct tls_source tls;
	bool as_json;
};

static void up_done(struct up *up)
{
	if (up->reserved_fd >= 0)
		(void)close(up->reserved_fd);
	local_kms_done(&up->kms);
	local_endpoints_done(&up->endpoints);
	signing_policy_done(&up->policy);
	local_clients_done(&up->clients);
	tls_identity_done(&up->identity);
	interchange_done(&up->interchange);
	local_folder_done(&up->folder);
}

static bool check_key_options(const struct key_source *keys, struct error *error)
{
	if (keys->passwords && keys->password_file)
		return error_set(error, ERROR_INPUT, "--passwords and --password-file: give one of them");
	if (!keys->keystores && (keys->passwords || keys->password_file))
		return error_set(error, ERROR_INPUT, "--keystores: missing");
	if (keys->keystores && !keys->passwords && !keys->password_file)
		return error_set(error, ERROR_INPUT, "--keystores needs --passwords DIR or --password-file FILE");
	return true;
}

static bool choose_policy(const struct up_options *options, const struct local_folder *folder, struct signing_policy *ret_policy,
			  struct error *error)
{
	if (options->allow && options->policy)
		return error_set(error, ERROR_INPUT, "--allow and --policy: give one of them");
	if (options->allow)
		return policy_of_types(options->allow, ret_policy, error);
	if (options->policy)
		return policy_file_read("--policy", options->policy, ret_policy, error);
	return !file_exists(folder->policy) || policy_file_read("signing policy", folder->policy, ret_policy, error);
}

/* The policy of last time, or the one that the options give instead. */
static bool merge_policy(const struct up_options *options, struct up *up, bool *ret_changed, struct error *error)
{
	AUTO_SIGNING_POLICY struct signing_policy before = {0};

	signing_policy_done(&up->policy);
	if (file_exists(up->folder.policy) && !policy_file_read("signing policy", up->folder.policy, &before, error))
		return false;
	if (!choose_policy(options, &up->folder, &up->policy, error))
		return false;
	*ret_changed = !policy_equal(&before, &up->policy);
	return true;
}

/* The identity of last time, the one that the options give, or again one that is made here. */
static bool merge_identity(const struct up_options *options, struct up *up, bool *ret_changed, struct error *error)
{
	bool was_own = up->settings.tls_is_own;

	tls_identity_done(&up->identity);
	if (!tls_source_read(&options->tls, &up->identity, error))
		return false;
	if (up->identity.key.data)
		up->settings.tls_is_own = true;
	else if (options->tls.keystore)
		up->settings.tls_is_own = false;
	if (was_own && !up->settings.tls_is_own)
		up->settings.tls_created_ms = 0; /* so that one is made */
	*ret_changed =
		was_own != up->settings.tls_is_own || (up->identity.key.data && !local_tls_is_there(&up->folder, &up->identity));
	return true;
}

/* Settings of last time, or the defaults, changed by the options that were given. */
static bool merge_settings(const struct up_options *options, struct up *up, bool *ret_changed, struct error *error)
{
	struct local_settings *settings = &up->settings;
	struct local_settings before;
	bool policy_changed = false, clients_changed = false, identity_changed = false;

	if (!local_clients_merge(&options->clients, &up->folder, &up->clients, &clients_changed, error))
		return false;
	if (!merge_policy(options, up, &policy_changed, error))
		return false;
	local_settings_default(settings);
	if (file_exists(up->folder.settings) && !local_settings_read(up->folder.settings, settings, error))
		return false;
	before = *settings;
	up->network_before = file_exists(up->folder.settings) ? before.network : (struct network){0};
	if (options->listen && !local_settings_set_listen(settings, options->listen, error))
		return false;
	/* Port 0 asks for any port, and the one that it got last time is one. */
	if (settings->any_port && before.any_port) {
		char host_before[LOCAL_LISTEN_SIZE], host[LOCAL_LISTEN_SIZE];
		uint16_t port;

		local_settings_host(&before, host_before, &port);
		local_settings_host(settings, host, &port);
		if (strcmp(host, host_before) == 0)
			memcpy(settings->listen, before.listen, sizeof before.listen);
	}
	if (!local_machine_merge(&options->machine, settings, error))
		return false;
	if (!local_settings_set_network(settings, options->network, options->network_config, options->genesis_validators_root,
					error))
		return false;
	if (options->slashing && !local_settings_set_slashing(settings, options->slashing, error))
		return false;
	if (!local_table_merge(&options->table, settings, error))
		return false;
	if (options->quiet_period_s != NOT_GIVEN && !local_settings_set_quiet_period(settings, options->quiet_period_s, error))
		return false;
	if (options->metrics_listen && !local_settings_set_metrics(settings, options->metrics_listen, error))
		return false;
	if (options->log_format && !local_settings_set_log_format(settings, options->log_format, error))
		return false;
	if (options->key_manager_token_file && !local_settings_set_key_manager(settings, options->key_manager_token_file, error))
		return false;
	if (!merge_identity(options, up, &identity_changed, error))
		return false;
	up->launcher_changed = strcmp(before.launcher, settings->launcher) != 0;
	*ret_changed = up->launcher_changed || strcmp(before.kernel, settings->kernel) != 0 ||
		       !slashing_settings_equal(&before.slashing, &settings->slashing) ||
		       strcmp(before.table_connect, settings->table_connect) != 0 || options->table.ca ||
		       strcmp(before.listen, settings->listen) != 0 || !network_equal(&before.network, &settings->network) ||
		       before.slashing_protection != settings->slashing_protection || policy_changed || clients_changed ||
		       strcmp(before.metrics_listen, settings->metrics_listen) != 0 ||
		       strcmp(before.key_manager_token_sha256, settings->key_manager_token_sha256) != 0 ||
		       before.log_is_json != settings->log_is_json;
	up->tables_change = up->clients.list_changed || identity_changed;
	return true;
}

/*
 * Is the port free? Also settles which one it is when any will do. The socket is bound and never listens: the host can listen at the
 * same port (SO_REUSEADDR on both), and until it does the kernel gives the port to no outgoing connection.
 */
static bool settle_port(struct local_settings *settings, int *ret_reserved_fd, struct error *error)
{
	AUTO_FREE char *text = memory_format("tcp:%s", settings->listen);
	AUTO_FD int fd = -1;
	struct address address;

	if (!address_parse(text, &address, error))
		return error_prefix(error, "--listen");
	fd = address_bind(&address, error);
	if (fd < 0 && settings->any_port) {
		address.port = 0;
		fd = address_bind(&address, error);
	}
	if (fd < 0) {
		const struct error cause = *error;

		return error_set(error, cause.code, "--listen %s: %s; --listen 127.0.0.1:0 takes any free port", settings->listen,
				 cause.message);
	}
	(void)snprintf(settings->listen, sizeof settings->listen, strchr(address.host, ':') ? "[%s]:%u" : "%s:%u", address.host,
		       address_bound_port(fd));
	*ret_reserved_fd = take_fd(&fd);
	return true;
}

static void show_decrypted(void *context, size_t done, size_t count)
{
	(void)context;
	progress_show("decrypting keystores", done, count);
}

static const struct key_import_progress show_progress = {show_decrypted, NULL};

static struct local_setup setup_of(struct up *up)
{
	const struct network *before = up->network_before.name[0] ? &up->network_before : NULL;

	return (struct local_setup){&up->folder, &up->endpoints,        &up->kms, &up->settings,
				    &up->policy, &up->clients.settings, before};
}

/* One that outlived its host may have been started for a process, without an NSM for the machine. */
static bool stop_stale_simulator(const struct up *up, struct error *error)
{
	struct local_stopped stopped;

	return !local_settings_is_machine(&up->settings) || local_stop_all(&up->folder, false, true, &stopped, error);
}

/* Of what the enclave is at this moment. */
static bool measure(struct up *up, struct error *error)
{
	if (local_settings_is_machine(&up->settings))
		return local_machine_measure(&up->folder, &up->measurement, error);
	return measurement_of_process_files(up->folder.enclave, up->folder.configuration, &up->measurement, error);
}

static bool set_up(const struct up_options *options, struct up *up, struct error *error)
{
	const struct key_source *source = options->keys.keystores ? &options->keys : NULL;
	const struct local_setup setup = setup_of(up);

	if (!settle_port(&up->settings, &up->reserved_fd, error) || !stop_stale_simulator(up, error))
		return false;
	if (!local_simulator_start(&up->folder, local_settings_is_machine(&up->settings), &up->sim_started, &up->endpoints, error))
		return false;
	if (!local_kms_init(&up->kms, &up->endpoints, error) || !local_setup_kms_key(&setup, error))
		return false;
	if (!local_setup_keys(&setup, source, &show_progress, &up->imported, error))
		return false;
	if (!local_setup_tls(&setup, &up->identity, error) || !local_setup_known_clients(&setup, &up->clients, error) ||
	    !local_setup_table(&setup, &options->table, error) || !local_setup_image(&setup, &up->measurement, error))
		return false;
	if (!local_setup_policy(&setup, &up->measurement, &up->repinned, error) || !local_setup_host(&setup, error))
		return false;
	if (!policy_file_write(up->folder.policy, &up->policy, error) || !local_clients_write(&up->folder, &up->clients, error) ||
	    !local_settings_write(up->folder.settings, &up->settings, error))
		return false;
	return local_host_start(&up->folder, &up->host_started, error);
}

/* What a running signer takes up without a restart. */
static bool change_tables(const struct up_options *options, struct up *up, struct error *error)
{
	AUTO_LOCAL_HOST_STATUS struct local_host_status status = {0};
	const struct local_setup setup = setup_of(up);

	if (!local_kms_init(&up->kms, &up->endpoints, error) || !local_setup_kms_key(&setup, error))
		return false;
	if (options->keys.keystores && !local_setup_keys(&setup, &options->keys, &show_progress, &up->imported, error))
		return false;
	if (!local_setup_tls(&setup, &up->identity, error) || !local_setup_known_clients(&setup, &up->clients, error) ||
	    !local_settings_write(up->folder.settings, &up->settings, error))
		return false;
	/* The copy of the list last: until the signer has taken it up it is still another one. */
	up->reloaded = local_host_reload(&up->folder, &status, error);
	return up->reloaded && local_clients_write(&up->folder, &up->clients, error);
}

/* The host runs: this is only for what it may lack, and what it can be given while it does. */
static bool resume(const struct up_options *options, struct up *up, struct error *error)
{
	const char *keystores = options->keys.keystores;
	struct error ignored;

	up->already_up = true;
	if (!local_simulator_start(&up->folder, local_settings_is_machine(&up->settings), &up->sim_started, &up->endpoints,
				   error) ||
	    !measure(up, error))
		return false;
	if (!up->tables_change && (!keystores || local_setup_keys_present(&up->folder, keystores, &ignored)))
		return true;
	return change_tables(options, up, error);
}

static void undo(struct up *up)
{
	struct local_stopped stopped;
	struct error ignored;

	(void)!local_stop_all(&up->folder, up->host_started, up->sim_started, &stopped, &ignored);
}

static void warn_about_slashing(const struct local_settings *settings)
{
	if (settings->slashing_protection)
		return;
	(void)fprintf(stderr,
		      "WARNING: ******************************************************************************\n"
		      "WARNING: slashing protection is OFF: this signer signs double votes and double proposals on %s.\n"
		      "WARNING: it is for test networks and tests. Never give it a key that has a validator behind it.\n"
		      "WARNING: ******************************************************************************\n",
		      settings->network.name);
}

static void warn_about_memory(const struct local_settings *settings)
{
	if (local_machine_forgets(settings))
		(void)fprintf(
			stderr,
			"WARNING: what the keys signed is kept in the machine's memory: whenever the machine ends (down, a crash), "
			"it is forgotten,\n"
			"WARNING: and they sign no block and no vote until it is said again: ensign slashing import, of an export "
			"made before;\n"
			"WARNING: ensign slashing fresh only for keys that never signed. --slashing-table keeps histories for "
			"good.\n");
}

/* Nothing is wrong with it, but it is hardly what was meant. */
static void warn_about_clients(const struct up *up)
{
	if (signing_policy_names_clients(&up->policy) && !client_settings_require_certificate(&up->clients.settings))
		(void)fprintf(stderr,
			      "WARNING: the signing policy names clients, but none is asked for a certificate, so those rules fit "
			      "nobody. See --client-ca and --known-clients.\n");
}

static int fail(struct up *up, const struct error *error)
{
	const bool is_machine = local_settings_is_machine(&up->settings);

	if (up->host_started || up->already_up)
		return command_fail(error, "The log: %s%s%s%s", up->folder.host_log, is_machine ? "; the machine's console: " : "",
				    is_machine ? up->folder.console : "",
				    up->host_started ? "; what this command started is stopped again." : "");
	return command_fail(error, error->code == ERROR_INPUT ? "See: ensign local up --help" : NULL);
}

/* The signer is up: what its new keys have signed, or that they never did. */
static bool settle_histories(struct up *up, json_t *keys, struct error *error)
{
	const struct interchange *interchange = up->interchange.keys ? &up->interchange : NULL;

	if (!up->settings.slashing_protection)
		return true;
	if (!local_fresh_settle(&up->folder, interchange, &up->histories, error))
		return error_prefix(error, interchange ? "--slashing-import" : "letting new keys begin");
	return (!local_machine_forgets(&up->settings) && !up->launcher_changed) ||
	       local_machine_count_without(&up->folder, keys, &up->without, error);
}

static int run(const struct up_options *options, struct up *up)
{
	AUTO_JSON json_t *keys = NULL;
	struct error error = {0};
	AUTO_FD int lock = -1;
	bool changed = false;
	bool is_running;
	bool done;

	up->started_ms = clock_monotonic_ms();
	if (options->slashing_import && !history_document_read(options->slashing_import, &up->interchange, &error))
		return command_fail(&error, "Nothing was changed.");
	if (!check_key_options(&options->keys, &error) || !local_folder_init(options->dir, &up->folder, &error) ||
	    !merge_settings(options, up, &changed, &error))
		return command_fail(&error, "See: ensign local up --help");
	if (!local_folder_make(&up->folder, &error))
		return command_fail(&error, "Give another folder with --dir.");
	lock = local_folder_lock(&up->folder, &error);
	/* Again, for another command may have changed the settings meanwhile. */
	if (lock < 0 || !merge_settings(options, up, &changed, &error))
		return command_fail(&error, NULL);
	is_running = local_daemon_running(up->folder.host_pid, NULL);
	if (is_running && changed) {
		(void)error_set(&error, ERROR_IO, "the signer in %s is up with other options", up->folder.path);
		return command_fail(&error, "Stop it first: ensign local down%s", up->folder.option);
	}
	warn_about_slashing(&up->settings);
	warn_about_memory(&up->settings);
	warn_about_clients(up);
	if (is_running && !resume(options, up, &error))
		return fail(up, &error);
	if (!up->already_up && !local_machine_check(&up->folder, &up->settings, &error))
		return command_fail(&error, "Nothing was changed.");
	done = up->already_up || set_up(options, up, &error);
	if (done)
		keys = local_host_wait(&up->folder, &up->settings, local_host_is_open(&up->settings, &up->clients.settings),
				       &error);
	if (!keys || !settle_histories(up, keys, &error)) {
		undo(up);
		return fail(up, &error);
	}
	(options->as_json ? local_up_print_json : local_up_print)(up, keys, clock_monotonic_ms() - up->started_ms);
	return EXIT_CODE_OK;
}

int local_up_main(int argc, char **argv)
{
	struct up_options values = {.quiet_period_s = NOT_GIVEN};
	const struct option options[] = {
		{"dir", OPTION_TEXT, &values.dir, "D", "folder of this signer; default ~/.local/state/ensign/local"},
		{"listen", OPTION_TEXT, &values.listen, "HOST:PORT", "default 127.0.0.1:8443; port 0: any free one"},
		{"launcher", OPTION_TEXT, &values.machine.launcher, "process|qemu",
		 "the enclave as a process (default), or as a machine of its own: a kernel, real vsock; measured"},
		{"kernel", OPTION_TEXT, &values.machine.kernel, "F|default",
		 "of that machine; default: the project's own, which scripts/get-kernel builds; measured"},
		{"keystores", OPTION_TEXT, &values.keys.keystores, "DIR", "EIP-2335 keystores: every *.json in it"},
		{"passwords", OPTION_TEXT, &values.keys.passwords, "DIR", "X.txt there is the password of X.json"},
		{"password-file", OPTION_TEXT, &values.keys.password_file, "F", "one password for all keystores"},
		{"network", OPTION_TEXT, &values.network, "N",
		 "mainnet (default), hoodi, sepolia, holesky, gnosis, chiado, minimal"},
		{"network-config", OPTION_TEXT, &values.network_config, "F",
		 "any other network: its config.yaml, as consensus-specs has it"},
		{"genesis-validators-root", OPTION_TEXT, &values.genesis_validators_root, "R|learn",
		 "of that network, in hex; learn (test networks): the first one that something is signed for"},
		{"slashing", OPTION_TEXT, &values.slashing, "on|off", "off signs everything: for test networks only; measured"},
		{"slashing-table", OPTION_TEXT, &values.table.table, "T|off",
		 "keep histories in this DynamoDB table, which other signers may share; off: in a store of its own; measured"},
		{"slashing-host", OPTION_TEXT, &values.table.host, "HOST[:PORT]",
		 "of that table: dynamodb.REGION.amazonaws.com; measured"},
		{"slashing-connect", OPTION_TEXT, &values.table.connect, "HOST:PORT",
		 "where the host connects for it; default that host"},
		{"slashing-ca", OPTION_TEXT, &values.table.ca, "F",
		 "what its certificate is checked against besides KMS's, PEM; measured"},
		{"slashing-credentials", OPTION_TEXT, &values.table.credentials, "F|parent",
		 "for that table alone, JSON, sealed for the enclave; parent (default): those that the host gives it"},
		{"slashing-import", OPTION_TEXT, &values.slashing_import, "F",
		 "what the keys signed elsewhere (EIP-3076); without it new keys count as never used"},
		{"quiet-period", OPTION_NUMBER, &values.quiet_period_s, "S",
		 "seconds after which a key without any history may sign; 0 (default): never; measured"},
		{"allow", OPTION_TEXT, &values.allow, "TYPES",
		 "sign these types too, for every client: VOLUNTARY_EXIT,DEPOSIT; none: neither; measured"},
		{"policy", OPTION_TEXT, &values.policy, "F", "signing policy, JSON (docs/policy.md); measured"},
		{"key-manager-token-file", OPTION_TEXT, &values.key_manager_token_file, "F|off",
		 "key manager API for who has this bearer token, which is made if missing; measured"},
		{"metrics-listen", OPTION_TEXT, &values.metrics_listen, "HOST:PORT|off",
		 "Prometheus metrics over plain HTTP, at /metrics there"},
		{"log-format", OPTION_TEXT, &values.log_format, "text|json", "of the log, which has the enclave's lines too"},
		{"clients", OPTION_TEXT, &values.clients.clients, "any", "let any client connect again (the default); measured"},
		{"client-ca", OPTION_TEXT, &values.clients.client_ca, "F|none",
		 "clients need a certificate: one of this CA (PEM), or one that is known; measured"},
		{"known-clients", OPTION_TEXT, &values.clients.known_clients, "F|none",
		 "clients need a certificate: one in this list (COMMON-NAME SHA256 a line), or of the CA"},
		{"host-allowlist", OPTION_TEXT, &values.clients.host_allowlist, "HOSTS|all",
		 "hosts that requests may name, with commas between them; measured"},
		{"tls-keystore", OPTION_TEXT, &values.tls.keystore, "F|none",
		 "your own certificate and key, PKCS#12; none: made here, as without"},
		{"tls-password-file", OPTION_TEXT, &values.tls.password_file, "F", "password of the PKCS#12 file"},
		{"tls-cert", OPTION_TEXT, &values.tls.certificate, "F", "your own certificate and its chain, PEM"},
		{"tls-key", OPTION_TEXT, &values.tls.key, "F", "its key, PEM, without a password"},
		{"json", OPTION_FLAG, &values.as_json, NULL, "print one JSON object"},
	};
	struct up up = {.reserved_fd = -1};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	code = run(&values, &up);
	up_done(&up);
	return code;
}
