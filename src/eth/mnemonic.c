/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/mnemonic.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "eth/mnemonic_words.h"
#include "eth/nfkd.h"

#define WORD_BITS 11
#define WORD_COUNT_MIN 12
#define WORD_COUNT_MAX 24
#define PREFIX_MIN_SIZE 4
#define SEED_ROUNDS 2048

/*
 * What the words stand for, one after the other: the entropy and then the checksum, a bit for each four bytes. A word is reached
 * through the three bytes that it begins in, hence the room behind the checksum.
 */
#define WORDS_BITS_SIZE (MNEMONIC_ENTROPY_MAX_SIZE + 3)

static bool word_count_is_legal(size_t count)
{
	return count >= WORD_COUNT_MIN && count <= WORD_COUNT_MAX && count % 3 == 0;
}

static size_t entropy_size_of(size_t word_count)
{
	return word_count / 3 * 4;
}

/* Bits to shift a word by within the three bytes from which it is read. */
static unsigned word_shift(size_t number)
{
	return (unsigned)(24 - WORD_BITS - number * WORD_BITS % 8);
}

static size_t get_word(const struct secret *bits, size_t number)
{
	const uint8_t *bytes = bits->data + number * WORD_BITS / 8;
	uint32_t three = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];

	return three >> word_shift(number) & (MNEMONIC_WORD_LIST_SIZE - 1);
}

/* The bits must still be zero. */
static void put_word(const struct secret *bits, size_t number, size_t index)
{
	uint8_t *bytes = bits->data + number * WORD_BITS / 8;
	uint32_t three = (uint32_t)index << word_shift(number);

	bytes[0] = (uint8_t)(bytes[0] | three >> 16);
	bytes[1] = (uint8_t)(bytes[1] | (three >> 8 & 0xff));
	bytes[2] = (uint8_t)(bytes[2] | (three & 0xff));
}

/* The checksum at its place in the byte behind the entropy, zeros below it. */
static bool compute_checksum(const uint8_t *entropy, size_t size, uint8_t *ret_checksum, struct error *error)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	unsigned unused_bits = (unsigned)(8 - size / 4);

	if (EVP_Digest(entropy, size, digest, NULL, EVP_sha256(), NULL) != 1) {
		ERR_clear_error();
		return error_set(error, ERROR_CRYPTO, "SHA-256 failed");
	}
	*ret_checksum = (uint8_t)(digest[0] >> unused_bits << unused_bits);
	secret_wipe(digest, sizeof digest);
	return true;
}

static bool join_words(const struct secret *bits, size_t word_count, struct secret *ret_mnemonic, struct error *error)
{
	size_t size = word_count - 1;
	uint8_t *next;

	for (size_t i = 0; i < word_count; i++)
		size += strlen(MNEMONIC_WORDS[get_word(bits, i)]);
	if (!secret_init(ret_mnemonic, size, error))
		return false;
	next = ret_mnemonic->data;
	for (size_t i = 0; i < word_count; i++) {
		struct view word = view_of_text(MNEMONIC_WORDS[get_word(bits, i)]);

		if (i > 0)
			*next++ = ' ';
		memcpy(next, word.data, word.size);
		next += word.size;
	}
	return true;
}

bool mnemonic_encode_entropy(const struct secret *entropy, struct secret *ret_mnemonic, struct error *error)
{
	AUTO_SECRET struct secret bits = {0};

	if (entropy->size < MNEMONIC_ENTROPY_MIN_SIZE || entropy->size > MNEMONIC_ENTROPY_MAX_SIZE || entropy->size % 4 != 0)
		return error_set(error, ERROR_INPUT, "entropy: %zu bytes, expected 16, 20, 24, 28 or 32", entropy->size);
	if (!secret_init(&bits, WORDS_BITS_SIZE, error))
		return false;
	memcpy(bits.data, entropy->data, entropy->size);
	return compute_checksum(entropy->data, entropy->size, &bits.data[entropy->size], error) &&
	       join_words(&bits, entropy->size / 4 * 3, ret_mnemonic, error);
}

static bool wrong_word_count(size_t count, struct error *error)
{
	return error_set(error, ERROR_INPUT, "mnemonic: %zu words, expected 12, 15, 18, 21 or 24", count);
}

