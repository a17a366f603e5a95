/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which clients may connect, by the certificates that they show: those that chain to a CA of the measured configuration, and those on a
 * list of known clients. The list comes from the opener, later and again and again; until the first has come nobody is known.
 *
 * A known client's certificate is compared as a whole (SHA-256) beside its common name, so neither who signed it nor until when it
 * is valid matters, as with Web3Signer. One that chains to the CA must be valid now and for client authentication.
 */
#pragma once

#include <gnutls/gnutls.h>

#include "enclave/frontend/http_client.h"
#include "enclave/messages.h"

struct client_rules;

/* How a client got in. {0}: not at all. */
struct client_admission {
	bool is_admitted;
	bool by_ca;
	uint64_t generation; /* of the list that it was found on */
};

/* `ca_pem` may be empty: no CA. `known`: there will be a list. NULL, and ERROR_INPUT, when the PEM holds no certificate. */
MUST_USE struct client_rules *client_rules_new(struct view ca_pem, bool known, struct error *error);
void client_rules_free(struct client_rules *rules);

/* In place of the list that was. ERROR_POLICY when its serial is lower: then that one stays. From any thread. */
MUST_USE bool client_rules_set_known(struct client_rules *rules, const struct message_known_clients *list, struct error *error);

/*
 * Judge a certificate chain, leaf first, as the client sent it. ret_client says whose it is also when it is refused (then without
 * has_certificate). ERROR_POLICY says why it is. From any thread.
 */
MUST_USE bool client_rules_admit(struct client_rules *rules, const gnutls_datum_t *chain, unsigned length,
				 struct http_client *ret_client, struct client_admission *ret_admission, struct error *error);
/* Judge a client again that was admitted: it may have been struck off the list. Costs nothing while the list is the same. */
MUST_USE bool client_rules_still_admit(struct client_rules *rules, const struct http_client *client,
				       struct client_admission *admission, struct error *error);
