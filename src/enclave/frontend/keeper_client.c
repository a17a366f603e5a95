/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/keeper_client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/queue.h>

#include "base/clock.h"
#include "enclave/lane.h"

/* How late a time-out may be noticed; a wake-up a second costs nothing. */
#define TICK_MAX_MS 1000

/* An id is generation << 16 | place, so an answer that comes after its time-out finds a slot with another id. */
#define SLOT_BITS 16

struct slot {
	uint64_t id;
	uint32_t answer_type;
	bool is_under_way;
	keeper_answer *answer;
	void *context;
	uint64_t deadline_ms;
	TAILQ_ENTRY(slot) link;        /* in `free` or, oldest first, in `under_way` */
	TAILQ_ENTRY(slot) unsent_link; /* in its lane of `unsent` while is_unsent */
	enum lane lane;
	bool is_unsent;
	union {
		struct message_header header;
		struct message_sign sign;
		struct message_list_keys list_keys;
		struct message_health health;
		struct message_history history;
	} unsent;
};

TAILQ_HEAD(slot_list, slot);

struct keeper_client {
	int fd;
	int wake_fd;
	unsigned deadline_ms;
	size_t capacity;
	struct slot *slots;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock; /* everything below */
	struct slot_list free;
	struct slot_list under_way;
	struct slot_list unsent[LANE_COUNT]; /* the first one goes first: the keeper sees to it that none starves */
	bool is_closing;
	bool is_gone; /* nothing can be sent any more; `gone` says why */
	struct error gone;
};

static uint32_t answer_type_of(uint32_t request_type)
{
	static const uint32_t answers[MESSAGE_TYPE_COUNT] = {
		[MESSAGE_SIGN] = MESSAGE_SIGN_RESULT,
		[MESSAGE_LIST_KEYS] = MESSAGE_KEYS,
		[MESSAGE_HEALTH] = MESSAGE_HEALTH_RESULT,
		[MESSAGE_HISTORY] = MESSAGE_HISTORY_RESULT,
	};

	return request_type < MESSAGE_TYPE_COUNT ? answers[request_type] : 0;
}

/* ---- slots; the lock is held ---- */

static void release(struct keeper_client *client, struct slot *slot)
{
	if (slot->is_unsent)
		TAILQ_REMOVE(&client->unsent[slot->lane], slot, unsent_link);
	slot->is_unsent = false;
	TAILQ_REMOVE(&client->under_way, slot, link);
	slot->is_under_way = false;
	TAILQ_INSERT_HEAD(&client->free, slot, link);
}

static struct slot *take(struct keeper_client *client, uint32_t answer_type, keeper_answer *answer, void *context)
{
	struct slot *slot = TAILQ_FIRST(&client->free);

	if (!slot)
		return NULL;
	TAILQ_REMOVE(&client->free, slot, link);
	slot->id += UINT64_C(1) << SLOT_BITS;
	slot->answer_type = answer_type;
	slot->answer = answer;
	slot->context = context;
	slot->deadline_ms = clock_monotonic_ms() + client->deadline_ms;
	slot->is_under_way = true;
	TAILQ_INSERT_TAIL(&client->under_way, slot, link);
	return slot;
}

static struct slot *find(struct keeper_client *client, uint64_t id)
{
	size_t place = id & ((UINT64_C(1) << SLOT_BITS) - 1);

	if (place >= client->capacity)
		return NULL;
	return client->slots[place].is_under_way && client->slots[place].id == id ? &client->slots[place] : NULL;
}

/* The most urgent of what waits for the socket, the oldest of its lane; NULL: nothing waits. */
static struct slot *first_unsent(const struct keeper_client *client)
{
	for (size_t lane = 0; lane < LANE_COUNT; lane++) {
		struct slot *slot = TAILQ_FIRST(&client->unsent[lane]);

		if (slot)
			return slot;
	}
	return NULL;
}

static enum lane lane_of(const void *message)
{
	const struct message_header *header = (const struct message_header *)message;

	return header->type == MESSAGE_SIGN ? lane_of_artifact(((const struct message_sign *)message)->artifact_type) : LANE_REST;
}

