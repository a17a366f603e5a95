/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From 0x00 credentials to an execution address (consensus-specs capella, BLSToExecutionChange): signed by the withdrawal key, once and
 * for all. Domain 0x0a, the genesis fork version whatever the present fork is, and the real genesis validators root.
 */
#pragma once

#include "base/secret.h"
#include "crypto/bls.h"
#include "eth/containers.h"

/* SignedBLSToExecutionChange. */
struct signed_bls_to_execution_change {
	struct bls_to_execution_change message;
	uint8_t signature[BLS_SIGNATURE_SIZE];
};

/*
 * Sign with a withdrawal key, m/12381/3600/i/0. The caller compares withdrawal_make_bls_credentials() of its public key with what the chain has
 * of the validator. ERROR_INPUT when it is no BLS secret key, or when the network has no genesis validators root.
 */
MUST_USE bool bls_to_execution_change_create(const struct secret *withdrawal_key, uint64_t validator_index,
					     const uint8_t address[EXECUTION_ADDRESS_SIZE], const struct network *network,
					     struct signed_bls_to_execution_change *ret_change, struct error *error);
/* ERROR_CRYPTO "signature: …" when it does not fit the key and the message on this network. */
MUST_USE bool bls_to_execution_change_check(const struct signed_bls_to_execution_change *change, const struct network *network,
					    struct error *error);
/*
 * Append the file `bls_to_execution_change-<Unix time>.json` as deposit-cli writes it: an array, hex with 0x, and `metadata` that says which
 * network this is for. A beacon node takes it at /eth/v1/beacon/pool/bls_to_execution_changes.
 */
void bls_to_execution_change_write_file(const struct signed_bls_to_execution_change *changes, size_t count,
					const struct network *network, struct buffer *ret_json);
