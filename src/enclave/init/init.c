/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: holds nothing and parses nothing from outside. It binds the sockets, starts the roles with just the descriptors each
 * needs and an opener whenever control asks for one, and ends the enclave when any other role dies: a signer that lost a part of
 * itself is started anew by the parent, from attestation on.
 */
#include "enclave/init/init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>

#include <linux/capability.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/options.h"
#include "base/process.h"
#include "enclave/metrics.h"
#include "enclave/init/pid1.h"
#include "enclave/sandbox.h"

/* Connections that wait while control is busy or has all that it takes. */
#define CONTROL_BACKLOG 16
/* Of one role: the keeper's heap is the largest. */
#define LOCKED_MEMORY_MAX (2 * SECRET_HEAP_SIZE_KEEPER)
/* The launcher listens before it starts a machine; it may be busy, and an emulated machine is slow. */
#define HEARTBEAT_TIMEOUT_MS 20000
#define REQUIRED_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static bool read_configuration(struct init *init, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	int seals = fcntl(CONFIGURATION_FD, F_GET_SEALS);

	if (seals < 0 || (seals & REQUIRED_SEALS) != REQUIRED_SEALS)
		return error_set(
			error, ERROR_INPUT,
			"descriptor %d must be the measured configuration as a memfd with all write seals (see docs/protocols.md)",
			CONFIGURATION_FD);
	/* Out of the way of the numbers that roles use. */
	init->configuration_fd = CONFIGURATION_FD;
	return file_read_fd(CONFIGURATION_FD, "measured configuration", CONFIGURATION_MAX_SIZE, &text, error) &&
	       configuration_parse(buffer_view(&text), &init->configuration, error);
}

static bool parse_address_option(const char *name, const char *text, struct address *ret_address, struct error *error)
{
	if (!text)
		return error_set(error, ERROR_INPUT, "--%s is missing", name);
	return address_parse(text, ret_address, error) || error_prefix(error, "--%s", name);
}

static bool read_arguments(struct init *init, int argc, char **argv, bool *ret_help, struct error *error)
{
	static const struct command_help help = {
		.usage = "ensign-enclave --control ADDR --signing ADDR --kms ADDR --nsm ADDR --store DIR",
		.description =
			"The enclave: opens validator keys by attested KMS decrypts and serves the Web3Signer eth2 API over\n"
			"TLS. Started by ensign-host with the measured configuration on descriptor 3; never by hand.\n"
			"Ends with 0 on SIGTERM, 1 when a part of it died, 2 when arguments or configuration are wrong.",
	};
	const char *control = NULL, *signing = NULL, *nsm = NULL, *log_format = NULL;
	const struct option options[] = {
		{"control", OPTION_TEXT, &control, "ADDR", "control channel, listens"},
		{"signing", OPTION_TEXT, &signing, "ADDR", "signing HTTPS, listens"},
		{"kms", OPTION_TEXT, &init->kms_relay, "ADDR", "relay to KMS, connects"},
		{"table", OPTION_TEXT, &init->table_relay, "ADDR", "relay to DynamoDB, connects; only with a slashing table"},
		{"nsm", OPTION_TEXT, &nsm, "ADDR", "simulated NSM, connects"},
		{"store", OPTION_TEXT, &init->store_folder, "DIR", "folder of the slashing store"},
		{"log-format", OPTION_TEXT, &log_format, "text|json", "of the last lines, which nobody fetched; default text"},
	};
	struct address kms, table;
	size_t positional_count;

	if (!options_parse(options, ARRAY_SIZE(options), argc, argv, NULL, 0, &positional_count, ret_help, error))
		return false;
	if (*ret_help) {
		options_print_help(stdout, &help, options, ARRAY_SIZE(options));
		return true;
	}
	init->last_format = log_format && strcmp(log_format, "json") == 0 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT;
	if (log_format && strcmp(log_format, "json") != 0 && strcmp(log_format, "text") != 0)
		return error_set(error, ERROR_INPUT, "--log-format: text or json, not %.16s", log_format);
	if (!init->store_folder)
		return error_set(error, ERROR_INPUT, "--store is missing");
	return parse_address_option("control", control, &init->control, error) &&
	       parse_address_option("signing", signing, &init->signing, error) &&
	       parse_address_option("kms", init->kms_relay, &kms, error) &&
	       (!init->table_relay || parse_address_option("table", init->table_relay, &table, error)) &&
	       parse_address_option("nsm", nsm, &init->nsm, error);
}

