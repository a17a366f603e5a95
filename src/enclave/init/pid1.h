/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What init does besides when it is the first program of a virtual machine (a Nitro Enclave, a microVM): there is no launcher around it that
 * mounts, passes descriptors and sees it end. docs/microvm.md has the order of things and what they look like from outside.
 */
#pragma once

#include "enclave/init/init.h"

/* Further from the hypervisor's clock than this, SigV4 calls would be refused and certificates judged at a wrong time. */
#define PID1_CLOCK_DRIFT_MAX_MS (5 * 60 * 1000)

/* The kernel starts /init of the ramdisk as process 1. A process launcher's child may have that number too, but not that name. */
bool pid1_is_machine(int argc, char *const *argv);
/*
 * File systems, console, the kernel's command line; then `init` has the settings that options are for elsewhere, and the measured
 * configuration, sealed, is on CONFIGURATION_FD.
 */
MUST_USE bool pid1_begin(struct init *init, struct error *error);
/* ERROR_POLICY: this configuration is not for a machine (its embedded slashing store would be forgotten at every end), unless it says debug. */
MUST_USE bool pid1_check_configuration(const struct configuration *configuration, struct error *error);
/* The kernel keeps to itself what it would say: too much on the console has stopped enclaves, and in production nobody sees it. */
void pid1_quiet_console(void);
/* The checks below, loopback, and a root file system that nobody can write any more. Logs what it finds. */
MUST_USE bool pid1_prepare(const struct init *init, struct error *error);
/* The byte 0xB7 and back: the launcher now takes the machine for started. ERROR_PEER when nobody answers in time. */
MUST_USE bool pid1_send_heartbeat(const struct address *launcher, unsigned timeout_ms, struct error *error);
/* Ends the machine, at once and for good: when PID 1 just ended, the kernel would panic, and wait. */
void pid1_end(void) __attribute__((noreturn));

/* ERROR_POLICY when PCR0 is all zero, as in a debug-mode enclave, which proves nothing to anybody; unless that is wanted. */
MUST_USE bool pid1_check_measured(struct nsm *nsm, bool is_debug, struct error *error);
/* How far now_ms is ahead of the time that the hypervisor signs (behind: negative). ERROR_POLICY beyond PID1_CLOCK_DRIFT_MAX_MS. */
MUST_USE bool pid1_check_clock(struct nsm *nsm, uint64_t now_ms, int64_t *ret_drift_ms, struct error *error);
