/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ensign keys` works on: the rows of one signer in a key table, the KMS that seals new ones, and the running signer that is to take
 * changes up.
 */
#pragma once

#include "attestation/document.h"
#include "cli/commands.h"
#include "cli/key_import.h"
#include "cli/local_folder.h"
#include "cli/local_settings.h"
#include "cli/local_simulator.h"

/* What a command line says about where it is. */
struct inventory_place {
	const char *dir;  /* folder of a local signer, up or down; NULL: the default one */
	const char *uuid; /* web3signer_uuid of the rows; NULL: that signer's own */
};

#define INVENTORY_PLACE_OPTIONS(place)                                                                                             \
	{"dir", OPTION_TEXT, &(place).dir, "D", "folder of a local signer, up or down; default ~/.local/state/ensign/local"},      \
	{                                                                                                                          \
		"uuid", OPTION_TEXT, &(place).uuid, "UUID", "rows of this signer in its table; default its own"                    \
	}

struct inventory {
	struct local_folder folder;
	struct local_settings settings;
	struct key_table *table;
	const char *web3signer_uuid; /* of its rows */
	const char *chain;           /* likewise */
};

void inventory_done(struct inventory *inventory);
#define AUTO_INVENTORY CLEANUP(inventory_done)

/* ERROR_NOT_FOUND: there is no signer at that place. */
MUST_USE bool inventory_open(const struct inventory_place *place, struct inventory *ret_inventory, struct error *error);
/* All of its rows, in order of the public key. */
MUST_USE bool inventory_list(struct inventory *inventory, bool only_active, struct key_rows *ret_rows, struct error *error);
/* A new data key, in the clear and wrapped by KMS, in base64. Of a local signer the simulator has to run. */
MUST_USE bool inventory_new_data_key(struct inventory *inventory, struct secret *ret_data_key, struct buffer *ret_wrapped_b64,
				     struct error *error);
/*
 * Has the running enclave do a job (docs/protocols.md): `request` with the credentials that let it use KMS added. The answer's body, a new
 * reference. ERROR_NOT_FOUND: the signer does not run.
 */
MUST_USE json_t *inventory_ask_enclave(struct inventory *inventory, json_t *request, struct error *error);
/* The root that the enclave's attestation documents lead to; caller frees. NULL on failure. */
MUST_USE X509 *inventory_attestation_root(struct inventory *inventory, struct error *error);
/*
 * Has the signer take up what changed, if it runs (*ret_told). What it cannot take up is an error, though the table has changed.
 */
MUST_USE bool inventory_tell_signer(struct inventory *inventory, bool *ret_told, struct error *error);

/* Words of a command line, 0x and any letter case allowed, as `pubkey` texts; each must have a row. *ret_pubkeys is the caller's to free. */
MUST_USE bool inventory_parse_keys(const struct key_rows *rows, const char *const *words, size_t count,
				   char (**ret_pubkeys)[KEY_TABLE_PUBKEY_SIZE], struct error *error);

/* Of one command: more would not fit its line either. */
#define INVENTORY_WORDS_MAX 4096
