/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of POST /api/v1/eth2/sign/{identifier} (remote-signing API, Web3Signer's dialect) as a typed message for the keeper.
 * A pure function of its arguments: no clock, no network, no log. It decides what the client said, never whether it may be
 * signed; the keeper computes the signing root itself.
 *
 * Encoding: unknown members are ignored at every level; `type` is matched in any letter case; `signing_root` may be spelt
 * `signingRoot`; numbers are decimal strings or JSON integers; hex has an optional 0x, any letter case, and 32-byte values
 * may be short (zeros are put in front). Duplicate members are refused: two readers could disagree about which one counts.
 */
#pragma once

#include "base/json.h"
#include "enclave/messages.h"

/*
 * ERROR_INPUT with "member: member: reason" when the body is not a request that can be signed. On success the header's id is 0.
 * `network` decides the container where its form depends on the fork (docs/decisions/0006-artifacts.md), and the preset's sizes.
 */
MUST_USE bool sign_request_parse(struct view body, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const struct network *network,
				 struct message_sign *ret_message, struct error *error);
/* As sign_request_parse, of JSON that was parsed already; `request` must be an object. */
MUST_USE bool sign_request_read(json_t *request, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], const struct network *network,
				struct message_sign *ret_message, struct error *error);
