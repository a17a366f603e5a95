/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/ssm.h"

#define SERVICE "ssm"
/* What SSM's agent writes before a command's stderr and its own word on how the command ended (amazon-ssm-agent, iohandler). */
#define AGENT_ERRORS "\n----------ERROR-------\n"
#define LIST_INVOCATIONS "AmazonSSM.ListCommandInvocations"
/* 50 invocations with 2,500 characters of output each, written once more with escapes, and what stands around them. */
#define RESPONSE_MAX_SIZE (1u << 20)

static bool call(const struct ssm_client *client, const char *target, const json_t *request, json_t **ret_answer,
		 struct aws_failure *ret_failure, struct error *error)
{
	AUTO_BUFFER struct buffer body = {0};

	json_write(request, &body);
	return aws_call(&client->endpoint, SERVICE, target, client->credentials, buffer_view(&body), RESPONSE_MAX_SIZE, ret_answer,
			ret_failure, error);
}

/* A malformed answer is SSM's fault, not the caller's. */
static bool bad_answer(const char *target, struct error *error)
{
	if (error && error->code == ERROR_INPUT)
		error->code = ERROR_PEER;
	return error_prefix(error, "answer of %s", target);
}

/* ---- parameters ---- */

bool ssm_get_parameter(const struct ssm_client *client, const char *name, struct buffer *ret_value, struct error *error)
{
	static const char target[] = "AmazonSSM.GetParameter";
	AUTO_JSON json_t *request = json_pack("{s:s}", "Name", name);
	AUTO_JSON json_t *answer = NULL;
	struct aws_failure failure = {0};
	const char *value;
	json_t *parameter;

	if (!request)
		return error_set(error, ERROR_INPUT, "the parameter's name is not UTF-8");
	if (!call(client, target, request, &answer, &failure, error)) {
		if (error && strcmp(failure.name, "ParameterNotFound") == 0)
			return error_set(error, ERROR_NOT_FOUND, "there is no SSM parameter %.200s", name);
		return false;
	}
	if (!json_read_object(answer, "Parameter", &parameter, error) || !json_read_text(parameter, "Value", &value, error))
		return bad_answer(target, error);
	if (strlen(value) > SSM_VALUE_MAX_SIZE)
		return error_set(error, ERROR_PEER, "answer of %s: Value: %zu bytes", target, strlen(value));
	buffer_append_text(ret_value, value);
	return true;
}

bool ssm_put_parameter(const struct ssm_client *client, const char *name, const char *value, struct error *error)
{
	AUTO_JSON json_t *request =
		json_pack("{s:s, s:s, s:s, s:b}", "Name", name, "Value", value, "Type", "String", "Overwrite", 1);
	AUTO_JSON json_t *answer = NULL;

	if (!request)
		return error_set(error, ERROR_INPUT, "the parameter's name or value is not UTF-8");
	return call(client, "AmazonSSM.PutParameter", request, &answer, NULL, error);
}

/* ---- commands ---- */

bool ssm_send_command(const struct ssm_client *client, struct ssm_target whom, const char *line, unsigned delivery_s,
		      char ret_id[SSM_COMMAND_ID_SIZE], struct error *error)
{
	static const char target[] = "AmazonSSM.SendCommand";
	AUTO_JSON json_t *request = json_pack("{s:s, s:{s:[s]}, s:i}", "DocumentName", "AWS-RunShellScript", "Parameters",
					      "commands", line, "TimeoutSeconds", (int)delivery_s);
	AUTO_JSON json_t *answer = NULL;
	const char *id;
	json_t *command;
	json_t *targets = whom.group ? json_pack("[{s:s, s:[s]}]", "Key", "tag:aws:autoscaling:groupName", "Values", whom.group)
				     : json_pack("[s]", whom.instance);

	if (!request || json_object_set_new(request, whom.group ? "Targets" : "InstanceIds", targets) != 0)
		return error_set(error, ERROR_INPUT, "the command or its target is not UTF-8");
	if (!call(client, target, request, &answer, NULL, error))
		return false;
	if (!json_read_object(answer, "Command", &command, error) || !json_read_text(command, "CommandId", &id, error))
		return bad_answer(target, error);
	if (id[0] == 0 || strlen(id) >= SSM_COMMAND_ID_SIZE)
		return error_set(error, ERROR_PEER, "answer of %s: CommandId: %zu characters", target, strlen(id));
	memcpy(ret_id, id, strlen(id) + 1);
	return true;
}

