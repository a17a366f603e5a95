/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/queue.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "base/clock.h"
#include "enclave/keeper/points.h"

/* More threads than any enclave has cores would only cost memory. */
#define KEEPER_THREADS_MAX 64

/* Jobs that a lane leaves to those before it: a proposal finds a place in the middle of any burst, a vote in any flood of the rest. */
static const size_t jobs_left_to_others[LANE_COUNT] = {[LANE_VOTES] = 64, [LANE_REST] = 64 + 1024};

/* Jobs of one root that a thread signs together. */
struct batch {
	struct keeper_job *jobs[G2_COMB_BATCH_MAX];
	size_t count;
};

struct keeper_queue {
	keeper_finish *finish;
	void *context;
	struct keeper_points *points;
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool stopping;
	unsigned sleeping; /* threads that wait for work, */
	unsigned called;   /* and those of them that were signalled, but did not wake up yet */
	struct lanes lanes;
	uint64_t average_us; /* that a signature takes; 0: none was made yet */
	struct job_ring free_jobs;
	pthread_t threads[KEEPER_THREADS_MAX];
	unsigned thread_count;
	struct keeper_job jobs[KEEPER_JOBS_MAX];
};

/* With the lock held, from here on. */
static bool is_hopeless(const struct keeper_queue *queue, enum lane lane)
{
	return queue->thread_count > 0 &&
	       lane_is_too_late(lane, lanes_count(&queue->lanes, lane) * queue->average_us / queue->thread_count);
}

static void sleep_until_called(struct keeper_queue *queue)
{
	queue->sleeping++;
	(void)pthread_cond_wait(&queue->work, &queue->lock);
	queue->sleeping--;
	/* Whoever wakes up of itself takes another's call; that one finds it gone, and a call too many is made, never one too few. */
	queue->called -= queue->called > 0;
}

static void take_job(struct keeper_queue *queue, struct batch *batch)
{
	uint32_t number = 0;

	if (lanes_take(&queue->lanes, &number))
		batch->jobs[batch->count++] = &queue->jobs[number];
}

static bool next_is_alike(const struct keeper_queue *queue, const struct batch *batch)
{
	uint32_t number;

	return lanes_peek(&queue->lanes, &number) &&
	       memcmp(queue->jobs[number].result.signing_root, batch->jobs[0]->result.signing_root, ROOT_SIZE) == 0;
}

/*
 * The next job in order of urgency, and those right behind it that sign the same root, but no more than this thread's share of what waits:
 * the others would have nothing to do. An empty batch when the queue is being stopped. `job_us`: what a job of the last batch took, 0 at
 * first.
 */
static void wait_for_batch(struct keeper_queue *queue, uint64_t job_us, struct batch *ret_batch)
{
	size_t share;

	ret_batch->count = 0;
	(void)pthread_mutex_lock(&queue->lock);
	if (job_us)
		queue->average_us = moving_average(queue->average_us, job_us);
	while (!queue->stopping && lanes_count(&queue->lanes, LANE_COUNT - 1) == 0)
		sleep_until_called(queue);
	share = lanes_count(&queue->lanes, LANE_COUNT - 1) / (queue->thread_count ? queue->thread_count : 1);
	if (!queue->stopping)
		take_job(queue, ret_batch);
	while (ret_batch->count > 0 && ret_batch->count < share && ret_batch->count < G2_COMB_BATCH_MAX &&
	       next_is_alike(queue, ret_batch))
		take_job(queue, ret_batch);
	(void)pthread_mutex_unlock(&queue->lock);
}

static void sign_batch(struct keeper_queue *queue, const struct batch *batch)
{
	struct bls_signing signings[G2_COMB_BATCH_MAX];

	for (size_t i = 0; i < batch->count; i++)
		signings[i] = (struct bls_signing){batch->jobs[i]->secret_key, batch->jobs[i]->result.signature};
	keeper_points_sign(queue->points, batch->jobs[0]->result.signing_root, signings, batch->count);
}

static void *signing_thread(void *argument)
{
	struct keeper_queue *queue = (struct keeper_queue *)argument;
	struct batch batch;

	for (wait_for_batch(queue, 0, &batch); batch.count > 0;) {
		uint64_t begun_us = clock_monotonic_us();
		uint64_t job_us;

		sign_batch(queue, &batch);
		job_us = (clock_monotonic_us() - begun_us) / batch.count;
		for (size_t i = 0; i < batch.count; i++)
			keeper_queue_part_done(queue, batch.jobs[i]);
		wait_for_batch(queue, job_us, &batch);
	}
	return NULL;
}

void keeper_queue_note_duration(struct keeper_queue *queue, uint64_t duration_us)
{
	(void)pthread_mutex_lock(&queue->lock);
	queue->average_us = moving_average(queue->average_us, duration_us);
	(void)pthread_mutex_unlock(&queue->lock);
}

