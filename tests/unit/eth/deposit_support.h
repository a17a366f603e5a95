/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of deposits and of their kin share: the keys and the network that a vector names. */
#pragma once

#include "json_support.h"

#include "eth/derivation.h"
#include "eth/mnemonic.h"
#include "eth/network.h"

/* The tree of `mnemonic` and `passphrase`, members of `input`. */
static inline void make_tree(json_t *input, struct derivation_tree *ret_tree)
{
	AUTO_SECRET struct secret seed = {0};
	struct error error = {0};

	assert_ok(mnemonic_derive_seed(text_of(input, "mnemonic"), text_of(input, "passphrase"), &seed, &error), &error);
	assert_ok(derivation_tree_init(ret_tree, &seed, &error), &error);
}

static inline const struct network *network_of(json_t *object, const char *name)
{
	struct error error = {0};
	const struct network *network = network_find(name_of(object, name), &error);

	assert_ok(network != NULL, &error);
	return network;
}

static inline uint64_t number_of(json_t *object, const char *name)
{
	struct error error = {0};
	uint64_t value = 0;

	assert_ok(json_read_u64(object, name, &value, &error), &error);
	return value;
}
