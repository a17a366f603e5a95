/* SPDX-License-Identifier: Apache-2.0 */
/* Systems Manager (AmazonSSM 2014-11-06): parameters, and commands that its agents run on instances. */
#pragma once

#include "aws/request.h"

/* Of a standard parameter: 4 KB. */
#define SSM_VALUE_MAX_SIZE 4096
/* A UUID. */
#define SSM_COMMAND_ID_SIZE 37
#define SSM_INSTANCE_ID_SIZE 64
#define SSM_STATUS_SIZE 32
/* SSM keeps the first 2,500 characters of what a command printed on each instance. */
#define SSM_OUTPUT_MAX_SIZE 2500
/* Instances that one command is sent to. A fleet has two, and a third while one is replaced. */
#define SSM_INSTANCES_MAX 50

struct ssm_client {
	struct aws_endpoint endpoint;
	const struct credentials *credentials; /* borrowed */
};

/* Appends the value. ERROR_NOT_FOUND when there is no such parameter. */
MUST_USE bool ssm_get_parameter(const struct ssm_client *client, const char *name, struct buffer *ret_value, struct error *error);
/* Type String; another value is overwritten. */
MUST_USE bool ssm_put_parameter(const struct ssm_client *client, const char *name, const char *value, struct error *error);

/* On whom: the instances of an Auto Scaling group (its tag), or one instance. The other is NULL. */
struct ssm_target {
	const char *group;
	const char *instance;
};

/*
 * Run one line of shell (document AWS-RunShellScript), as root. An instance that has not begun by `delivery_s` (30 to 2592000) never does.
 * Returns as soon as SSM has taken it.
 */
MUST_USE bool ssm_send_command(const struct ssm_client *client, struct ssm_target target, const char *line, unsigned delivery_s,
			       char ret_id[SSM_COMMAND_ID_SIZE], struct error *error);

struct ssm_invocation {
	char instance[SSM_INSTANCE_ID_SIZE];
	char status[SSM_STATUS_SIZE]; /* Pending, InProgress, Success, Failed, TimedOut, … */
	bool has_ended;
	bool ok;                              /* it ran, and its line ended with 0 */
	char output[SSM_OUTPUT_MAX_SIZE + 1]; /* of stdout and stderr; NUL-terminated; more of it is cut off */
};

/* What the line wrote on stdout alone. Borrowed from the invocation. */
struct view ssm_invocation_stdout(const struct ssm_invocation *invocation);

struct ssm_invocations {
	struct ssm_invocation items[SSM_INSTANCES_MAX];
	size_t count;
};

/* Pure: reads the answer of ListCommandInvocations. ERROR_PEER when it is malformed. */
MUST_USE bool ssm_read_invocations(json_t *answer, struct ssm_invocations *ret_invocations, struct error *error);
/* How it goes on each instance, by name. Right after it was sent there may be none yet. About 130 KiB: not for the stack. */
MUST_USE bool ssm_list_invocations(const struct ssm_client *client, const char *id, struct ssm_invocations *ret_invocations,
				   struct error *error);
