/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The slashing protection interchange format, EIP-3076 version 5: what keys have signed, as one client hands it to the next. Pure: no
 * files, no store.
 *
 * Reading takes complete and minimal documents and folds them, as the EIP's minimal strategy allows, into one watermark a key
 * (slashing_raise() says how): the largest slot, source and target, each for itself. So what was imported refuses everything at
 * or below them, which may be more than a complete history would refuse, never less.
 *
 * - Entries that contradict each other, and a source above its target, are taken, not refused: they are what was signed, and to raise
 *   a watermark by them is safe, while a refused document protects nobody.
 * - A key that is there several times is one key.
 * - Numbers are decimal strings, 0 to 2^64-1; JSON numbers are taken too. Roots are as Web3Signer reads them: null is absent, shorter
 *   hex is padded on the left (such a root equals no real one, so it lets nothing pass).
 * - Members that the EIP does not name are passed over: none of them can lower anything.
 */
#pragma once

#include "base/json.h"
#include "crypto/bls.h"
#include "slashing/rules.h"

#define INTERCHANGE_FORMAT_VERSION "5"
/* What a request to the signer may bring. A minimal document of 20,000 keys has it; a complete one of a few keys for a year too. */
#define INTERCHANGE_MAX_SIZE (10u << 20)
/* As many as one signer holds. */
#define INTERCHANGE_KEYS_MAX 100000

struct interchange_key {
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct watermark watermark; /* empty when the document names the key without any entry */
};

struct interchange {
	uint8_t genesis_validators_root[ROOT_SIZE]; /* it is the caller's to compare it */
	size_t count;
	struct interchange_key *keys; /* each once, in ascending order of the public key; owned */
};

void interchange_done(struct interchange *interchange); /* accepts NULL and {0} */
#define AUTO_INTERCHANGE CLEANUP(interchange_done)

/*
 * Read a document. ERROR_INPUT when it is malformed, of another version, or of more keys than INTERCHANGE_KEYS_MAX, and then nothing
 * of it is taken; the message names the place: "data[3].signed_attestations[2].source_epoch: missing".
 * interchange_parse: text of at most INTERCHANGE_MAX_SIZE bytes. The values take several times that through jansson; where
 * memory is bounded (frontend/json_budget.h), ask there whether "malformed" was "too large".
 */
MUST_USE bool interchange_parse(struct view text, struct interchange *ret_interchange, struct error *error);
MUST_USE bool interchange_read(json_t *document, struct interchange *ret_interchange, struct error *error);

/* The key's entry, or NULL. */
const struct interchange_key *interchange_find(const struct interchange *interchange,
					       const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);

/*
 * The document of these keys, appended: a minimal one, with at most one block and one attestation a key; without white space, hex in
 * lower case with 0x, numbers as strings, an unknown signing root left out. Public keys are written as they come.
 */
void interchange_write(const uint8_t genesis_validators_root[ROOT_SIZE], const struct interchange_key *keys, size_t count,
		       struct buffer *ret_text);
