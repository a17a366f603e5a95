/* SPDX-License-Identifier: Apache-2.0 */
#include "eth/containers.h"

#include "eth/ssz.h"

void uint64_root(uint64_t value, uint8_t ret_root[ROOT_SIZE])
{
	ssz_uint64_chunk(value, ret_root);
}

static void checkpoint_root(const struct checkpoint *checkpoint, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t epoch[ROOT_SIZE];

	ssz_uint64_chunk(checkpoint->epoch, epoch);
	ssz_hash_pair(epoch, checkpoint->root, ret_root);
}

void attestation_data_root(const struct attestation_data *data, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[5][ROOT_SIZE];

	ssz_uint64_chunk(data->slot, fields[0]);
	ssz_uint64_chunk(data->index, fields[1]);
	memcpy(fields[2], data->beacon_block_root, ROOT_SIZE);
	checkpoint_root(&data->source, fields[3]);
	checkpoint_root(&data->target, fields[4]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

void beacon_block_header_root(const struct beacon_block_header *header, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[5][ROOT_SIZE];

	ssz_uint64_chunk(header->slot, fields[0]);
	ssz_uint64_chunk(header->proposer_index, fields[1]);
	memcpy(fields[2], header->parent_root, ROOT_SIZE);
	memcpy(fields[3], header->state_root, ROOT_SIZE);
	memcpy(fields[4], header->body_root, ROOT_SIZE);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

/* Fewer than 32 bytes as a chunk: zeros behind them. */
static void short_bytes_chunk(const uint8_t *bytes, size_t size, uint8_t ret_chunk[ROOT_SIZE])
{
	memset(ret_chunk, 0, ROOT_SIZE);
	memcpy(ret_chunk, bytes, size);
}

static void public_key_root(const uint8_t public_key[SSZ_PUBLIC_KEY_SIZE], uint8_t ret_root[ROOT_SIZE])
{
	uint8_t rest[ROOT_SIZE];

	short_bytes_chunk(public_key + ROOT_SIZE, SSZ_PUBLIC_KEY_SIZE - ROOT_SIZE, rest);
	ssz_hash_pair(public_key, rest, ret_root);
}

void voluntary_exit_root(const struct voluntary_exit *message, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[2][ROOT_SIZE];

	ssz_uint64_chunk(message->epoch, fields[0]);
	ssz_uint64_chunk(message->validator_index, fields[1]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

void sync_aggregator_selection_data_root(const struct sync_aggregator_selection_data *data, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[2][ROOT_SIZE];

	ssz_uint64_chunk(data->slot, fields[0]);
	ssz_uint64_chunk(data->subcommittee_index, fields[1]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

/* The members that DepositMessage and DepositData share. */
static void deposit_chunks(const struct deposit_message *message, uint8_t (*ret_fields)[ROOT_SIZE])
{
	public_key_root(message->pubkey, ret_fields[0]);
	memcpy(ret_fields[1], message->withdrawal_credentials, ROOT_SIZE);
	ssz_uint64_chunk(message->amount, ret_fields[2]);
}

void deposit_message_root(const struct deposit_message *message, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[3][ROOT_SIZE];

	deposit_chunks(message, fields);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

static void signature_root(const uint8_t signature[SSZ_SIGNATURE_SIZE], uint8_t ret_root[ROOT_SIZE])
{
	uint8_t chunks[SSZ_SIGNATURE_SIZE / ROOT_SIZE][ROOT_SIZE];

	memcpy(chunks, signature, sizeof chunks);
	ssz_merkleize(chunks, ARRAY_SIZE(chunks), ret_root);
}

void deposit_data_root(const struct deposit_data *data, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[4][ROOT_SIZE];

	deposit_chunks(&data->message, fields);
	signature_root(data->signature, fields[3]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

void bls_to_execution_change_root(const struct bls_to_execution_change *message, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[3][ROOT_SIZE];

	ssz_uint64_chunk(message->validator_index, fields[0]);
	public_key_root(message->from_bls_pubkey, fields[1]);
	short_bytes_chunk(message->to_execution_address, EXECUTION_ADDRESS_SIZE, fields[2]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

void validator_registration_root(const struct validator_registration *registration, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[4][ROOT_SIZE];

	short_bytes_chunk(registration->fee_recipient, EXECUTION_ADDRESS_SIZE, fields[0]);
	ssz_uint64_chunk(registration->gas_limit, fields[1]);
	ssz_uint64_chunk(registration->timestamp, fields[2]);
	public_key_root(registration->pubkey, fields[3]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

void payload_attestation_data_root(const struct payload_attestation_data *data, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[4][ROOT_SIZE];

	memcpy(fields[0], data->beacon_block_root, ROOT_SIZE);
	ssz_uint64_chunk(data->slot, fields[1]);
	ssz_uint64_chunk(data->payload_present != 0, fields[2]);
	ssz_uint64_chunk(data->blob_data_available != 0, fields[3]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}

void proposer_preferences_root(const struct proposer_preferences *preferences, uint8_t ret_root[ROOT_SIZE])
{
	uint8_t fields[5][ROOT_SIZE];

	memcpy(fields[0], preferences->dependent_root, ROOT_SIZE);
	ssz_uint64_chunk(preferences->proposal_slot, fields[1]);
	ssz_uint64_chunk(preferences->validator_index, fields[2]);
	short_bytes_chunk(preferences->fee_recipient, EXECUTION_ADDRESS_SIZE, fields[3]);
	ssz_uint64_chunk(preferences->target_gas_limit, fields[4]);
	ssz_merkleize(fields, ARRAY_SIZE(fields), ret_root);
}
