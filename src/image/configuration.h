/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The measured configuration: a JSON file inside the image, part of PCR0, which the parent cannot change. Whatever decides
 * what the enclave trusts or refuses is here, and nothing else is. Unknown members are refused: a misspelt setting must not
 * silently leave a protection off.
 *
 *   {"version":1, "network":"mainnet", "slashing_protection":true, "fleet":"local",
 *    "region":"us-east-1", "kms_host":"kms.us-east-1.amazonaws.com", "kms_key_arn":"arn:…", "ca_pem":"-----BEGIN…"}
 *
 * "network" is the name of a built-in network, or an object that says all of another one (image/network_json.h). "policy", which may be
 * left out, says who may have what signed with which keys (image/signing_policy.h); left out, the built-in rules are all there is.
 * "clients" and "host_allowlist", which may be left out too, say who may connect (image/client_settings.h); "slashing" where what was signed is
 * kept (image/slashing_settings.h). "debug", which may be left out and is for tests, lets an image run where nothing of it is measured
 * (debug-mode enclaves), keep its slashing store in memory, and talk on the console.
 */
#pragma once

#include "base/json.h"
#include "eth/network.h"
#include "image/client_settings.h"
#include "image/key_manager.h"
#include "image/signing_policy.h"
#include "image/slashing_settings.h"

#define CONFIGURATION_MAX_SIZE (1u << 20) /* room for a whole public CA bundle (about 220 KiB) */
#define CONFIGURATION_VERSION 1
#define CONFIGURATION_TEXT_SIZE 256

struct configuration {
	struct network network;
	bool slashing_protection; /* false only for test networks: every vote is signed */
	bool is_debug;
	char fleet[CONFIGURATION_TEXT_SIZE]; /* EncryptionContext {"fleet": …} of the data key */
	char region[CONFIGURATION_TEXT_SIZE];
	char kms_host[CONFIGURATION_TEXT_SIZE]; /* the name the KMS certificate must carry; host or host:port */
	char kms_key_arn[CONFIGURATION_TEXT_SIZE];
	struct buffer ca_pem; /* trust anchors for KMS */
	struct signing_policy policy;
	struct client_settings clients;
	struct key_manager key_manager;
	struct slashing_settings slashing;
};

void configuration_done(struct configuration *configuration);
#define AUTO_CONFIGURATION CLEANUP(configuration_done)

MUST_USE bool configuration_parse(struct view json, struct configuration *ret_configuration, struct error *error);
/* The file's bytes as a memfd that nobody can change any more (all write seals, close-on-exec); not parsed. -1 on failure. */
MUST_USE int configuration_seal(const char *path, struct error *error);
/* The canonical text (same members, same order, one a line): equal configurations give equal bytes, hence equal PCRs. */
void configuration_write(const struct configuration *configuration, struct buffer *ret_json);
