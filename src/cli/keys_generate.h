/* SPDX-License-Identifier: Apache-2.0 */
/* `ensign keys generate`: what is asked, and the way inside the enclave. */
#pragma once

#include "cli/inventory.h"
#include "tables/key_birth.h"

struct generate_request {
	struct inventory_place place;
	uint64_t count;
	uint64_t first_index;
	const char *chain;
	const char *withdrawal_address;
	bool is_compounding;
	uint64_t amount_gwei;
	const char *mnemonic_out;
	const char *mnemonic_file;
	const char *passphrase_file;
	bool fresh;
	/* in the enclave */
	bool inside;
	const char *recovery_key;
	const char *births_out;
	const char *pcr0; /* NULL: what the keys of a local signer are pinned to */
	const char *root; /* NULL: AWS's, or the simulator's */
	bool dry_run;
	bool as_json;
};

struct generate_outcome {
	json_t *made; /* public keys */
	size_t present;
};

/* ERROR_INPUT: options that do not fit --inside. */
MUST_USE bool generate_inside_check(const struct generate_request *request, struct error *error);
/* Have the enclave make the keys, check what it attests, and put them into the table. */
MUST_USE bool generate_inside(const struct generate_request *request, struct inventory *inventory,
			      const struct key_birth_plan *plan, struct generate_outcome *outcome, struct error *error);