/* init stays dumpable, since the simulated hypervisor reads its program; it holds nothing. Core files stay off all the same. */
static bool harden(struct error *error)
{
	const struct rlimit none = {0, 0};
	const struct rlimit locked = {LOCKED_MEMORY_MAX, LOCKED_MEMORY_MAX};

	/* Openers to come lock memory, which is a privilege that will be gone by then. As much as the system gives is enough. */
	(void)setrlimit(RLIMIT_MEMLOCK, &locked);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return error_set_errno(error, ERROR_IO, "cannot give up core dumps and new privileges");
	(void)signal(SIGPIPE, SIG_IGN);
	return true;
}

static bool watch_signals(struct init *init, struct error *error)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	init->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return init->signal_fd >= 0 || error_set_errno(error, ERROR_IO, "signalfd");
}

/* The signing port is bound but refuses connections: only the frontend listens, and only once it has keys to serve. */
static bool open_descriptors(struct init *init, struct error *error)
{
	init->store_fd = open(init->store_folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (init->store_fd < 0)
		return error_set_errno(error, ERROR_IO, "slashing store %s", init->store_folder);
	init->signing_fd = address_bind(&init->signing, error);
	if (init->signing_fd < 0)
		return false;
	init->control_fd = address_listen(&init->control, CONTROL_BACKLOG, error);
	init->metrics_fd = metrics_memory_new(error);
	return init->control_fd >= 0 && init->metrics_fd >= 0 && init_make_pairs(init, error);
}

static bool start_roles(struct init *init, struct error *error)
{
	for (size_t i = 0; i < ROLE_OPENER; i++) {
		if (!init_start_role(init, (enum role_id)i, error))
			return false;
	}
	return true;
}

static bool tell_opener_gone(const struct init *init, const char *how, struct error *error)
{
	struct message_opener_gone gone;

	message_init(&gone, MESSAGE_OPENER_GONE, 0);
	(void)snprintf(gone.how, sizeof gone.how, "%s", how);
	return message_send(init->roles[ROLE_CONTROL].init_fd, &gone, error) || error_prefix(error, "control");
}

/* One that was started but did not get ready is killed; that it is gone is told when it has been reaped. */
static bool start_opener(struct init *init, struct error *error)
{
	struct message_opener_ready ready;

	if (init->roles[ROLE_OPENER].pid > 0)
		return error_set(error, ERROR_PEER, "control wants a second opener");
	init->opener_failure = (struct error){0};
	message_init(&ready, MESSAGE_OPENER_READY, 0);
	if (init_start_role(init, ROLE_OPENER, &init->opener_failure))
		return message_send(init->roles[ROLE_CONTROL].init_fd, &ready, error) || error_prefix(error, "control");
	log_failure(LOG_LEVEL_WARNING, "opener_not_ready", &init->opener_failure);
	if (init->roles[ROLE_OPENER].pid <= 0)
		return tell_opener_gone(init, init->opener_failure.message, error);
	(void)kill(init->roles[ROLE_OPENER].pid, SIGKILL);
	return true;
}

static void describe_end(int wait_status, char *ret_how, size_t size)
{
	(void)snprintf(ret_how, size, "%s %d", WIFSIGNALED(wait_status) ? "signal" : "status",
		       WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status));
}

static bool handle_child(struct init *init, pid_t pid, int wait_status, struct error *error)
{
	char how[32];

	describe_end(wait_status, how, sizeof how);
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (init->roles[i].pid != pid)
			continue;
		init->roles[i].pid = 0;
		if (i == ROLE_OPENER)
			return tell_opener_gone(init, init->opener_failure.code ? init->opener_failure.message : how, error);
		return error_set(error, ERROR_BUG, "the %s died (%s)", role_name((enum role_id)i), how);
	}
	return true; /* an orphan that PID 1 inherited */
}

