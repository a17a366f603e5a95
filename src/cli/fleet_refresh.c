/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fleet.h"

static const struct command_help help = {
	.usage = "ensign fleet refresh [--reload] [--outputs F] [--timeout S] [--json]",
	.description =
		"Restarts the hosts one after the other, each only when the one before serves again: what is new on the instances "
		"(a\n"
		"setting, a program) is in force then, and clients always have a signer. A host that goes tells the load balancer\n"
		"first. Stops at the first one that does not come back, with the others as they were.\n"
		"\n"
		"With --reload the hosts only read the tables again, all at once and without a restart; they do that by "
		"themselves\n"
		"every half a minute. Another image, or other instances: deploy/ensign-deploy up.\n"
		"\n"
		"  ensign fleet refresh --outputs output.json",
};

#define RESTART "systemctl restart ensign-host.service"
#define RELOAD "systemctl reload ensign-host.service"

/* By name, as they are now. */
static bool restart_each(const struct fleet *fleet, json_t **reports, bool *ret_all, struct error *error)
{
	AUTO_FREE struct ssm_invocations *invocations = memory_allocate_zeroed(1, sizeof *invocations);
	AUTO_JSON json_t *before = json_incref(*reports);
	json_t *report;
	size_t index;

	*ret_all = true;
	json_array_foreach(before, index, report)
	{
		const char *instance = json_string_value(json_object_get(report, "instance"));

		(void)fprintf(stderr, "%s: restarting, %zu of %zu\n", instance, index + 1, json_array_size(before));
		if (!fleet_run(fleet, instance, RESTART, invocations, error))
			return false;
		json_decref(*reports);
		*reports = fleet_wait(fleet, instance, "waiting until it serves", fleet_is_serving, ret_all, error);
		if (!*reports || !*ret_all)
			return *reports != NULL;
	}
	return true;
}

static bool reload_all(const struct fleet *fleet, struct error *error)
{
	AUTO_FREE struct ssm_invocations *invocations = memory_allocate_zeroed(1, sizeof *invocations);

	return fleet_run(fleet, NULL, RELOAD, invocations, error);
}

static int run(const struct fleet_place *place, bool only_reload)
{
	AUTO_FLEET struct fleet fleet = {0};
	AUTO_JSON json_t *reports = NULL;
	struct error error = {0};
	bool all = true;

	if (!fleet_open(place, &fleet, &error))
		return command_fail(&error, NULL);
	if (only_reload && !reload_all(&fleet, &error))
		return command_fail(&error, NULL);
	reports = fleet_ask(&fleet, &error);
	if (!reports || (!only_reload && !restart_each(&fleet, &reports, &all, &error)))
		return fleet_fail(&fleet, &error, "What was not restarted is as it was. ensign status --outputs F shows all.");
	fleet_print(reports, place->as_json);
	if (!all)
		(void)fprintf(stderr,
			      "It does not serve, so the others were left alone. What stands under last error is the reason.\n");
	return all ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

int fleet_refresh_main(int argc, char **argv)
{
	struct fleet_place place = {0};
	bool only_reload = false;
	const struct option options[] = {
		FLEET_PLACE_OPTIONS(place, FLEET_JSON),
		{"reload", OPTION_FLAG, &only_reload, NULL, "have the hosts read the tables again, without a restart"},
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	return done ? code : run(&place, only_reload);
}
