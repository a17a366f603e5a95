// SPDX-License-Identifier: Apache-2.0
// An independent verifier of remote signatures: it computes the signing root from the request by itself (SSZ below, SHA-256 of
// Node.js) and checks the BLS signature with @noble/curves. Nothing here is shared with Ensign's C code.
//
//   node verify.mjs PUBLIC_KEY SIGNATURE REQUEST.json      prints the signing root; status 0: the signature is right, 1: it is not
//
// Types: ATTESTATION, BLOCK_V2 with a header, RANDAO_REVEAL, AGGREGATION_SLOT. Mainnet preset (32 slots an epoch).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { bls12_381 } from '@noble/curves/bls12-381';

const SLOTS_PER_EPOCH = 32n;

const sha256 = (...parts) => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const bytes = (text, size) => {
  const value = Buffer.from(text.replace(/^0x/, ''), 'hex');
  if (value.length !== size) throw new Error(`expected ${size} bytes of hex, got ${text}`);
  return value;
};

// One 32-byte SSZ chunk each.
const uint64 = (text) => {
  const chunk = Buffer.alloc(32);
  chunk.writeBigUInt64LE(BigInt(text));
  return chunk;
};
const bytes32 = (text) => bytes(text, 32);

// Root of a container of field roots: a binary Merkle tree, padded with zero chunks to a power of two.
const container = (...roots) => {
  let layer = roots;
  while (layer.length & (layer.length - 1)) layer.push(Buffer.alloc(32));
  while (layer.length > 1) {
    const above = [];
    for (let i = 0; i < layer.length; i += 2) above.push(sha256(layer[i], layer[i + 1]));
    layer = above;
  }
  return layer[0];
};

const checkpoint = ({ epoch, root }) => container(uint64(epoch), bytes32(root));

// type: [domain type, object root, epoch]
const artifacts = {
  ATTESTATION: ({ attestation: a }) => [
    '01000000',
    container(uint64(a.slot), uint64(a.index), bytes32(a.beacon_block_root), checkpoint(a.source), checkpoint(a.target)),
    BigInt(a.target.epoch),
  ],
  BLOCK_V2: ({ beacon_block: { block_header: h } }) => [
    '00000000',
    container(uint64(h.slot), uint64(h.proposer_index), bytes32(h.parent_root), bytes32(h.state_root), bytes32(h.body_root)),
    BigInt(h.slot) / SLOTS_PER_EPOCH,
  ],
  RANDAO_REVEAL: ({ randao_reveal: { epoch } }) => ['02000000', uint64(epoch), BigInt(epoch)],
  AGGREGATION_SLOT: ({ aggregation_slot: { slot } }) => ['05000000', uint64(slot), BigInt(slot) / SLOTS_PER_EPOCH],
};

const signingRoot = (request) => {
  const artifact = artifacts[request.type];
  if (!artifact) throw new Error(`type ${request.type} is not known to this verifier`);
  const [domainType, objectRoot, epoch] = artifact(request);
  const { fork, genesis_validators_root } = request.fork_info;
  const version = epoch < BigInt(fork.epoch) ? fork.previous_version : fork.current_version;
  const forkDataRoot = sha256(bytes(version, 4), Buffer.alloc(28), bytes32(genesis_validators_root));
  const domain = Buffer.concat([bytes(domainType, 4), forkDataRoot.subarray(0, 28)]);
  return sha256(objectRoot, domain);
};

const [publicKey, signature, file] = process.argv.slice(2);
if (!file) {
  console.error('usage: node verify.mjs PUBLIC_KEY SIGNATURE REQUEST.json');
  process.exit(2);
}
const root = signingRoot(JSON.parse(readFileSync(file, 'utf8')));
const scheme = bls12_381.longSignatures;
const message = scheme.hash(root, 'BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_');
let right = false;
try {
  right = scheme.verify(bytes(signature, 96), message, bytes(publicKey, 48));
} catch (problem) {
  console.error(`malformed: ${problem.message}`);
}
console.log(`0x${root.toString('hex')}`);
process.exit(right ? 0 : 1);
