/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How an enclave is started, watched and ended. The supervisor knows only this; each way of running an enclave is one
 * implementation, listed in launcher.c. All calls come from the event loop's thread and return at once.
 */
#pragma once

#include <sys/types.h>

#include "host/nitro_cli.h"
#include "net/address.h"

/* A microVM of this computer (image/machine.h says what is in its folder); borrowed likewise. */
struct machine_options {
	const char *folder;
	const char *qemu;          /* path of qemu-system-x86_64 */
	const char *vsock_backend; /* path of vhost-device-vsock */
	const char *accelerator;   /* qemu's name: tcg or kvm */
	unsigned memory_mib;
};

/* What an enclave is launched with; borrowed by the launcher for its whole life. */
struct launch_options {
	const char *program;       /* path of ensign-enclave */
	const char *configuration; /* path of the measured configuration */
	const char *store_folder;
	const char *log_format; /* of the enclave's last lines, on this program's standard error; NULL: text */
	struct address control; /* where the enclave listens */
	struct address signing;
	struct address kms; /* where it connects to */
	bool has_table;
	struct address table; /* has_table: likewise, the slashing table's relay */
	struct address nsm;
	/* Of these one is for a launcher of that name, which uses nothing else of what is here; NULL: none. */
	const struct machine_options *machine;
	const struct nitro_options *nitro;
};

struct launcher;

struct launcher_operations {
	/* Nothing runs. Afterwards one enclave does, or `error` says why not. */
	bool (*start)(struct launcher *launcher, struct error *error);
	/* Readable once the enclave has ended; -1 when none was started. */
	int (*watch_fd)(const struct launcher *launcher);
	/* 0: none, or not yet. */
	pid_t (*pid)(const struct launcher *launcher);
	/* Whether it can be asked anything yet: until then what answers at its address may be another. NULL: at once. */
	bool (*is_up)(const struct launcher *launcher);
	/* What the enclave measures, as far as this side knows; for people. NULL, or false: it does not. */
	bool (*pcr0)(const struct launcher *launcher, char ret_pcr0[NSM_PCR_TEXT_SIZE]);
	/* Ask it to end; it may take its time. */
	void (*terminate)(struct launcher *launcher);
	/* End it, with everything it started. */
	void (*kill)(struct launcher *launcher);
	/* True once it has ended (or none was started): all is cleaned up, and ret_how says how it ended, for people. */
	bool (*reap)(struct launcher *launcher, char *ret_how, size_t size);
	/* What kept the enclave from being walled off as well as this launcher can do it; NULL when nothing did. */
	const char *(*weakness)(const struct launcher *launcher);
	/* Kills what still runs. */
	void (*free)(struct launcher *launcher);
};

/* An implementation puts this first in its own struct. */
struct launcher {
	const struct launcher_operations *operations;
};

/* By the name in HOST.json: "process", "qemu" or "nitro". ERROR_INPUT lists the names there are. `options` must outlive the launcher. */
MUST_USE struct launcher *launcher_new(const char *name, const struct launch_options *options, struct error *error);
/* Accepts NULL. */
void launcher_free(struct launcher *launcher);

/*
 * launcher_process: the enclave is a process of this machine, walled off by as many namespaces (network, processes, mounts, IPC,
 * host name) as this user may make; for laptops and tests. It gets descriptors 0 to 3 only (3 is the configuration as a sealed
 * memfd), an empty environment, and is killed when the host dies. It is process 1 of its own process namespace, so nothing it
 * starts outlives it.
 */
MUST_USE struct launcher *launcher_process_new(const struct launch_options *options, struct error *error);

/*
 * launcher_qemu: the enclave is a microVM of this computer that boots an image (FOLDER/image.eif); for tests and laptops. qemu runs it (and
 * emulates the processor, unless told to use KVM) and vhost-device-vsock carries its vsock, which this side finds as
 * hybrid:FOLDER/vsock:PORT. Both are watched by a thread that also answers the heartbeat; the end of either ends the machine, and both are killed when the host
 * dies. What the machine prints on its console is in FOLDER/console.log (MACHINE_CONSOLE).
 */
MUST_USE struct launcher *launcher_qemu_new(const struct launch_options *options, struct error *error);

/*
 * launcher_nitro: the enclave is one, run by nitro-cli on an EC2 instance (host/nitro_cli.h). When this program is killed it goes on, and the next one
 * takes it over.
 */
MUST_USE struct launcher *launcher_nitro_new(const struct launch_options *options, struct error *error);
