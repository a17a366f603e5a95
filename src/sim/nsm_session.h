/* SPDX-License-Identifier: Apache-2.0 */
/* One client of the simulated NSM: its PCRs and the answers to its requests, apart from sockets and threads. */
#pragma once

#include "attestation/nsm_wire.h"
#include "sim/authority.h"

/* Locked from the start, as on hardware; the others are the application's. */
#define NSM_SESSION_LOCKED_PCRS UINT32_C(0xffff)

struct nsm_session {
	struct authority *authority; /* borrowed */
	char module_id[ATTESTATION_MODULE_ID_SIZE];
	uint8_t pcrs[NSM_PCR_COUNT][NSM_PCR_SIZE];
	uint32_t locked; /* bit n: PCR n */
};

/* All PCRs zero, 0 to 15 locked; the caller fills in what was measured. */
void nsm_session_init(struct nsm_session *session, struct authority *authority, const char *module_id);
/*
 * Answer one request, appended to ret_response. There always is an answer; the return value is its status, and when that is
 * not NSM_SUCCESS `error` says more than the client is told.
 */
enum nsm_status nsm_session_answer(struct nsm_session *session, struct view request, struct buffer *ret_response,
				   struct error *error);
