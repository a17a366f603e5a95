/* SPDX-License-Identifier: Apache-2.0 */
#include "image/kernel.h"

/* The setup header of x86: offsets into the file. */
#define X86_BOOT_FLAG 0x1fe /* 55 aa */
#define X86_MAGIC 0x202     /* "HdrS" */
#define X86_VERSION 0x20e   /* u16, little endian: where the text of the version is, less 0x200 */
#define X86_LOADFLAGS 0x211
#define X86_LOADED_HIGH 0x01 /* a bzImage, not a zImage */
#define X86_HEADER_END 0x230

#define ARM_TEXT_OFFSET 8
#define ARM_TEXT_OFFSET_VALUE (2u << 20)
#define ARM_MAGIC 56 /* "ARM\x64" */
#define ARM_HEADER_END 64

static bool has_bytes(struct view kernel, size_t offset, const char *bytes, size_t size)
{
	return kernel.size >= offset + size && memcmp(kernel.data + offset, bytes, size) == 0;
}

/* The first word of "6.12.48 (builder@host) #1 SMP …". */
static void read_version(struct view kernel, char ret_version[KERNEL_VERSION_SIZE])
{
	size_t at = 0x200 + (size_t)(kernel.data[X86_VERSION] | kernel.data[X86_VERSION + 1] << 8);
	size_t size = 0;

	(void)snprintf(ret_version, KERNEL_VERSION_SIZE, "unknown");
	while (at + size < kernel.size && size < KERNEL_VERSION_SIZE && kernel.data[at + size] > ' ' &&
	       kernel.data[at + size] <= '~')
		size++;
	if (at > 0x200 && size > 0 && size < KERNEL_VERSION_SIZE)
		(void)snprintf(ret_version, KERNEL_VERSION_SIZE, "%.*s", (int)size, (const char *)kernel.data + at);
}

static bool prepare_x86(struct view kernel, struct buffer *ret_kernel, char ret_version[KERNEL_VERSION_SIZE], struct error *error)
{
	if (kernel.size < X86_HEADER_END || !has_bytes(kernel, X86_BOOT_FLAG, "\x55\xaa", 2) ||
	    !has_bytes(kernel, X86_MAGIC, "HdrS", 4) || !(kernel.data[X86_LOADFLAGS] & X86_LOADED_HIGH))
		return error_set(error, ERROR_INPUT, "not a bzImage, which is what boots an enclave on x86-64");
	read_version(kernel, ret_version);
	buffer_append(ret_kernel, kernel);
	return true;
}

static bool prepare_arm(struct view kernel, struct buffer *ret_kernel, char ret_version[KERNEL_VERSION_SIZE], struct error *error)
{
	size_t start = ret_kernel->size;

	if (kernel.size < ARM_HEADER_END || !has_bytes(kernel, ARM_MAGIC, "ARM\x64", 4))
		return error_set(error, ERROR_INPUT, "not a raw Image, which is what boots an enclave on AArch64");
	(void)snprintf(ret_version, KERNEL_VERSION_SIZE, "unknown");
	buffer_append(ret_kernel, kernel);
	store_le64(ret_kernel->data + start + ARM_TEXT_OFFSET, ARM_TEXT_OFFSET_VALUE);
	return true;
}

bool kernel_prepare(struct view kernel, bool is_aarch64, struct buffer *ret_kernel, char ret_version[KERNEL_VERSION_SIZE],
		    struct error *error)
{
	if (kernel.size > KERNEL_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "larger than %u bytes", KERNEL_MAX_SIZE);
	if (has_bytes(kernel, 0,
		      "\x7f"
		      "ELF",
		      4))
		return error_set(error, ERROR_INPUT, "an ELF file (vmlinux?): an enclave boots %s",
				 is_aarch64 ? "arch/arm64/boot/Image" : "arch/x86/boot/bzImage");
	return is_aarch64 ? prepare_arm(kernel, ret_kernel, ret_version, error)
			  : prepare_x86(kernel, ret_kernel, ret_version, error);
}
