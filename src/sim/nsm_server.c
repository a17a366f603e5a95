/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm_server.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "image/machine_image.h"
#include "net/frame.h"
#include "sim/nsm_session.h"
#include "sim/peer_measurement.h"

/* A frame that has begun comes at once over a unix socket; waiting for the next one has no limit: enclaves run for months. */
#define FRAME_TIMEOUT_MS 5000
#define LISTEN_BACKLOG 16
/* When accept() fails (no descriptors left), do not spin. */
#define ACCEPT_RETRY_MS 100
/* Nine measurements at most. */
#define IMAGE_FILE_MAX_SIZE 4096

struct slot {
	struct nsm_server *server;
	pthread_t thread;
	bool started;         /* there is a thread to join; the accepting thread's business, as all but `finished` */
	atomic_bool finished; /* the thread's last word */
	int fd;               /* the connection, closed by its thread */
};

struct nsm_server {
	struct authority *authority;
	char *instance_id;
	char *machine_folder; /* NULL: clients are processes */
	char *images_folder;
	uint8_t pcr3[NSM_PCR_SIZE];
	uint8_t pcr4[NSM_PCR_SIZE];
	int listener;
	int stop_event; /* readable for everybody once the server shall stop */
	pthread_t accept_thread;
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

static bool read_pcr(json_t *object, const char *name, uint8_t ret_pcr[NSM_PCR_SIZE], struct error *error)
{
	const char *text;

	if (!json_read_text(object, name, &text, error))
		return false;
	return hex_decode(view_of_text(text), ret_pcr, NSM_PCR_SIZE) ||
	       error_set(error, ERROR_INPUT, "%s: not 96 hex digits", name);
}

/* The image that this process stands in for, if it does for one. */
static bool find_image(const struct nsm_server *server, struct measurement *measurement, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_FREE char *path = NULL;
	AUTO_JSON json_t *object = NULL;
	char pcr0[NSM_PCR_TEXT_SIZE];

	if (!server->images_folder)
		return true;
	hex_encode(view_of(measurement->pcr0, NSM_PCR_SIZE), pcr0);
	path = memory_format("%s/%s.json", server->images_folder, pcr0);
	if (!file_exists(path))
		return true;
	if (!file_read(path, IMAGE_FILE_MAX_SIZE, &text, error))
		return false;
	object = json_parse_object(buffer_view(&text), path, error);
	return object &&
	       ((read_pcr(object, "PCR0", measurement->pcr0, error) && read_pcr(object, "PCR1", measurement->pcr1, error) &&
		 read_pcr(object, "PCR2", measurement->pcr2, error)) ||
		error_prefix(error, "%s", path));
}

static bool measure_client(const struct nsm_server *server, int fd, struct peer_process *ret_process,
			   struct measurement *ret_measurement, uint8_t ret_pcr8[NSM_PCR_SIZE], struct error *error)
{
	AUTO_MACHINE_IMAGE struct machine_image image = {0};

	if (!server->machine_folder) {
		memset(ret_pcr8, 0, NSM_PCR_SIZE);
		return peer_measure(fd, ret_process, ret_measurement, error) && find_image(server, ret_measurement, error);
	}
	return peer_identify(fd, ret_process, error) && machine_image_read(server->machine_folder, &image, error) &&
	       machine_image_measure(&image, clock_realtime_ms(), ret_measurement, ret_pcr8, error);
}

static bool session_open(struct nsm_server *server, int fd, struct nsm_session *ret_session, struct error *error)
{
	struct measurement measurement;
	struct peer_process process;
	uint8_t pcr8[NSM_PCR_SIZE];
	char module_id[ATTESTATION_MODULE_ID_SIZE];
	char pcr0[NSM_PCR_TEXT_SIZE];

	if (!measure_client(server, fd, &process, &measurement, pcr8, error))
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
	memcpy(ret_session->pcrs[8], pcr8, NSM_PCR_SIZE);
	hex_encode(view_of(measurement.pcr0, NSM_PCR_SIZE), pcr0);
	log_info("nsm_client_measured", "pid=%d module_id=%s pcr0=%s", (int)process.pid, module_id, pcr0);
	return true;
}

static void client_serve(struct nsm_server *server, int fd)
{
	struct nsm_session session;
	struct error error = {0};
	bool closed = false;

	if (!session_open(server, fd, &session, &error)) {
		log_failure(LOG_LEVEL_WARNING, "nsm_client_refused", &error);
		return;
	}
	while (wait_readable(server, fd)) {
		AUTO_BUFFER struct buffer request = {0};
		AUTO_BUFFER struct buffer response = {0};

		if (!frame_read(fd, NSM_REQUEST_MAX_SIZE, FRAME_TIMEOUT_MS, &request, &closed, &error)) {
			if (!closed)
				log_failure(LOG_LEVEL_WARNING, "nsm_request_unreadable", &error);
			return;
		}
		if (nsm_session_answer(&session, buffer_view(&request), &response, &error) != NSM_SUCCESS)
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

	client_serve(slot->server, slot->fd);
	(void)close(slot->fd);
	atomic_store(&slot->finished, true);
	return NULL;
}

/* A slot for a new connection, NULL when all are busy. */
static struct slot *slot_take(struct nsm_server *server)
{
	for (size_t i = 0; i < NSM_SERVER_CONNECTIONS_MAX; i++) {
		struct slot *slot = &server->slots[i];

		if (slot->started && !atomic_load(&slot->finished))
			continue;
		if (slot->started)
			(void)pthread_join(slot->thread, NULL);
		slot->started = false;
		return slot;
	}
	return NULL;
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
	slot->server = server;
	slot->fd = fd;
	atomic_store(&slot->finished, false);
	slot->started = thread_start(&slot->thread, connection_main, slot);
	if (!slot->started) {
		log_warning("nsm_client_refused", "reason=\"no thread\"");
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
	free(server->instance_id);
	free(server->machine_folder);
	free(server->images_folder);
	free(server);
}

static char *copy_or_null(const char *text)
{
	return text ? memory_copy_text(text) : NULL;
}

bool nsm_server_start(const struct nsm_server_options *options, struct nsm_server **ret_server, struct error *error)
{
	struct nsm_server *server = (struct nsm_server *)memory_allocate_zeroed(1, sizeof *server);
	bool ok;

	server->authority = options->authority;
	server->instance_id = memory_copy_text(options->instance_id);
	server->machine_folder = copy_or_null(options->machine_folder);
	server->images_folder = copy_or_null(options->images_folder);
	if (options->role_arn)
		measurement_extend_text(options->role_arn, server->pcr3);
	measurement_extend_text(options->instance_id, server->pcr4);
	server->stop_event = eventfd(0, EFD_CLOEXEC);
	server->listener = address_listen(&options->address, LISTEN_BACKLOG, error);
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
		if (server->slots[i].started)
			(void)pthread_join(server->slots[i].thread, NULL);
	}
	server_free(server);
}
