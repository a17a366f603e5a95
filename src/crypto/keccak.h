/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keccak-256 as Ethereum's execution layer uses it: the Keccak submission, version 3, with its own padding, which NIST's SHA3-256 (FIPS
 * 202) changed. Our own because OpenSSL has it only from 3.2 on, and Debian 12 has 3.0. For checksums of addresses (EIP-55): not made
 * for speed, and not for secrets.
 */
#pragma once

#include "base/bytes.h"

#define KECCAK256_SIZE 32

void keccak256(struct view bytes, uint8_t ret_digest[KECCAK256_SIZE]);
