/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/fleet.h"
#include "cli/host_report.h"

static const struct command_help help = {
	.usage = "ensign status [--outputs F] [--json]",
	.description =
		"What the hosts of a signer do: the state of each enclave, the image that it attests to be, its keys, how many\n"
		"signatures it gives a second, its slashing store, and what went wrong last.\n"
		"\n"
		"On an instance it says that of its host. With --outputs, from anywhere, of a fleet's instances, which it asks\n"
		"through Systems Manager. Exit code 0: all of them serve, attested; 1: not all.\n"
		"\n"
		"  ensign status --outputs output.json",
};

static const struct command_help fleet_help = {
	.usage = "ensign fleet status [--outputs F] [--json]",
	.description = "ensign status of a fleet's instances.\n"
		       "\n"
		       "  ensign fleet status --outputs output.json --json | jq '.[].last_error'",
};

#define RUN "/run/ensign"
#define URL "https://127.0.0.1:8443"
#define METRICS "127.0.0.1:9001"

static bool is_well(const json_t *report)
{
	return fleet_is_serving(report) && json_is_true(json_object_get(report, "attested"));
}

static int show_fleet(const struct fleet_place *place)
{
	AUTO_FLEET struct fleet fleet = {0};
	AUTO_JSON json_t *reports = NULL;
	struct error error = {0};
	json_t *report;
	size_t index, well = 0;

	if (!fleet_open(place, &fleet, &error))
		return command_fail(&error, NULL);
	reports = fleet_ask(&fleet, &error);
	if (!reports)
		return fleet_fail(&fleet, &error,
				  "Are the instances up, and may you use SSM? aws ssm describe-instance-information "
				  "shows who takes commands.");
	fleet_print(reports, place->as_json);
	json_array_foreach(reports, index, report) well += is_well(report);
	return well == json_array_size(reports) && well > 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

static int show_host(const struct host_place *place, bool as_json)
{
	struct error error = {0};
	AUTO_JSON json_t *report = host_report_new(place, &error);

	if (!report)
		return command_fail(
			&error,
			"No ensign-host runs here. A fleet's instances: ensign status --outputs output.json; a laptop's signer: "
			"ensign local status");
	if (as_json)
		command_print_json(report);
	if (!as_json) {
		host_report_print_head(stdout);
		host_report_print(stdout, report);
	}
	return is_well(report) ? EXIT_CODE_OK : EXIT_CODE_FAILED;
}

int status_main(int argc, char **argv)
{
	struct fleet_place fleet = {0};
	struct host_place host = {.run = RUN, .url = URL, .metrics = METRICS};
	const struct option options[] = {
		FLEET_PLACE_OPTIONS(fleet, FLEET_JSON "; without --outputs one object, of this host"),
		{"run", OPTION_TEXT, &host.run, "DIR", "run folder of the host; default " RUN},
		{"url", OPTION_TEXT, &host.url, "URL", "of its signer; default " URL},
		{"metrics", OPTION_TEXT, &host.metrics, "HOST:PORT", "of its metrics; default " METRICS},
		{"root", OPTION_TEXT, &host.root, "PEM", "certificate of the attestation root; default AWS's"},
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	if (done)
		return code;
	return fleet.outputs ? show_fleet(&fleet) : show_host(&host, fleet.as_json);
}

int fleet_status_main(int argc, char **argv)
{
	struct fleet_place place = {0};
	const struct option options[] = {FLEET_PLACE_OPTIONS(place, FLEET_JSON)};
	bool done;
	int code;

	command_parse(&fleet_help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	return done ? code : show_fleet(&place);
}
