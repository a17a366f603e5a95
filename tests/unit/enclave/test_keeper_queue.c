/* SPDX-License-Identifier: Apache-2.0 */
/* The order in which one signing thread takes jobs, and what is refused because it would come too late. */
#include "enclave/keeper/queue.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>

#include "vectors.h"

static const uint8_t secret_key[BLS_SECRET_KEY_SIZE] = {[31] = 42};

struct record {
	sem_t gate; /* the thread waits here after each job */
	sem_t done;
	char order[64];
	size_t count;
};

static void note(void *context, const struct keeper_job *job)
{
	static const char letters[LANE_COUNT] = {[LANE_PROPOSALS] = 'P', [LANE_VOTES] = 'V', [LANE_REST] = 'R'};
	struct record *record = context;

	record->order[record->count++] = letters[job->lane];
	(void)sem_post(&record->done);
	(void)sem_wait(&record->gate);
}

static struct keeper_queue *start(struct record *record)
{
	struct keeper_queue *queue;
	struct error error = {0};

	*record = (struct record){0};
	(void)sem_init(&record->gate, 0, 0);
	(void)sem_init(&record->done, 0, 0);
	queue = keeper_queue_new(1, note, record, &error);
	assert_ok(queue != NULL, &error);
	return queue;
}

struct cores {
	sem_t done;
	cpu_set_t used; /* by threads that have signed */
	size_t wrong;   /* times that a thread was not bound to one core */
	pthread_mutex_t lock;
};

static void note_core(void *context, const struct keeper_job *job)
{
	struct cores *cores = (struct cores *)context;
	cpu_set_t mine;

	(void)job;
	(void)pthread_mutex_lock(&cores->lock);
	cores->wrong += sched_getaffinity(0, sizeof mine, &mine) != 0 || CPU_COUNT(&mine) != 1;
	CPU_OR(&cores->used, &cores->used, &mine);
	(void)pthread_mutex_unlock(&cores->lock);
	(void)sem_post(&cores->done);
}

static bool submit(struct keeper_queue *queue, enum lane lane)
{
	struct keeper_job *job = keeper_queue_take(queue, lane);

	if (!job)
		return false;
	job->secret_key = secret_key;
	keeper_queue_submit(queue, job, false);
	return true;
}

/* One thread more than there are cores: it shares one. */
static void each_thread_has_a_core(void **state)
{
	enum { JOBS = 200 };
	struct cores cores = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct keeper_queue *queue;
	struct error error = {0};
	cpu_set_t before, after;

	(void)state;
	(void)sem_init(&cores.done, 0, 0);
	assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
	queue = keeper_queue_new((unsigned)CPU_COUNT(&before) + 1, note_core, &cores, &error);
	assert_ok(queue != NULL, &error);
	for (size_t i = 0; i < JOBS; i++)
		assert_true(submit(queue, LANE_PROPOSALS));
	for (size_t i = 0; i < JOBS; i++)
		(void)sem_wait(&cores.done);
	keeper_queue_free(queue);
	assert_int_equal(cores.wrong, 0);
	CPU_AND(&after, &cores.used, &before);
	assert_true(CPU_EQUAL(&after, &cores.used)); /* no other than are allowed */
	assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
	assert_true(CPU_EQUAL(&before, &after));
}

static void proposals_then_votes_then_the_rest(void **state)
{
	static const char expected[] = "VPPPPPPPPVPPVRR";
	struct record record;
	struct keeper_queue *queue = start(&record);

	(void)state;
	/* While the thread is held up behind this one, the others gather in the worst order. */
	assert_true(submit(queue, LANE_VOTES));
	(void)sem_wait(&record.done);
	for (size_t i = 0; i < 2; i++)
		assert_true(submit(queue, LANE_REST));
	for (size_t i = 0; i < 2; i++)
		assert_true(submit(queue, LANE_VOTES));
	for (size_t i = 0; i < 10; i++)
		assert_true(submit(queue, LANE_PROPOSALS));
	for (size_t i = 1; i < strlen(expected); i++) {
		(void)sem_post(&record.gate);
		(void)sem_wait(&record.done);
	}
	(void)sem_post(&record.gate);
	keeper_queue_free(queue);
	assert_string_equal(record.order, expected);
}

