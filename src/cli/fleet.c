/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fleet.h"

#include <time.h>

#include "aws/sts.h"
#include "base/clock.h"
#include "cli/host_report.h"
#include "cli/operator_credentials.h"
#include "cli/progress.h"
#include "net/deadline.h"

#define OUTPUTS_DEFAULT "output.json"
/* SSM gives up on an instance that has not begun by then; 30 is the least that it takes. */
#define DELIVERY_S 30
/* An agent takes a command within a second or two. */
#define POLL_MS 500
/* Between two looks at all instances, each a command to them. */
#define LOOK_MS 2000
#define SSM_TIMEOUT_MS 10000
#define SSM_ATTEMPTS 4
/* Exit code 1 says that the host does not serve, which is no failure of the command: the report says it too. */
#define REPORT_LINE                                                                                                                \
	"/opt/ensign/bin/ensign status --json --run /run/ensign --url https://127.0.0.1:8443 --metrics 127.0.0.1:9001 || true"

void fleet_done(struct fleet *fleet)
{
	if (!fleet)
		return;
	outputs_done(&fleet->outputs);
	credentials_done(&fleet->credentials);
	aws_access_done(&fleet->access);
}

bool fleet_open(const struct fleet_place *place, struct fleet *ret_fleet, struct error *error)
{
	struct fleet *fleet = ret_fleet;
	struct aws_place where = {0};

	if (!outputs_read(place->outputs ? place->outputs : OUTPUTS_DEFAULT, &fleet->outputs, error) ||
	    !outputs_need(&fleet->outputs, "ASGGroupName", &fleet->group, error) ||
	    !outputs_need(&fleet->outputs, "Web3SignerInitFlagParamName", &fleet->flag, error))
		return false;
	where.region = fleet->outputs.region;
	if (!credentials_of_operator(place->credentials, &fleet->credentials, error) ||
	    !aws_access_init("ssm", &where, &fleet->access, error))
		return false;
	fleet->ssm = (struct ssm_client){.endpoint = fleet->access.endpoint, .credentials = &fleet->credentials};
	fleet->ssm.endpoint.timeout_ms = SSM_TIMEOUT_MS;
	fleet->ssm.endpoint.attempts = SSM_ATTEMPTS;
	fleet->deadline_ms = clock_monotonic_ms() + (place->timeout_s ? place->timeout_s : FLEET_TIMEOUT_S) * 1000;
	return true;
}

bool fleet_set_flag(const struct fleet *fleet, bool may_run, struct error *error)
{
	return ssm_put_parameter(&fleet->ssm, fleet->flag, may_run ? "true" : "false", error) ||
	       error_prefix(error, "the start flag %s", fleet->flag);
}

/* ---- commands ---- */

static void pause_ms(unsigned duration_ms)
{
	const struct timespec duration = {.tv_sec = duration_ms / 1000, .tv_nsec = (long)(duration_ms % 1000) * 1000000};

	(void)nanosleep(&duration, NULL);
}

static bool have_ended(const struct ssm_invocations *invocations)
{
	for (size_t i = 0; i < invocations->count; i++) {
		if (!invocations->items[i].has_ended)
			return false;
	}
	return invocations->count > 0;
}

/* Sent, and waited for. A failure of the line is none of this. */
static bool run_line(const struct fleet *fleet, const char *instance, const char *line, struct ssm_invocations *ret_invocations,
		     struct error *error)
{
	const struct ssm_target target = {.group = instance ? NULL : fleet->group, .instance = instance};
	char id[SSM_COMMAND_ID_SIZE];

	if (!ssm_send_command(&fleet->ssm, target, line, DELIVERY_S, id, error))
		return false;
	do {
		pause_ms(POLL_MS);
		if (!ssm_list_invocations(&fleet->ssm, id, ret_invocations, error))
			return false;
		if (have_ended(ret_invocations))
			return true;
	} while (deadline_left_ms(fleet->deadline_ms) > 0);
	if (ret_invocations->count > 0)
		return true;
	return error_set(error, ERROR_NOT_FOUND, "no instance of the group %s takes commands", fleet->group);
}

