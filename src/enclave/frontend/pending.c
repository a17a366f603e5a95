/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/pending.h"

#include <pthread.h>

struct pending {
	pthread_mutex_t lock; /* what follows */
	uint64_t last_id;
	bool is_closed;
	size_t count;
	struct pending_request requests[];
};

struct pending *pending_new(size_t count)
{
	struct pending *pending =
		(struct pending *)memory_allocate_zeroed(1, sizeof *pending + count * sizeof pending->requests[0]);

	(void)pthread_mutex_init(&pending->lock, NULL);
	pending->count = count;
	return pending;
}

void pending_free(struct pending *pending)
{
	if (!pending)
		return;
	(void)pthread_mutex_destroy(&pending->lock);
	free(pending);
}

uint64_t pending_add(struct pending *pending, pending_answer *answer, void *context)
{
	uint64_t id = 0;

	(void)pthread_mutex_lock(&pending->lock);
	for (size_t i = 0; i < pending->count && id == 0 && !pending->is_closed; i++) {
		if (pending->requests[i].id != 0)
			continue;
		id = ++pending->last_id;
		pending->requests[i] = (struct pending_request){id, answer, context};
	}
	(void)pthread_mutex_unlock(&pending->lock);
	return id;
}

/* `id` 0: any. */
static bool take(struct pending *pending, uint64_t id, struct pending_request *ret_request)
{
	bool found = false;

	(void)pthread_mutex_lock(&pending->lock);
	for (size_t i = 0; i < pending->count && !found; i++) {
		found = pending->requests[i].id != 0 && (id == 0 || pending->requests[i].id == id);
		if (found) {
			*ret_request = pending->requests[i];
			pending->requests[i] = (struct pending_request){0};
		}
	}
	(void)pthread_mutex_unlock(&pending->lock);
	return found;
}

bool pending_take(struct pending *pending, uint64_t id, struct pending_request *ret_request)
{
	return id != 0 && take(pending, id, ret_request);
}

bool pending_take_any(struct pending *pending, struct pending_request *ret_request)
{
	return take(pending, 0, ret_request);
}

void pending_close(struct pending *pending)
{
	(void)pthread_mutex_lock(&pending->lock);
	pending->is_closed = true;
	(void)pthread_mutex_unlock(&pending->lock);
}