struct comparison {
	sem_t gate;
	sem_t done;
	size_t wrong;
};

static void compare(void *context, const struct keeper_job *job)
{
	struct comparison *comparison = context;
	uint8_t expected[BLS_SIGNATURE_SIZE];

	bls_sign(job->secret_key, job->result.signing_root, expected);
	comparison->wrong += memcmp(job->result.signature, expected, sizeof expected) != 0;
	(void)sem_post(&comparison->done);
	(void)sem_wait(&comparison->gate);
}

/* What gathers behind the first: runs of one root, which are signed together, and changes between two. */
static void together_or_not_the_signatures_are_the_same(void **state)
{
	static const char roots[] = "AAAAAAAAAAAABABBBBCCCCCCCCCCAAAAAAAAAAAAAAAAAAAAAA";
	static const uint8_t keys[][BLS_SECRET_KEY_SIZE] = {{[31] = 1}, {[31] = 2}, {[0] = 0x73, [31] = 3}};
	struct comparison comparison = {0};
	struct error error = {0};
	struct keeper_queue *queue;

	(void)state;
	(void)sem_init(&comparison.gate, 0, 0);
	(void)sem_init(&comparison.done, 0, 0);
	queue = keeper_queue_new(1, compare, &comparison, &error);
	assert_ok(queue != NULL, &error);
	for (size_t i = 0; roots[i]; i++) {
		struct keeper_job *job = keeper_queue_take(queue, LANE_VOTES);

		assert_non_null(job);
		job->secret_key = keys[i % ARRAY_SIZE(keys)];
		job->result.signing_root[0] = (uint8_t)roots[i];
		keeper_queue_submit(queue, job, false);
		if (i == 0)
			(void)sem_wait(&comparison.done);
	}
	for (size_t i = 1; roots[i]; i++) {
		(void)sem_post(&comparison.gate);
		(void)sem_wait(&comparison.done);
	}
	(void)sem_post(&comparison.gate);
	keeper_queue_free(queue);
	assert_int_equal(comparison.wrong, 0);
}

static void places_are_left_for_others(void **state)
{
	struct record record;
	struct keeper_queue *queue = start(&record);
	size_t rest = 0, votes = 0, proposals = 0;

	(void)state;
	while (keeper_queue_take(queue, LANE_REST))
		rest++;
	while (keeper_queue_take(queue, LANE_VOTES))
		votes++;
	while (keeper_queue_take(queue, LANE_PROPOSALS))
		proposals++;
	assert_int_equal(rest + votes + proposals, KEEPER_JOBS_MAX);
	assert_int_equal(proposals, 64);
	assert_int_equal(votes, 1024);
	keeper_queue_free(queue);
}

static void what_would_come_too_late_is_refused(void **state)
{
	struct record record;
	struct keeper_queue *queue = start(&record);

	(void)state;
	assert_true(submit(queue, LANE_VOTES));
	(void)sem_wait(&record.done);
	for (size_t i = 0; i < 100; i++)
		keeper_queue_note_duration(queue, 1000000); /* a second each */
	for (size_t i = 0; i < 3; i++)
		assert_true(submit(queue, LANE_VOTES));
	assert_false(submit(queue, LANE_VOTES));
	assert_false(submit(queue, LANE_REST));
	/* A proposal has only other proposals ahead of it. */
	assert_true(submit(queue, LANE_PROPOSALS));
	for (size_t i = 0; i < 5; i++)
		(void)sem_post(&record.gate);
	for (size_t i = 0; i < 4; i++)
		(void)sem_wait(&record.done);
	keeper_queue_free(queue);
	assert_string_equal(record.order, "VPVVV");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_thread_has_a_core),
		cmocka_unit_test(proposals_then_votes_then_the_rest),
		cmocka_unit_test(together_or_not_the_signatures_are_the_same),
		cmocka_unit_test(places_are_left_for_others),
		cmocka_unit_test(what_would_come_too_late_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
