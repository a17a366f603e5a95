/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first start of keys on a laptop: `ensign local up` says of the keys that it imports for the first time that they never signed, or
 * imports what they did. It cannot say so before the signer is up, so which keys they are is kept in a file of the folder, written before
 * they are in the key table: an `up` that is stopped in between is made good by the next one, and keys are told of once.
 */
#pragma once

#include "cli/histories.h"
#include "cli/local_folder.h"
#include "tables/key_table.h"

/* Keys that are about to be put into the key table for the first time. */
MUST_USE bool local_fresh_note(const struct local_folder *folder, const struct key_rows *rows, size_t count, struct error *error);
/*
 * With the signer up: import the interchange document (NULL: none), and without one let the noted keys begin. What a document does not
 * name stays without a history. *ret_counts is of either.
 */
MUST_USE bool local_fresh_settle(const struct local_folder *folder, const struct interchange *interchange,
				 struct history_counts *ret_counts, struct error *error);
