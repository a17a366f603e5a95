/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BLS keys from a seed: the tree of EIP-2333 and its paths (EIP-2334). A validator has two keys: m/12381/3600/i/0 for withdrawals and
 * below it m/12381/3600/i/0/0 for signing. Who knows a parent knows its children; all children are hardened by nature.
 */
#pragma once

#include "crypto/bls.h"

#define DERIVATION_SEED_MIN_SIZE 32
/* EIP-2334 uses five levels; more than this is no path of anybody's. */
#define DERIVATION_PATH_MAX_DEPTH 32
/* "m/12381/3600/4294967295/0/0" and a NUL fit. */
#define DERIVATION_PATH_TEXT_SIZE 32

struct derivation_path {
	size_t depth; /* 0 is the master key */
	uint32_t indices[DERIVATION_PATH_MAX_DEPTH];
};

/*
 * "m/12381/3600/0/0/0": m, and decimal numbers below 2^32 with no mark of hardening. "m" alone is the master key; leading zeros pass.
 * ERROR_INPUT "path: …" names the level (from 1) that is wrong.
 */
MUST_USE bool derivation_path_parse(struct view text, struct derivation_path *ret_path, struct error *error);
/* Paths of validator `index`. */
void derivation_path_format_signing(uint32_t index, char ret_text[DERIVATION_PATH_TEXT_SIZE]);
void derivation_path_format_withdrawal(uint32_t index, char ret_text[DERIVATION_PATH_TEXT_SIZE]);

/* derive_master_SK. ERROR_INPUT when the seed is shorter than DERIVATION_SEED_MIN_SIZE. Keys are 32 bytes, big endian. */
MUST_USE bool derivation_derive_master(const struct secret *seed, struct secret *ret_key, struct error *error);
/* derive_child_SK, 0.7 ms. ERROR_INPUT when `parent` is no BLS secret key. */
MUST_USE bool derivation_derive_child(const struct secret *parent, uint32_t index, struct secret *ret_key, struct error *error);
/* From the seed down the whole path. */
MUST_USE bool derivation_derive_path(const struct secret *seed, const struct derivation_path *path, struct secret *ret_key,
				     struct error *error);

/* For many keys of one seed: m/12381/3600, which all of them have above them, is derived once. {0} is empty. */
struct derivation_tree {
	struct secret coin_key;
};

struct derivation_keys {
	struct secret withdrawal_key;
	struct secret signing_key;
};

MUST_USE bool derivation_tree_init(struct derivation_tree *tree, const struct secret *seed, struct error *error);
void derivation_tree_done(struct derivation_tree *tree);
/* Both keys of validator `index`: three children. */
MUST_USE bool derivation_tree_derive_keys(const struct derivation_tree *tree, uint32_t index, struct derivation_keys *ret_keys,
					  struct error *error);
void derivation_keys_done(struct derivation_keys *keys);

#define AUTO_DERIVATION_TREE CLEANUP(derivation_tree_done)
#define AUTO_DERIVATION_KEYS CLEANUP(derivation_keys_done)
