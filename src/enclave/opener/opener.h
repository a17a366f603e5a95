/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The opener: answers the control channel and, once, opens the keys: attested KMS decrypts, CMS, PKCS#12, keystores. It holds plaintext
 * keys for a moment, hands each to the keeper and ends; init starts a fresh one that knows the work is done. Split into the
 * control channel (control.c) and the opening (keys.c).
 */
#pragma once

#include "attestation/nsm.h"
#include "enclave/role.h"
#include "image/configuration.h"

struct opener {
	struct configuration configuration;
	struct address kms_relay;
	struct nsm *nsm; /* NULL once provisioned */
	bool is_provisioned;
	uint64_t key_count;
	uint64_t started_ms; /* monotonic */
};

/* Serve the control channel until keys are provisioned or the opener has to end. */
enum opener_exit opener_serve(struct opener *opener);

enum opener_outcome { OPENER_NOTHING_CHANGED, OPENER_PROVISIONED, OPENER_HALF_DONE };

/*
 * Carry out the `init` request: open the TLS identity and every key, load the keeper, start the frontend. Nothing is
 * loaded unless everything opened. *ret_key_count is set when provisioned; *error otherwise.
 */
enum opener_outcome opener_provision(struct opener *opener, json_t *request, uint64_t *ret_key_count, struct error *error);

/*
 * Open the sealed list of known clients with its data key and send it to the frontend. ERROR_CRYPTO when it does not open or holds no list;
 * then nothing is sent.
 */
MUST_USE bool opener_send_known_clients(const struct opener *opener, struct view data_key, struct view sealed, struct error *error);
