/* SPDX-License-Identifier: Apache-2.0 */
/* The English word list of BIP-39, in its order: a word's place is the 11 bits that it stands for. The first four letters are unique. */
#pragma once

#define MNEMONIC_WORD_LIST_SIZE 2048
#define MNEMONIC_WORD_MAX_SIZE 8

extern const char MNEMONIC_WORDS[MNEMONIC_WORD_LIST_SIZE][MNEMONIC_WORD_MAX_SIZE + 1];
