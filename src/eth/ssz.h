/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSZ merkleization (consensus-specs ssz/simple-serialize.md) for containers built by hand: the caller lays out 32-byte
 * chunks (field roots) and merkleizes them in place, without allocation. SHA-256 is blst's.
 */
#pragma once

#include "eth/network.h"

void sha256(struct view bytes, uint8_t ret_digest[32]);

/* A uint64 as a 32-byte chunk: little endian, zero-padded. */
void ssz_uint64_chunk(uint64_t value, uint8_t ret_chunk[ROOT_SIZE]);
/* sha256(left ‖ right). */
void ssz_hash_pair(const uint8_t left[ROOT_SIZE], const uint8_t right[ROOT_SIZE], uint8_t ret_root[ROOT_SIZE]);
/* Root of the smallest full tree over `count` leaves (count >= 1); `chunks` is used as scratch and overwritten. */
void ssz_merkleize(uint8_t (*chunks)[ROOT_SIZE], size_t count, uint8_t ret_root[ROOT_SIZE]);
