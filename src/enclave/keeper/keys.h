/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's keys. A record (public key, memory of its duties) is made when a key is first loaded and stays as long as the keeper lives: a key
 * that is taken out and comes back is held to what it signed before. Whether it signs now is a matter of the last load.
 *
 * A load gathers the set that is to sign next beside the one that signs: keeper_keys_begin(), any number of keeper_keys_stage() and
 * keeper_keys_stage_held(), then keeper_keys_end(), or another begin, which forgets it. Secrets are in protected memory, in chunks, so that
 * ten keys do not cost the memory of a hundred thousand. A secret that is no longer wanted is wiped by keeper_keys_sweep() once no job
 * uses it, and its place is used again.
 *
 * Everything belongs to the keeper's main thread, but for keeper_keys_release(), and the bytes of a secret whose key is held.
 */
#pragma once

#include "enclave/keeper/duties.h"

/* That sign at one time: a hundred thousand is the largest operator in the load tables. */
#define KEEPER_KEYS_MAX 100000
/* That ever signed in one keeper's life. What is beyond asks for a restart, which costs seconds; memory without a bound costs more. */
#define KEEPER_RECORDS_MAX (2 * KEEPER_KEYS_MAX)
/* Of secrets: 128 KiB of protected memory at a time. */
#define KEEPER_KEYS_PER_CHUNK 4096

struct keeper_keys;

struct keeper_keys *keeper_keys_new(void);
/* Wipes every secret; accepts NULL. */
void keeper_keys_free(struct keeper_keys *keys);

/* That sign now. */
size_t keeper_keys_count(const struct keeper_keys *keys);
/* Another one after every change of the set. */
uint64_t keeper_keys_generation(const struct keeper_keys *keys);
/* Of the one at a position below the count; positions change with the generation. */
const uint8_t *keeper_keys_public(const struct keeper_keys *keys, size_t position);
/* Number of a key that signs now; false when there is none. Numbers stay. */
MUST_USE bool keeper_keys_find(const struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], size_t *ret_number);
/* The same, of one that ever did. */
MUST_USE bool keeper_keys_find_record(const struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
				      size_t *ret_number);
/* When the load that it signs since ended; monotonic. */
uint64_t keeper_keys_loaded_ms(const struct keeper_keys *keys, size_t number);
struct duty_memory *keeper_keys_memory(struct keeper_keys *keys, size_t number);

/* The secret of a key that signs now; it stays where it is until as many releases as holds. Release is for any thread. */
const uint8_t *keeper_keys_hold(struct keeper_keys *keys, size_t number);
void keeper_keys_release(struct keeper_keys *keys, size_t number);

void keeper_keys_begin(struct keeper_keys *keys);
/*
 * Derives the public key from the secret and compares it with the one expected: a wrong one is ERROR_CRYPTO, one that the load has
 * already ERROR_INPUT, one too many ERROR_POLICY, no memory ERROR_IO.
 */
MUST_USE bool keeper_keys_stage(struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE],
				const uint8_t secret_key[BLS_SECRET_KEY_SIZE], struct error *error);
/* One that signs now; else ERROR_NOT_FOUND. */
MUST_USE bool keeper_keys_stage_held(struct keeper_keys *keys, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct error *error);
/* What was gathered signs from now on, and nothing else. */
void keeper_keys_end(struct keeper_keys *keys, uint64_t *ret_added, uint64_t *ret_removed);
/* Forget what was gathered. */
void keeper_keys_abort(struct keeper_keys *keys);
/* In the load so far. */
size_t keeper_keys_staged_count(const struct keeper_keys *keys);
/* One key signs no more, nor by the load that is under way. */
void keeper_keys_unload(struct keeper_keys *keys, size_t number);

/* Wipe the secrets that nobody uses any more. How many have to wait for a job. */
size_t keeper_keys_sweep(struct keeper_keys *keys);
/* For tests: places for secrets that were ever made, and those in use. */
void keeper_keys_measure(const struct keeper_keys *keys, size_t *ret_slots, size_t *ret_used, size_t *ret_records);
/* The page of them that is asked for, to the role at the other end of `fd`. ERROR_PEER: it is gone. */
MUST_USE bool keeper_keys_send(const struct keeper_keys *keys, int fd, const struct message_list_keys *request,
			       struct error *error);