/* True: sent or queued. */
static bool send_or_queue(struct keeper_client *client, struct slot *slot, const void *message, struct error *error)
{
	if (!first_unsent(client)) {
		errno = 0;
		if (message_send(client->fd, message, error))
			return true;
		if (errno != EAGAIN)
			return false;
	}
	memcpy(&slot->unsent, message, message_size(((const struct message_header *)message)->type));
	slot->lane = lane_of(message);
	slot->is_unsent = true;
	TAILQ_INSERT_TAIL(&client->unsent[slot->lane], slot, unsent_link);
	return true;
}

static void wake(struct keeper_client *client)
{
	const uint64_t one = 1;
	ssize_t written = write(client->wake_fd, &one, sizeof one);

	(void)written; /* fails only when the counter is full, and then the thread is awake */
}

bool keeper_client_send(struct keeper_client *client, void *message, keeper_answer *answer, void *context, struct error *error)
{
	struct message_header *header = (struct message_header *)message;
	uint32_t answer_type = answer_type_of(header->type);
	struct slot *slot;
	bool sent;
	bool queued;

	if (answer_type == 0)
		return error_set(error, ERROR_BUG, "message of type %u is no request", header->type);
	(void)pthread_mutex_lock(&client->lock);
	if (client->is_gone) {
		if (error)
			*error = client->gone;
		(void)pthread_mutex_unlock(&client->lock);
		return false;
	}
	slot = take(client, answer_type, answer, context);
	if (!slot) {
		(void)pthread_mutex_unlock(&client->lock);
		return error_set(error, ERROR_PEER, "too many requests wait for the keeper (%zu)", client->capacity);
	}
	header->id = slot->id;
	sent = send_or_queue(client, slot, message, error);
	queued = sent && slot->is_unsent;
	if (!sent)
		release(client, slot);
	(void)pthread_mutex_unlock(&client->lock);
	if (queued)
		wake(client);
	return sent;
}

/* ---- the thread ---- */

/* Nothing can be sent from here on. */
static void set_gone(struct keeper_client *client, const struct error *error)
{
	(void)pthread_mutex_lock(&client->lock);
	if (!client->is_gone)
		client->gone = *error;
	client->is_gone = true;
	(void)pthread_mutex_unlock(&client->lock);
}

/* Answer the oldest request with `error` when its time is up by now_ms. False: there is none. */
static bool fail_oldest(struct keeper_client *client, uint64_t now_ms, const struct error *error)
{
	keeper_answer *answer = NULL;
	void *context = NULL;
	struct slot *slot;

	(void)pthread_mutex_lock(&client->lock);
	slot = TAILQ_FIRST(&client->under_way);
	if (slot && slot->deadline_ms <= now_ms) {
		answer = slot->answer;
		context = slot->context;
		release(client, slot);
	}
	(void)pthread_mutex_unlock(&client->lock);
	if (!answer)
		return false;
	answer(context, NULL, error);
	return true;
}

static void fail_late(struct keeper_client *client)
{
	uint64_t now_ms = clock_monotonic_ms();
	struct error error;

	(void)error_set(&error, ERROR_PEER, "the keeper did not answer within %u ms", client->deadline_ms);
	while (fail_oldest(client, now_ms, &error))
		;
}

static bool deliver(struct keeper_client *client, const union message *message, struct error *error)
{
	keeper_answer *answer = NULL;
	void *context = NULL;
	bool fits = true;
	struct slot *slot;

	(void)pthread_mutex_lock(&client->lock);
	slot = find(client, message->header.id);
	if (slot)
		fits = slot->answer_type == message->header.type;
	if (slot && fits) {
		answer = slot->answer;
		context = slot->context;
		release(client, slot);
	}
	(void)pthread_mutex_unlock(&client->lock);
	if (!fits)
		return error_set(error, ERROR_PEER, "the keeper answered with a message of type %u", message->header.type);
	if (answer)
		answer(context, message, NULL);
	return true;
}

/* Hand out what is there. False: the keeper is gone or talks nonsense. */
static bool receive_all(struct keeper_client *client, struct error *error)
{
	union message message;

	while (message_receive(client->fd, &message, sizeof message, NULL, error))
		if (!deliver(client, &message, error))
			return false;
	if (error->code == ERROR_NONE)
		return true;
	return error_prefix(error, "keeper");
}

