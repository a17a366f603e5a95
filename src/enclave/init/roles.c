/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/process.h"
#include "enclave/init/init.h"

/* A role is ready when its libraries are initialised: milliseconds, but seconds on an emulated CPU. */
#define ROLE_READY_TIMEOUT_MS 60000

#define ROLE_FDS_MAX 7

/* Where a descriptor that a role gets comes from. */
enum fd_source {
	SOURCE_NONE,
	SOURCE_PAIR_FIRST,
	SOURCE_PAIR_SECOND,
	SOURCE_SIGNING,
	SOURCE_CONTROL,
	SOURCE_STORE, /* only where histories are in it */
	SOURCE_CONFIGURATION,
	SOURCE_TABLE_CONFIGURATION, /* only where they are in a table */
	SOURCE_NSM,
	SOURCE_LOG,
};

/* All that each role may touch, on one screen. ROLE_FD_INIT and ROLE_FD_METRICS are added for every role. */
static const struct role_plan {
	const char *name;
	const char *relay_option; /* NULL: it reaches nothing outside */
	struct {
		enum role_fd number;
		enum fd_source source;
		enum pair_id pair;
	} fds[ROLE_FDS_MAX];
} plans[ROLE_COUNT] = {
	[ROLE_KEEPER] = {"keeper",
			 NULL,
			 {{ROLE_FD_FRONTEND, SOURCE_PAIR_SECOND, PAIR_FRONTEND_KEEPER},
			  {ROLE_FD_LEDGER, SOURCE_PAIR_SECOND, PAIR_LEDGER_KEEPER},
			  {ROLE_FD_OPENER, SOURCE_PAIR_SECOND, PAIR_OPENER_KEEPER}}},
	[ROLE_LEDGER] = {"ledger",
			 "--table",
			 {{ROLE_FD_KEEPER, SOURCE_PAIR_FIRST, PAIR_LEDGER_KEEPER},
			  {ROLE_FD_OPENER, SOURCE_PAIR_SECOND, PAIR_OPENER_LEDGER},
			  {ROLE_FD_STORE, SOURCE_STORE, 0},
			  {ROLE_FD_CONFIGURATION, SOURCE_TABLE_CONFIGURATION, 0}}},
	[ROLE_FRONTEND] = {"frontend",
			   NULL,
			   {{ROLE_FD_KEEPER, SOURCE_PAIR_FIRST, PAIR_FRONTEND_KEEPER},
			    {ROLE_FD_ATTESTER, SOURCE_PAIR_FIRST, PAIR_FRONTEND_ATTESTER},
			    {ROLE_FD_OPENER, SOURCE_PAIR_SECOND, PAIR_OPENER_FRONTEND},
			    {ROLE_FD_CONTROL, SOURCE_PAIR_SECOND, PAIR_CONTROL_FRONTEND},
			    {ROLE_FD_LISTEN, SOURCE_SIGNING, 0},
			    {ROLE_FD_CONFIGURATION, SOURCE_CONFIGURATION, 0}}},
	[ROLE_ATTESTER] = {"attester",
			   NULL,
			   {{ROLE_FD_FRONTEND, SOURCE_PAIR_SECOND, PAIR_FRONTEND_ATTESTER}, {ROLE_FD_NSM, SOURCE_NSM, 0}}},
	[ROLE_CONTROL] = {"control",
			  NULL,
			  {{ROLE_FD_FRONTEND, SOURCE_PAIR_FIRST, PAIR_CONTROL_FRONTEND},
			   {ROLE_FD_OPENER, SOURCE_PAIR_FIRST, PAIR_CONTROL_OPENER},
			   {ROLE_FD_REQUEST, SOURCE_PAIR_FIRST, PAIR_REQUEST},
			   {ROLE_FD_LISTEN, SOURCE_CONTROL, 0},
			   {ROLE_FD_LOG, SOURCE_LOG, 0}}},
	[ROLE_OPENER] = {"opener",
			 "--kms",
			 {{ROLE_FD_KEEPER, SOURCE_PAIR_FIRST, PAIR_OPENER_KEEPER},
			  {ROLE_FD_LEDGER, SOURCE_PAIR_FIRST, PAIR_OPENER_LEDGER},
			  {ROLE_FD_FRONTEND, SOURCE_PAIR_FIRST, PAIR_OPENER_FRONTEND},
			  {ROLE_FD_CONTROL, SOURCE_PAIR_SECOND, PAIR_CONTROL_OPENER},
			  {ROLE_FD_REQUEST, SOURCE_PAIR_SECOND, PAIR_REQUEST},
			  {ROLE_FD_NSM, SOURCE_NSM, 0},
			  {ROLE_FD_CONFIGURATION, SOURCE_CONFIGURATION, 0}}},
};

