/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Slashing protection histories as `ensign slashing` gets at them: those of a running signer over its control channel, or a store that no
 * signer has open, directly.
 */
#pragma once

#include "cli/commands.h"
#include "net/address.h"
#include "slashing/interchange.h"
#include "slashing/store.h"

/* What a command line says about where they are. At most one of the first five may be given; none: the default local signer. */
struct history_place {
	const char *dir;     /* folder of a local signer, up or down */
	const char *control; /* control channel of a running enclave */
	const char *store;   /* folder of an embedded store that no enclave has open */
	const char *table;   /* DynamoDB table of a fleet, whose signers may be up */
	const char *outputs; /* of its stack, instead: says table and region */
	const char *network; /* of that store or table; a local signer's is known. NULL: mainnet */
	/* Of the table; NULL but for the region: the default. */
	const char *region;
	const char *host;        /* HOST or HOST:PORT; default: AWS's of the region */
	const char *ca;          /* PEM file; default: the system's authorities */
	const char *credentials; /* JSON file, or "imds"; default: AWS_ACCESS_KEY_ID and so on */
};

#define HISTORY_PLACE_OPTIONS(place)                                                                                               \
	{"dir", OPTION_TEXT, &(place).dir, "D", "folder of a local signer, up or down; default ~/.local/state/ensign/local"},      \
		{"control", OPTION_TEXT, &(place).control, "ADDR",                                                                 \
		 "control channel of a running enclave: vsock:CID:5000, unix:PATH"},                                               \
		{"store", OPTION_TEXT, &(place).store, "DIR", "folder of an embedded store that no enclave has open"},             \
		{"table", OPTION_TEXT, &(place).table, "NAME", "a fleet's table in DynamoDB, with your credentials"},              \
		{"outputs", OPTION_TEXT, &(place).outputs, "F", "or the stack's outputs: its fleet's table"},                      \
		{"network", OPTION_TEXT, &(place).network, "N", "of that store or table; default mainnet"},                        \
		{"region", OPTION_TEXT, &(place).region, "R", "of the table"},                                                     \
		{"host", OPTION_TEXT, &(place).host, "HOST", "of DynamoDB; default dynamodb.REGION.amazonaws.com"},                \
		{"ca", OPTION_TEXT, &(place).ca, "FILE", "authorities for it, PEM; default: the system's"},                        \
	{                                                                                                                          \
		"credentials", OPTION_TEXT, &(place).credentials, "FROM",                                                          \
			"JSON file, or imds: the instance's role; default: AWS_ACCESS_KEY_ID and so on"                            \
	}

struct history {
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
	struct watermark watermark;
	bool is_retired;
	enum history_origin origin;
	uint64_t begun_s; /* seconds since 1970; 0: unknown */
};

struct histories {
	bool has_root; /* whether the network's root is known, which the watermarks are of */
	uint8_t genesis_validators_root[ROOT_SIZE];
	size_t count;
	struct history *items; /* owned */
};

void histories_done(struct histories *histories);
#define AUTO_HISTORIES CLEANUP(histories_done)

/* Of a key as the key table names it, 96 hex digits; NULL: it has none. For what history_source_read() read of all keys. */
const struct history *histories_find(const struct histories *histories, const char *pubkey);

/* What an import or a beginning did: to how many keys, and how many of them had no history before. */
struct history_counts {
	uint64_t keys;
	uint64_t new_keys;
};

struct history_source;

/* ERROR_INPUT: the command line. ERROR_NOT_FOUND: nothing is there. */
MUST_USE struct history_source *history_source_open(const struct history_place *place, struct error *error);
void history_source_free(struct history_source *source); /* accepts NULL */

static inline void history_source_done(struct history_source **source)
{
	history_source_free(*source);
	*source = NULL;
}
#define AUTO_HISTORY_SOURCE CLEANUP(history_source_done)

/* Of these keys, as far as they have one; count 0: of all that have one. In ascending order of the public key where it is all. */
MUST_USE bool history_source_read(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
				  struct histories *ret_histories, struct error *error);
/* slashing_raise() each. All of the document is checked before anything is done; ERROR_INPUT when it is of another network. */
MUST_USE bool history_source_import(struct history_source *source, const struct interchange *interchange,
				    struct history_counts *ret_counts, struct error *error);
/* Let these keys begin that never signed; count 0: all that are loaded, which only a running signer knows. */
MUST_USE bool history_source_begin(struct history_source *source, const uint8_t (*keys)[BLS_PUBLIC_KEY_SIZE], size_t count,
				   struct history_counts *ret_counts, struct error *error);
/* The high watermark, which is of all keys; *ret_high is what it is afterwards. */
MUST_USE bool history_source_read_high(struct history_source *source, struct high_watermark *ret_high, struct error *error);
MUST_USE bool history_source_set_high(struct history_source *source, const struct high_watermark *wanted,
				      struct high_watermark *ret_high, struct error *error);
/* The store, when it is at hand; NULL for a running signer. Borrowed. A table's is one too. */
struct slashing_store *history_source_store(struct history_source *source);

/* An interchange file of any size that memory takes. Whatever is wrong with it is ERROR_INPUT. */
MUST_USE bool history_document_read(const char *path, struct interchange *ret_interchange, struct error *error);
/* Public keys as a command line has them, 96 hex digits with 0x or without. *ret_keys is the caller's to free. */
MUST_USE bool history_keys_parse(const char *const *words, size_t count, uint8_t (**ret_keys)[BLS_PUBLIC_KEY_SIZE],
				 struct error *error);
/* What to do about an error of the functions above; NULL: nothing that helps. */
const char *history_advice(const struct error *error);

/* Of one command: more would not fit its line either. */
#define HISTORY_WORDS_MAX 4096
