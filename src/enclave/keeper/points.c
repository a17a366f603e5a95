/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keeper/points.h"

#include <pthread.h>

/*
 * A table, its proof and a signature from it take as long as two multiplications: whoever asks a second time will mostly ask a third time,
 * and most roots that do not repeat at all never get here. Proposals are such roots.
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

struct multiples {
	blst_p2 point;
	struct g2_comb comb;
};

/* What is compared is not spread over all the memory of the tables: every request looks at all entries. */
struct entry {
	uint8_t root[32];
	uint64_t asked; /* by the clock of requests */
	enum stage stage;
	unsigned users; /* threads that read or fill it */
	unsigned requests;
	struct multiples *multiples;
};

struct keeper_points {
	pthread_mutex_t lock;
	uint64_t clock;
	struct entry entries[KEEPER_POINTS_MAX];
	struct multiples multiples[KEEPER_POINTS_MAX];
};

struct keeper_points *keeper_points_new(void)
{
	struct keeper_points *points = (struct keeper_points *)memory_allocate_zeroed(1, sizeof *points);

	(void)pthread_mutex_init(&points->lock, NULL);
	for (size_t i = 0; i < KEEPER_POINTS_MAX; i++)
		points->entries[i].multiples = &points->multiples[i];
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
static bool build_table(struct entry *entry, const struct bls_signing *signed_already)
{
	uint8_t signature[BLS_SIGNATURE_SIZE];
	const struct bls_signing again = {signed_already->secret_key, signature};

	if (!g2_comb_build(&entry->multiples->comb, &entry->multiples->point))
		return false;
	bls_sign_comb(&entry->multiples->comb, &again, 1);
	return memcmp(signature, signed_already->ret_signature, sizeof signature) == 0;
}

static void sign_without_table(struct keeper_points *points, struct entry *entry, enum stage stage, const uint8_t signing_root[32],
			       const struct bls_signing *signing)
{
	if (stage == STAGE_HASHING)
		return bls_sign(signing->secret_key, signing_root, signing->ret_signature);
	if (stage == STAGE_EMPTY) {
		bls_hash_root(signing_root, &entry->multiples->point);
		set_stage(points, entry, STAGE_POINT);
	}
	bls_sign_point(signing->secret_key, &entry->multiples->point, signing->ret_signature);
}

/* Returns how many: all of them with a table, else the first one, for by the next there may be a table. */
static size_t sign_some(struct keeper_points *points, const uint8_t signing_root[32], const struct bls_signing *signings,
			size_t count)
{
	enum stage stage = STAGE_EMPTY;
	bool build = false;
	struct entry *entry = hold_entry(points, signing_root, &stage, &build);

	if (!entry)
		return bls_sign(signings->secret_key, signing_root, signings->ret_signature), 1;
	if (stage == STAGE_TABLE) {
		bls_sign_comb(&entry->multiples->comb, signings, count);
	} else {
		count = 1;
		sign_without_table(points, entry, stage, signing_root, signings);
		if (build && build_table(entry, signings))
			set_stage(points, entry, STAGE_TABLE);
	}
	release_entry(points, entry);
	return count;
}

void keeper_points_sign(struct keeper_points *points, const uint8_t signing_root[32], const struct bls_signing *signings,
			size_t count)
{
	for (size_t i = 0; i < count;)
		i += sign_some(points, signing_root, signings + i, count - i);
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
