/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/bls.h"

#include <blst.h>
#include <openssl/rand.h>

#include "crypto/g1_base.h"

/* The IETF draft asks for at least 32 bytes of key material; more adds nothing to a 255-bit key. */
#define KEY_MATERIAL_SIZE 32

/* The ciphersuite's name is its domain separation tag, without a NUL at the end. */
static const char CIPHERSUITE[] = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
#define CIPHERSUITE_SIZE (sizeof CIPHERSUITE - 1)

static void wipe_scalar(blst_scalar *scalar)
{
	secret_wipe(scalar, sizeof *scalar);
}

#define AUTO_SCALAR CLEANUP(wipe_scalar)

bool bls_secret_key_valid(const uint8_t secret_key[BLS_SECRET_KEY_SIZE])
{
	AUTO_SCALAR blst_scalar scalar;

	blst_scalar_from_bendian(&scalar, secret_key);
	return blst_sk_check(&scalar);
}

bool bls_secret_key_generate(struct secret *ret_secret_key, struct error *error)
{
	AUTO_SECRET struct secret key_material = {0};
	AUTO_SECRET struct secret secret_key = {0};
	AUTO_SCALAR blst_scalar scalar;

	if (!secret_init(&key_material, KEY_MATERIAL_SIZE, error) || !secret_init(&secret_key, BLS_SECRET_KEY_SIZE, error))
		return error_prefix(error, "new BLS key");
	if (RAND_priv_bytes(key_material.data, KEY_MATERIAL_SIZE) != 1)
		return error_set(error, ERROR_CRYPTO, "new BLS key: the system gave no randomness");
	blst_keygen(&scalar, key_material.data, key_material.size, NULL, 0);
	if (!blst_sk_check(&scalar))
		return error_set(error, ERROR_BUG, "new BLS key: derived an invalid key");
	blst_bendian_from_scalar(secret_key.data, &scalar);
	*ret_secret_key = secret_key;
	secret_key = (struct secret){0};
	return true;
}

bool bls_public_key_derive(const uint8_t secret_key[BLS_SECRET_KEY_SIZE], uint8_t ret_public_key[BLS_PUBLIC_KEY_SIZE],
			   struct error *error)
{
	AUTO_SCALAR blst_scalar scalar;
	blst_p1 point;

	blst_scalar_from_bendian(&scalar, secret_key);
	if (!blst_sk_check(&scalar))
		return error_set(error, ERROR_INPUT, "BLS secret key: zero, or not below the group order");
	blst_sk_to_pk_in_g1(&point, &scalar);
	blst_p1_compress(ret_public_key, &point);
	return true;
}

bool bls_public_key_matches(const uint8_t secret_key[BLS_SECRET_KEY_SIZE], const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	AUTO_SCALAR blst_scalar scalar;
	uint8_t derived[BLS_PUBLIC_KEY_SIZE];
	blst_p1 point;

	blst_scalar_from_bendian(&scalar, secret_key);
	if (!blst_sk_check(&scalar))
		return false;
	g1_base_multiply(&scalar, &point);
	blst_p1_compress(derived, &point);
	return memcmp(derived, public_key, sizeof derived) == 0;
}

void bls_hash_root(const uint8_t signing_root[32], blst_p2 *ret_point)
{
	blst_hash_to_g2(ret_point, signing_root, 32, (const byte *)CIPHERSUITE, CIPHERSUITE_SIZE, NULL, 0);
}

void bls_sign_point(const uint8_t secret_key[BLS_SECRET_KEY_SIZE], const blst_p2 *point, uint8_t ret_signature[BLS_SIGNATURE_SIZE])
{
	AUTO_SCALAR blst_scalar scalar;
	blst_p2 product;

	blst_scalar_from_bendian(&scalar, secret_key);
	blst_sign_pk_in_g1(&product, point, &scalar);
	blst_p2_compress(ret_signature, &product);
	secret_wipe(&product, sizeof product);
}

void bls_sign_comb(const struct g2_comb *comb, const struct bls_signing *signings, size_t count)
{
	blst_scalar scalars[G2_COMB_BATCH_MAX] = {{{0}}};
	blst_p2 products[G2_COMB_BATCH_MAX];
	blst_p2_affine affine[G2_COMB_BATCH_MAX];
	const blst_p2 *const all[] = {products, NULL};

	for (size_t i = 0; i < count; i++)
		blst_scalar_from_bendian(&scalars[i], signings[i].secret_key);
	g2_comb_multiply(comb, scalars, count, products);
	blst_p2s_to_affine(affine, all, count);
	for (size_t i = 0; i < count; i++)
		blst_p2_affine_compress(signings[i].ret_signature, &affine[i]);
	secret_wipe(scalars, count * sizeof *scalars);
	/* Their third coordinates, unlike the signatures, are not public. */
	secret_wipe(products, count * sizeof *products);
}

void bls_sign(const uint8_t secret_key[BLS_SECRET_KEY_SIZE], const uint8_t signing_root[32],
	      uint8_t ret_signature[BLS_SIGNATURE_SIZE])
{
	blst_p2 point;

	bls_hash_root(signing_root, &point);
	bls_sign_point(secret_key, &point, ret_signature);
}

/* KeyValidate of the draft, section 2.5. Infinity decodes, but would make every aggregate forgeable. */
static bool read_public_key(const uint8_t bytes[BLS_PUBLIC_KEY_SIZE], blst_p1_affine *ret_point)
{
	return blst_p1_uncompress(ret_point, bytes) == BLST_SUCCESS && !blst_p1_affine_is_inf(ret_point) &&
	       blst_p1_affine_in_g1(ret_point);
}

bool bls_public_key_valid(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	blst_p1_affine point;

	return read_public_key(public_key, &point);
}

/* Infinity is what the zero key signs; no valid key makes it. */
static bool read_signature(const uint8_t bytes[BLS_SIGNATURE_SIZE], blst_p2_affine *ret_point)
{
	return blst_p2_uncompress(ret_point, bytes) == BLST_SUCCESS && !blst_p2_affine_is_inf(ret_point) &&
	       blst_p2_affine_in_g2(ret_point);
}

bool bls_verify(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], struct view message, const uint8_t signature[BLS_SIGNATURE_SIZE])
{
	blst_p1_affine key;
	blst_p2_affine point;

	if (!read_public_key(public_key, &key) || !read_signature(signature, &point))
		return false;
	return blst_core_verify_pk_in_g1(&key, &point, true, message.data, message.size, (const byte *)CIPHERSUITE,
					 CIPHERSUITE_SIZE, NULL, 0) == BLST_SUCCESS;
}
