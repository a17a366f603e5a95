/* SPDX-License-Identifier: Apache-2.0 */
/* A new identity for the TLS table, for `ensign tls create` and `rotate`: made in the enclave, made here, or the operator's own. */
#pragma once

#include "cli/inventory.h"
#include "cli/tls_source.h"

struct tls_wish {
	const char *names; /* comma separated; NULL: the default */
	uint64_t days;     /* 0: the default */
	bool outside;
	struct tls_source own;
	const char *pcr0; /* in the enclave: of its image; NULL: what the keys of a local signer are pinned to */
	const char *root; /* NULL: AWS's, or the simulator's */
};

#define TLS_WISH_OPTIONS(wish)                                                                                                     \
	{"names", OPTION_TEXT, &(wish).names, "A,B", "DNS names and addresses that clients reach it by"},                          \
		{"days", OPTION_NUMBER, &(wish).days, "N", "how long it is valid; default 825, which is the most"},                \
		{"outside", OPTION_FLAG, &(wish).outside, NULL, "make the key here, not in the enclave"},                          \
		{"tls-keystore", OPTION_TEXT, &(wish).own.keystore, "F", "your own, PKCS#12"},                                     \
		{"tls-password-file", OPTION_TEXT, &(wish).own.password_file, "F", "its password"},                                \
		{"tls-cert", OPTION_TEXT, &(wish).own.certificate, "F", "your own certificate and its chain, PEM"},                \
		{"tls-key", OPTION_TEXT, &(wish).own.key, "F", "its key, PEM, without a password"},                                \
		{"pcr0", OPTION_TEXT, &(wish).pcr0, "HEX",                                                                         \
		 "measurement that the enclave has to have; default what a local signer's keys are pinned to"},                    \
	{                                                                                                                          \
		"root", OPTION_TEXT, &(wish).root, "PEM", "certificate of the attestation root; default AWS's"                     \
	}

bool tls_wish_is_any(const struct tls_wish *wish);
/* ERROR_INPUT: what does not fit together. */
MUST_USE bool tls_wish_check(const struct tls_wish *wish, const struct inventory_place *place, struct error *error);
/* `names_before`: those of a certificate that is to be followed, comma separated; NULL: there is none. */
MUST_USE bool tls_wish_make(const struct tls_wish *wish, struct inventory *inventory, const char *names_before,
			    struct tls_sealed *ret_sealed, struct error *error);
