/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nitro Secure Module behind one interface: the device /dev/nsm in a real enclave, or the simulator's socket on a laptop
 * (which measures the enclave by itself, so the enclave cannot choose its PCRs). Both speak the device's CBOR.
 */
#pragma once

#include "base/bytes.h"
#include "net/address.h"

#define NSM_PCR_COUNT 32
#define NSM_PCR_SIZE 48                          /* SHA-384 */
#define NSM_PCR_TEXT_SIZE (2 * NSM_PCR_SIZE + 1) /* its hex */
#define NSM_REQUEST_MAX_SIZE 4096                /* the driver's limit */
#define NSM_RESPONSE_MAX_SIZE 12288              /* the driver's limit */
#define NSM_FIELD_MAX_SIZE 1024                  /* user_data, nonce, public_key each */

struct nsm;

/* NULL on failure. */
MUST_USE struct nsm *nsm_open_device(struct error *error);
MUST_USE struct nsm *nsm_open_simulated(const struct address *address, struct error *error);
/* Around a descriptor that is already open and connected (taken over on success): `is_device` tells ioctl from frames. */
MUST_USE struct nsm *nsm_from_fd(int fd, bool is_device, struct error *error);
void nsm_free(struct nsm *nsm);
/* The descriptor, for handing to another process. Borrowed. */
int nsm_fd(const struct nsm *nsm);

static inline void nsm_done(struct nsm **nsm)
{
	nsm_free(*nsm);
	*nsm = NULL;
}
#define AUTO_NSM CLEANUP(nsm_done)

/* A signed attestation document with the given fields (empty view: null), appended. */
MUST_USE bool nsm_attest(struct nsm *nsm, struct view user_data, struct view nonce, struct view public_key,
			 struct buffer *ret_document, struct error *error);
/* All of `size` random bytes. */
MUST_USE bool nsm_random(struct nsm *nsm, uint8_t *ret_bytes, size_t size, struct error *error);
MUST_USE bool nsm_describe_pcr(struct nsm *nsm, unsigned index, uint8_t ret_pcr[NSM_PCR_SIZE], bool *ret_locked,
			       struct error *error);
