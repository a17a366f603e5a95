/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/points.h"

#include <pthread.h>

/*
 * A table, its proof and a signature from it take little more than two multiplications: whoever asks a second time will mostly ask a
 * third time, and most roots that do not repeat at all never get here. Proposals are such roots.
 */
#define REQUESTS_BEFORE_TABLE 2

/* What there is of an entry; only grows until another root takes the entry. */
enum stage {
	STAGE_EMPTY,
	STAGE_HASHING,
	STAGE_POINT,
	STAGE_BUILDING, /* the point is there; for good when the table was wrong */
	STAGE_TABLE,
};

struct entry {
	uint8_t root[32];
	enum stage stage;
	unsigned users; /* threads that read or fill it */
	unsigned requests;
	uint64_t asked; /* by the clock of requests */
	blst_p2 point;
	struct g2_comb comb;
};

struct keeper_points {
	pthread_mutex_t lock;
	uint64_t clock;
	struct entry entries[KEEPER_POINTS_MAX];
};

struct keeper_points *keeper_points_new(void)
{
	struct keeper_points *points = (struct keeper_points *)memory_allocate_zeroed(1, sizeof *points);

	(void)pthread_mutex_init(&points->lock, NULL);
	return points;
}

void keeper_points_free(struct keeper_points *points)
{
	if (!points)
		return;
	(void)pthread_mutex_destroy(&points->lock);
	free(points);
}

/* The root's entry, else the one to give to it; NULL when other threads use them all. With the lock held. */
static struct entry *find_entry(struct keeper_points *points, const uint8_t root[32])
{
	struct entry *oldest = NULL;

	for (size_t i = 0; i < KEEPER_POINTS_MAX; i++) {
		struct entry *entry = &points->entries[i];

		if (entry->stage != STAGE_EMPTY && memcmp(entry->root, root, sizeof entry->root) == 0)
			return entry;
		if (entry->users == 0 && (!oldest || entry->asked < oldest->asked))
			oldest = entry;
	}
	if (!oldest)
		return NULL;
	memcpy(oldest->root, root, sizeof oldest->root);
	oldest->stage = STAGE_EMPTY;
	oldest->requests = 0;
	return oldest;
}

/* `ret_stage`: what was there, so HASHING and BUILDING are another thread's business, and EMPTY and POINT may have become ours. */
static struct entry *hold_entry(struct keeper_points *points, const uint8_t root[32], enum stage *ret_stage, bool *ret_build)
{
	struct entry *entry;

	(void)pthread_mutex_lock(&points->lock);
	entry = find_entry(points, root);
	if (entry) {
		entry->users++;
		entry->requests++;
		entry->asked = ++points->clock;
		*ret_stage = entry->stage;
		*ret_build = entry->stage == STAGE_POINT && entry->requests >= REQUESTS_BEFORE_TABLE;
		if (entry->stage == STAGE_EMPTY)
			entry->stage = STAGE_HASHING;
		if (*ret_build)
			entry->stage = STAGE_BUILDING;
	}
	(void)pthread_mutex_unlock(&points->lock);
	return entry;
}

static void set_stage(struct keeper_points *points, struct entry *entry, enum stage stage)
{
	(void)pthread_mutex_lock(&points->lock);
	entry->stage = stage;
	(void)pthread_mutex_unlock(&points->lock);
}

static void release_entry(struct keeper_points *points, struct entry *entry)
{
	(void)pthread_mutex_lock(&points->lock);
	entry->users--;
	(void)pthread_mutex_unlock(&points->lock);
}

/* The table is as good as the signature that it makes of the key at hand. */
static bool build_table(struct entry *entry, const uint8_t secret_key[BLS_SECRET_KEY_SIZE],
			const uint8_t expected[BLS_SIGNATURE_SIZE])
{
	uint8_t signature[BLS_SIGNATURE_SIZE];

	if (!g2_comb_build(&entry->comb, &entry->point))
		return false;
	bls_sign_comb(secret_key, &entry->comb, signature);
	return memcmp(signature, expected, sizeof signature) == 0;
}

void keeper_points_sign(struct keeper_points *points, const uint8_t secret_key[BLS_SECRET_KEY_SIZE], const uint8_t signing_root[32],
			uint8_t ret_signature[BLS_SIGNATURE_SIZE])
{
	enum stage stage = STAGE_EMPTY;
	bool build = false;
	struct entry *entry = hold_entry(points, signing_root, &stage, &build);

	if (!entry)
		return bls_sign(secret_key, signing_root, ret_signature);
	if (stage == STAGE_EMPTY) {
		bls_hash_root(signing_root, &entry->point);
		set_stage(points, entry, STAGE_POINT);
	}
	if (stage == STAGE_TABLE)
		bls_sign_comb(secret_key, &entry->comb, ret_signature);
	else if (stage == STAGE_HASHING)
		bls_sign(secret_key, signing_root, ret_signature);
	else
		bls_sign_point(secret_key, &entry->point, ret_signature);
	if (build && build_table(entry, secret_key, ret_signature))
		set_stage(points, entry, STAGE_TABLE);
	release_entry(points, entry);
}

void keeper_points_measure(struct keeper_points *points, size_t *ret_points, size_t *ret_tables)
{
	*ret_points = 0;
	*ret_tables = 0;
	(void)pthread_mutex_lock(&points->lock);
	for (size_t i = 0; i < KEEPER_POINTS_MAX; i++) {
		*ret_points += points->entries[i].stage >= STAGE_POINT;
		*ret_tables += points->entries[i].stage == STAGE_TABLE;
	}
	(void)pthread_mutex_unlock(&points->lock);
}
