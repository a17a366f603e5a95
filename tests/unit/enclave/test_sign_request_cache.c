/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of requests: always what sign_request_parse() says, for exactly the same bytes only, and within its bounds. */
#include "enclave/frontend/sign_request_cache.h"

#include <pthread.h>

#include "vectors.h"

#define THREADS 4
#define REQUESTS_PER_THREAD 400

static const uint8_t keys[2][BLS_PUBLIC_KEY_SIZE] = {{0x93, 0x01}, {0x85, 0x02}};

static struct sign_request_cache *new_cache(void)
{
	struct error error;
	const struct network *network = network_find("mainnet", &error);

	assert_ok(network != NULL, &error);
	return sign_request_cache_new(network);
}

/* `padding` blanks more than needed. */
static void append_request(struct buffer *body, unsigned epoch, unsigned padding)
{
	buffer_append_format(body,
			     "{\"type\":\"RANDAO_REVEAL\",\"fork_info\":{\"fork\":{\"previous_version\":\"0x05000000\","
			     "\"current_version\":\"0x06000000\",\"epoch\":\"0\"},\"genesis_validators_root\":\"0x01\"},"
			     "\"randao_reveal\":{\"epoch\":\"%u\"}%*s}",
			     epoch, (int)padding, "");
}

static void ask(struct sign_request_cache *cache, const uint8_t *key, unsigned epoch, unsigned padding)
{
	AUTO_BUFFER struct buffer body = {0};
	struct message_sign expected, got;
	struct error error;

	append_request(&body, epoch, padding);
	memset(&got, 0xee, sizeof got);
	assert_ok(sign_request_parse(buffer_view(&body), key, network_find("mainnet", NULL), &expected, &error), &error);
	assert_ok(sign_request_cache_parse(cache, buffer_view(&body), key, &got, &error), &error);
	assert_memory_equal(&got, &expected, sizeof got);
	assert_int_equal(got.object.epoch, epoch);
}

static void the_same_bytes_are_read_once(void **state)
{
	struct sign_request_cache *cache = new_cache();

	(void)state;
	for (size_t i = 0; i < 10; i++)
		ask(cache, keys[i % 2], 7, 0);
	assert_int_equal(sign_request_cache_count(cache), 1);
	sign_request_cache_free(cache);
}

/* One that begins like another, one of the same size, one that means the same in other bytes. */
static void other_bytes_are_another_request(void **state)
{
	struct sign_request_cache *cache = new_cache();

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		ask(cache, keys[0], 1, 0);
		ask(cache, keys[0], 2, 0);
		ask(cache, keys[0], 12, 0);
		ask(cache, keys[0], 1, 1);
	}
	assert_int_equal(sign_request_cache_count(cache), 4);
	sign_request_cache_free(cache);
}

static void what_cannot_be_read_is_refused_each_time(void **state)
{
	struct sign_request_cache *cache = new_cache();
	struct message_sign message;
	struct error error;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		assert_false(sign_request_cache_parse(cache, view_of_text("{\"type\":\"BLOCK_V2\"}"), keys[0], &message, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_false(sign_request_cache_parse(cache, view_of(NULL, 0), keys[0], &message, &error));
	}
	assert_int_equal(sign_request_cache_count(cache), 0);
	sign_request_cache_free(cache);
}

static void it_is_bounded(void **state)
{
	struct sign_request_cache *cache = new_cache();

	(void)state;
	ask(cache, keys[0], 1, SIGN_REQUEST_CACHE_BODY_MAX_SIZE);
	assert_int_equal(sign_request_cache_count(cache), 0);
	for (unsigned i = 0; i < 3 * SIGN_REQUEST_CACHE_MAX; i++) {
		ask(cache, keys[0], i, 0);
		ask(cache, keys[1], 0, 0);
	}
	assert_int_equal(sign_request_cache_count(cache), SIGN_REQUEST_CACHE_MAX);
	sign_request_cache_free(cache);
}

static void *ask_often(void *cache)
{
	for (unsigned i = 0; i < REQUESTS_PER_THREAD; i++)
		ask((struct sign_request_cache *)cache, keys[i % 2], i / 3 % (2 * SIGN_REQUEST_CACHE_MAX), 0);
	return NULL;
}

static void many_threads(void **state)
{
	struct sign_request_cache *cache = new_cache();
	pthread_t threads[THREADS];

	(void)state;
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_often, cache), 0);
	for (size_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	sign_request_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_bytes_are_read_once),
		cmocka_unit_test(other_bytes_are_another_request),
		cmocka_unit_test(what_cannot_be_read_is_refused_each_time),
		cmocka_unit_test(it_is_bounded),
		cmocka_unit_test(many_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
