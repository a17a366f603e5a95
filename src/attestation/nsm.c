/* SPDX-License-Identifier: Apache-2.0 */
#include "attestation/nsm.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "attestation/nsm_wire.h"
#include "base/secret.h"
#include "net/frame.h"

#define NSM_DEVICE_PATH "/dev/nsm"
/* The simulator answers at once; only measuring a new client, at the first request, takes it a moment. */
#define SIMULATED_TIMEOUT_MS 10000

struct nsm {
	int fd;
	bool is_device;
};

/* Two iovec-shaped pairs (Linux: include/uapi/linux/nsm.h, which older kernel headers do not have). */
struct nsm_ioctl_message {
	uint64_t request;
	uint64_t request_size;
	uint64_t response;
	uint64_t response_size; /* in: room, out: bytes written */
};

#define NSM_IOCTL _IOWR(0x0a, 0, struct nsm_ioctl_message)
_Static_assert(NSM_IOCTL == 0xc0200a00, "the ioctl's number on LP64");
_Static_assert(sizeof(struct nsm_ioctl_message) == 32 && offsetof(struct nsm_ioctl_message, request) == 0 &&
		       offsetof(struct nsm_ioctl_message, request_size) == 8 &&
		       offsetof(struct nsm_ioctl_message, response) == 16 &&
		       offsetof(struct nsm_ioctl_message, response_size) == 24,
	       "the argument's layout in the kernel");

struct nsm *nsm_from_fd(int fd, bool is_device, struct error *error)
{
	struct nsm *nsm;

	if (fcntl(fd, F_GETFD) < 0)
		return error_set_errno(error, ERROR_IO, "NSM: descriptor %d", fd), NULL;
	nsm = (struct nsm *)memory_allocate_zeroed(1, sizeof *nsm);
	nsm->fd = fd;
	nsm->is_device = is_device;
	return nsm;
}

struct nsm *nsm_open_device(struct error *error)
{
	AUTO_FD int fd = open(NSM_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	struct stat status;
	struct nsm *nsm;

	if (fd < 0)
		return error_set_errno(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, NSM_DEVICE_PATH), NULL;
	if (fstat(fd, &status) != 0 || !S_ISCHR(status.st_mode))
		return error_set(error, ERROR_IO, NSM_DEVICE_PATH ": not a character device"), NULL;
	nsm = nsm_from_fd(fd, true, error);
	if (nsm)
		(void)take_fd(&fd);
	return nsm;
}

struct nsm *nsm_open_simulated(const struct address *address, struct error *error)
{
	AUTO_FD int fd = address_connect(address, SIMULATED_TIMEOUT_MS, error);
	struct nsm *nsm;

	if (fd < 0)
		return error_prefix(error, "simulated NSM"), NULL;
	nsm = nsm_from_fd(fd, false, error);
	if (nsm)
		(void)take_fd(&fd);
	return nsm;
}

void nsm_free(struct nsm *nsm)
{
	if (!nsm)
		return;
	(void)close(nsm->fd);
	free(nsm);
}

int nsm_fd(const struct nsm *nsm)
{
	return nsm->fd;
}

static bool exchange_device(int fd, struct view request, struct buffer *ret_response, struct error *error)
{
	struct nsm_ioctl_message message = {
		.request = (uint64_t)(uintptr_t)request.data,
		.request_size = request.size,
		.response_size = NSM_RESPONSE_MAX_SIZE,
	};

	buffer_reserve(ret_response, NSM_RESPONSE_MAX_SIZE);
	message.response = (uint64_t)(uintptr_t)ret_response->data;
	if (ioctl(fd, NSM_IOCTL, &message) != 0)
		return error_set_errno(error, ERROR_IO, NSM_DEVICE_PATH);
	/* The driver cuts an answer to the room there is, without saying so. */
	if (message.response_size >= NSM_RESPONSE_MAX_SIZE)
		return error_set(error, ERROR_PEER, NSM_DEVICE_PATH ": the answer may be cut short");
	ret_response->size = (size_t)message.response_size;
	return true;
}

static bool exchange_simulated(int fd, struct view request, struct buffer *ret_response, struct error *error)
{
	return frame_write(fd, request, SIMULATED_TIMEOUT_MS, error) &&
	       frame_read(fd, NSM_RESPONSE_MAX_SIZE, SIMULATED_TIMEOUT_MS, ret_response, NULL, error);
}

/* One request and its answer; ret_response borrows from ret_bytes. */
static bool nsm_exchange(struct nsm *nsm, const struct nsm_request *request, struct buffer *ret_bytes,
			 struct nsm_response *ret_response, struct error *error)
{
	AUTO_BUFFER struct buffer encoded = {0};
	struct nsm_response response = {0};
	bool exchanged;

