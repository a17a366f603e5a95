/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/derivation.h"

#include <inttypes.h>

#include <blst.h>
#include <blst_aux.h>

/* EIP-2334: purpose, coin type, and the use of a withdrawal key and of a signing key. */
#define PURPOSE 12381
#define COIN_TYPE 3600
#define WITHDRAWAL_USE 0
#define SIGNING_USE 0

static void wipe_scalar(blst_scalar *scalar)
{
	secret_wipe(scalar, sizeof *scalar);
}

#define AUTO_SCALAR CLEANUP(wipe_scalar)

/* Take the next level off the front of `rest`, which begins with its slash. */
static bool next_level(struct view *rest, size_t number, uint32_t *ret_index, struct error *error)
{
	struct view level = view_of(rest->data + 1, rest->size - 1);
	const uint8_t *slash = level.size ? (const uint8_t *)memchr(level.data, '/', level.size) : NULL;
	uint64_t index = 0;

	if (slash)
		level.size = (size_t)(slash - level.data);
	if (!u64_parse(level, &index) || index > UINT32_MAX)
		return error_set(error, ERROR_INPUT, "path: level %zu is not a decimal number below 2^32 and nothing else", number);
	*rest = view_of(level.data + level.size, rest->size - 1 - level.size);
	*ret_index = (uint32_t)index;
	return true;
}

bool derivation_path_parse(struct view text, struct derivation_path *ret_path, struct error *error)
{
	struct derivation_path path = {0};
	struct view rest;

	if (text.size == 0 || text.data[0] != 'm' || (text.size > 1 && text.data[1] != '/'))
		return error_set(error, ERROR_INPUT, "path: does not begin with m and a slash");
	rest = view_of(text.data + 1, text.size - 1);
	while (rest.size > 0) {
		if (path.depth == DERIVATION_PATH_MAX_DEPTH)
			return error_set(error, ERROR_INPUT, "path: more than %d levels", DERIVATION_PATH_MAX_DEPTH);
		if (!next_level(&rest, path.depth + 1, &path.indices[path.depth], error))
			return false;
		path.depth++;
	}
	*ret_path = path;
	return true;
}

void derivation_path_format_signing(uint32_t index, char ret_text[DERIVATION_PATH_TEXT_SIZE])
{
	(void)snprintf(ret_text, DERIVATION_PATH_TEXT_SIZE, "m/%d/%d/%" PRIu32 "/%d/%d", PURPOSE, COIN_TYPE, index, WITHDRAWAL_USE,
		       SIGNING_USE);
}

void derivation_path_format_withdrawal(uint32_t index, char ret_text[DERIVATION_PATH_TEXT_SIZE])
{
	(void)snprintf(ret_text, DERIVATION_PATH_TEXT_SIZE, "m/%d/%d/%" PRIu32 "/%d", PURPOSE, COIN_TYPE, index, WITHDRAWAL_USE);
}

static bool take_scalar(const blst_scalar *scalar, struct secret *ret_key, struct error *error)
{
	if (!secret_init(ret_key, BLS_SECRET_KEY_SIZE, error))
		return false;
	blst_bendian_from_scalar(ret_key->data, scalar);
	return true;
}

bool derivation_derive_master(const struct secret *seed, struct secret *ret_key, struct error *error)
{
	AUTO_SCALAR blst_scalar scalar = {0};

	if (seed->size < DERIVATION_SEED_MIN_SIZE)
		return error_set(error, ERROR_INPUT, "seed: %zu bytes, at least %d are needed", seed->size,
				 DERIVATION_SEED_MIN_SIZE);
	blst_derive_master_eip2333(&scalar, seed->data, seed->size);
	return take_scalar(&scalar, ret_key, error);
}

bool derivation_derive_child(const struct secret *parent, uint32_t index, struct secret *ret_key, struct error *error)
{
	AUTO_SCALAR blst_scalar above = {0};
	AUTO_SCALAR blst_scalar scalar = {0};

	if (parent->size != BLS_SECRET_KEY_SIZE || !bls_secret_key_valid(parent->data))
		return error_set(error, ERROR_INPUT, "parent key: no BLS secret key");
	blst_scalar_from_bendian(&above, parent->data);
	blst_derive_child_eip2333(&scalar, &above, index);
	return take_scalar(&scalar, ret_key, error);
}

bool derivation_derive_path(const struct secret *seed, const struct derivation_path *path, struct secret *ret_key,
			    struct error *error)
{
	AUTO_SECRET struct secret key = {0};

	if (!derivation_derive_master(seed, &key, error))
		return false;
	for (size_t i = 0; i < path->depth; i++) {
		AUTO_SECRET struct secret parent = key;

		key = (struct secret){0};
		if (!derivation_derive_child(&parent, path->indices[i], &key, error))
			return false;
	}
	*ret_key = key;
	key = (struct secret){0};
	return true;
}

bool derivation_tree_init(struct derivation_tree *tree, const struct secret *seed, struct error *error)
{
	static const struct derivation_path coin = {.depth = 2, .indices = {PURPOSE, COIN_TYPE}};

	*tree = (struct derivation_tree){0};
	return derivation_derive_path(seed, &coin, &tree->coin_key, error);
}

void derivation_tree_done(struct derivation_tree *tree)
{
	if (tree)
		secret_done(&tree->coin_key);
}

bool derivation_tree_derive_keys(const struct derivation_tree *tree, uint32_t index, struct derivation_keys *ret_keys,
				 struct error *error)
{
	AUTO_SECRET struct secret account_key = {0};
	AUTO_DERIVATION_KEYS struct derivation_keys keys = {0};

	if (!derivation_derive_child(&tree->coin_key, index, &account_key, error) ||
	    !derivation_derive_child(&account_key, WITHDRAWAL_USE, &keys.withdrawal_key, error) ||
	    !derivation_derive_child(&keys.withdrawal_key, SIGNING_USE, &keys.signing_key, error))
		return false;
	*ret_keys = keys;
	keys = (struct derivation_keys){0};
	return true;
}

void derivation_keys_done(struct derivation_keys *keys)
{
	if (!keys)
		return;
	secret_done(&keys->withdrawal_key);
	secret_done(&keys->signing_key);
}