const char *role_name(enum role_id role)
{
	return plans[role].name;
}

struct nsm *init_open_nsm(const struct init *init, struct error *error)
{
	struct nsm *nsm = init->nsm_is_device ? nsm_open_device(error) : nsm_open_simulated(&init->nsm, error);

	if (!nsm)
		(void)error_prefix(error, "NSM");
	return nsm;
}

bool init_make_pairs(struct init *init, struct error *error)
{
	for (size_t i = 0; i < PAIR_COUNT; i++) {
		int type = i == PAIR_REQUEST ? SOCK_STREAM : SOCK_SEQPACKET;

		if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, init->pairs[i]) != 0)
			return error_set_errno(error, ERROR_IO, "socketpair");
	}
	return true;
}

/* The opener has to do with the ledger only where that needs credentials. */
static bool is_pair_used(const struct init *init, enum pair_id pair)
{
	return pair != PAIR_OPENER_LEDGER || init->configuration.slashing.uses_dynamodb;
}

static int fd_from(const struct init *init, enum fd_source source, enum pair_id pair, int nsm_fd_number)
{
	switch (source) {
	case SOURCE_PAIR_FIRST:
		return is_pair_used(init, pair) ? init->pairs[pair][0] : -1;
	case SOURCE_PAIR_SECOND:
		return is_pair_used(init, pair) ? init->pairs[pair][1] : -1;
	case SOURCE_SIGNING:
		return init->signing_fd;
	case SOURCE_CONTROL:
		return init->control_fd;
	case SOURCE_STORE:
		return init->configuration.slashing.uses_dynamodb ? -1 : init->store_fd;
	case SOURCE_TABLE_CONFIGURATION:
		return init->configuration.slashing.uses_dynamodb ? init->configuration_fd : -1;
	case SOURCE_CONFIGURATION:
		return init->configuration_fd;
	case SOURCE_NSM:
		return nsm_fd_number;
	case SOURCE_LOG:
		return init->log_fds[0];
	case SOURCE_NONE:
		break;
	}
	return -1;
}

static bool spawn_role(struct init *init, enum role_id role, int role_end, int nsm_fd_number, struct error *error)
{
	const struct role_plan *plan = &plans[role];
	const char *relay = role == ROLE_LEDGER ? init->table_relay : init->kms_relay;
	const char *argv[7] = {"ensign-enclave", "--role", plan->name};
	size_t count = 3;
	struct process_fd fds[ROLE_FDS_MAX + 2] = {{role_end, ROLE_FD_INIT}, {init->metrics_fd, ROLE_FD_METRICS}};
	struct process_spawn_options options = {
		.path = "/proc/self/exe", .argv = argv, .fds = fds, .fd_count = 2, .die_with_parent = true};

	if (relay && plan->relay_option) {
		argv[count++] = plan->relay_option;
		argv[count++] = relay;
	}
	if (nsm_fd_number >= 0 && init->nsm_is_device)
		argv[count++] = "--nsm-device";
	for (size_t i = 0; i < ROLE_FDS_MAX && plan->fds[i].source != SOURCE_NONE; i++) {
		int fd = fd_from(init, plan->fds[i].source, plan->fds[i].pair, nsm_fd_number);

		if (fd >= 0)
			fds[options.fd_count++] = (struct process_fd){fd, (int)plan->fds[i].number};
	}
	return process_spawn(&options, &init->roles[role].pid, error);
}