	nsm_request_encode(request, &encoded);
	if (encoded.size > NSM_REQUEST_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "NSM request: %zu bytes, more than %d", encoded.size, NSM_REQUEST_MAX_SIZE);
	exchanged = nsm->is_device ? exchange_device(nsm->fd, buffer_view(&encoded), ret_bytes, error)
				   : exchange_simulated(nsm->fd, buffer_view(&encoded), ret_bytes, error);
	if (!exchanged)
		return error_prefix(error, "NSM");
	if (!nsm_response_decode(buffer_view(ret_bytes), &response, error)) {
		(void)error_prefix(error, "NSM answered nonsense");
		if (error)
			error->code = ERROR_PEER;
		return false;
	}
	if (response.status != NSM_SUCCESS)
		return error_set(error, ERROR_PEER, "NSM answered %s", nsm_status_name(response.status));
	if (response.operation != request->operation)
		return error_set(error, ERROR_PEER, "NSM answered another request");
	*ret_response = response;
	return true;
}

static struct nsm_optional optional_of(struct view bytes)
{
	return (struct nsm_optional){.present = bytes.size > 0, .bytes = bytes};
}

bool nsm_attest(struct nsm *nsm, struct view user_data, struct view nonce, struct view public_key, struct buffer *ret_document,
		struct error *error)
{
	const struct nsm_request request = {
		.operation = NSM_ATTESTATION,
		.user_data = optional_of(user_data),
		.nonce = optional_of(nonce),
		.public_key = optional_of(public_key),
	};
	AUTO_BUFFER struct buffer bytes = {0};
	struct nsm_response response = {0};

	if (user_data.size > NSM_FIELD_MAX_SIZE || nonce.size > NSM_FIELD_MAX_SIZE || public_key.size > NSM_FIELD_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "NSM: user_data, nonce or public_key of more than %d bytes",
				 NSM_FIELD_MAX_SIZE);
	if (!nsm_exchange(nsm, &request, &bytes, &response, error))
		return false;
	buffer_append(ret_document, response.document);
	return true;
}

bool nsm_random(struct nsm *nsm, uint8_t *ret_bytes, size_t size, struct error *error)
{
	const struct nsm_request request = {.operation = NSM_GET_RANDOM};
	size_t filled = 0;

	while (filled < size) {
		AUTO_WIPED_BUFFER struct buffer bytes = {0};
		struct nsm_response response = {0};
		bool ok = nsm_exchange(nsm, &request, &bytes, &response, error);
		size_t piece;

		if (ok && response.random.size == 0)
			(void)error_set(error, ERROR_PEER, "NSM gave no random bytes");
		if (!ok || response.random.size == 0) {
			secret_wipe(ret_bytes, filled);
			return false;
		}
		piece = response.random.size < size - filled ? response.random.size : size - filled;
		memcpy(ret_bytes + filled, response.random.data, piece);
		filled += piece;
	}
	return true;
}

bool nsm_describe_pcr(struct nsm *nsm, unsigned index, uint8_t ret_pcr[NSM_PCR_SIZE], bool *ret_locked, struct error *error)
{
	const struct nsm_request request = {.operation = NSM_DESCRIBE_PCR, .index = (uint16_t)index};
	AUTO_BUFFER struct buffer bytes = {0};
	struct nsm_response response = {0};

	if (index >= NSM_PCR_COUNT)
		return error_set(error, ERROR_INPUT, "NSM: PCR index %u, not 0 to %d", index, NSM_PCR_COUNT - 1);
	if (!nsm_exchange(nsm, &request, &bytes, &response, error))
		return false;
	if (response.data.size != NSM_PCR_SIZE)
		return error_set(error, ERROR_PEER, "NSM gave a PCR of %zu bytes", response.data.size);
	memcpy(ret_pcr, response.data.data, NSM_PCR_SIZE);
	*ret_locked = response.lock;
	return true;
}
