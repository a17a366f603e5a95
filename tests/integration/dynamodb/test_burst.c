/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a burst of duties takes, straight to the emulator and over a way with a delay: the difference is the number of round trips. The
 * numbers are printed for docs/decisions/0009-dynamodb-store.md.
 */
#include <stdlib.h>
#include <unistd.h>

#include "bad_relay.h"
#include "base/clock.h"
#include "store_place_dynamodb.h"

#define CHAIN 7
#define BURST_MAX 400
#define REPEATS 9
#define FAR_REPEATS 3
/* Far more than the emulator takes for a burst, so that round trips can be counted. */
#define DELAY_MS 200

/* Attestations of as many keys, all of the next epoch; microseconds. */
static uint64_t run_burst(struct slashing_store *store, size_t count, uint64_t epoch)
{
	static struct store_commit commits[BURST_MAX];
	static struct store_result results[BURST_MAX];
	struct error error = {0};
	uint64_t start_us;

	for (size_t i = 0; i < count; i++) {
		commits[i] = on_chain(CHAIN, attestation(0, epoch, epoch + 1, 1));
		commits[i].public_key[0] = (uint8_t)(i >> 8);
		commits[i].public_key[1] = (uint8_t)i;
	}
	start_us = clock_monotonic_us();
	assert_ok(slashing_store_commit(store, commits, count, results, &error), &error);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(results[i].outcome, STORE_DURABLE);
	return clock_monotonic_us() - start_us;
}

/* The fastest, with the connections there: what a round trip takes no run can do without, however busy the machine is. */
static uint64_t measure_us(struct slashing_store *store, size_t count, size_t repeats, uint64_t *epoch)
{
	uint64_t fastest_us = UINT64_MAX;

	(void)run_burst(store, count, (*epoch)++);
	for (size_t i = 0; i < repeats; i++) {
		uint64_t time_us = run_burst(store, count, (*epoch)++);

		if (time_us < fastest_us)
			fastest_us = time_us;
	}
	return fastest_us;
}

static void bursts(void **state)
{
	static const size_t sizes[] = {1, 16, 128, 400};
	struct place *place = (struct place *)*state;
	static struct bad_relay_options options = {.listen = {.kind = ADDRESS_UNIX}, .delay_ms = DELAY_MS};
	AUTO_SLASHING_STORE struct slashing_store *straight = open_on_chain(place, CHAIN);
	struct slashing_store *far;
	struct bad_relay *relay;
	uint64_t epoch = 0;

	options.server = dynamodb_server_address(&place->server);
	(void)snprintf(options.listen.path, sizeof options.listen.path, "/tmp/ensign-burst-%ld", (long)getpid());
	relay = bad_relay_start(&options);
	place->options.endpoint.via = &options.listen;
	far = open_on_chain(place, CHAIN);
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t near_us = measure_us(straight, sizes[i], REPEATS, &epoch);
		uint64_t far_us = measure_us(far, sizes[i], FAR_REPEATS, &epoch);

		print_message("burst of %zu: %.1f ms straight, %.1f ms over a way of %d ms: %.1f round trips\n", sizes[i],
			      (double)near_us / 1000, (double)far_us / 1000, DELAY_MS,
			      (double)(far_us - near_us) / 1000 / DELAY_MS);
		/* One, whatever the machine does meanwhile. */
		assert_true(far_us < 2 * DELAY_MS * 1000 + near_us);
	}
	slashing_store_free(far);
	place->options.endpoint.via = NULL;
	bad_relay_stop(relay);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PLACE(bursts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
