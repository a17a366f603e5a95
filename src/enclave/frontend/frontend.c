/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The role that talks to strangers. It holds the TLS key and nothing else of worth: what it can do to the keeper is send it
 * well-formed requests. It applies the signing policy, which it reads in the measured configuration by itself.
 */
#include <gnutls/gnutls.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/sysinfo.h>

#include "base/json.h"
#include "base/log.h"
#include "base/process.h"
#include "crypto/certificate_facts.h"
#include "enclave/frontend/api.h"
#include "enclave/role_outside.h"
#include "enclave/sandbox.h"

/* A client opens as many as it has requests at once; a burst of 100,000 keys is 3,125 in a slot. */
#define CONNECTION_LIMIT 4096
/* Descriptors besides connections: roles, epoll, events, the listener, and for a moment two a thread that are beyond the limit. */
#define DESCRIPTOR_RESERVE 64
/* Clients' pools idle 20 s (Lighthouse), 29 s (Nimbus), 30 s (JDK) and 90 s (Go); who closes first must be the client. */
#define IDLE_TIMEOUT_MS 120000
/* A slot lasts 12 s: a request that takes longer is of no use to its sender any more. */
#define REQUEST_DEADLINE_MS 30000
/* Signing takes a millisecond, a remote ledger some ten; clients give up after 3 to 12 s. */
#define KEEPER_DEADLINE_MS 10000
/* Six of the largest bodies. What is not charged to it, the first 16 KiB of each of 4,096 bodies, is as much again. */
#define BODY_BUDGET_SIZE (64u << 20)
/* Three lists of 100,000 keys, which nobody asks for often. */
#define ANSWER_BUDGET_SIZE (64u << 20)
/* TLS is the work: one thread a CPU. Two keep one slow handshake from delaying all; above eight the keeper is the bottleneck. */
#define THREADS_MIN 2
#define THREADS_MAX 8

struct frontend {
	unsigned threads;
	unsigned connection_limit;
	struct configuration configuration;
	struct client_rules *client_rules; /* NULL: any client may connect */
	struct keeper_client *keeper;
	struct control_client *control;
	struct attester_client *attester;
	struct api *api;
	struct http_server *server;
};

/* No more connections than there are descriptors for: without any the server could not even accept what it then refuses. */
static bool plan_connections(unsigned *ret_limit, struct error *error)
{
	size_t wanted = CONNECTION_LIMIT + DESCRIPTOR_RESERVE;
	size_t given = process_raise_descriptor_limit();

	if (given <= DESCRIPTOR_RESERVE)
		return error_set(error, ERROR_IO, "RLIMIT_NOFILE is %zu, which leaves no connection; %zu are wanted", given,
				 wanted);
	*ret_limit = given < wanted ? (unsigned)(given - DESCRIPTOR_RESERVE) : CONNECTION_LIMIT;
	if (given < wanted)
		log_warning("few_descriptors", "limit=%zu wanted=%zu connections=%u", given, wanted, *ret_limit);
	return true;
}

/* Everything that opens a file on first use: the sandbox allows no open. */
static bool prepare_libraries(struct error *error)
{
	int result = gnutls_global_init();

	if (result != 0)
		return error_set(error, ERROR_CRYPTO, "GnuTLS: %s", gnutls_strerror(result));
	if (signal(SIGPIPE, SIG_IGN) == SIG_ERR)
		return error_set_errno(error, ERROR_IO, "signal");
	json_object_seed(0);
	tzset();
	return true;
}

/* Its JSON is all gone again before the API bounds the memory of what is to come. */
static bool make_client_rules(struct frontend *frontend, struct error *error)
{
	const struct client_settings *clients = &frontend->configuration.clients;

	if (!client_settings_require_certificate(clients))
		return true;
	frontend->client_rules = client_rules_new(buffer_view(&clients->ca_pem), clients->known, error);
	return frontend->client_rules || error_prefix(error, "measured configuration");
}

