/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fleet.h"

static const struct command_help start_help = {
	.usage = "ensign fleet start [--outputs F] [--timeout S] [--json]",
	.description = "Sets the start flag, which the hosts of the fleet look at every few seconds, and waits until each of them "
		       "serves.\n"
		       "Instances that come later start by themselves. Exit code 1: not all of them serve; the table says why.\n"
		       "\n"
		       "  ensign fleet start --outputs output.json",
};

static const struct command_help stop_help = {
	.usage = "ensign fleet stop [--outputs F] [--timeout S] [--json]",
	.description = "Takes the start flag back: every host ends its enclave, and the keys are nowhere but sealed in their "
		       "table. Waits\n"
		       "until all have. Nothing is signed from then on, until `ensign fleet start`.\n"
		       "\n"
		       "  ensign fleet stop --outputs output.json",
};

static const struct direction {
	const struct command_help *help;
	bool may_run;
	const char *what;
	bool (*is_there)(const json_t *report);
	const char *advice;
} start = {&start_help, true, "waiting until all instances serve", fleet_is_serving,
	   "Not every instance serves. What stands under last error is the reason; ensign status --outputs F asks again."},
  stop = {&stop_help, false, "waiting until all enclaves have ended", fleet_is_waiting,
	  "Not every host has ended its enclave. The flag is false, so those that can read it will; ensign status --outputs F asks "
	  "again."};

static int turn(const struct direction *direction, const struct fleet_place *place)
{
	AUTO_FLEET struct fleet fleet = {0};
	AUTO_JSON json_t *reports = NULL;
	struct error error = {0};
	bool all = false;

	if (!fleet_open(place, &fleet, &error))
		return command_fail(&error, NULL);
	if (!fleet_set_flag(&fleet, direction->may_run, &error))
		return fleet_fail(&fleet, &error, "Nothing was changed.");
	(void)fprintf(stderr, "%s is %s now.\n", fleet.flag, direction->may_run ? "true" : "false");
	reports = fleet_wait(&fleet, NULL, direction->what, direction->is_there, &all, &error);
	if (!reports)
		return fleet_fail(
			&fleet, &error,
			"The flag is set all the same: hosts that read it follow it. ensign status --outputs F asks again.");
	fleet_print(reports, place->as_json);
	if (!all)
		(void)fprintf(stderr, "%s\n", direction->advice);
	return all ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static int run(const struct direction *direction, int argc, char **argv)
{
	struct fleet_place place = {0};
	const struct option options[] = {FLEET_PLACE_OPTIONS(place, FLEET_JSON)};
	bool done;
	int code;

	command_parse(direction->help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	return done ? code : turn(direction, &place);
}

int fleet_start_main(int argc, char **argv)
{
	return run(&start, argc, argv);
}

int fleet_stop_main(int argc, char **argv)
{
	return run(&stop, argc, argv);
}
