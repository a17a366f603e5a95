/* SPDX-License-Identifier: Apache-2.0 */
/* init's parts: the settings and descriptors it holds (init.c), and starting the roles with just what each needs (roles.c). */
#pragma once

#include <sys/types.h>

#include "attestation/nsm.h"
#include "enclave/role.h"
#include "image/configuration.h"
#include "net/address.h"

enum role_id { ROLE_KEEPER, ROLE_LEDGER, ROLE_FRONTEND, ROLE_OPENER, ROLE_COUNT };

/* Both ends of the pairs between roles; init keeps them so that a new opener can be given the old one's ends. */
enum pair_id { PAIR_FRONTEND_KEEPER, PAIR_LEDGER_KEEPER, PAIR_OPENER_KEEPER, PAIR_OPENER_FRONTEND, PAIR_COUNT };

struct role_process {
	pid_t pid; /* 0: not running */
	int init_fd;
	uint64_t started_ms;
};

struct init {
	struct configuration configuration;
	int configuration_fd;
	struct address control;
	struct address signing;
	struct address nsm;
	const char *kms_relay; /* address text, passed on */
	const char *store_folder;
	int control_fd;
	int signing_fd;
	int store_fd;
	int signal_fd;
	int pairs[PAIR_COUNT][2];
	struct role_process roles[ROLE_COUNT];
	bool is_provisioned;
	uint64_t key_count;
	uint64_t started_ms;
	unsigned opener_failures; /* in a row */
};

const char *role_name(enum role_id role);
MUST_USE bool init_make_pairs(struct init *init, struct error *error);
/* Start a role, send it START, wait for READY. */
MUST_USE bool init_start_role(struct init *init, enum role_id role, struct error *error);
/* Kill and reap whatever runs. */
void init_stop_roles(struct init *init);
