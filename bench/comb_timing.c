/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the time of a signature says anything of the key: Welch's t-test over two classes of secrets, one and the same against random
 * ones, in an order that is random too (the method of dudect: Reparaz, Balasch and Verbauwhede 2017). Of each class the slowest
 * measurements are cut off at several thresholds, which are the same for both, for they are interruptions; what is printed is the largest
 * |t| of all. Beyond 4.5 there is evidence of a difference, beyond 10 no doubt. A function that leaks is measured beside, which shows that
 * the test would see it.
 *
 * usage: comb_timing MEASUREMENTS
 */
#include <math.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/bls.h"

#define MEASUREMENTS_MAX 10000000
/* Measured between two refills of the secrets, which are made beforehand. */
#define ROUND 256
static const double thresholds[] = {0.50, 0.75, 0.90, 0.95, 0.99, 1.0};

static struct g2_comb comb;
static blst_p2 point;

/* ---- what is measured: the first scalar is the secret, the others are random in both classes ---- */

static void comb_of_one(const blst_scalar *scalars, blst_p2 *ret_products)
{
	g2_comb_multiply(&comb, scalars, 1, ret_products);
}

static void comb_of_eight(const blst_scalar *scalars, blst_p2 *ret_products)
{
	g2_comb_multiply(&comb, scalars, G2_COMB_BATCH_MAX, ret_products);
}

static void blst_of_one(const blst_scalar *scalars, blst_p2 *ret_products)
{
	blst_sign_pk_in_g1(ret_products, &point, scalars);
}

static void leaky(const blst_scalar *scalars, blst_p2 *ret_products)
{
	g2_comb_multiply(&comb, scalars, 1, ret_products);
	if (scalars->b[0] & 2)
		blst_p2_double(ret_products, ret_products);
}

static const struct subject {
	const char *name;
	void (*run)(const blst_scalar *scalars, blst_p2 *ret_products);
	bool is_leaky;
} subjects[] = {
	{"comb_of_one", comb_of_one, false},
	{"comb_of_eight", comb_of_eight, false},
	{"blst", blst_of_one, false},
	{"leaky", leaky, true},
};

/* ---- secrets ---- */

static void random_bytes(void *bytes, size_t size)
{
	if (RAND_bytes((unsigned char *)bytes, (int)size) != 1)
		abort();
}

static void random_scalar(blst_scalar *ret_scalar)
{
	do
		random_bytes(ret_scalar, sizeof *ret_scalar);
	while (!blst_sk_check(ret_scalar));
}

struct measurement {
	bool is_fixed;
	double ns;
};

static double now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void measure_round(const struct subject *subject, struct measurement measurements[ROUND])
{
	static blst_scalar scalars[ROUND + G2_COMB_BATCH_MAX];
	static blst_p2 products[G2_COMB_BATCH_MAX];
	static const blst_scalar fixed = {{1}};
	uint8_t classes[ROUND];

	random_bytes(classes, sizeof classes);
	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++)
		random_scalar(&scalars[i]);
	for (size_t i = 0; i < ROUND; i++) {
		blst_scalar together[G2_COMB_BATCH_MAX];
		double begun_ns;

		memcpy(together, &scalars[i], sizeof together);
		measurements[i].is_fixed = classes[i] & 1;
		/* The same copy for both. */
		together[0] = *(measurements[i].is_fixed ? &fixed : &scalars[i]);
		begun_ns = now_ns();
		subject->run(together, products);
		measurements[i].ns = now_ns() - begun_ns;
	}
}

/* ---- the test ---- */

static int compare(const void *a, const void *b)
{
	double left = ((const struct measurement *)a)->ns, right = ((const struct measurement *)b)->ns;

	return (left > right) - (left < right);
}

/* Of the fastest `count`. */
static double welch_t(const struct measurement *measurements, size_t count)
{
	double n[2] = {0}, mean[2] = {0}, squares[2] = {0};

	for (size_t i = 0; i < count; i++) {
		size_t class = measurements[i].is_fixed;
		double difference = measurements[i].ns - mean[class];

		n[class] += 1;
		mean[class] += difference / n[class];
		squares[class] += difference * (measurements[i].ns - mean[class]);
	}
	if (n[0] < 2 || n[1] < 2)
		return 0;
	return (mean[0] - mean[1]) / sqrt(squares[0] / (n[0] - 1) / n[0] + squares[1] / (n[1] - 1) / n[1]);
}

static double largest_t(struct measurement *measurements, size_t count)
{
	double largest = 0;

	qsort(measurements, count, sizeof *measurements, compare);
	for (size_t i = 0; i < ARRAY_SIZE(thresholds); i++) {
		double t = fabs(welch_t(measurements, (size_t)((double)count * thresholds[i])));

		largest = t > largest ? t : largest;
	}
	return largest;
}

int main(int argc, char **argv)
{
	static const uint8_t root[32] = {1};
	uint64_t wanted = 0;
	struct measurement *measurements;
	size_t count;

	if (argc != 2 || !u64_parse(view_of_text(argv[1]), &wanted) || wanted < ROUND || wanted > MEASUREMENTS_MAX) {
		(void)fprintf(stderr, "usage: comb_timing MEASUREMENTS\n");
		return 2;
	}
	count = wanted / ROUND * ROUND;
	measurements = (struct measurement *)memory_allocate_zeroed(count, sizeof *measurements);
	bls_hash_root(root, &point);
	if (!g2_comb_build(&comb, &point))
		return 1;
	(void)printf("{\"measurements\":%zu", count);
	for (size_t i = 0; i < ARRAY_SIZE(subjects); i++) {
		double median_ns, t;

		for (size_t j = 0; j < count; j += ROUND)
			measure_round(&subjects[i], &measurements[j]);
		t = largest_t(measurements, count);
		median_ns = measurements[count / 2].ns;
		(void)printf(",\"%s\":{\"t\":%.2f,\"median_ns\":%.0f,\"leaks_on_purpose\":%s}", subjects[i].name, t, median_ns,
			     subjects[i].is_leaky ? "true" : "false");
	}
	(void)printf("}\n");
	free(measurements);
	return 0;
}
