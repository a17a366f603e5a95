/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a local signer and what lies where in it (docs/protocols.md, "`ensign local`: the folder"). */
#pragma once

#include "base/bytes.h"

/* Absolute paths, all owned. */
struct local_folder {
	char *path;
	char *option;        /* for the commands that a message names: " --dir PATH", "" where the folder is the default one */
	char *lock;          /* held by the command that changes the folder */
	char *settings;      /* local.json */
	char *policy;        /* policy.json: the signing policy */
	char *clients;       /* clients.json: who may connect */
	char *known_clients; /* known-clients: a copy of the list that was sealed last */
	char *ca;            /* ca.pem */
	char *image;         /* folder */
	char *enclave;       /* image/ensign-enclave */
	char *configuration; /* image/enclave.json */
	char *machine;       /* folder of a machine (image/machine.h); only there when the enclave is one */
	char *console;       /* machine/console.log */
	char *tables;        /* tables.sqlite */
	char *host_config;   /* host.json */
	char *sim;           /* folder */
	char *endpoints;     /* sim/endpoints.json */
	char *table_ca;      /* table-ca.pem: trust anchors for the slashing table besides KMS's; may be missing */
	char *fresh_keys;    /* fresh-keys: see local_fresh.h */
	char *tls_births;    /* tls-births: folder, see tls_births.h; may be missing */
	char *run;           /* folder */
	char *control;       /* run/control.sock: in the arguments of the enclave of this folder and of no other */
	char *status;        /* run/status.json */
	char *store;         /* folder */
	char *log;           /* folder */
	char *sim_log;
	char *host_log;
	char *sim_pid; /* process id; locked by the running simulator, see local_daemon.h */
	char *host_pid;
};

void local_folder_done(struct local_folder *folder);
#define AUTO_LOCAL_FOLDER CLEANUP(local_folder_done)

/* Only computes paths. `path` NULL: $XDG_STATE_HOME/ensign/local, else ~/.local/state/ensign/local. */
MUST_USE bool local_folder_init(const char *path, struct local_folder *ret_folder, struct error *error);
/* ERROR_NOT_FOUND: nothing was ever started in this folder. Returns false. */
bool local_folder_missing(const struct local_folder *folder, struct error *error);
/* Makes the folder (0700), its parents and the folders in it. */
MUST_USE bool local_folder_make(const struct local_folder *folder, struct error *error);
/*
 * Takes the folder for this command: a descriptor that holds the lock until it is closed, -1 when another command keeps it for
 * longer than a moment (ERROR_IO).
 */
MUST_USE int local_folder_lock(const struct local_folder *folder, struct error *error);
