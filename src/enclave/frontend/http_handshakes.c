/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/http_handshakes.h"

#include <errno.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/bytes.h"
#include "base/cleanup.h"

#define EVENTS_PER_TURN 64
/* The table of descriptors grows by so many at a time. */
#define DESCRIPTORS_PER_STEP 1024u

struct place {
	struct MHD_Connection *mhd; /* NULL: this descriptor's does not wait */
};

struct http_handshakes {
	int epoll_fd;
	int wake_fd;
	pthread_t thread;
	bool has_thread;

	/* Held while a connection is suspended or resumed, so that neither can come between the other and the table. */
	pthread_mutex_t lock;
	bool is_closing;
	struct place *places; /* by descriptor */
	size_t place_count;
};

/* ---- the table; the lock is held ---- */

static bool make_room(struct http_handshakes *handshakes, int fd)
{
	size_t size = ((size_t)fd / DESCRIPTORS_PER_STEP + 1) * DESCRIPTORS_PER_STEP;
	struct place *grown;

	if ((size_t)fd < handshakes->place_count)
		return true;
	grown = (struct place *)realloc(handshakes->places, size * sizeof *grown);
	if (!grown)
		return false;
	memset(grown + handshakes->place_count, 0, (size - handshakes->place_count) * sizeof *grown);
	handshakes->places = grown;
	handshakes->place_count = size;
	return true;
}

static bool is_waiting(const struct http_handshakes *handshakes, size_t fd)
{
	return fd < handshakes->place_count && handshakes->places[fd].mhd;
}

static void resume(struct http_handshakes *handshakes, size_t fd)
{
	if (!is_waiting(handshakes, fd))
		return;
	MHD_resume_connection(handshakes->places[fd].mhd);
	handshakes->places[fd].mhd = NULL;
}

/* Once; and once more, if the descriptor is there already. */
static bool watch(const struct http_handshakes *handshakes, int fd)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT, .data.fd = fd};

	if (epoll_ctl(handshakes->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0)
		return true;
	return errno == EEXIST && epoll_ctl(handshakes->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0;
}

/* ---- the thread ---- */

/* An event may be of a descriptor that was closed and made anew since: then that one looks once for nothing. */
static void *wait_for_bytes(void *argument)
{
	struct http_handshakes *handshakes = (struct http_handshakes *)argument;
	struct epoll_event events[EVENTS_PER_TURN];
	bool is_closing = false;

	while (!is_closing) {
		int count = epoll_wait(handshakes->epoll_fd, events, EVENTS_PER_TURN, -1);

		(void)pthread_mutex_lock(&handshakes->lock);
		for (int i = 0; i < count; i++)
			resume(handshakes, (size_t)events[i].data.fd);
		is_closing = handshakes->is_closing;
		(void)pthread_mutex_unlock(&handshakes->lock);
	}
	return NULL;
}

static bool start(struct http_handshakes *handshakes, struct error *error)
{
	struct epoll_event event = {.events = EPOLLIN};

	handshakes->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (handshakes->epoll_fd < 0)
		return error_set_errno(error, ERROR_IO, "epoll");
	handshakes->wake_fd = event.data.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (handshakes->wake_fd < 0 || epoll_ctl(handshakes->epoll_fd, EPOLL_CTL_ADD, handshakes->wake_fd, &event) != 0)
		return error_set_errno(error, ERROR_IO, "eventfd");
	errno = pthread_create(&handshakes->thread, NULL, wait_for_bytes, handshakes);
	if (errno != 0)
		return error_set_errno(error, ERROR_IO, "cannot start the thread that waits for handshakes");
	handshakes->has_thread = true;
	return true;
}

/* ---- life ---- */

struct http_handshakes *http_handshakes_new(struct error *error)
{
	struct http_handshakes *handshakes = (struct http_handshakes *)memory_allocate_zeroed(1, sizeof *handshakes);

	handshakes->epoll_fd = handshakes->wake_fd = -1;
	(void)pthread_mutex_init(&handshakes->lock, NULL);
	if (start(handshakes, error))
		return handshakes;
	http_handshakes_free(handshakes);
	return NULL;
}

void http_handshakes_close(struct http_handshakes *handshakes)
{
	const uint64_t one = 1;
	ssize_t written;

	(void)pthread_mutex_lock(&handshakes->lock);
	handshakes->is_closing = true;
	for (size_t fd = 0; fd < handshakes->place_count; fd++)
		resume(handshakes, fd);
	(void)pthread_mutex_unlock(&handshakes->lock);
	written = write(handshakes->wake_fd, &one, sizeof one);
	(void)written; /* fails only when the counter is full, and then the thread is awake */
	if (handshakes->has_thread)
		(void)pthread_join(handshakes->thread, NULL);
	handshakes->has_thread = false;
}

void http_handshakes_free(struct http_handshakes *handshakes)
{
	if (!handshakes)
		return;
	if (handshakes->has_thread)
		http_handshakes_close(handshakes);
	if (handshakes->wake_fd >= 0)
		(void)close(handshakes->wake_fd);
	if (handshakes->epoll_fd >= 0)
		(void)close(handshakes->epoll_fd);
	(void)pthread_mutex_destroy(&handshakes->lock);
	free(handshakes->places);
	free(handshakes);
}

/* Watched after it is suspended: what came in between is told at once. What cannot be watched goes on trying, as it would without us. */
void http_handshakes_wait(struct http_handshakes *handshakes, struct MHD_Connection *mhd, int fd)
{
	(void)pthread_mutex_lock(&handshakes->lock);
	if (!handshakes->is_closing && make_room(handshakes, fd) && !is_waiting(handshakes, (size_t)fd)) {
		MHD_suspend_connection(mhd);
		handshakes->places[fd].mhd = mhd;
		if (!watch(handshakes, fd))
			resume(handshakes, (size_t)fd);
	}
	(void)pthread_mutex_unlock(&handshakes->lock);
}

void http_handshakes_forget(struct http_handshakes *handshakes, int fd)
{
	(void)pthread_mutex_lock(&handshakes->lock);
	if ((size_t)fd < handshakes->place_count)
		handshakes->places[fd].mhd = NULL;
	(void)pthread_mutex_unlock(&handshakes->lock);
	(void)epoll_ctl(handshakes->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}