static void on_drain(void *context)
{
	struct frontend *frontend = context;

	log_info("draining", "%s", "");
	api_drain(frontend->api);
	if (frontend->server)
		http_server_drain(frontend->server);
}

static bool prepare(struct frontend *frontend, struct error *error)
{
	int cpus = get_nprocs();
	struct message_start start;

	if (!role_begin("frontend", SECRET_HEAP_SIZE_DEFAULT, &start, error) ||
	    !plan_connections(&frontend->connection_limit, error) || !prepare_libraries(error) ||
	    !role_read_configuration(&frontend->configuration, error) || !make_client_rules(frontend, error))
		return false;
	frontend->threads = cpus < THREADS_MIN ? THREADS_MIN : cpus > THREADS_MAX ? THREADS_MAX : (unsigned)cpus;
	frontend->keeper =
		keeper_client_new(&(struct keeper_client_options){.fd = ROLE_FD_KEEPER,
								  .capacity = frontend->connection_limit + API_BATCH_REQUESTS_MAX,
								  .deadline_ms = KEEPER_DEADLINE_MS},
				  error);
	if (!frontend->keeper)
		return false;
	frontend->control = control_client_new(ROLE_FD_CONTROL, error);
	frontend->attester = frontend->control ? attester_client_new(ROLE_FD_ATTESTER, error) : NULL;
	if (!frontend->attester)
		return false;
	frontend->api = api_new(&(struct api_options){.network = &start.network,
						      .slashing_protection = start.slashing_protection != 0,
						      .policy = &frontend->configuration.policy,
						      .key_manager = &frontend->configuration.key_manager,
						      .keeper = frontend->keeper,
						      .control = frontend->control,
						      .attester = frontend->attester});
	control_client_on_drain(frontend->control, on_drain, frontend);
	return sandbox_enter(SANDBOX_FRONTEND, error) && role_ready(error);
}

/* ---- what the opener says ---- */

static bool start_server(struct frontend *frontend, struct view key, struct view chain, struct error *error)
{
	struct http_server_options options = {
		.listen_fd = ROLE_FD_LISTEN,
		.threads = frontend->threads,
		.connection_limit = frontend->connection_limit,
		.idle_timeout_ms = IDLE_TIMEOUT_MS,
		.request_deadline_ms = REQUEST_DEADLINE_MS,
		.body_budget = BODY_BUDGET_SIZE,
		.answer_budget = ANSWER_BUDGET_SIZE,
		.tls_key = key,
		.tls_chain = chain,
		.client_rules = frontend->client_rules,
		.hosts = &frontend->configuration.clients,
	};

	api_fill_options(frontend->api, &options);
	frontend->server = http_server_new(&options, error);
	if (frontend->server)
		log_info("serving", "threads=%u connections=%u", frontend->threads, frontend->connection_limit);
	return frontend->server != NULL;
}

/* The first one starts the server; a later one takes its place there, and where it is no good the old one stays. */
static bool handle_tls_identity(struct frontend *frontend, const union message *message, struct error *error)
{
	struct view key = view_of(message->tls_identity.key, message->tls_identity.key_size);
	struct view chain = view_of(message->tls_identity.chain, message->tls_identity.chain_size);
	bool is_first = !frontend->server;
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	struct message_tls_result result;
	struct error reason;

	message_init(&result, MESSAGE_TLS_RESULT, message->header.id);
	result.ok = certificate_facts_read(chain, &facts, &reason) &&
		    (is_first ? start_server(frontend, key, chain, &reason)
			      : http_server_set_identity(frontend->server, key, chain, &reason));
	if (result.ok)
		api_set_tls_digest(frontend->api, facts.public_key_sha256);
	if (!result.ok)
		log_failure(LOG_LEVEL_WARNING, "tls_identity_refused", &reason);
	if (result.ok && !is_first)
		log_info("tls_identity_changed", "%s", "");
	return message_send(ROLE_FD_OPENER, &result, error);
}

