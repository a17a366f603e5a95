/* SPDX-License-Identifier: Apache-2.0 */
/* The KMS key whose policy `ensign policy` writes: where it is, and its policy as it is. */
#pragma once

#include "aws/access.h"
#include "aws/kms.h"
#include "cli/commands.h"

struct policy_place {
	const char *key;    /* ARN */
	const char *region; /* NULL: the ARN's */
	const char *kms_host;
	const char *ca;
	const char *credentials;
};

#define POLICY_PLACE_OPTIONS(place)                                                                                                \
	{"key", OPTION_TEXT, &(place).key, "ARN", "of the KMS key; its present policy is read"},                                   \
		{"region", OPTION_TEXT, &(place).region, "R", "default the ARN's"},                                                \
		{"kms-host", OPTION_TEXT, &(place).kms_host, "HOST", "of KMS; default kms.REGION.amazonaws.com"},                  \
		{"ca", OPTION_TEXT, &(place).ca, "FILE", "authorities for it, PEM; default: the system's"},                        \
	{                                                                                                                          \
		"credentials", OPTION_TEXT, &(place).credentials, "FROM",                                                          \
			"JSON file, or imds: the instance's role; default: AWS_ACCESS_KEY_ID and so on"                            \
	}

struct policy_key {
	const struct policy_place *place;
	struct credentials credentials;
	struct aws_access access;
	json_t *policy; /* as it is; owned */
};

void policy_key_done(struct policy_key *key);
#define AUTO_POLICY_KEY CLEANUP(policy_key_done)

/* Reads the present policy. `place` is borrowed. */
MUST_USE bool policy_key_open(const struct policy_place *place, struct policy_key *ret_key, struct error *error);
MUST_USE bool policy_key_put(const struct policy_key *key, const json_t *policy, struct error *error);
/* "arn:aws:kms:REGION:ACCOUNT:key/ID": a part by its number, 0 is "arn"; NULL: there is none. Caller frees. */
char *arn_part(const char *arn, unsigned number);
/* What is wrong with the statements that are not ours, on standard error. */
void policy_print_review(json_t *policy);
/* Indented, with the line end that files have. */
void policy_print(const json_t *policy);
