/* SPDX-License-Identifier: Apache-2.0 */
/* What JSON values may take together, and what is always left of it. */
#include "enclave/frontend/json_budget.h"

#include "base/json.h"
#include "vectors.h"

#define LARGE_BODY_SIZE (8u << 20)
#define SMALL_BODY_SIZE 1024u
#define TEXT_SIZE 65536u

/* Texts in a list until there is no room for another. */
static json_t *fill(size_t body_size, size_t *ret_size)
{
	static char text[TEXT_SIZE];
	json_t *list = json_array();

	memset(text, 'x', sizeof text);
	json_budget_begin(body_size);
	for (*ret_size = 0; *ret_size <= JSON_BUDGET_SIZE; *ret_size += sizeof text) {
		json_t *value = json_stringn(text, sizeof text);

		if (!value || json_array_append_new(list, value) != 0)
			break;
	}
	return list;
}

static void large_bodies_leave_room_for_small_ones(void **state)
{
	static const char small[] = "{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}}";
	AUTO_JSON json_t *large = NULL;
	AUTO_JSON json_t *others = NULL;
	size_t size;

	(void)state;
	large = fill(LARGE_BODY_SIZE, &size);
	assert_true(json_budget_was_exceeded());
	assert_in_range(size, JSON_BUDGET_SIZE / 2, JSON_BUDGET_SIZE - JSON_BUDGET_RESERVE);
	for (int i = 0; i < 1000; i++) {
		AUTO_JSON json_t *request = NULL;

		json_budget_begin(SMALL_BODY_SIZE);
		request = json_parse_object(view_of_text(small), "body", NULL);
		assert_non_null(request);
		assert_false(json_budget_was_exceeded());
	}
	/* They have an end too. */
	others = fill(SMALL_BODY_SIZE, &size);
	assert_true(json_budget_was_exceeded());
	assert_in_range(size, JSON_BUDGET_RESERVE / 2, JSON_BUDGET_RESERVE);
}

static void what_is_freed_may_be_used_again(void **state)
{
	size_t first, second;

	(void)state;
	json_decref(fill(LARGE_BODY_SIZE, &first));
	json_decref(fill(LARGE_BODY_SIZE, &second));
	assert_int_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(large_bodies_leave_room_for_small_ones),
		cmocka_unit_test(what_is_freed_may_be_used_again),
	};

	json_budget_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
