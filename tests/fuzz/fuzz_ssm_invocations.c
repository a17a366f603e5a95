/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "aws/ssm.h"

/* Instances print into these outputs what they like; names go back into the next command's request. */
static void check(const struct ssm_invocations *list)
{
	if (list->count > SSM_INSTANCES_MAX)
		abort();
	for (size_t i = 0; i < list->count; i++) {
		const struct ssm_invocation *one = &list->items[i];

		if (!one->instance[0] || !one->status[0] || strlen(one->output) > SSM_OUTPUT_MAX_SIZE ||
		    (one->ok && !one->has_ended))
			abort();
		if (i > 0 && strcmp(list->items[i - 1].instance, one->instance) > 0)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ssm_invocations list;
	struct error error = {0};
	AUTO_JSON json_t *answer = json_parse_object(view_of(data, size), "answer", &error);

	if (answer && ssm_read_invocations(answer, &list, &error))
		check(&list);
	else if (answer && error.code != ERROR_PEER)
		abort();
	return 0;
}