bool mnemonic_generate(size_t word_count, struct secret *ret_mnemonic, struct error *error)
{
	AUTO_SECRET struct secret entropy = {0};

	if (!word_count_is_legal(word_count))
		return wrong_word_count(word_count, error);
	if (!secret_init(&entropy, entropy_size_of(word_count), error))
		return false;
	if (RAND_priv_bytes(entropy.data, (int)entropy.size) != 1)
		return error_set(error, ERROR_CRYPTO, "new mnemonic: the system gave no randomness");
	return mnemonic_encode_entropy(&entropy, ret_mnemonic, error);
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Take the next word off the front of `rest`; false when there is none. */
static bool next_word(struct view *rest, struct view *ret_word)
{
	size_t begin = 0;
	size_t end;

	while (begin < rest->size && is_space(rest->data[begin]))
		begin++;
	for (end = begin; end < rest->size && !is_space(rest->data[end]); end++)
		continue;
	*ret_word = view_of(rest->data + begin, end - begin);
	*rest = view_of(rest->data + end, rest->size - end);
	return ret_word->size > 0;
}

static size_t count_words(struct view text)
{
	struct view word;
	size_t count = 0;

	while (next_word(&text, &word))
		count++;
	return count;
}

/* The whole word, or so much of its front that it can be no other. */
static bool word_is(struct view typed, const char *word)
{
	size_t size = strlen(word);

	return typed.size <= size && (typed.size == size || typed.size >= PREFIX_MIN_SIZE) &&
	       strncasecmp((const char *)typed.data, word, typed.size) == 0;
}

/* Looks at the whole list whatever the word is: the time it takes tells little of it. */
static bool find_word(struct view typed, size_t *ret_index)
{
	bool found = false;

	for (size_t i = 0; i < MNEMONIC_WORD_LIST_SIZE; i++) {
		if (!word_is(typed, MNEMONIC_WORDS[i]))
			continue;
		found = true;
		*ret_index = i;
	}
	return found;
}

static bool read_words(struct view text, const struct secret *bits, struct error *error)
{
	struct view word;

	for (size_t number = 0; next_word(&text, &word); number++) {
		size_t index = 0;

		if (!find_word(word, &index))
			return error_set(error, ERROR_INPUT, "mnemonic: word %zu is not in the English list of BIP-39", number + 1);
		put_word(bits, number, index);
	}
	return true;
}

static bool check_checksum(const struct secret *bits, size_t word_count, struct error *error)
{
	size_t size = entropy_size_of(word_count);
	uint8_t checksum = 0;

	if (!compute_checksum(bits->data, size, &checksum, error))
		return false;
	return checksum == bits->data[size] ||
	       error_set(error, ERROR_INPUT,
			 "mnemonic: the checksum is wrong: a word is not the right one, or they are out of order");
}

bool mnemonic_normalize_text(struct view typed, struct secret *ret_mnemonic, struct error *error)
{
	AUTO_SECRET struct secret text = {0};
	AUTO_SECRET struct secret bits = {0};
	size_t count;

	if (typed.size > MNEMONIC_TEXT_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "mnemonic: %zu bytes, at most %d are allowed", typed.size,
				 MNEMONIC_TEXT_MAX_SIZE);
	/* NFKD makes plain spaces and letters of the wide and the unbreakable ones that come with copied text. */
	if (!nfkd_normalize_text(typed, "mnemonic", NULL, &text, error))
		return false;
	count = count_words(secret_view(&text));
	if (!word_count_is_legal(count))
		return wrong_word_count(count, error);
	return secret_init(&bits, WORDS_BITS_SIZE, error) && read_words(secret_view(&text), &bits, error) &&
	       check_checksum(&bits, count, error) && join_words(&bits, count, ret_mnemonic, error);
}

/* "mnemonic" and the passphrase. */
static bool make_salt(struct view passphrase, struct secret *ret_salt, struct error *error)
{
	static const char prefix[] = "mnemonic";
	AUTO_SECRET struct secret normalized = {0};
	size_t prefix_size = sizeof prefix - 1;

	if (passphrase.size > MNEMONIC_PASSPHRASE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "passphrase: %zu bytes, at most %d are allowed", passphrase.size,
				 MNEMONIC_PASSPHRASE_MAX_SIZE);
	if (!nfkd_normalize_text(passphrase, "passphrase", NULL, &normalized, error) ||
	    !secret_init(ret_salt, prefix_size + normalized.size, error))
		return false;
	memcpy(ret_salt->data, prefix, prefix_size);
	memcpy(ret_salt->data + prefix_size, normalized.data, normalized.size);
	return true;
}

bool mnemonic_derive_seed(struct view typed, struct view passphrase, struct secret *ret_seed, struct error *error)
{
	AUTO_SECRET struct secret mnemonic = {0};
	AUTO_SECRET struct secret salt = {0};
	AUTO_SECRET struct secret seed = {0};

	if (!mnemonic_normalize_text(typed, &mnemonic, error) || !make_salt(passphrase, &salt, error) ||
	    !secret_init(&seed, MNEMONIC_SEED_SIZE, error))
		return false;
	if (PKCS5_PBKDF2_HMAC((const char *)mnemonic.data, (int)mnemonic.size, salt.data, (int)salt.size, SEED_ROUNDS, EVP_sha512(),
			      MNEMONIC_SEED_SIZE, seed.data) != 1) {
		ERR_clear_error();
		return error_set(error, ERROR_CRYPTO, "seed of the mnemonic: PBKDF2 failed");
	}
	*ret_seed = seed;
	seed = (struct secret){0};
	return true;
}
