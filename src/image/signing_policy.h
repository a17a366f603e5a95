/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signing policy: which client may have what signed with which keys. A part of the measured configuration; docs/policy.md is its
 * manual. An ordered list of named rules; the first that fits a request decides. Behind them stand the built-in ones:
 *
 *   default-exits     refuses VOLUNTARY_EXIT: it ends a validator for good
 *   default-deposits  refuses DEPOSIT: it lets stake be given to withdrawal credentials of the client's choosing
 *   default-allow     allows the rest to every client
 *
 * In JSON:
 *
 *   {"rules":[{"name":"exits-by-ops", "effect":"allow" or "deny", "clients":"*" or ["ops","sha256:…"],
 *              "types":"*" or ["VOLUNTARY_EXIT"], "keys":"*" or ["0x…"]}]}
 *
 * Every member must be given and no other may be. Lists are sets: their order and repeats mean nothing, and none may be empty. A
 * client is the common name of its certificate, or the SHA-256 of the whole of it (hex, with or without colons); a rule that
 * names clients fits none without a certificate.
 */
#pragma once

#include "base/json.h"
#include "crypto/bls.h"
#include "eth/artifact_type.h"

/* People write and read them. */
#define SIGNING_POLICY_RULES_MAX 64
#define SIGNING_POLICY_NAME_SIZE 33
/* Of one rule. */
#define SIGNING_POLICY_CLIENTS_MAX 256
/* Of one rule; as many as one file has room for beside a CA bundle. */
#define SIGNING_POLICY_KEYS_MAX 8192
#define SIGNING_POLICY_COMMON_NAME_SIZE 65 /* X.520: ub-common-name is 64 */
#define SIGNING_POLICY_FINGERPRINT_SIZE 32

/* Items of one size, sorted, none of them twice. */
struct signing_policy_set {
	uint8_t *items;
	size_t item_size;
	size_t count;
};

struct signing_policy_rule {
	char name[SIGNING_POLICY_NAME_SIZE];
	bool is_allow;
	uint32_t types; /* bits of ARTIFACT_BIT */
	bool is_for_any_client;
	struct signing_policy_set common_names; /* padded with zeros */
	struct signing_policy_set fingerprints;
	bool is_for_any_key;
	struct signing_policy_set keys;
};

/* {0} is the policy of the built-in rules alone. */
struct signing_policy {
	struct signing_policy_rule *rules;
	size_t count;
};

/* Who asks, by the certificate that TLS has checked. */
struct signing_policy_client {
	bool has_certificate;
	const char *common_name;    /* "" when it has none, or one that is longer than 64 characters */
	const uint8_t *fingerprint; /* SIGNING_POLICY_FINGERPRINT_SIZE bytes; SHA-256 of the DER */
};

struct signing_policy_decision {
	bool is_allowed;
	const char *rule; /* the name of the one that decided, borrowed from the policy */
};

void signing_policy_done(struct signing_policy *policy);
#define AUTO_SIGNING_POLICY CLEANUP(signing_policy_done)

struct signing_policy_decision signing_policy_decide(const struct signing_policy *policy,
						     const struct signing_policy_client *client, uint32_t artifact_type,
						     const uint8_t key[BLS_PUBLIC_KEY_SIZE]);
/* The types that this client may have signed with this key. */
uint32_t signing_policy_types_for(const struct signing_policy *policy, const struct signing_policy_client *client,
				  const uint8_t key[BLS_PUBLIC_KEY_SIZE]);
/* The types that any client may have signed with any key at all. */
uint32_t signing_policy_types(const struct signing_policy *policy);
/* Whether any rule names clients: it is without effect, or a trap, where clients need not show certificates. */
bool signing_policy_names_clients(const struct signing_policy *policy);

/* ERROR_INPUT names the member: "rules[0]: types[1]: …". */
MUST_USE bool signing_policy_read(json_t *object, struct signing_policy *ret_policy, struct error *error);
/* As signing_policy_read, from a file's text. */
MUST_USE bool signing_policy_parse(struct view json, struct signing_policy *ret_policy, struct error *error);
/* Equal policies give equal text. */
MUST_USE json_t *signing_policy_json_new(const struct signing_policy *policy);
/* 64 hex digits, with or without colons between them and "sha256:" before. */
MUST_USE bool signing_policy_parse_fingerprint(const char *text, uint8_t ret_fingerprint[SIGNING_POLICY_FINGERPRINT_SIZE],
					       struct error *error);