static bool is_one_of(const char *text, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], text) == 0)
			return true;
	}
	return false;
}

static bool copy_text(const char *text, const char *name, char *ret_text, size_t size, struct error *error)
{
	if (text[0] == 0 || strlen(text) >= size)
		return error_set(error, ERROR_PEER, "%s: %zu characters", name, strlen(text));
	memcpy(ret_text, text, strlen(text) + 1);
	return true;
}

/* AWS-RunShellScript has one step, and so one plugin; before it begins there is none. */
static bool read_output(json_t *object, char ret_output[SSM_OUTPUT_MAX_SIZE + 1], struct error *error)
{
	const char *output;
	json_t *plugins;

	if (!json_object_get(object, "CommandPlugins"))
		return true;
	if (!json_read_array(object, "CommandPlugins", &plugins, error))
		return false;
	if (json_array_size(plugins) == 0)
		return true;
	if (!json_read_text_optional(json_array_get(plugins, 0), "Output", &output, error))
		return error_prefix(error, "CommandPlugins[0]");
	if (output)
		(void)snprintf(ret_output, SSM_OUTPUT_MAX_SIZE + 1, "%s", output);
	return true;
}

static bool read_invocation(json_t *object, struct ssm_invocation *invocation, struct error *error)
{
	static const char *const under_way[] = {"Pending", "InProgress", "Delayed", "Cancelling"};
	const char *instance, *status;

	if (!json_is_object(object))
		return error_set(error, ERROR_PEER, "not an object");
	if (!json_read_text(object, "InstanceId", &instance, error) || !json_read_text(object, "Status", &status, error) ||
	    !copy_text(instance, "InstanceId", invocation->instance, sizeof invocation->instance, error) ||
	    !copy_text(status, "Status", invocation->status, sizeof invocation->status, error) ||
	    !read_output(object, invocation->output, error))
		return false;
	invocation->has_ended = !is_one_of(status, under_way, ARRAY_SIZE(under_way));
	invocation->ok = strcmp(status, "Success") == 0;
	return true;
}

static int by_instance(const void *a, const void *b)
{
	return strcmp(((const struct ssm_invocation *)a)->instance, ((const struct ssm_invocation *)b)->instance);
}

bool ssm_read_invocations(json_t *answer, struct ssm_invocations *ret_invocations, struct error *error)
{
	json_t *list, *item;
	size_t index;

	*ret_invocations = (struct ssm_invocations){0};
	if (!json_read_array(answer, "CommandInvocations", &list, error))
		return bad_answer(LIST_INVOCATIONS, error);
	if (json_array_size(list) > SSM_INSTANCES_MAX)
		return error_set(error, ERROR_PEER, "answer of " LIST_INVOCATIONS ": %zu instances", json_array_size(list));
	json_array_foreach(list, index, item)
	{
		if (!read_invocation(item, &ret_invocations->items[index], error))
			return error_prefix(error, "CommandInvocations[%zu]", index) || bad_answer(LIST_INVOCATIONS, error);
		ret_invocations->count++;
	}
	qsort(ret_invocations->items, ret_invocations->count, sizeof ret_invocations->items[0], by_instance);
	return true;
}

struct view ssm_invocation_stdout(const struct ssm_invocation *invocation)
{
	const char *errors = strstr(invocation->output, AGENT_ERRORS);

	return view_of(invocation->output, errors ? (size_t)(errors - invocation->output) : strlen(invocation->output));
}

bool ssm_list_invocations(const struct ssm_client *client, const char *id, struct ssm_invocations *ret_invocations,
			  struct error *error)
{
	AUTO_JSON json_t *request = json_pack("{s:s, s:b, s:i}", "CommandId", id, "Details", 1, "MaxResults", SSM_INSTANCES_MAX);
	AUTO_JSON json_t *answer = NULL;

	if (!request)
		return error_set(error, ERROR_INPUT, "the command's id is not UTF-8");
	return call(client, LIST_INVOCATIONS, request, &answer, NULL, error) &&
	       ssm_read_invocations(answer, ret_invocations, error);
}
