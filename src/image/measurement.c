/* SPDX-License-Identifier: Apache-2.0 */
#include "image/measurement.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <openssl/evp.h>

/* Read in pieces of this size: a program of many megabytes is never in memory as a whole. */
#define PIECE_SIZE 65536
/* Far above any enclave program or configuration; ends the reading of something that never ends. */
#define PART_MAX_SIZE (UINT64_C(1) << 30)

static const uint8_t zero_pcr[NSM_PCR_SIZE];

static void md_ctx_done(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static bool feed(EVP_MD_CTX *const *contexts, size_t count, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		if (EVP_DigestUpdate(contexts[i], bytes, size) != 1)
			return false;
	}
	return true;
}

/* One pass over a file for all digests that contain it. */
static bool feed_file(EVP_MD_CTX *const *contexts, size_t count, int fd, const char *what, struct error *error)
{
	AUTO_FREE uint8_t *piece = (uint8_t *)memory_allocate(PIECE_SIZE);
	uint64_t offset = 0;
	struct stat status;

	if (fstat(fd, &status) != 0)
		return error_set_errno(error, ERROR_IO, "%s", what);
	if (!S_ISREG(status.st_mode))
		return error_set(error, ERROR_INPUT, "%s: not a regular file", what);
	for (;;) {
		ssize_t got = pread(fd, piece, PIECE_SIZE, (off_t)offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_errno(error, ERROR_IO, "%s: read failed", what);
		if (got == 0)
			return true;
		offset += (uint64_t)got;
		if (offset > PART_MAX_SIZE)
			return error_set(error, ERROR_INPUT, "%s: larger than %llu bytes", what, (unsigned long long)PART_MAX_SIZE);
		if (!feed(contexts, count, piece, (size_t)got))
			return error_set(error, ERROR_CRYPTO, "%s: SHA-384 failed", what);
	}
}

/* PCR = SHA384(0^48 ‖ digest). */
static bool pcr_finish(EVP_MD_CTX *context, uint8_t ret_pcr[NSM_PCR_SIZE], struct error *error)
{
	uint8_t extended[2 * NSM_PCR_SIZE] = {0};

	if (EVP_DigestFinal_ex(context, extended + NSM_PCR_SIZE, NULL) != 1 ||
	    EVP_Digest(extended, sizeof extended, ret_pcr, NULL, EVP_sha384(), NULL) != 1)
		return error_set(error, ERROR_CRYPTO, "SHA-384 failed");
	return true;
}

bool measurement_of_parts(const struct view *parts, size_t count, uint8_t ret_pcr[NSM_PCR_SIZE], struct error *error)
{
	CLEANUP(md_ctx_done) EVP_MD_CTX *context = EVP_MD_CTX_new();

	if (!context || EVP_DigestInit_ex(context, EVP_sha384(), NULL) != 1)
		return error_set(error, ERROR_CRYPTO, "SHA-384 failed");
	for (size_t i = 0; i < count; i++) {
		if (!feed(&context, 1, parts[i].data, parts[i].size))
			return error_set(error, ERROR_CRYPTO, "SHA-384 failed");
	}
	return pcr_finish(context, ret_pcr, error);
}

bool measurement_of_process_image(int program_fd, int configuration_fd, struct measurement *ret_measurement, struct error *error)
{
	CLEANUP(md_ctx_done) EVP_MD_CTX *both = EVP_MD_CTX_new();
	CLEANUP(md_ctx_done) EVP_MD_CTX *program = EVP_MD_CTX_new();
	CLEANUP(md_ctx_done) EVP_MD_CTX *configuration = EVP_MD_CTX_new();
	EVP_MD_CTX *const with_program[] = {both, program};
	EVP_MD_CTX *const with_configuration[] = {both, configuration};
	struct measurement measurement;

	if (!both || !program || !configuration || EVP_DigestInit_ex(both, EVP_sha384(), NULL) != 1 ||
	    EVP_DigestInit_ex(program, EVP_sha384(), NULL) != 1 || EVP_DigestInit_ex(configuration, EVP_sha384(), NULL) != 1)
		return error_set(error, ERROR_CRYPTO, "SHA-384 failed");
	if (!feed_file(with_program, ARRAY_SIZE(with_program), program_fd, "program", error) ||
	    !feed_file(with_configuration, ARRAY_SIZE(with_configuration), configuration_fd, "configuration", error))
		return false;
	if (!pcr_finish(both, measurement.pcr0, error) || !pcr_finish(program, measurement.pcr1, error) ||
	    !pcr_finish(configuration, measurement.pcr2, error))
		return false;
	*ret_measurement = measurement;
	return true;
}

bool measurement_of_process_files(const char *program_path, const char *configuration_path, struct measurement *ret_measurement,
				  struct error *error)
{
	/* Not blocking on a FIFO: what is not a regular file is refused once it is open. */
	AUTO_FD int program = open(program_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_FD int configuration = -1;

	if (program < 0)
		return error_set_errno(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s", program_path);
	configuration = open(configuration_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (configuration < 0)
		return error_set_errno(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "%s", configuration_path);
	return measurement_of_process_image(program, configuration, ret_measurement, error);
}

void measurement_extend_text(const char *text, uint8_t ret_pcr[NSM_PCR_SIZE])
{
	AUTO_BUFFER struct buffer extended = {0};

	buffer_append(&extended, view_of(zero_pcr, sizeof zero_pcr));
	buffer_append_text(&extended, text);
	/* Fails only when OpenSSL has no SHA-384, and then nothing else in the tree works either. */
	if (EVP_Digest(extended.data, extended.size, ret_pcr, NULL, EVP_sha384(), NULL) != 1)
		abort();
}
