/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/http_connections.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/clock.h"

struct http_connection {
	int fd;
	_Atomic uint64_t deadline_ms; /* monotonic; UINT64_MAX: none */
	TAILQ_ENTRY(http_connection) link;
};

struct http_connections {
	unsigned limit;
	unsigned tick_ms;
	atomic_uint count; /* written under the lock, read without */
	pthread_t thread;
	bool has_thread;
	pthread_mutex_t lock; /* everything below */
	pthread_cond_t stop;
	bool is_stopping;
	TAILQ_HEAD(, http_connection) list;
};

static struct timespec after_ms(unsigned duration_ms)
{
	struct timespec when;

	(void)clock_gettime(CLOCK_MONOTONIC, &when);
	when.tv_sec += duration_ms / 1000;
	when.tv_nsec += (long)(duration_ms % 1000) * 1000000;
	if (when.tv_nsec >= 1000000000) {
		when.tv_nsec -= 1000000000;
		when.tv_sec++;
	}
	return when;
}

/*
 * The server's own thread sees the end of the stream and closes; here the socket is only shut down, under the lock, while it is
 * open.
 */
static void shut_down_late(struct http_connections *connections)
{
	uint64_t now_ms = clock_monotonic_ms();
	struct http_connection *connection;

	TAILQ_FOREACH(connection, &connections->list, link)
	{
		if (atomic_load_explicit(&connection->deadline_ms, memory_order_relaxed) > now_ms)
			continue;
		atomic_store_explicit(&connection->deadline_ms, UINT64_MAX, memory_order_relaxed);
		(void)shutdown(connection->fd, SHUT_RDWR);
	}
}

static void *watch(void *context)
{
	struct http_connections *connections = (struct http_connections *)context;

	(void)pthread_mutex_lock(&connections->lock);
	while (!connections->is_stopping) {
		struct timespec tick = after_ms(connections->tick_ms);

		(void)pthread_cond_timedwait(&connections->stop, &connections->lock, &tick);
		shut_down_late(connections);
	}
	(void)pthread_mutex_unlock(&connections->lock);
	return NULL;
}

struct http_connections *http_connections_new(unsigned limit, unsigned tick_ms, struct error *error)
{
	struct http_connections *connections = (struct http_connections *)memory_allocate_zeroed(1, sizeof *connections);
	pthread_condattr_t attributes;

	connections->limit = limit;
	connections->tick_ms = tick_ms;
	TAILQ_INIT(&connections->list);
	(void)pthread_mutex_init(&connections->lock, NULL);
	(void)pthread_condattr_init(&attributes);
	(void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&connections->stop, &attributes);
	(void)pthread_condattr_destroy(&attributes);
	errno = pthread_create(&connections->thread, NULL, watch, connections);
	connections->has_thread = errno == 0;
	if (connections->has_thread)
		return connections;
	(void)error_set_errno(error, ERROR_IO, "cannot start the thread that watches connections");
	http_connections_free(connections);
	return NULL;
}

void http_connections_free(struct http_connections *connections)
{
	if (!connections)
		return;
	(void)pthread_mutex_lock(&connections->lock);
	connections->is_stopping = true;
	(void)pthread_cond_signal(&connections->stop);
	(void)pthread_mutex_unlock(&connections->lock);
	if (connections->has_thread)
		(void)pthread_join(connections->thread, NULL);
	(void)pthread_cond_destroy(&connections->stop);
	(void)pthread_mutex_destroy(&connections->lock);
	free(connections);
}

bool http_connections_have_room(const struct http_connections *connections)
{
	return atomic_load_explicit(&connections->count, memory_order_relaxed) < connections->limit;
}

struct http_connection *http_connections_add(struct http_connections *connections, int fd, unsigned deadline_ms)
{
	struct http_connection *connection = (struct http_connection *)memory_allocate_zeroed(1, sizeof *connection);

	connection->fd = fd;
	http_connection_set_deadline(connection, deadline_ms);
	(void)pthread_mutex_lock(&connections->lock);
	TAILQ_INSERT_TAIL(&connections->list, connection, link);
	(void)atomic_fetch_add_explicit(&connections->count, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&connections->lock);
	return connection;
}

void http_connections_remove(struct http_connections *connections, struct http_connection *connection)
{
	(void)pthread_mutex_lock(&connections->lock);
	TAILQ_REMOVE(&connections->list, connection, link);
	(void)atomic_fetch_sub_explicit(&connections->count, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&connections->lock);
	free(connection);
}

void http_connection_set_deadline(struct http_connection *connection, unsigned deadline_ms)
{
	atomic_store_explicit(&connection->deadline_ms, clock_monotonic_ms() + deadline_ms, memory_order_relaxed);
}

void http_connection_clear_deadline(struct http_connection *connection)
{
	atomic_store_explicit(&connection->deadline_ms, UINT64_MAX, memory_order_relaxed);
}
