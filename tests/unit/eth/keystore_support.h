/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of keystores share. */
#pragma once

#include "vectors.h"

#include "eth/keystore.h"
#include "eth/keystore_parts.h"

static inline int prepare_secret_heap(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

/* The passwords have NULs in them, which the strict reader of base/json.h refuses. */
static inline json_t *load_json_with_nuls(const char *path)
{
	json_error_t problem;
	json_t *json = json_load_file(path, JSON_ALLOW_NUL, &problem);

	if (!json)
		fail_msg("%s: %s", path, problem.text);
	return json;
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

static inline const char *verdict_of(bool decrypted, const struct error *error)
{
	static const struct {
		enum error_code code;
		const char *part;
		const char *verdict;
	} verdicts[] = {
		{ERROR_CRYPTO, "wrong password", "wrong_password"}, {ERROR_CRYPTO, "pubkey: ", "pubkey_mismatch"},
		{ERROR_INPUT, "no BLS secret key", "bad_secret"},   {ERROR_INPUT, "is not supported", "unsupported"},
		{ERROR_INPUT, "too costly", "too_costly"},          {ERROR_INPUT, "", "malformed"},
	};

	if (decrypted)
		return "ok";
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		if (error->code == verdicts[i].code && strstr(error->message, verdicts[i].part))
			return verdicts[i].verdict;
	}
	return error_code_name(error->code);
}

static inline void assert_hex(struct view bytes, const char *expected)
{
	AUTO_BUFFER struct buffer wanted = unhex(expected);

	assert_true(view_equal(bytes, buffer_view(&wanted)));
}
