/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of known clients: whose certificates may connect to the signing port, each by common name and fingerprint. The operator writes
 * it as a file in Web3Signer's format; it is sealed like a key and lies in the TLS table, so that the parent, which hands it to the enclave,
 * can neither read nor change it. Its serial keeps the parent from showing an older one in an enclave's life.
 */
#pragma once

#include "crypto/aead.h"

/* A message of 25 KiB inside the enclave. A signer has a few validator clients and monitors. */
#define KNOWN_CLIENTS_MAX 256
#define KNOWN_CLIENT_NAME_SIZE 65 /* X.520: ub-common-name is 64 */
#define KNOWN_CLIENT_FINGERPRINT_SIZE 32
/* Of the file: as many lines of the longest names, and as much in comments. */
#define KNOWN_CLIENTS_FILE_MAX_SIZE 131072u
/* Serial; then each with the length of its name. */
#define KNOWN_CLIENTS_SEALED_MAX_SIZE                                                                                              \
	(8 + KNOWN_CLIENTS_MAX * (1 + KNOWN_CLIENT_NAME_SIZE - 1 + KNOWN_CLIENT_FINGERPRINT_SIZE) + AEAD_OVERHEAD)

/* One line of a known-clients file. */
struct known_client {
	char common_name[KNOWN_CLIENT_NAME_SIZE];           /* NUL-terminated */
	uint8_t fingerprint[KNOWN_CLIENT_FINGERPRINT_SIZE]; /* SHA-256 of the certificate's DER */
};

struct known_clients {
	uint64_t serial;
	size_t count;
	struct known_client clients[KNOWN_CLIENTS_MAX];
};

/*
 * The file: a line "<common name> <fingerprint>" each, the fingerprint in hex of either case, with or without colons; lines that begin with
 * # and blank ones are passed over. Names may have blanks in them. A name may stand on several lines, with a fingerprint
 * each (Web3Signer takes the last one alone). A list is a set: it comes sorted, and what stands twice comes once. The serial is left as it is.
 * ERROR_INPUT names the line.
 */
MUST_USE bool known_clients_parse(struct view text, struct known_clients *ret_clients, struct error *error);

/*
 * AES-256-GCM under a data key of the fleet, with "known-clients" ‖ fleet as additional data, so that it is no key row and no other
 * fleet's list. Inside: the serial (8 bytes, big endian), then for each client the length of its name, the name and the fingerprint.
 */
MUST_USE bool known_clients_seal(struct view data_key, const char *fleet, const struct known_clients *clients,
				 struct buffer *ret_sealed, struct error *error);
/* ERROR_CRYPTO when it does not open, ERROR_INPUT when what was sealed is no list. */
MUST_USE bool known_clients_open(struct view data_key, const char *fleet, struct view sealed, struct known_clients *ret_clients,
				 struct error *error);
/* What is inside, and back. */
void known_clients_encode(const struct known_clients *clients, struct buffer *ret_bytes);
MUST_USE bool known_clients_decode(struct view bytes, struct known_clients *ret_clients, struct error *error);
