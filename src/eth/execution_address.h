/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of the execution layer as text: hex, whose upper and lower case is a checksum (EIP-55). */
#pragma once

#include "eth/containers.h"

#define EXECUTION_ADDRESS_TEXT_SIZE 43 /* 0x, 40 digits, a NUL */

/*
 * 0x and 40 hex digits. All letters of one case carry no checksum and are taken; of mixed case the checksum must fit. ERROR_INPUT
 * "field: …".
 */
MUST_USE bool execution_address_parse(struct view text, const char *field, uint8_t ret_address[EXECUTION_ADDRESS_SIZE],
				      struct error *error);
/* With its checksum. */
void execution_address_format(const uint8_t address[EXECUTION_ADDRESS_SIZE], char ret_text[EXECUTION_ADDRESS_TEXT_SIZE]);
