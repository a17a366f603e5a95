/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole simulator: KMS, instance metadata, NSM and their attestation authority over one folder (docs/protocols.md,
 * "ensign-sim"). Needs the secret heap.
 */
#pragma once

#include "sim/authority.h"
#include "sim/imds.h"
#include "sim/kms.h"

#define SIM_REGION "us-east-1"
#define SIM_ACCOUNT "000000000000"
#define SIM_OPERATOR_ARN "arn:aws:iam::" SIM_ACCOUNT ":user/operator"
#define SIM_ROLE_ARN "arn:aws:iam::" SIM_ACCOUNT ":role/ensign-host"
#define SIM_INSTANCE_ID "i-0123456789abcdef0"
#define SIM_KMS_HOST "kms." SIM_REGION ".localhost"

/* Inside the folder. */
#define SIM_ENDPOINTS_FILE "endpoints.json"
#define SIM_CA_FILE "ca.pem"
#define SIM_OPERATOR_FILE "operator-credentials.json"
#define SIM_FUNCTION_FILE "function-credentials.json"
#define SIM_NSM_FILE "nsm.sock"

struct simulator;

/* All borrowed for the simulator's life; NULL: as said. */
struct simulator_options {
	const char *folder;
	const char *machine_folder; /* of a virtual machine, which gets an NSM of its own; there is none */
	const char *images_folder;  /* what else processes are measured as (sim/nsm_server.h); nothing */
	const char *role_arn;       /* of the instance; SIM_ROLE_ARN */
	const char *
		function_role_arn; /* of a Lambda function, whose temporary credentials are written to SIM_FUNCTION_FILE; there is none */
	sim_observer observe; /* nobody wants to know */
};

/*
 * Make what is missing in the folder (mode 0700), serve, then write endpoints.json. A second simulator on the same folder is
 * refused. NULL on failure.
 */
MUST_USE struct simulator *simulator_start(const struct simulator_options *options, struct error *error);
/* What endpoints.json says. Borrowed. */
json_t *simulator_endpoints(const struct simulator *simulator);
struct sim_store *simulator_store(struct simulator *simulator);
struct authority *simulator_authority(struct simulator *simulator);
/* Ends the services and removes endpoints.json. Accepts NULL and a half-started one. */
void simulator_stop(struct simulator *simulator);

static inline void simulator_done(struct simulator **simulator)
{
	simulator_stop(*simulator);
	*simulator = NULL;
}
#define AUTO_SIMULATOR CLEANUP(simulator_done)
