/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What both sides of a virtual machine know of each other: the ports of its vsock, and on this computer (where it is a microVM) the folder with its
 * image and with the sockets that the ports are on this side (image/machine_image.h).
 */
#pragma once

#include <sys/un.h>

/* In the ramdisk: the enclave program, the measured configuration, and the NSM's driver where the kernel has it as a module (AWS's; the name is theirs). */
#define MACHINE_INIT "/init"
#define MACHINE_NSM_MODULE "/nsm.ko"
#define MACHINE_CONFIGURATION "/etc/ensign/enclave.json"
/* What Linux takes of it, on x86 and on AArch64. */
#define MACHINE_COMMAND_LINE_MAX_SIZE 2048

/* In the machine. */
#define MACHINE_CONTROL_PORT 5000
#define MACHINE_SIGNING_PORT 8443
/* At its parent. */
#define MACHINE_KMS_PORT 8000
#define MACHINE_TABLE_PORT 8001
#define MACHINE_HEARTBEAT_PORT 9000 /* nitro-cli's */
#define MACHINE_NSM_PORT 9001       /* simulated, for a machine without /dev/nsm */

/* The first byte that a machine sends, and the answer. */
#define MACHINE_HEARTBEAT 0xb7

/* In the folder. */
#define MACHINE_IMAGE "image.eif"
#define MACHINE_KERNEL "kernel" /* of the image, for qemu */
#define MACHINE_RAMDISK "ramdisk"
#define MACHINE_CONSOLE "console.log"
#define MACHINE_VSOCK "vsock" /* hybrid:FOLDER/vsock:PORT (net/address.h) */
/* A socket's path has 107 bytes: "/vsock_4294967295" is the longest name in the folder. */
#define MACHINE_FOLDER_MAX_SIZE (sizeof((struct sockaddr_un *)0)->sun_path - sizeof "/" MACHINE_VSOCK "_4294967295")
