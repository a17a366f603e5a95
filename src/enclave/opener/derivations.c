/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/opener/opener.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

struct slot {
	struct row_opening content; /* the thread's that has begun it, until it is done */
	bool is_done;
};

/* A ring. The counts only grow: taken <= begun <= submitted <= taken + DERIVATIONS_MAX. */
struct derivations {
	struct keystore_kdf_cache *cache;
	pthread_t threads[DERIVATION_THREADS_MAX];
	unsigned thread_count;
	size_t taken; /* the owner's alone */
	pthread_mutex_t lock;
	pthread_cond_t changed; /* any of what follows */
	size_t begun;
	size_t submitted;
	bool is_stopping;
	struct slot slots[DERIVATIONS_MAX];
};

static struct slot *slot_of(struct derivations *derivations, size_t number)
{
	return &derivations->slots[number % DERIVATIONS_MAX];
}

static struct slot *find_next(struct derivations *derivations)
{
	while (derivations->begun < derivations->submitted) {
		struct slot *slot = slot_of(derivations, derivations->begun++);

		if (!slot->is_done)
			return slot;
	}
	return NULL;
}

/* NULL: the end. */
static struct slot *begin_next(struct derivations *derivations)
{
	struct slot *slot = NULL;

	(void)pthread_mutex_lock(&derivations->lock);
	while (!derivations->is_stopping && !(slot = find_next(derivations)))
		(void)pthread_cond_wait(&derivations->changed, &derivations->lock);
	(void)pthread_mutex_unlock(&derivations->lock);
	return slot;
}

static void *derivation_thread(void *context)
{
	struct derivations *derivations = (struct derivations *)context;
	struct slot *slot;

	while ((slot = begin_next(derivations))) {
		row_opening_decrypt(&slot->content, derivations->cache);
		(void)pthread_mutex_lock(&derivations->lock);
		slot->is_done = true;
		(void)pthread_cond_broadcast(&derivations->changed);
		(void)pthread_mutex_unlock(&derivations->lock);
	}
	return NULL;
}

/* get_nprocs() reads files, and does not know what this process may use. */
static unsigned count_threads(void)
{
	cpu_set_t processors;
	int count = sched_getaffinity(0, sizeof processors, &processors) == 0 ? CPU_COUNT(&processors) : 1;

	return count < DERIVATION_THREADS_MAX ? (unsigned)count : DERIVATION_THREADS_MAX;
}

struct derivations *derivations_new(struct keystore_kdf_cache *cache, struct error *error)
{
	struct derivations *derivations = (struct derivations *)memory_allocate_zeroed(1, sizeof *derivations);
	unsigned count = count_threads();

	derivations->cache = cache;
	(void)pthread_mutex_init(&derivations->lock, NULL);
	(void)pthread_cond_init(&derivations->changed, NULL);
	for (; derivations->thread_count < count; derivations->thread_count++) {
		errno = pthread_create(&derivations->threads[derivations->thread_count], NULL, derivation_thread, derivations);
		if (errno != 0) {
			(void)error_set_errno(error, ERROR_IO, "cannot start a thread");
			derivations_free(derivations);
			return NULL;
		}
	}
	return derivations;
}

void derivations_free(struct derivations *derivations)
{
	if (!derivations)
		return;
	(void)pthread_mutex_lock(&derivations->lock);
	derivations->is_stopping = true;
	(void)pthread_cond_broadcast(&derivations->changed);
	(void)pthread_mutex_unlock(&derivations->lock);
	for (unsigned i = 0; i < derivations->thread_count; i++)
		(void)pthread_join(derivations->threads[i], NULL);
	for (size_t i = 0; i < DERIVATIONS_MAX; i++)
		row_opening_done(&derivations->slots[i].content);
	(void)pthread_cond_destroy(&derivations->changed);
	(void)pthread_mutex_destroy(&derivations->lock);
	free(derivations);
}

size_t derivations_count(const struct derivations *derivations)
{
	return derivations->submitted - derivations->taken;
}

void derivations_submit(struct derivations *derivations, struct row_opening *row_opening)
{
	bool is_done = !row_opening->plaintext.data;

	(void)pthread_mutex_lock(&derivations->lock);
	*slot_of(derivations, derivations->submitted++) = (struct slot){.content = *row_opening, .is_done = is_done};
	if (!is_done)
		(void)pthread_cond_broadcast(&derivations->changed);
	(void)pthread_mutex_unlock(&derivations->lock);
	*row_opening = (struct row_opening){0};
}

void derivations_take(struct derivations *derivations, struct row_opening *ret_row_opening)
{
	struct slot *slot = slot_of(derivations, derivations->taken++);

	(void)pthread_mutex_lock(&derivations->lock);
	while (!slot->is_done)
		(void)pthread_cond_wait(&derivations->changed, &derivations->lock);
	*ret_row_opening = slot->content;
	*slot = (struct slot){0};
	/* No thread looked at it, if it was done from the start. */
	if (derivations->begun < derivations->taken)
		derivations->begun = derivations->taken;
	(void)pthread_mutex_unlock(&derivations->lock);
}
