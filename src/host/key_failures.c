/* SPDX-License-Identifier: Apache-2.0 */
#include "host/key_failures.h"

static bool read_failure(json_t *item, struct key_failure *ret_failure, struct error *error)
{
	const char *pubkey;
	const char *message;

	if (!json_read_text(item, "pubkey", &pubkey, error) || !json_read_text(item, "message", &message, error))
		return false;
	(void)snprintf(ret_failure->pubkey, sizeof ret_failure->pubkey, "%s", pubkey);
	(void)snprintf(ret_failure->message, sizeof ret_failure->message, "%s", message);
	return true;
}

bool key_failures_read(json_t *body, struct key_failures *ret_failures, struct error *error)
{
	struct key_failures failures = {0};
	json_t *list;
	json_t *item;
	size_t index;

	if (json_object_get(body, "failed")) {
		if (!json_read_u64(body, "failed", &failures.count, error) || !json_read_array(body, "failures", &list, error))
			return false;
		if (json_array_size(list) > CONTROL_FAILURES_LISTED_MAX)
			return error_set(error, ERROR_INPUT, "failures: %zu rows", json_array_size(list));
		json_array_foreach(list, index, item)
		{
			if (!read_failure(item, &failures.told[failures.told_count++], error))
				return error_prefix(error, "failures[%zu]", index);
		}
	}
	*ret_failures = failures;
	return true;
}

void key_failures_write(const struct key_failures *failures, json_t *object)
{
	json_t *list = json_array();

	for (size_t i = 0; i < failures->told_count; i++)
		(void)json_array_append_new(list, json_pack("{s:o, s:o}", "pubkey", json_text_of_any(failures->told[i].pubkey),
							    "message", json_text_of_any(failures->told[i].message)));
	(void)json_object_set_new(object, "failed", json_integer((json_int_t)failures->count));
	(void)json_object_set_new(object, "failures", list);
}
