/* SPDX-License-Identifier: Apache-2.0 */
/* A fleet's instances as `ensign fleet` gets at them: commands through Systems Manager, and what each host says of itself. */
#pragma once

#include "aws/access.h"
#include "aws/ssm.h"
#include "cli/commands.h"
#include "cli/outputs.h"

/* What a command line says. */
struct fleet_place {
	const char *outputs;
	const char *credentials;
	uint64_t timeout_s; /* 0: FLEET_TIMEOUT_S */
	bool as_json;
};

/* An instance that boots takes two minutes, an enclave with its keys some seconds. */
#define FLEET_TIMEOUT_S 300

#define FLEET_JSON "print an array of objects, one for each instance"
#define FLEET_PLACE_OPTIONS(place, json_help)                                                                                      \
	{"outputs", OPTION_TEXT, &(place).outputs, "F", "the stack's outputs; default output.json"},                               \
		{"credentials", OPTION_TEXT, &(place).credentials, "FROM",                                                         \
		 "JSON file, or imds: the instance's role; default: where AWS's own tools find them"},                             \
		{"timeout", OPTION_NUMBER, &(place).timeout_s, "S", "how long to wait for the instances; default 300"},            \
	{                                                                                                                          \
		"json", OPTION_FLAG, &(place).as_json, NULL, json_help                                                             \
	}

struct fleet {
	struct outputs outputs;
	struct credentials credentials;
	struct aws_access access;
	struct ssm_client ssm;
	const char *group;
	const char *flag;
	uint64_t deadline_ms; /* net/deadline.h */
};

void fleet_done(struct fleet *fleet);
#define AUTO_FLEET CLEANUP(fleet_done)

/* `ret_fleet` must not move. */
MUST_USE bool fleet_open(const struct fleet_place *place, struct fleet *ret_fleet, struct error *error);
MUST_USE bool fleet_set_flag(const struct fleet *fleet, bool may_run, struct error *error);

/*
 * What each instance says: an array of {"instance", …} with the members of cli/host_report.h, or {"instance", "problem"}, by name. A new reference; NULL on
 * failure, which is SSM's, or the time's.
 */
MUST_USE json_t *fleet_ask(const struct fleet *fleet, struct error *error);
/* Run a line on one instance, or on all with NULL, until it has ended there. ERROR_PEER says where it did not go well. */
MUST_USE bool fleet_run(const struct fleet *fleet, const char *instance, const char *line, struct ssm_invocations *ret_invocations,
			struct error *error);
/*
 * Ask again and again until `is_there` holds for every instance (of `instance` alone where that is not NULL), and progress is shown as `what`. Returns the last
 * reports; *ret_all says whether all are there. NULL: nobody could be asked.
 */
MUST_USE json_t *fleet_wait(const struct fleet *fleet, const char *instance, const char *what,
			    bool (*is_there)(const json_t *report), bool *ret_all, struct error *error);
bool fleet_is_serving(const json_t *report);
bool fleet_is_waiting(const json_t *report);
/* command_fail(), and of what AWS does not allow it says to whom. */
int fleet_fail(const struct fleet *fleet, struct error *error, const char *advice);
/* A table for people, or the array for machines. */
void fleet_print(const json_t *reports, bool as_json);