bool fleet_run(const struct fleet *fleet, const char *instance, const char *line, struct ssm_invocations *ret_invocations,
	       struct error *error)
{
	if (!run_line(fleet, instance, line, ret_invocations, error))
		return false;
	for (size_t i = 0; i < ret_invocations->count; i++) {
		const struct ssm_invocation *invocation = &ret_invocations->items[i];

		if (!invocation->ok)
			return error_set(error, ERROR_PEER, "%s: %s: %s: %.300s", invocation->instance, line, invocation->status,
					 invocation->output);
	}
	return true;
}

/* ---- reports ---- */

static json_t *report_of(const struct ssm_invocation *invocation)
{
	struct error ignored;
	json_t *report = json_parse_object(ssm_invocation_stdout(invocation), "report", &ignored);

	if (!report)
		report = json_pack(
			"{s:o}", "problem",
			json_text_of_any(invocation->has_ended && invocation->output[0] ? invocation->output : invocation->status));
	(void)json_object_set_new(report, "instance", json_string(invocation->instance));
	return report;
}

json_t *fleet_ask(const struct fleet *fleet, struct error *error)
{
	AUTO_FREE struct ssm_invocations *invocations = memory_allocate_zeroed(1, sizeof *invocations);
	json_t *reports;

	if (!run_line(fleet, NULL, REPORT_LINE, invocations, error))
		return NULL;
	reports = json_array();
	for (size_t i = 0; i < invocations->count; i++)
		(void)json_array_append_new(reports, report_of(&invocations->items[i]));
	return reports;
}

static bool is_in_state(const json_t *report, const char *state)
{
	const char *text = json_string_value(json_object_get(report, "state"));

	return text && strcmp(text, state) == 0;
}

bool fleet_is_serving(const json_t *report)
{
	return is_in_state(report, "serving");
}

bool fleet_is_waiting(const json_t *report)
{
	return is_in_state(report, "waiting");
}

static bool is_wanted(const json_t *report, const char *instance)
{
	const char *name = json_string_value(json_object_get(report, "instance"));

	return !instance || (name && strcmp(name, instance) == 0);
}

static bool are_there(const json_t *reports, const char *instance, bool (*is_there)(const json_t *report))
{
	size_t wanted = 0, there = 0, index;
	json_t *report;

	json_array_foreach(reports, index, report)
	{
		wanted += is_wanted(report, instance);
		there += is_wanted(report, instance) && is_there(report);
	}
	return wanted > 0 && there == wanted;
}

json_t *fleet_wait(const struct fleet *fleet, const char *instance, const char *what, bool (*is_there)(const json_t *report),
		   bool *ret_all, struct error *error)
{
	uint64_t begun_ms = clock_monotonic_ms();
	json_t *reports = NULL;

	for (*ret_all = false; !*ret_all;) {
		json_decref(reports);
		reports = fleet_ask(fleet, error);
		if (!reports)
			return NULL;
		*ret_all = are_there(reports, instance, is_there);
		progress_show_wait(what, (unsigned)((clock_monotonic_ms() - begun_ms) / 1000), *ret_all);
		if (*ret_all || deadline_left_ms(fleet->deadline_ms) == 0)
			break;
		pause_ms(LOOK_MS);
	}
	return reports;
}

/* Most refusals are of somebody else than one thinks one is. */
static void add_caller(const struct fleet *fleet, struct error *error)
{
	const struct aws_place place = {.region = fleet->outputs.region};
	AUTO_AWS_ACCESS struct aws_access access = {0};
	struct sts_client sts = {.credentials = &fleet->credentials};
	char arn[STS_ARN_SIZE];
	struct error ignored;

	if (!aws_access_init("sts", &place, &access, &ignored))
		return;
	sts.endpoint = access.endpoint;
	sts.endpoint.timeout_ms = SSM_TIMEOUT_MS;
	if (sts_get_caller(&sts, arn, &ignored))
		(void)error_prefix(error, "you are %s", arn);
}

int fleet_fail(const struct fleet *fleet, struct error *error, const char *advice)
{
	if (error->code == ERROR_POLICY)
		add_caller(fleet, error);
	return command_fail(error, "%s", advice);
}

void fleet_print(const json_t *reports, bool as_json)
{
	json_t *report;
	size_t index;

	if (as_json) {
		command_print_json(reports);
		return;
	}
	host_report_print_head(stdout);
	json_array_foreach(reports, index, report) host_report_print(stdout, report);
}