/* Send what the socket did not take before, in order of urgency. */
static bool send_queued(struct keeper_client *client, struct error *error)
{
	bool alive = true;
	struct slot *slot;

	(void)pthread_mutex_lock(&client->lock);
	while (alive && (slot = first_unsent(client))) {
		errno = 0;
		if (!message_send(client->fd, &slot->unsent, error)) {
			alive = errno == EAGAIN;
			break;
		}
		TAILQ_REMOVE(&client->unsent[slot->lane], slot, unsent_link);
		slot->is_unsent = false;
	}
	(void)pthread_mutex_unlock(&client->lock);
	return alive;
}

/* Wait for something to do. False: the client is being closed. */
static bool wait_for_work(struct keeper_client *client)
{
	unsigned tick_ms = client->deadline_ms / 4 < TICK_MAX_MS ? client->deadline_ms / 4 + 1 : TICK_MAX_MS;
	struct pollfd fds[] = {{.fd = client->fd, .events = POLLIN}, {.fd = client->wake_fd, .events = POLLIN}};
	uint64_t count;
	bool is_closing;

	(void)pthread_mutex_lock(&client->lock);
	if (first_unsent(client))
		fds[0].events |= POLLOUT;
	(void)pthread_mutex_unlock(&client->lock);
	(void)poll(fds, ARRAY_SIZE(fds), (int)tick_ms);
	if (fds[1].revents & POLLIN && read(client->wake_fd, &count, sizeof count) < 0)
		return true; /* somebody else's wake-up */
	(void)pthread_mutex_lock(&client->lock);
	is_closing = client->is_closing;
	(void)pthread_mutex_unlock(&client->lock);
	return !is_closing;
}

static void *client_thread(void *context)
{
	struct keeper_client *client = (struct keeper_client *)context;
	struct error error = {.code = ERROR_PEER, .message = "the signer is shutting down"};

	while (wait_for_work(client)) {
		struct error failure;

		if (!receive_all(client, &failure) || !send_queued(client, &failure)) {
			error = failure;
			break;
		}
		fail_late(client);
	}
	set_gone(client, &error);
	while (fail_oldest(client, UINT64_MAX, &error))
		;
	return NULL;
}

/* ---- life ---- */

static bool start(struct keeper_client *client, struct error *error)
{
	int flags = fcntl(client->fd, F_GETFL);

	if (flags < 0 || fcntl(client->fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return error_set_errno(error, ERROR_IO, "the keeper's socket");
	client->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (client->wake_fd < 0)
		return error_set_errno(error, ERROR_IO, "eventfd");
	errno = pthread_create(&client->thread, NULL, client_thread, client);
	if (errno != 0)
		return error_set_errno(error, ERROR_IO, "cannot start the keeper client's thread");
	client->has_thread = true;
	return true;
}

struct keeper_client *keeper_client_new(const struct keeper_client_options *options, struct error *error)
{
	struct keeper_client *client;

	if (options->capacity == 0 || options->capacity > KEEPER_CLIENT_CAPACITY_MAX)
		return error_set(error, ERROR_BUG, "a keeper client for %zu requests", options->capacity), NULL;
	client = (struct keeper_client *)memory_allocate_zeroed(1, sizeof *client);
	client->fd = options->fd;
	client->wake_fd = -1;
	client->deadline_ms = options->deadline_ms;
	client->capacity = options->capacity;
	client->slots = (struct slot *)memory_allocate_zeroed(options->capacity, sizeof *client->slots);
	(void)pthread_mutex_init(&client->lock, NULL);
	TAILQ_INIT(&client->free);
	TAILQ_INIT(&client->under_way);
	for (size_t lane = 0; lane < LANE_COUNT; lane++)
		TAILQ_INIT(&client->unsent[lane]);
	for (size_t i = 0; i < options->capacity; i++) {
		client->slots[i].id = i;
		TAILQ_INSERT_TAIL(&client->free, &client->slots[i], link);
	}
	if (start(client, error))
		return client;
	keeper_client_free(client);
	return NULL;
}

void keeper_client_close(struct keeper_client *client)
{
	if (!client->has_thread)
		return;
	(void)pthread_mutex_lock(&client->lock);
	client->is_closing = true;
	(void)pthread_mutex_unlock(&client->lock);
	wake(client);
	(void)pthread_join(client->thread, NULL);
	client->has_thread = false;
}

void keeper_client_free(struct keeper_client *client)
{
	if (!client)
		return;
	keeper_client_close(client);
	if (client->wake_fd >= 0)
		(void)close(client->wake_fd);
	(void)pthread_mutex_destroy(&client->lock);
	free(client->slots);
	free(client);
}
