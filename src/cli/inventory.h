/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `ensign keys` works on: the rows of one signer in a key table, the KMS that seals new ones, and the running signer that is to take
 * changes up. A local signer's, in its folder, or a fleet's, in DynamoDB, with credentials of the operator's own; whose hosts look at
 * the table by themselves.
 */
#pragma once

#include "attestation/document.h"
#include "cli/commands.h"
#include "cli/key_import.h"
#include "cli/local_folder.h"
#include "cli/local_settings.h"
#include "cli/local_simulator.h"
#include "cli/outputs.h"
#include "tables/tls_sealed.h"

/* What a command line says about where it is. */
struct inventory_place {
	const char *dir;  /* folder of a local signer, up or down; NULL: the default one */
	const char *uuid; /* web3signer_uuid of the rows; NULL: that signer's own */
	/* Of a fleet; NULL but for the first three: the default. */
	const char *outputs; /* of the stack: says table, region, uuid, KMS key and fleet, as far as they are not given */
	const char *table;   /* in DynamoDB; NULL: that of the outputs; neither: a local signer */
	const char *region;
	const char *network;
	const char *host; /* HOST or HOST:PORT of DynamoDB */
	const char *kms_host;
	const char *ca;          /* PEM file, of both */
	const char *credentials; /* JSON file, or "imds"; default: AWS_ACCESS_KEY_ID and so on */
	const char *kms_key;     /* ARN; for what seals new keys */
	const char *fleet;       /* encryption context of the data keys */
	const char *control;     /* control channel of an enclave; for what it does */
};

/*
 * Each command lists those that mean something to it. `state` says how a local signer has to be: INVENTORY_ANY_STATE, or running, since its simulator
 * and its enclave do the work.
 */
#define INVENTORY_ANY_STATE "up or down"
#define INVENTORY_RUNNING "which has to be up"

#define INVENTORY_PLACE_OPTIONS(place, state)                                                                                      \
	{"dir", OPTION_TEXT, &(place).dir, "D", "folder of a local signer, " state "; default ~/.local/state/ensign/local"},       \
		INVENTORY_TABLE_OPTIONS(place)
/* Of a fleet. */
#define INVENTORY_TABLE_OPTIONS(place)                                                                                             \
	{"outputs", OPTION_TEXT, &(place).outputs, "F", "a stack's outputs: its fleet, with your credentials"},                    \
		{"table", OPTION_TEXT, &(place).table, "NAME", "or a fleet's table in DynamoDB"},                                  \
		{"region", OPTION_TEXT, &(place).region, "R", "of the table and of KMS"},                                          \
		{"host", OPTION_TEXT, &(place).host, "HOST", "of DynamoDB; default dynamodb.REGION.amazonaws.com"},                \
		{"ca", OPTION_TEXT, &(place).ca, "FILE", "authorities for AWS, PEM; default: the system's"},                       \
	{                                                                                                                          \
		"credentials", OPTION_TEXT, &(place).credentials, "FROM",                                                          \
			"JSON file, or imds: the instance's role; default: AWS_ACCESS_KEY_ID and so on"                            \
	}
/* Of the key table. */
#define INVENTORY_ROWS_OPTIONS(place)                                                                                              \
	{"uuid", OPTION_TEXT, &(place).uuid, "UUID", "rows of this signer in its table; default its own"},                         \
	{                                                                                                                          \
		"network", OPTION_TEXT, &(place).network, "N", "of the fleet's enclaves; default mainnet"                          \
	}
/* What seals outside the enclave. */
#define INVENTORY_SEAL_OPTIONS(place)                                                                                              \
	{"kms-key", OPTION_TEXT, &(place).kms_key, "ARN", "that seals new keys of the fleet"},                                     \
	{                                                                                                                          \
		"kms-host", OPTION_TEXT, &(place).kms_host, "HOST", "of KMS; default kms.REGION.amazonaws.com"                     \
	}
/* What data keys are bound to: those of validator keys and of lists of clients. */
#define INVENTORY_FLEET_OPTION(place)                                                                                              \
	{                                                                                                                          \
		"fleet", OPTION_TEXT, &(place).fleet, "NAME", "as the enclaves' configuration has it; default local"               \
	}
/* What an enclave does. */
#define INVENTORY_ENCLAVE_OPTION(place)                                                                                            \
	{                                                                                                                          \
		"control", OPTION_TEXT, &(place).control, "ADDR", "control channel of an enclave of the fleet: vsock:CID:5000"     \
	}

/* Whether a fleet is meant. */
bool inventory_place_is_fleet(const struct inventory_place *place);

struct inventory_fleet;

struct inventory {
	struct inventory_place place; /* with what the outputs say */
	struct outputs outputs;
	struct key_table *table;     /* of inventory_open() */
	struct tls_table *tls;       /* of inventory_open_tls() */
	const char *web3signer_uuid; /* of its rows */
	const char *chain;           /* likewise; its network's name */
	struct network network;
	/* Of a local signer. */
	struct local_folder folder;
	struct local_settings settings;
	struct inventory_fleet *fleet; /* NULL: a local signer's */
};

void inventory_done(struct inventory *inventory);
#define AUTO_INVENTORY CLEANUP(inventory_done)

/* ERROR_NOT_FOUND: there is no signer at that place. Texts of `place` are borrowed for the inventory's life; it must not move. */
MUST_USE bool inventory_open(const struct inventory_place *place, struct inventory *ret_inventory, struct error *error);
/* The same of its TLS table, whose rows are all signers': `uuid` is not wanted. */
MUST_USE bool inventory_open_tls(const struct inventory_place *place, struct inventory *ret_inventory, struct error *error);
/* Of an identity that was not made in the enclave. */
MUST_USE bool inventory_seal_tls(struct inventory *inventory, const struct tls_identity *identity, bool as_pem,
				 struct tls_sealed *ret_sealed, struct error *error);
/* The slashing table's own, sealed with the fleet's KMS key into the row (tables/tls_companions.h). ERROR_INPUT: it is no fleet's inventory. */
MUST_USE bool inventory_seal_credentials(struct inventory *inventory, const struct credentials *credentials, struct tls_row *row,
					 struct error *error);
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
/* The root that the enclave's attestation documents lead to: that of `path` (PEM), or with NULL AWS's or the simulator's; caller frees. NULL on failure. */
MUST_USE X509 *inventory_attestation_root(struct inventory *inventory, const char *path, struct error *error);
/*
 * New rows are of keys that never signed: of a local signer that is said to it when it is told of them. For a fleet's the operator says it to
 * the slashing table (`ensign slashing fresh --table`).
 */
MUST_USE bool inventory_note_fresh(struct inventory *inventory, const struct key_rows *rows, struct error *error);
/* With the signer told: what was noted takes effect. */
MUST_USE bool inventory_settle_fresh(struct inventory *inventory, struct error *error);
/*
 * Has the signer take up what changed, if it runs (*ret_told). What it cannot take up is an error, though the table has changed.
 */
MUST_USE bool inventory_tell_signer(struct inventory *inventory, bool *ret_told, struct error *error);

/* Words of a command line, 0x and any letter case allowed, as `pubkey` texts; each must have a row. *ret_pubkeys is the caller's to free. */
MUST_USE bool inventory_parse_keys(const struct key_rows *rows, const char *const *words, size_t count,
				   char (**ret_pubkeys)[KEY_TABLE_PUBKEY_SIZE], struct error *error);

/* Of one command: more would not fit its line either. */
#define INVENTORY_WORDS_MAX 4096