/*
 * A core for each signing thread: left to itself the scheduler has two of them share one now and then, and a block that comes in a burst waits twice
 * as long (docs/performance.md). Without that they sign as well, so whatever is not to be had is done without.
 */
static bool choose_core(pthread_attr_t *attributes, unsigned number)
{
	cpu_set_t allowed, one;
	unsigned left;

	if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0)
		return false;
	left = number % (unsigned)CPU_COUNT(&allowed);
	CPU_ZERO(&one);
	for (unsigned core = 0; core < CPU_SETSIZE && CPU_COUNT(&one) == 0; core++) {
		if (CPU_ISSET(core, &allowed) && left-- == 0)
			CPU_SET(core, &one);
	}
	return pthread_attr_setaffinity_np(attributes, sizeof one, &one) == 0;
}

static bool start_thread(struct keeper_queue *queue, struct error *error)
{
	pthread_t *thread = &queue->threads[queue->thread_count];
	pthread_attr_t attributes;
	int result = EINVAL;

	(void)pthread_attr_init(&attributes);
	if (choose_core(&attributes, queue->thread_count))
		result = pthread_create(thread, &attributes, signing_thread, queue);
	(void)pthread_attr_destroy(&attributes);
	if (result == EINVAL)
		result = pthread_create(thread, NULL, signing_thread, queue);
	errno = result;
	if (result != 0)
		return error_set_errno(error, ERROR_IO, "cannot start a signing thread");
	queue->thread_count++;
	return true;
}

struct keeper_queue *keeper_queue_new(unsigned threads, keeper_finish *finish, void *context, struct error *error)
{
	struct keeper_queue *queue = (struct keeper_queue *)memory_allocate_zeroed(1, sizeof *queue);

	queue->finish = finish;
	queue->context = context;
	queue->points = keeper_points_new();
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_cond_init(&queue->work, NULL);
	for (uint32_t i = 0; i < KEEPER_JOBS_MAX; i++)
		job_ring_put(&queue->free_jobs, i);
	threads = threads > KEEPER_THREADS_MAX ? KEEPER_THREADS_MAX : threads;
	while (queue->thread_count < threads) {
		if (!start_thread(queue, error)) {
			keeper_queue_free(queue);
			return NULL;
		}
	}
	return queue;
}

void keeper_queue_free(struct keeper_queue *queue)
{
	if (!queue)
		return;
	(void)pthread_mutex_lock(&queue->lock);
	queue->stopping = true;
	(void)pthread_cond_broadcast(&queue->work);
	(void)pthread_mutex_unlock(&queue->lock);
	for (unsigned i = 0; i < queue->thread_count; i++)
		(void)pthread_join(queue->threads[i], NULL);
	(void)pthread_cond_destroy(&queue->work);
	(void)pthread_mutex_destroy(&queue->lock);
	keeper_points_free(queue->points);
	free(queue);
}

struct keeper_job *keeper_queue_take(struct keeper_queue *queue, enum lane lane)
{
	struct keeper_job *job = NULL;

	(void)pthread_mutex_lock(&queue->lock);
	if (queue->free_jobs.count > jobs_left_to_others[lane] && !is_hopeless(queue, lane))
		job = &queue->jobs[job_ring_take(&queue->free_jobs)];
	(void)pthread_mutex_unlock(&queue->lock);
	if (!job)
		return NULL;
	memset(job, 0, sizeof *job);
	job->lane = lane;
	return job;
}

uint64_t keeper_queue_job_number(const struct keeper_queue *queue, const struct keeper_job *job)
{
	return (uint64_t)(job - queue->jobs);
}

struct keeper_job *keeper_queue_job_at(struct keeper_queue *queue, uint64_t number)
{
	return number < KEEPER_JOBS_MAX ? &queue->jobs[number] : NULL;
}

void keeper_queue_submit(struct keeper_queue *queue, struct keeper_job *job, bool with_ledger)
{
	bool call;

	__atomic_store_n(&job->parts_left, with_ledger ? 2 : 1, __ATOMIC_RELEASE);
	(void)pthread_mutex_lock(&queue->lock);
	lanes_put(&queue->lanes, job->lane, (uint32_t)keeper_queue_job_number(queue, job));
	call = queue->called < queue->sleeping;
	queue->called += call;
	(void)pthread_mutex_unlock(&queue->lock);
	/* Without the lock, which who wakes up wants. */
	if (call)
		(void)pthread_cond_signal(&queue->work);
}

void keeper_queue_part_done(struct keeper_queue *queue, struct keeper_job *job)
{
	if (__atomic_sub_fetch(&job->parts_left, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	/* A signature that was refused after all must not leave the process, not even inside a refusal. */
	if (job->result.status != SIGN_OK)
		secret_wipe(job->result.signature, sizeof job->result.signature);
	queue->finish(queue->context, job);
	(void)pthread_mutex_lock(&queue->lock);
	job_ring_put(&queue->free_jobs, (uint32_t)keeper_queue_job_number(queue, job));
	(void)pthread_mutex_unlock(&queue->lock);
}