static bool send_start(const struct init *init, int fd, struct error *error)
{
	struct message_start start;

	message_init(&start, MESSAGE_START, 0);
	start.network = init->configuration.network;
	start.slashing_protection = init->configuration.slashing_protection;
	start.uses_table = init->configuration.slashing.uses_dynamodb;
	start.refreshes_credential =
		init->configuration.slashing.uses_dynamodb && !init->configuration.slashing.has_sealed_credentials;
	start.quiet_period_s = init->configuration.slashing.quiet_period_s;
	start.enclave_started_ms = init->started_ms;
	start.signable_types = signing_policy_types(&init->configuration.policy);
	return message_send(fd, &start, error);
}

static bool wait_ready(int fd, struct error *error)
{
	struct pollfd waiting = {fd, POLLIN, 0};
	struct message_ready ready;
	int count;

	do
		count = poll(&waiting, 1, ROLE_READY_TIMEOUT_MS);
	while (count < 0 && errno == EINTR);
	if (count <= 0)
		return error_set(error, ERROR_BUG, "not ready after %d s", ROLE_READY_TIMEOUT_MS / 1000);
	if (!message_receive(fd, &ready, sizeof ready, NULL, error))
		return false;
	return ready.header.type == MESSAGE_READY ||
	       error_set(error, ERROR_PEER, "message of type %u before READY", ready.header.type);
}

/* What was sent to an opener that ended before it read it: unread, whatever it is. */
static void discard_unread(const struct init *init, enum role_id role)
{
	for (size_t i = 0; i < ROLE_FDS_MAX && plans[role].fds[i].source != SOURCE_NONE; i++) {
		int fd = fd_from(init, plans[role].fds[i].source, plans[role].fds[i].pair, -1);
		bool is_pair = plans[role].fds[i].source == SOURCE_PAIR_FIRST || plans[role].fds[i].source == SOURCE_PAIR_SECOND;
		uint8_t waste[4096];

		while (is_pair && recv(fd, waste, sizeof waste, MSG_DONTWAIT) > 0)
			;
		secret_wipe(waste, sizeof waste);
	}
}

static bool uses_nsm(enum role_id role)
{
	for (size_t i = 0; i < ROLE_FDS_MAX; i++) {
		if (plans[role].fds[i].source == SOURCE_NSM)
			return true;
	}
	return false;
}

bool init_start_role(struct init *init, enum role_id role, struct error *error)
{
	struct role_process *process = &init->roles[role];
	AUTO_NSM struct nsm *nsm = NULL;
	AUTO_FD int role_end = -1;
	int pair[2];

	if (role == ROLE_OPENER)
		discard_unread(init, role);
	/* Each has a connection of its own: an opener that died in the middle of an answer leaves nothing behind. */
	if (uses_nsm(role)) {
		nsm = init_open_nsm(init, error);
		if (!nsm)
			return false;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return error_set_errno(error, ERROR_IO, "socketpair");
	if (process->init_fd >= 0)
		(void)close(process->init_fd);
	process->init_fd = pair[0];
	role_end = pair[1];
	if (!spawn_role(init, role, role_end, nsm ? nsm_fd(nsm) : -1, error))
		return error_prefix(error, "%s", role_name(role));
	/* Ours must go before we wait: a role that dies is then seen at once. */
	(void)close(take_fd(&role_end));
	if (!send_start(init, process->init_fd, error) || !wait_ready(process->init_fd, error))
		return error_prefix(error, "%s", role_name(role));
	return true;
}

void init_stop_roles(struct init *init)
{
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (init->roles[i].pid > 0)
			(void)kill(init->roles[i].pid, SIGKILL);
	}
	for (size_t i = 0; i < ROLE_COUNT; i++) {
		if (init->roles[i].pid > 0)
			(void)waitpid(init->roles[i].pid, NULL, 0);
		init->roles[i].pid = 0;
	}
}