static bool handle_known_clients(struct frontend *frontend, const union message *message, struct error *error)
{
	const struct message_known_clients *list = &message->known_clients;
	struct error reason;

	(void)error;
	if (!frontend->configuration.clients.known)
		log_warning("known_clients_ignored", "reason=\"the measured configuration has no list of clients\"");
	else if (client_rules_set_known(frontend->client_rules, list, &reason))
		log_info("known_clients", "count=%llu serial=%llu", (unsigned long long)list->count,
			 (unsigned long long)list->serial);
	else
		log_failure(LOG_LEVEL_WARNING, "known_clients_refused", &reason);
	return true;
}

/*
 * Everything that the opener may send. A handler answers on the same socket where there is an answer; false when that cannot be
 * sent, since then the opener is gone, which is its own affair.
 */
static const struct opener_message {
	uint32_t type;
	bool (*handle)(struct frontend *frontend, const union message *message, struct error *error);
} opener_messages[] = {
	{MESSAGE_TLS_IDENTITY, handle_tls_identity},
	{MESSAGE_KNOWN_CLIENTS, handle_known_clients},
};

/* One message, which may hold a private key: it is received into protected memory and wiped there. */
static bool handle_opener(struct frontend *frontend, bool *ret_closed, struct error *error)
{
	AUTO_SECRET struct secret memory = {0};
	const union message *message;

	if (!secret_init(&memory, sizeof *message, error) ||
	    !message_receive(ROLE_FD_OPENER, memory.data, memory.size, ret_closed, error))
		return false;
	message = (const union message *)(const void *)memory.data;
	for (size_t i = 0; i < ARRAY_SIZE(opener_messages); i++) {
		if (opener_messages[i].type != message->header.type)
			continue;
		*ret_closed = !opener_messages[i].handle(frontend, message, error);
		return !*ret_closed;
	}
	return error_set(error, ERROR_PEER, "message of type %u from the opener", message->header.type);
}

/* Until init or the keeper is gone, or a wall is broken. */
static bool serve(struct frontend *frontend, struct error *error)
{
	struct pollfd fds[] = {{ROLE_FD_INIT, POLLIN, 0},
			       {ROLE_FD_KEEPER, 0, 0},
			       {ROLE_FD_OPENER, POLLIN, 0},
			       {ROLE_FD_CONTROL, POLLIN, 0},
			       {ROLE_FD_ATTESTER, POLLIN, 0}};
	bool closed = false;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return error_set_errno(error, ERROR_IO, "poll");
		}
		if (fds[0].revents)
			return error_set(error, ERROR_PEER, "init is gone");
		if (fds[1].revents)
			return error_set(error, ERROR_PEER, "the keeper is gone");
		if (fds[3].revents && !control_client_receive(frontend->control, error))
			return false;
		if (fds[4].revents && !attester_client_receive(frontend->attester, error))
			return false;
		if (!fds[2].revents || handle_opener(frontend, &closed, error))
			continue;
		/* Its work may be done; a new one, if any, has the same socket from init. */
		if (!closed)
			return error_prefix(error, "opener");
		fds[2].fd = -1;
	}
}

int frontend_main(int argc, char **argv)
{
	struct frontend frontend = {0};
	struct error error;

	(void)argc;
	(void)argv;
	if (prepare(&frontend, &error))
		(void)serve(&frontend, &error);
	/* The server cannot be stopped while calls wait for an answer. */
	if (frontend.keeper)
		keeper_client_close(frontend.keeper);
	if (frontend.control)
		control_client_close(frontend.control);
	if (frontend.attester)
		attester_client_close(frontend.attester);
	http_server_free(frontend.server);
	api_free(frontend.api);
	keeper_client_free(frontend.keeper);
	control_client_free(frontend.control);
	attester_client_free(frontend.attester);
	client_rules_free(frontend.client_rules);
	configuration_done(&frontend.configuration);
	return role_failed(&error);
}
