/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SSZ types as data, and the hash_tree_root of a JSON value of such a type as the beacon API writes it (consensus-specs
 * simple-serialize.md; EIP-7916 and EIP-7495 for what is progressive).
 *
 * Encoding, as Web3Signer reads it: unknown members are ignored; numbers are decimal strings or JSON integers; booleans are JSON
 * booleans; hex has an optional 0x and any letter case; 32-byte values may be short (zeros are put in front), all others have their
 * exact length; a bit list carries its end bit. A null member is a missing one.
 */
#pragma once

#include "base/json.h"
#include "eth/network.h"

enum ssz_kind {
	SSZ_UINT64,
	SSZ_UINT256,
	SSZ_BOOLEAN,
	SSZ_BYTES,     /* Bytes4, Bytes32, …: `size` bytes */
	SSZ_BYTE_LIST, /* at most `size` bytes */
	SSZ_BITVECTOR, /* `size` bits */
	SSZ_BITLIST,   /* at most `size` bits */
	SSZ_VECTOR,    /* `size` elements */
	SSZ_LIST,      /* at most `size` elements */
	SSZ_CONTAINER,
	SSZ_KIND_COUNT,
};

struct ssz_field {
	const char *name; /* member of the JSON object */
	const struct ssz_type *type;
};

/* A type may not contain itself: the depth of the walk is that of the type. */
struct ssz_type {
	enum ssz_kind kind;
	bool progressive; /* SSZ_BYTE_LIST, SSZ_BITLIST, SSZ_LIST (no limit then) and SSZ_CONTAINER */
	uint64_t size;
	const struct ssz_type *element; /* of a vector or list */
	const struct ssz_field *fields; /* of a container, in their order */
	uint64_t active_fields; /* bit i is set: position i of the tree holds the next field; zero is left there otherwise */
};

extern const struct ssz_type ssz_uint64;
extern const struct ssz_type ssz_uint256;
extern const struct ssz_type ssz_boolean;
extern const struct ssz_type ssz_bytes4;  /* Version */
extern const struct ssz_type ssz_bytes20; /* ExecutionAddress */
extern const struct ssz_type ssz_bytes32; /* Root, Hash32 */
extern const struct ssz_type ssz_bytes48; /* BLSPubkey, KZGCommitment */
extern const struct ssz_type ssz_bytes96; /* BLSSignature */

/* Types written where they are used, at file scope: {"proof", SSZ_VECTOR_OF(&ssz_bytes32, 33)}. */
#define SSZ_TYPE(...) (&(const struct ssz_type){__VA_ARGS__})
#define SSZ_BYTES_OF(bytes) SSZ_TYPE(.kind = SSZ_BYTES, .size = (bytes))
#define SSZ_BYTE_LIST_OF(limit) SSZ_TYPE(.kind = SSZ_BYTE_LIST, .size = (limit))
#define SSZ_BITVECTOR_OF(bits) SSZ_TYPE(.kind = SSZ_BITVECTOR, .size = (bits))
#define SSZ_BITLIST_OF(limit) SSZ_TYPE(.kind = SSZ_BITLIST, .size = (limit))
#define SSZ_VECTOR_OF(type, count) SSZ_TYPE(.kind = SSZ_VECTOR, .element = (type), .size = (count))
#define SSZ_LIST_OF(type, limit) SSZ_TYPE(.kind = SSZ_LIST, .element = (type), .size = (limit))
#define SSZ_PROGRESSIVE_BYTE_LIST SSZ_TYPE(.kind = SSZ_BYTE_LIST, .progressive = true)
#define SSZ_PROGRESSIVE_BITLIST SSZ_TYPE(.kind = SSZ_BITLIST, .progressive = true)
#define SSZ_PROGRESSIVE_LIST_OF(type) SSZ_TYPE(.kind = SSZ_LIST, .progressive = true, .element = (type))
// clang-format off
/* {name, type}, for use in macros. */
#define SSZ_FIELD(name, type) {name, type}
// clang-format on
/* Initialisers of a container, from its {name, type} pairs; at most 63. */
#define SSZ_FIELDS(...)                                                                                                            \
	.kind = SSZ_CONTAINER, .fields = (const struct ssz_field[]){__VA_ARGS__},                                                  \
	.active_fields = (UINT64_C(1) << (sizeof((const struct ssz_field[]){__VA_ARGS__}) / sizeof(struct ssz_field))) - 1
#define SSZ_PROGRESSIVE_FIELDS(...) SSZ_FIELDS(__VA_ARGS__), .progressive = true

/*
 * The hash_tree_root of `value`. ERROR_INPUT where it is not exactly of that type; the message begins with the place:
 * "body.attestations[3].data.slot: missing" (with nothing when the fault is `value` itself).
 */
MUST_USE bool ssz_json_root(const struct ssz_type *type, json_t *value, uint8_t ret_root[ROOT_SIZE], struct error *error);
