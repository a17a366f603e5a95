/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BIP-39 mnemonics in English: what validators' keys are derived from (eth/derivation.h), and what their owner keeps on paper.
 * A mnemonic here is its words in lower case with one space between them, no NUL at the end. Everything is in struct secret; no
 * error repeats a word.
 */
#pragma once

#include "base/secret.h"

#define MNEMONIC_ENTROPY_MIN_SIZE 16 /* 12 words */
#define MNEMONIC_ENTROPY_MAX_SIZE 32 /* 24 words */
#define MNEMONIC_SEED_SIZE 64
/* 24 words of 8 letters are 215 characters; the rest is room for white space. */
#define MNEMONIC_TEXT_MAX_SIZE 1024
#define MNEMONIC_PASSPHRASE_MAX_SIZE 4096

/* 16, 20, 24, 28 or 32 bytes of entropy as 12, 15, 18, 21 or 24 words; ERROR_INPUT for another size. */
MUST_USE bool mnemonic_encode_entropy(const struct secret *entropy, struct secret *ret_mnemonic, struct error *error);
/* A new one, of the system's randomness; 12, 15, 18, 21 or 24 words. */
MUST_USE bool mnemonic_generate(size_t word_count, struct secret *ret_mnemonic, struct error *error);
/*
 * Check a mnemonic as somebody typed it. White space and case do not matter; a word may be cut to its first four letters or more, as
 * deposit-cli takes it. ERROR_INPUT says how many words there are when that is no legal number, which word (from 1) is not in the list,
 * or that the checksum is wrong.
 */
MUST_USE bool mnemonic_normalize_text(struct view typed, struct secret *ret_mnemonic, struct error *error);
/*
 * The seed: PBKDF2-HMAC-SHA512, 2048 rounds. The mnemonic is checked and normalised as above, so that a slip never makes other keys
 * than those on the paper. `passphrase` is UTF-8 as typed, may be empty, and cannot be checked: any makes a seed. It goes through NFKD;
 * control codes stay in it, other than in a keystore's password.
 */
MUST_USE bool mnemonic_derive_seed(struct view typed, struct view passphrase, struct secret *ret_seed, struct error *error);
