/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/log.h"
#include "net/frame.h"
#include "sim/nsm_session.h"
#include "sim/peer_measurement.h"

/* A frame that has begun comes at once over a unix socket; waiting for the next one has no limit: enclaves run for months. */
#define FRAME_TIMEOUT_MS 5000
#define LISTEN_BACKLOG 16
/* When accept() fails (no descriptors left), do not spin. */
#define ACCEPT_RETRY_MS 100

enum slot_state { SLOT_FREE, SLOT_RUNNING, SLOT_FINISHED };

struct slot {
	struct nsm_server *server;
	pthread_t thread;
	enum slot_state state; /* under the server's lock */
	int fd;                /* the thread's */
};

struct nsm_server {
	struct authority *authority;
	char *instance_id;
	uint8_t pcr3[NSM_PCR_SIZE];
	uint8_t pcr4[NSM_PCR_SIZE];
	int listener;
	int stop_event; /* readable for everybody once the server shall stop */
	pthread_t accept_thread;
	pthread_mutex_t lock;
	struct slot slots[NSM_SERVER_CONNECTIONS_MAX];
};

/* True when `fd` is readable (or at its end), false when the server stops. */
static bool wait_readable(const struct nsm_server *server, int fd)
{
	struct pollfd polled[] = {{.fd = server->stop_event, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	for (;;) {
		int ready = poll(polled, ARRAY_SIZE(polled), -1);

		if (ready < 0 && errno != EINTR)
			return false;
		if (ready > 0)
			return polled[0].revents == 0;
	}
}

static bool session_open(struct nsm_server *server, int fd, struct nsm_session *ret_session, struct error *error)
{
	struct measurement measurement;
	struct peer_process process;
	char module_id[ATTESTATION_MODULE_ID_SIZE];
	char pcr0[2 * NSM_PCR_SIZE + 1];

	if (!peer_measure(fd, &process, &measurement, error))
		return false;
	/* One enclave, one module id, however often it connects. */
	(void)snprintf(module_id, sizeof module_id, "%s-enc%08x%08x", server->instance_id, (unsigned)process.pid,
		       (unsigned)process.start_time_ticks);
	nsm_session_init(ret_session, server->authority, module_id);
	memcpy(ret_session->pcrs[0], measurement.pcr0, NSM_PCR_SIZE);
	memcpy(ret_session->pcrs[1], measurement.pcr1, NSM_PCR_SIZE);
	memcpy(ret_session->pcrs[2], measurement.pcr2, NSM_PCR_SIZE);
	memcpy(ret_session->pcrs[3], server->pcr3, NSM_PCR_SIZE);
	memcpy(ret_session->pcrs[4], server->pcr4, NSM_PCR_SIZE);
	hex_encode(view_of(measurement.pcr0, NSM_PCR_SIZE), pcr0);
	log_info("nsm_client_measured", "pid=%d module_id=%s pcr0=%s", (int)process.pid, module_id, pcr0);
	return true;
}

static void session_serve(struct nsm_server *server, int fd, struct nsm_session *session)
{
	struct error error = {0};
	bool closed = false;

	while (wait_readable(server, fd)) {
		AUTO_BUFFER struct buffer request = {0};
		AUTO_BUFFER struct buffer response = {0};

		if (!frame_read(fd, NSM_REQUEST_MAX_SIZE, FRAME_TIMEOUT_MS, &request, &closed, &error)) {
			if (!closed)
				log_failure(LOG_LEVEL_WARNING, "nsm_request_unreadable", &error);
			return;
		}
		if (nsm_session_answer(session, buffer_view(&request), &response, &error) != NSM_SUCCESS)
			log_failure(LOG_LEVEL_WARNING, "nsm_request_refused", &error);
		if (!frame_write(fd, buffer_view(&response), FRAME_TIMEOUT_MS, &error)) {
			log_failure(LOG_LEVEL_WARNING, "nsm_answer_lost", &error);
			return;
		}
	}
}

static void *connection_main(void *context)
{
	struct slot *slot = (struct slot *)context;
	struct nsm_server *server = slot->server;
	struct nsm_session session;
	struct error error = {0};

	if (!session_open(server, slot->fd, &session, &error))
		log_failure(LOG_LEVEL_WARNING, "nsm_client_refused", &error);
	else
		session_serve(server, slot->fd, &session);
	(void)close(slot->fd);
	(void)pthread_mutex_lock(&server->lock);
	slot->state = SLOT_FINISHED;
	(void)pthread_mutex_unlock(&server->lock);
	return NULL;
}

/* A slot for a new connection, NULL when all are running. Only the accepting thread takes slots. */
static struct slot *slot_take(struct nsm_server *server)
{
	struct slot *found = NULL;

	(void)pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < NSM_SERVER_CONNECTIONS_MAX && !found; i++) {
		if (server->slots[i].state != SLOT_RUNNING)
			found = &server->slots[i];
	}
	(void)pthread_mutex_unlock(&server->lock);
	if (found && found->state == SLOT_FINISHED)
		(void)pthread_join(found->thread, NULL);
	if (found)
		found->state = SLOT_FREE;
	return found;
}

/* Signals are for the thread of main(). */
static bool thread_start(pthread_t *ret_thread, void *(*main_function)(void *), void *context)
{
	sigset_t all;
	sigset_t before;
	int problem;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	problem = pthread_create(ret_thread, NULL, main_function, context);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	errno = problem;
	return problem == 0;
}

static void connection_start(struct nsm_server *server, int accepted)
{
	AUTO_FD int fd = accepted;
	struct slot *slot = slot_take(server);

	if (!slot) {
		log_warning("nsm_client_refused", "reason=\"%d connections are open\"", NSM_SERVER_CONNECTIONS_MAX);
		return;
	}
	*slot = (struct slot){.server = server, .state = SLOT_RUNNING, .fd = fd};
	if (!thread_start(&slot->thread, connection_main, slot)) {
		log_warning("nsm_client_refused", "reason=\"no thread\"");
		slot->state = SLOT_FREE;
		return;
	}
	(void)take_fd(&fd);
}

static void *accept_main(void *context)
{
	struct nsm_server *server = (struct nsm_server *)context;

	while (wait_readable(server, server->listener)) {
		int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			connection_start(server, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED || errno == EAGAIN)
			continue;
		log_warning("nsm_accept_failed", "errno=%d", errno);
		(void)usleep(ACCEPT_RETRY_MS * 1000);
	}
	return NULL;
}

static void server_free(struct nsm_server *server)
{
	if (server->listener >= 0)
		(void)close(server->listener);
	if (server->stop_event >= 0)
		(void)close(server->stop_event);
	(void)pthread_mutex_destroy(&server->lock);
	free(server->instance_id);
	free(server);
}

bool nsm_server_start(const struct address *address, struct authority *authority, const char *role_arn, const char *instance_id,
		      struct nsm_server **ret_server, struct error *error)
{
	struct nsm_server *server = (struct nsm_server *)memory_allocate_zeroed(1, sizeof *server);
	bool ok;

	server->authority = authority;
	server->instance_id = memory_copy_text(instance_id);
	if (role_arn)
		measurement_extend_text(role_arn, server->pcr3);
	measurement_extend_text(instance_id, server->pcr4);
	if (pthread_mutex_init(&server->lock, NULL) != 0)
		abort();
	server->stop_event = eventfd(0, EFD_CLOEXEC);
	server->listener = address_listen(address, LISTEN_BACKLOG, error);
	ok = server->listener >= 0;
	if (ok && (server->stop_event < 0 || !thread_start(&server->accept_thread, accept_main, server)))
		ok = error_set_errno(error, ERROR_IO, "simulated NSM");
	if (!ok) {
		server_free(server);
		return false;
	}
	*ret_server = server;
	return true;
}

void nsm_server_stop(struct nsm_server *server)
{
	if (!server)
		return;
	(void)eventfd_write(server->stop_event, 1);
	(void)pthread_join(server->accept_thread, NULL);
	for (size_t i = 0; i < NSM_SERVER_CONNECTIONS_MAX; i++) {
		if (server->slots[i].state != SLOT_FREE)
			(void)pthread_join(server->slots[i].thread, NULL);
	}
	server_free(server);
}
