/* SPDX-License-Identifier: Apache-2.0 */
/* Reading vectors, and what tests with secrets begin with. */
#pragma once

#include "vectors.h"

static inline int prepare_secret_heap(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

/* Passwords and paths have NULs in them, which the strict reader of base/json.h refuses. */
static inline json_t *load_json_with_nuls(const char *path)
{
	json_error_t problem;
	json_t *json = json_load_file(path, JSON_ALLOW_NUL, &problem);

	if (!json)
		fail_msg("%s: %s", path, problem.text);
	return json;
}

/* A public vector file; where it is missing the test is skipped. */
static inline json_t *load_public_json(const char *relative)
{
	AUTO_FREE char *path = public_vector_path(relative);

	if (!path)
		skip();
	return load_json_with_nuls(path);
}

static inline struct view text_of(json_t *object, const char *name)
{
	json_t *text = json_object_get(object, name);

	assert_true(json_is_string(text));
	return view_of(json_string_value(text), json_string_length(text));
}

static inline const char *name_of(json_t *object, const char *name)
{
	return json_string_value(json_object_get(object, name));
}

static inline void assert_hex(struct view bytes, const char *expected)
{
	AUTO_BUFFER struct buffer wanted = unhex(expected);

	assert_true(view_equal(bytes, buffer_view(&wanted)));
}
