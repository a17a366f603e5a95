/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A row of the table ValidatorKeys (key_table_dynamodb.h has its attributes) as an item of DynamoDB, and the writes to it. Pure: JSON in and out,
 * no network.
 */
#pragma once

#include <jansson.h>

#include "tables/key_table.h"

/*
 * An item of the signer's partition. ERROR_INPUT names the column: one that is missing, of another type or too large, or that belongs
 * to another signer. Attributes that are not ours are passed over. Attributes of the row are set on failure too, as far as they can be read:
 * key_row_done() it. A row is active unless it says otherwise.
 */
MUST_USE bool key_item_read(json_t *item, const char *web3signer_uuid, struct key_row *ret_row, struct error *error);

/* Transact items (aws/dynamodb.h). The row as it is wanted, other attributes are left alone; the condition is, without `replace`, that it is new. */
MUST_USE json_t *key_item_put(const char *table, const struct key_row *row, bool replace);
/* Seals the key anew; the condition is that it is sealed as it was. What is there is told when it does not hold. */
MUST_USE json_t *key_item_reseal(const char *table, const struct key_reseal *reseal);
/* Writes nothing: the condition alone, that there is no such row. */
MUST_USE json_t *key_item_expect_none(const char *table, const struct key_row *row);
/* The condition is that the row is there. */
MUST_USE json_t *key_item_set_active(const char *table, const char *web3signer_uuid, const char *pubkey, bool is_active);
/* {"web3signer_uuid": {"S": …}, "pubkey": {"S": …}} */
MUST_USE json_t *key_item_key(const char *web3signer_uuid, const char *pubkey);
MUST_USE json_t *key_item_remove(const char *table, const char *web3signer_uuid, const char *pubkey);
