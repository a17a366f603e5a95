/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The baseline: blst alone, signing 32-byte roots on all cores for some seconds. Prints signatures a second.
 * usage: bench_blst SECONDS
 */
#include <blst.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/bytes.h"
#include "base/clock.h"

#define THREADS_MAX 256
#define DST "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_"

static atomic_bool stop;

static void *sign_until_stopped(void *argument)
{
	uint64_t *count = (uint64_t *)argument;
	uint8_t root[32] = {0};
	uint8_t compressed[96];
	blst_scalar key;

	memset(&key, 0x17, sizeof key);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		blst_p2 hash, signature;

		store_le64(root, *count);
		blst_hash_to_g2(&hash, root, sizeof root, (const uint8_t *)DST, sizeof DST - 1, NULL, 0);
		blst_sign_pk_in_g1(&signature, &hash, &key);
		blst_p2_compress(compressed, &signature);
		*count += 1;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static uint64_t counts[THREADS_MAX];
	pthread_t threads[THREADS_MAX];
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t seconds = 0, begun_ms, total = 0;

	if (argc != 2 || !u64_parse(view_of_text(argv[1]), &seconds) || seconds == 0 || seconds > 3600) {
		(void)fprintf(stderr, "usage: bench_blst SECONDS\n");
		return 2;
	}
	if (cores < 1 || cores > THREADS_MAX)
		cores = 1;
	begun_ms = clock_monotonic_ms();
	for (long i = 0; i < cores; i++) {
		if (pthread_create(&threads[i], NULL, sign_until_stopped, &counts[i]) != 0) {
			perror("bench_blst: thread");
			return 1;
		}
	}
	(void)sleep((unsigned)seconds);
	atomic_store(&stop, true);
	for (long i = 0; i < cores; i++) {
		(void)pthread_join(threads[i], NULL);
		total += counts[i];
	}
	(void)printf("%.0f\n", (double)total * 1000 / (double)(clock_monotonic_ms() - begun_ms));
	return 0;
}
