/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CBOR of /dev/nsm's ioctl (aws-nitro-enclaves-nsm-api, API version 1): a message is a map of one pair, operation name to a map
 * of fields, or the bare name when there are no fields; a failure is {"Error": text}. Pure functions over bytes, used by the
 * client (nsm.c) and by the simulator's server. Views in decoded messages borrow from the bytes.
 */
#pragma once

#include "attestation/nsm.h"

enum nsm_operation {
	NSM_DESCRIBE_NSM,
	NSM_DESCRIBE_PCR,
	NSM_EXTEND_PCR,
	NSM_LOCK_PCR,
	NSM_LOCK_PCRS,
	NSM_GET_RANDOM,
	NSM_ATTESTATION,
	NSM_OPERATION_COUNT,
};

/* As numbered by libnsm. */
enum nsm_status {
	NSM_SUCCESS,
	NSM_INVALID_ARGUMENT,
	NSM_INVALID_INDEX,
	NSM_INVALID_RESPONSE,
	NSM_READ_ONLY_INDEX,
	NSM_INVALID_OPERATION,
	NSM_BUFFER_TOO_SMALL,
	NSM_INPUT_TOO_LARGE,
	NSM_INTERNAL_ERROR,
	NSM_STATUS_COUNT,
};

#define NSM_RANDOM_MAX_SIZE 256 /* of one GetRandom answer */

/* A byte string or null. */
struct nsm_optional {
	bool present;
	struct view bytes;
};

struct nsm_request {
	enum nsm_operation operation;
	uint16_t index;                                   /* DescribePCR, ExtendPCR, LockPCR */
	uint16_t range;                                   /* LockPCRs: 0 to range - 1 */
	struct view data;                                 /* ExtendPCR */
	struct nsm_optional user_data, nonce, public_key; /* Attestation */
};

struct nsm_response {
	enum nsm_status status; /* not NSM_SUCCESS: an Error, and nothing else is set */
	enum nsm_operation operation;
	uint16_t version_major, version_minor, version_patch, max_pcrs; /* DescribeNSM; so are the next three */
	struct view module_id;
	uint32_t locked_pcrs; /* bit n: PCR n is locked */
	struct view digest;
	bool lock;            /* DescribePCR */
	struct view data;     /* DescribePCR, ExtendPCR: the value */
	struct view random;   /* GetRandom */
	struct view document; /* Attestation */
};

/* "InvalidArgument", …; never NULL. */
const char *nsm_status_name(enum nsm_status status);

void nsm_request_encode(const struct nsm_request *request, struct buffer *ret_bytes);
void nsm_response_encode(const struct nsm_response *response, struct buffer *ret_bytes);
/*
 * Fields may come in any order; unknown ones that are scalars are stepped over, as the NSM and its library do. ERROR_INPUT for
 * everything else: missing, duplicate and malformed fields, unknown operations, trailing bytes.
 */
MUST_USE bool nsm_request_decode(struct view bytes, struct nsm_request *ret_request, struct error *error);
MUST_USE bool nsm_response_decode(struct view bytes, struct nsm_response *ret_response, struct error *error);
