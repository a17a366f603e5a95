/* SPDX-License-Identifier: Apache-2.0 */
/* The fleet's part of cli/inventory.h, for inventory.c alone. */
#pragma once

#include "cli/inventory.h"

/* Checks what the place says, reads the credentials, connects to nothing yet. NULL on failure. */
MUST_USE struct inventory_fleet *inventory_fleet_new(const struct inventory_place *place, struct error *error);
void inventory_fleet_free(struct inventory_fleet *fleet); /* accepts NULL */

MUST_USE struct tls_table *inventory_fleet_open_tls(const struct inventory_fleet *fleet, struct error *error);
MUST_USE bool inventory_fleet_seal_tls(const struct inventory_fleet *fleet, const struct tls_identity *identity, bool as_pem,
				       struct tls_sealed *ret_sealed, struct error *error);
MUST_USE struct key_table *inventory_fleet_open_table(const struct inventory_fleet *fleet, struct error *error);
MUST_USE bool inventory_fleet_new_data_key(const struct inventory_fleet *fleet, struct secret *ret_data_key,
					   struct buffer *ret_wrapped_b64, struct error *error);
MUST_USE bool inventory_fleet_seal_credentials(const struct inventory_fleet *fleet, const struct credentials *credentials,
					       struct tls_row *row, struct error *error);
/* Where its enclave listens. */
MUST_USE bool inventory_fleet_control(const struct inventory_fleet *fleet, struct address *ret_control, struct error *error);
/* For the enclave to use KMS with. Borrowed. */
const struct credentials *inventory_fleet_credentials(const struct inventory_fleet *fleet);
