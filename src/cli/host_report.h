/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be seen of one host from the machine that it runs on, as `ensign status` says it and `ensign fleet` collects it:
 *
 *   {"state","since","keys","failed","restarts","pcr0","attested":true|false,"attested_pcr0","attestation_problem",
 *    "signatures_per_s","slashing_store":"ok"|"failing"|"unknown","last_error"}
 *
 * What is not known is null. SSM keeps 2,500 characters of what a command prints, so texts of others are cut.
 */
#pragma once

#include "cli/commands.h"

struct host_place {
	const char *run;     /* folder with the host's status.json */
	const char *url;     /* of the signer on this machine */
	const char *metrics; /* HOST:PORT of the host's metrics; NULL: there are none */
	const char *root;    /* of attestation, PEM; NULL: AWS's */
};

/* A new reference. NULL, ERROR_NOT_FOUND: there is no host. Takes a second, in which signatures are counted. */
MUST_USE json_t *host_report_new(const struct host_place *place, struct error *error);
/* A line of a table. `report` may have "instance", and instead of all else "problem". */
void host_report_print_head(FILE *stream);
void host_report_print(FILE *stream, const json_t *report);
