/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated NSM (docs/protocols.md): frames with the CBOR of /dev/nsm's ioctl on a unix socket. It takes the place of the
 * hypervisor, so it believes nothing its client says about itself: at accept it finds the client's process by SO_PEERCRED and
 * measures the program in /proc/PID/exe and the configuration on descriptor 3, a memfd with all write seals. A client that
 * cannot be measured is logged and disconnected. To be measured a process must be dumpable at that moment: connect (and make a
 * first request) before process_harden(), or run the simulator with CAP_SYS_PTRACE.
 *
 * A server for virtual machines measures the image in their folder (image/machine_image.h), with PCR8 where it is signed: its clients are the back ends of their vsocks, one
 * a machine.
 *
 * It stands in for attestation on a laptop and is no wall against other processes of the same user, who could use ptrace
 * anyway; shared libraries are not measured.
 */
#pragma once

#include "sim/authority.h"

/* A laptop runs one or two enclaves with a connection each; more than this is a client that leaks connections. */
#define NSM_SERVER_CONNECTIONS_MAX 64

struct nsm_server;

struct nsm_server_options {
	struct address address;      /* unix; hybrid for a machine */
	struct authority *authority; /* must outlive the server; the texts are copied */
	const char *instance_id;
	const char *role_arn;       /* NULL: PCR3 is zero, as for an instance without a role */
	const char *machine_folder; /* NULL: clients are processes */
	/*
	 * Of processes: FOLDER/PCR0.json, if it is there, has the {"PCR0","PCR1","PCR2"} that a process of that PCR0 is given instead. Who runs the program and the
	 * configuration of an image writes it (tests/support/nitro-cli), so that the process is measured as the image. NULL: there is no such folder.
	 */
	const char *images_folder;
};

/* Serves in threads of its own until nsm_server_stop(). */
MUST_USE bool nsm_server_start(const struct nsm_server_options *options, struct nsm_server **ret_server, struct error *error);
/* Disconnects everybody, ends the threads, frees. Accepts NULL. */
void nsm_server_stop(struct nsm_server *server);
