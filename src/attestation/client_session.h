/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a client talks to. The server's certificate is judged by an attestation document alone: it comes over the session, names the client's
 * nonce, is signed by the NSM of an image, and has the digest of the key that this very session was made with (docs/attestation.md).
 */
#pragma once

#include "attestation/client_statement.h"
#include "crypto/certificate_facts.h"
#include "net/http_client.h"

struct client_session_request {
	const char *url;              /* https://HOST[:PORT]; a path is passed over */
	X509 *root;                   /* that documents lead to */
	struct view nonce;            /* 8 to CLIENT_NONCE_MAX_SIZE bytes; empty: random ones */
	struct view client_chain_pem; /* what to show to a server that wants it; empty: nothing */
	struct view client_key_pem;
	unsigned timeout_ms;
	/* Take the document of an enclave in debug mode, which whoever runs it can read: attestation_is_debug() says whether it is one. */
	bool allows_debug;
};

/* A session that was verified: all but which image it is, which is the caller's to say (attestation_check_pcr()). */
struct client_session {
	struct attestation_document attested; /* borrows from `document` */
	struct client_statement statement;
	struct certificate_facts facts; /* of the server's certificate */
	struct buffer certificate_pem;
	struct buffer document;
};

void client_session_done(struct client_session *session);
#define AUTO_CLIENT_SESSION CLEANUP(client_session_done)

/*
 * Asks the server for a document and verifies it. ERROR_INPUT: the request is wrong. ERROR_PEER: there is no answer, or one that has no
 * document in it. ERROR_CRYPTO: it does not hold.
 */
MUST_USE bool client_session_verify(const struct client_session_request *request, struct client_session *ret_session,
				    struct error *error);
