/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated instance metadata service, version 2 only: PUT /latest/api/token with a life in seconds, then GET with that
 * token. It has the role's credentials and the instance id. Tokens are good for this run of the simulator: a random key
 * authenticates them, so none are stored and no client can make the service remember anything.
 */
#pragma once

#include "sim/event.h"
#include "sim/http_server.h"
#include "sim/store.h"

#define IMDS_TOKEN_KEY_SIZE 32
#define IMDS_TOKEN_MAX_TTL_S 21600 /* AWS: 1 second to 6 hours */

/* Borrowed, except the key; read by several threads at once. */
struct imds_service {
	struct sim_store *store;
	const char *role_arn;
	const char *instance_id;
	struct secret token_key;
	sim_observer observe; /* NULL: nobody wants to know */
};

MUST_USE bool imds_service_init(struct imds_service *service, struct error *error); /* fills token_key */
void imds_service_done(struct imds_service *service);
/* An http_server_handler whose context is a struct imds_service. */
void imds_service_handle(void *service, const struct http_server_request *request, struct http_server_answer *ret_answer);
