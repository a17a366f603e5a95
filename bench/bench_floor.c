/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What loading keys cannot be faster than: the mathematics alone, on all cores. Prints seconds.
 *
 * usage: bench_floor derive|scrypt COUNT
 *
 * derive: so many public keys of secret keys; scrypt: so many derivations of the usual cost of a keystore (n 2^18, r 8, p 1).
 */
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"
#include "crypto/bls.h"

#define THREADS_MAX 256
#define SCRYPT_N (1u << 18)
#define SCRYPT_R 8
#define SCRYPT_MEMORY_MAX (512ull << 20)

static atomic_ullong next_number;
static uint64_t count;
static bool (*work)(uint64_t number);

static bool derive(uint64_t number)
{
	uint8_t secret_key[BLS_SECRET_KEY_SIZE] = {0x17};
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct error error;

	store_le64(secret_key + 8, number);
	return bls_public_key_derive(secret_key, public_key, &error);
}

static bool scrypt(uint64_t number)
{
	uint8_t salt[32] = {0}, key[32];

	store_le64(salt, number);
	return EVP_PBE_scrypt("password", 8, salt, sizeof salt, SCRYPT_N, SCRYPT_R, 1, SCRYPT_MEMORY_MAX, key, sizeof key) == 1;
}

static void *run(void *ok)
{
	while (atomic_fetch_add(&next_number, 1) < count) {
		if (!work(atomic_load(&next_number)))
			*(bool *)ok = false;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	bool (*const works[])(uint64_t number) = {derive, scrypt};
	const char *const names[] = {"derive", "scrypt"};
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	pthread_t threads[THREADS_MAX];
	bool ok = true;
	uint64_t begun_us;

	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(works); i++) {
		if (strcmp(argv[1], names[i]) == 0)
			work = works[i];
	}
	if (!work || !u64_parse(view_of_text(argv[2]), &count)) {
		(void)fprintf(stderr, "usage: bench_floor derive|scrypt COUNT\n");
		return 2;
	}
	if (cores < 1 || cores > THREADS_MAX)
		cores = 1;
	begun_us = clock_monotonic_us();
	for (long i = 0; i < cores; i++) {
		if (pthread_create(&threads[i], NULL, run, &ok) != 0)
			return 1;
	}
	for (long i = 0; i < cores; i++)
		(void)pthread_join(threads[i], NULL);
	(void)printf("%.3f\n", (double)(clock_monotonic_us() - begun_us) / 1e6);
	return ok ? 0 : 1;
}
