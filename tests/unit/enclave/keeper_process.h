/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper as it runs: keeper_main() in a child process with its descriptors and its sandbox, and a test in the place of init, frontend,
 * ledger and opener. What goes wrong fails the test.
 */
#pragma once

#include "enclave/role.h"
#include "image/signing_policy.h"
#include "vectors.h"

/* An answer that takes longer does not come. */
#define PATIENCE_S 20

struct keeper_process {
	pid_t pid;
	int init, frontend, ledger, opener;
	uint64_t next_id; /* of the last request */
};

/* Of the one key of start_loaded_keeper(). */
extern const uint8_t secret_key[BLS_SECRET_KEY_SIZE];
/* Of keepers that are started from now on; 0: none. */
extern uint32_t quiet_period_s;

struct keeper_process start_keeper_after(const struct message_keys *retired, const struct network *network,
					 bool slashing_protection, uint32_t signable_types);
struct keeper_process start_keeper_for(const struct network *network, bool slashing_protection, uint32_t signable_types);
struct keeper_process start_keeper_with(const struct network *network, bool slashing_protection);
struct keeper_process start_keeper_on(const char *name, bool slashing_protection);
struct keeper_process start_keeper(void);
/* The wait status. The keeper ends when its peers are gone. */
int stop_keeper(struct keeper_process *keeper);
void begin_load(struct keeper_process *keeper);
void load_key(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE], const uint8_t *claimed_public_key);
struct message_load_result end_load_with(struct keeper_process *keeper, uint64_t count, uint64_t failed_count);
struct message_load_result end_load(struct keeper_process *keeper, uint64_t count);
struct keeper_process start_loaded_keeper(void);
/* A keeper with a key, on a devnet whose forks come at epochs of its own and whose genesis_validators_root starts with 7, or is to be learned. */
struct keeper_process start_devnet_keeper(bool learns_root, bool slashing_protection);
struct message_sign new_request(struct keeper_process *keeper, enum artifact_type type);
struct message_sign attestation_request(struct keeper_process *keeper, uint64_t source, uint64_t target, uint8_t salt);
struct message_sign block_request(struct keeper_process *keeper, uint64_t slot, uint8_t salt);
void send_request(struct keeper_process *keeper, const struct message_sign *request);
struct message_sign_result receive_result(struct keeper_process *keeper);
struct message_commit receive_commit(struct keeper_process *keeper);
void answer_commit(struct keeper_process *keeper, const struct message_commit *commit, enum commit_status status,
		   const struct watermark *watermark);
struct message_sign_result sign_at_once(struct keeper_process *keeper, const struct message_sign *request);
/* Ask, have the ledger say "durable" when it is asked, and return the result. */
struct message_sign_result sign_durably(struct keeper_process *keeper, const struct message_sign *request);
/* The same request, of the network whose genesis_validators_root starts with this byte. */
struct message_sign on_chain(uint8_t chain, struct message_sign request);
void assert_signed(const struct message_sign *request, const struct message_sign_result *result);
void assert_no_signature(const struct message_sign_result *result);
void nothing_is_readable(int fd);
void keep_key(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE]);
struct message_sign randao_request(struct keeper_process *keeper, const uint8_t secret[BLS_SECRET_KEY_SIZE]);
int wait_for_end(const struct keeper_process *keeper);
struct message_health_result ask_health(struct keeper_process *keeper);
