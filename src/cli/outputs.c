/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/outputs.h"

#include "base/file.h"
#include "cli/policy_key.h"

#define OUTPUTS_MAX_SIZE (1u << 20)
#define ARN_REGION 3

void outputs_done(struct outputs *outputs)
{
	if (!outputs)
		return;
	json_decref(outputs->object);
	free(outputs->region);
	*outputs = (struct outputs){0};
}

static bool find_stack(struct outputs *outputs, struct error *error)
{
	const char *name;
	json_t *stack;

	json_object_foreach(outputs->object, name, stack)
	{
		const char *key = json_string_value(json_object_get(stack, "KMSKeyARN"));

		if (!key)
			continue;
		outputs->stack = name;
		outputs->values = stack;
		outputs->region = arn_part(key, ARN_REGION);
		return outputs->region || error_set(error, ERROR_INPUT, "%s: KMSKeyARN: not an ARN", name);
	}
	return error_set(error, ERROR_INPUT, "there is no stack with KMSKeyARN in it");
}

bool outputs_read(const char *path, struct outputs *ret_outputs, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_OUTPUTS struct outputs outputs = {.path = path};

	if (!file_read(path, OUTPUTS_MAX_SIZE, &text, error)) {
		error->code = ERROR_INPUT;
		return error_prefix(error, "--outputs");
	}
	outputs.object = json_parse_object(buffer_view(&text), path, error);
	if (!outputs.object)
		return error_prefix(error, "--outputs");
	if (!find_stack(&outputs, error))
		return error_prefix(error, "--outputs: %s", path);
	*ret_outputs = outputs;
	outputs = (struct outputs){0};
	return true;
}

bool outputs_need(const struct outputs *outputs, const char *name, const char **ret_value, struct error *error)
{
	*ret_value = json_string_value(json_object_get(outputs->values, name));
	return *ret_value ||
	       error_set(error, ERROR_INPUT, "--outputs: %s: the stack %s has no %s", outputs->path, outputs->stack, name);
}
