/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtual machine's folder on this computer: the parts of an image as they are booted (and measured), and the sockets that its vsock ports
 * are on this side. Who launches the machine fills it, the simulator's NSM reads it.
 */
#pragma once

#define MACHINE_KERNEL "kernel"
#define MACHINE_COMMAND_LINE "cmdline"
#define MACHINE_RAMDISK "ramdisk"
#define MACHINE_VSOCK "vsock" /* hybrid:FOLDER/vsock:PORT (net/address.h) */

/* On the host, for a machine without /dev/nsm. */
#define MACHINE_NSM_PORT 9001
