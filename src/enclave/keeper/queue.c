/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/queue.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"

/* More threads than any enclave has cores would only cost memory. */
#define KEEPER_THREADS_MAX 64

/*
 * Proposals overtake attestations, but not for ever: after this many of them one ordinary job has its turn, so a client that asks
 * for nothing but RANDAO reveals cannot stop the attestations of the rest.
 */
#define IN_A_ROW_MAX 8
/* Jobs that a lane leaves to those before it: a proposal finds a place in the middle of any burst, a vote in any flood of the rest. */
static const size_t jobs_left_to_others[LANE_COUNT] = {[LANE_VOTES] = 64, [LANE_REST] = 64 + 1024};
/* Clients give up after 3 to 12 s; what cannot be signed by then is better refused at once. */
#define PATIENCE_US 2500000
/* How much the last job counts in the average: an eighth. */
#define AVERAGE_SHIFT 3

/* First in, first out, of job numbers; as long as the pool, so it is never full. */
struct ring {
	uint32_t numbers[KEEPER_JOBS_MAX];
	size_t first;
	size_t count;
};

struct keeper_queue {
	keeper_finish *finish;
	void *context;
	pthread_mutex_t lock;
	pthread_cond_t work;
	bool stopping;
	struct ring lanes[LANE_COUNT];
	unsigned in_a_row[LANE_COUNT]; /* while others waited */
	uint64_t average_us;           /* that a signature takes; 0: none was made yet */
	struct ring free_jobs;
	pthread_t threads[KEEPER_THREADS_MAX];
	unsigned thread_count;
	struct keeper_job jobs[KEEPER_JOBS_MAX];
};

static void ring_put(struct ring *ring, uint32_t number)
{
	ring->numbers[(ring->first + ring->count) % KEEPER_JOBS_MAX] = number;
	ring->count++;
}

static uint32_t ring_take(struct ring *ring)
{
	uint32_t number = ring->numbers[ring->first];

	ring->first = (ring->first + 1) % KEEPER_JOBS_MAX;
	ring->count--;
	return number;
}

/* With the lock held, from here on. */
static size_t count_up_to(const struct keeper_queue *queue, size_t first, size_t end)
{
	size_t count = 0;

	for (size_t lane = first; lane < end; lane++)
		count += queue->lanes[lane].count;
	return count;
}

/* The first lane that has a job, unless it has had its share and others wait behind it. A job waits. */
static struct ring *choose_ring(struct keeper_queue *queue)
{
	size_t lane = 0;

	for (; lane < LANE_COUNT - 1; lane++) {
		bool others_wait = count_up_to(queue, lane + 1, LANE_COUNT) > 0;
		bool has_turn = queue->lanes[lane].count > 0 && (!others_wait || queue->in_a_row[lane] < IN_A_ROW_MAX);

		queue->in_a_row[lane] = has_turn && others_wait ? queue->in_a_row[lane] + 1 : 0;
		if (has_turn)
			break;
	}
	return &queue->lanes[lane];
}

static void note_duration(struct keeper_queue *queue, uint64_t duration_us)
{
	queue->average_us = queue->average_us
				    ? queue->average_us - (queue->average_us >> AVERAGE_SHIFT) + (duration_us >> AVERAGE_SHIFT)
				    : duration_us;
}

static bool is_hopeless(const struct keeper_queue *queue, enum keeper_lane lane)
{
	return queue->thread_count > 0 &&
	       count_up_to(queue, 0, (size_t)lane + 1) * queue->average_us / queue->thread_count > PATIENCE_US;
}

/* The next job in order of urgency; NULL when the queue is being stopped. `duration_us` is of the last one, 0 at first. */
static struct keeper_job *wait_for_job(struct keeper_queue *queue, uint64_t duration_us)
{
	struct keeper_job *job = NULL;

	(void)pthread_mutex_lock(&queue->lock);
	if (duration_us)
		note_duration(queue, duration_us);
	while (!queue->stopping && count_up_to(queue, 0, LANE_COUNT) == 0)
		(void)pthread_cond_wait(&queue->work, &queue->lock);
	if (!queue->stopping)
		job = &queue->jobs[ring_take(choose_ring(queue))];
	(void)pthread_mutex_unlock(&queue->lock);
	return job;
}

static void *signing_thread(void *argument)
{
	struct keeper_queue *queue = (struct keeper_queue *)argument;
	uint64_t duration_us = 0;
	struct keeper_job *job;

	while ((job = wait_for_job(queue, duration_us)) != NULL) {
		uint64_t begun_us = clock_monotonic_us();

		bls_sign(job->secret_key, job->result.signing_root, job->result.signature);
		duration_us = clock_monotonic_us() - begun_us;
		keeper_queue_part_done(queue, job);
	}
	return NULL;
}

void keeper_queue_note_duration(struct keeper_queue *queue, uint64_t duration_us)
{
	(void)pthread_mutex_lock(&queue->lock);
	note_duration(queue, duration_us);
	(void)pthread_mutex_unlock(&queue->lock);
}

struct keeper_queue *keeper_queue_new(unsigned threads, keeper_finish *finish, void *context, struct error *error)
{
	struct keeper_queue *queue = (struct keeper_queue *)memory_allocate_zeroed(1, sizeof *queue);

	queue->finish = finish;
	queue->context = context;
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_cond_init(&queue->work, NULL);
	for (uint32_t i = 0; i < KEEPER_JOBS_MAX; i++)
		ring_put(&queue->free_jobs, i);
	threads = threads > KEEPER_THREADS_MAX ? KEEPER_THREADS_MAX : threads;
	while (queue->thread_count < threads) {
		int result = pthread_create(&queue->threads[queue->thread_count], NULL, signing_thread, queue);

		if (result != 0) {
			errno = result;
			(void)error_set_errno(error, ERROR_IO, "cannot start a signing thread");
			keeper_queue_free(queue);
			return NULL;
		}
		queue->thread_count++;
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
	free(queue);
}

struct keeper_job *keeper_queue_take(struct keeper_queue *queue, enum keeper_lane lane)
{
	struct keeper_job *job = NULL;

	(void)pthread_mutex_lock(&queue->lock);
	if (queue->free_jobs.count > jobs_left_to_others[lane] && !is_hopeless(queue, lane))
		job = &queue->jobs[ring_take(&queue->free_jobs)];
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
	__atomic_store_n(&job->parts_left, with_ledger ? 2 : 1, __ATOMIC_RELEASE);
	(void)pthread_mutex_lock(&queue->lock);
	ring_put(&queue->lanes[job->lane], (uint32_t)keeper_queue_job_number(queue, job));
	(void)pthread_cond_signal(&queue->work);
	(void)pthread_mutex_unlock(&queue->lock);
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
	ring_put(&queue->free_jobs, (uint32_t)keeper_queue_job_number(queue, job));
	(void)pthread_mutex_unlock(&queue->lock);
}
