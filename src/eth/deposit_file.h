/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of deposits that the launchpad takes, `deposit_data-<Unix time>.json`: a JSON array with an object for each deposit, as
 * staking-deposit-cli 2.7.0 writes it. Hex has no 0x; `amount` is a JSON number.
 */
#pragma once

#include "eth/deposit.h"

/* A deposit takes some 800 bytes: ten thousand of them, far more than a launchpad would. */
#define DEPOSIT_FILE_MAX_SIZE (8u << 20)

struct deposit_file {
	struct deposit *deposits;
	size_t count;
};

/* Append the text: members in the order, and with the spaces, of staking-deposit-cli. `network_name` is left out where it is "". */
void deposit_file_write(const struct deposit *deposits, size_t count, struct buffer *ret_json);
/*
 * The form: all members but network_name there, of the right type and length, one deposit or more. Unknown members are passed over. ERROR_INPUT
 * "deposit N: field: reason", N from 1. Nothing is verified yet.
 */
MUST_USE bool deposit_file_parse(struct view json, struct deposit_file *ret_file, struct error *error);
/* deposit_check() of every deposit; 2.6 ms each. The error of the first that fails, with "deposit N: " in front. */
MUST_USE bool deposit_file_check(const struct deposit_file *file, const struct network *network, struct error *error);
void deposit_file_done(struct deposit_file *file);

#define AUTO_DEPOSIT_FILE CLEANUP(deposit_file_done)
