/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keccak.h"

#define ROUNDS 24
#define LANES 25
/* The capacity is twice the digest; the rate is the rest of 1600 bits. */
#define RATE (200 - 2 * KECCAK256_SIZE)
/* Where SHA3-256 has 0x06. */
#define PADDING_BEGIN 0x01
#define PADDING_END 0x80

/* Lane (x, y) is state[x + 5 * y]. */
static uint64_t rotate(uint64_t lane, unsigned bits)
{
	return lane << bits | lane >> (64 - bits);
}

static void theta(uint64_t state[LANES])
{
	uint64_t parity[5];

	for (size_t x = 0; x < 5; x++)
		parity[x] = state[x] ^ state[x + 5] ^ state[x + 10] ^ state[x + 15] ^ state[x + 20];
	for (size_t i = 0; i < LANES; i++)
		state[i] ^= parity[(i + 4) % 5] ^ rotate(parity[(i + 1) % 5], 1);
}

/* Lanes move along one path through all places but (0, 0), the t-th turned by the t-th triangular number. */
static void rho_and_pi(uint64_t state[LANES])
{
	size_t x = 1;
	size_t y = 0;
	uint64_t moving = state[1];

	for (unsigned t = 1; t < LANES; t++) {
		size_t next_y = (2 * x + 3 * y) % 5;
		uint64_t displaced;

		x = y;
		y = next_y;
		displaced = state[x + 5 * y];
		state[x + 5 * y] = rotate(moving, t * (t + 1) / 2 % 64);
		moving = displaced;
	}
}

static void chi(uint64_t state[LANES])
{
	for (size_t y = 0; y < LANES; y += 5) {
		uint64_t row[5];

		memcpy(row, state + y, sizeof row);
		for (size_t x = 0; x < 5; x++)
			state[x + y] ^= ~row[(x + 1) % 5] & row[(x + 2) % 5];
	}
}

static void permute(uint64_t state[LANES])
{
	static const uint64_t iota[ROUNDS] = {
		0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
		0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
		0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
		0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
		0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
	};

	for (size_t round = 0; round < ROUNDS; round++) {
		theta(state);
		rho_and_pi(state);
		chi(state);
		state[0] ^= iota[round];
	}
}

/* Lanes are little endian. */
static void absorb(uint64_t state[LANES], const uint8_t block[RATE])
{
	for (size_t i = 0; i < RATE; i++)
		state[i / 8] ^= (uint64_t)block[i] << (8 * (i % 8));
	permute(state);
}

void keccak256(struct view bytes, uint8_t ret_digest[KECCAK256_SIZE])
{
	uint64_t state[LANES] = {0};
	uint8_t last[RATE] = {0};
	size_t whole = bytes.size - bytes.size % RATE;

	for (size_t done = 0; done < whole; done += RATE)
		absorb(state, bytes.data + done);
	if (bytes.size > whole)
		memcpy(last, bytes.data + whole, bytes.size - whole);
	last[bytes.size - whole] ^= PADDING_BEGIN;
	last[RATE - 1] ^= PADDING_END;
	absorb(state, last);
	for (size_t i = 0; i < KECCAK256_SIZE / 8; i++)
		store_le64(ret_digest + 8 * i, state[i]);
}
