/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated KMS as an HTTP service: AWS JSON 1.1, POST / with X-Amz-Target: TrentService.OPERATION, signed with SigV4. It
 * has symmetric keys only; see the table of operations in kms_call.c and the condition keys in key_policy.h.
 */
#pragma once

#include "sim/event.h"
#include "sim/http_server.h"
#include "sim/kms_call.h"

/* Everything borrowed; read by several threads at once. */
struct kms_service {
	struct sim_store *store;
	X509 *attestation_root;
	const char *region;
	const char *account;
	const char *operator_arn;
	sim_observer observe; /* NULL: nobody wants to know */
};

/* An http_server_handler whose context is a struct kms_service. */
void kms_service_handle(void *service, const struct http_server_request *request, struct http_server_answer *ret_answer);