static bool handle_control(struct init *init, struct error *error)
{
	union message message;
	bool closed = false;

	if (!message_receive(init->roles[ROLE_CONTROL].init_fd, &message, sizeof message, &closed, error)) {
		if (!closed)
			return error_prefix(error, "control");
		/* Its end will be reaped in a moment. */
		(void)close(take_fd(&init->roles[ROLE_CONTROL].init_fd));
		return true;
	}
	if (message.header.type != MESSAGE_OPENER_WANTED)
		return error_set(error, ERROR_PEER, "control: message of type %u", message.header.type);
	return start_opener(init, error);
}

static bool reap_children(struct init *init, struct error *error)
{
	int wait_status;
	pid_t pid;

	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		if (!handle_child(init, pid, wait_status, error))
			return false;
	}
	return true;
}

/* True: told to stop. False: something broke. */
static bool supervise(struct init *init, struct error *error)
{
	for (;;) {
		struct pollfd waiting[] = {{init->signal_fd, POLLIN, 0}, {init->roles[ROLE_CONTROL].init_fd, POLLIN, 0}};
		struct signalfd_siginfo information;

		if (poll(waiting, ARRAY_SIZE(waiting), -1) < 0) {
			if (errno == EINTR)
				continue;
			return error_set_errno(error, ERROR_IO, "poll");
		}
		if (waiting[1].revents && !handle_control(init, error))
			return false;
		while (read(init->signal_fd, &information, sizeof information) == (ssize_t)sizeof information) {
			if (information.ssi_signo != SIGCHLD)
				return true;
			if (!reap_children(init, error))
				return false;
		}
	}
}

/* Once all roles work: nothing but ending the machine takes a privilege from here on. */
static bool give_up_privileges(const struct init *init, struct error *error)
{
	return process_keep_capabilities(init->is_machine ? UINT64_C(1) << CAP_SYS_BOOT : 0, error) &&
	       sandbox_enter(SANDBOX_INIT, error);
}

static bool run(struct init *init, struct error *error)
{
	if (!harden(error) || !watch_signals(init, error) || !open_descriptors(init, error) || !init_begin_log(init, error) ||
	    (init->is_machine && !pid1_prepare(init, error)) || !start_roles(init, error) || !give_up_privileges(init, error) ||
	    (init->is_machine && !pid1_send_heartbeat(&init->heartbeat, HEARTBEAT_TIMEOUT_MS, error)))
		return false;
	log_info("waiting_for_keys", "network=%s slashing_protection=%s", init->configuration.network.name,
		 init->configuration.slashing_protection ? "on" : "off");
	if (!init->configuration.slashing_protection)
		log_warning("slashing_protection_off", "every block and vote is signed; for test networks only");
	return supervise(init, error);
}

static bool read_settings(struct init *init, int argc, char **argv, bool *ret_help, struct error *error)
{
	if (!init->is_machine)
		return read_arguments(init, argc, argv, ret_help, error) && (*ret_help || read_configuration(init, error));
	if (!pid1_begin(init, error) || !read_configuration(init, error) || !pid1_check_configuration(&init->configuration, error))
		return false;
	init->is_quiet = !init->configuration.is_debug;
	if (init->is_quiet)
		pid1_quiet_console();
	if (!init->configuration.slashing.uses_dynamodb)
		init->table_relay = NULL;
	return true;
}

static int init_run(struct init *init, int argc, char **argv)
{
	struct error error = {0};
	bool help = false;
	bool ok;

	if (!read_settings(init, argc, argv, &help, &error)) {
		log_failure(LOG_LEVEL_ERROR, "enclave_not_started", &error);
		return EXIT_CODE_USAGE;
	}
	if (help)
		return EXIT_CODE_OK;
	ok = run(init, &error);
	init_stop_roles(init);
	init_end_log(init);
	if (ok)
		log_info("enclave_stopped", "%s", "");
	else
		log_failure(LOG_LEVEL_ERROR, "enclave_died", &error);
	return ok ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

int init_main(int argc, char **argv)
{
	struct init *init = (struct init *)memory_allocate_zeroed(1, sizeof *init);
	int status;

	log_init("enclave");
	init->started_ms = clock_monotonic_ms();
	init->is_machine = pid1_is_machine(argc, argv);
	for (size_t i = 0; i < ROLE_COUNT; i++)
		init->roles[i].init_fd = -1;
	status = init_run(init, argc, argv);
	if (init->is_machine)
		pid1_end();
	return status;
}
