/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/random.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "attestation/document.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "enclave/init/pid1.h"
#include "image/machine.h"
#include "net/deadline.h"

/* As much as AWS's SDK for enclaves gives the kernel: four answers of the NSM. */
#define ENTROPY_SIZE 1024
/* What is signed within a slot is late by this much: worth a look at the clock, not an end. */
#define CLOCK_DRIFT_NOTABLE_MS 1000
/* A word that the kernel shows in /sys. */
#define KERNEL_WORD_SIZE 64

#define CLOCK_SOURCE "/sys/devices/system/clocksource/clocksource0/current_clocksource"
#define RANDOM_SOURCE "/sys/class/misc/hw_random/rng_current"

/* The file's first word; "none" when it cannot be read. */
static void read_kernel_word(const char *path, char ret_word[KERNEL_WORD_SIZE])
{
	AUTO_BUFFER struct buffer text = {0};
	struct error ignored = {0};
	size_t size;

	(void)snprintf(ret_word, KERNEL_WORD_SIZE, "none");
	if (!file_read(path, KERNEL_WORD_SIZE - 1, &text, &ignored))
		return;
	size = strcspn(buffer_text(&text), " \n");
	if (size > 0)
		(void)snprintf(ret_word, KERNEL_WORD_SIZE, "%.*s", (int)size, buffer_text(&text));
}

bool pid1_check_measured(struct nsm *nsm, bool is_debug, struct error *error)
{
	static const uint8_t zero[NSM_PCR_SIZE];
	uint8_t pcr0[NSM_PCR_SIZE];
	bool is_locked;

	if (!nsm_describe_pcr(nsm, 0, pcr0, &is_locked, error))
		return false;
	if (is_debug || memcmp(pcr0, zero, sizeof zero) != 0)
		return true;
	return error_set(
		error, ERROR_POLICY,
		"PCR0 is all zero: this enclave runs in debug mode and proves nothing; start it without debug mode (or with a "
		"configuration that says debug true, for tests)");
}

/* The kernel takes it for as random as it is, so that nothing waits for better. */
static bool seed_entropy(struct nsm *nsm, struct error *error)
{
	AUTO_FREE struct rand_pool_info *pool = (struct rand_pool_info *)memory_allocate_zeroed(1, sizeof *pool + ENTROPY_SIZE);
	AUTO_FD int fd = open("/dev/random", O_WRONLY | O_CLOEXEC);
	bool is_seeded;

	if (fd < 0)
		return error_set_errno(error, ERROR_IO, "/dev/random");
	if (!nsm_random(nsm, (uint8_t *)pool->buf, ENTROPY_SIZE, error))
		return false;
	pool->buf_size = ENTROPY_SIZE;
	pool->entropy_count = ENTROPY_SIZE * CHAR_BIT;
	is_seeded = ioctl(fd, RNDADDENTROPY, pool) == 0;
	if (!is_seeded)
		(void)error_set_errno(error, ERROR_IO, "cannot give the kernel entropy");
	secret_wipe(pool->buf, ENTROPY_SIZE);
	return is_seeded;
}

bool pid1_check_clock(struct nsm *nsm, uint64_t now_ms, int64_t *ret_drift_ms, struct error *error)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct attestation_document document;
	int64_t drift_ms;

	/* The hypervisor writes the time into every document. It comes from the device itself: no need to verify it. */
	if (!nsm_attest(nsm, (struct view){0}, (struct view){0}, (struct view){0}, &bytes, error) ||
	    !attestation_parse(buffer_view(&bytes), &document, error))
		return error_prefix(error, "time of the NSM");
	drift_ms = (int64_t)(now_ms - document.timestamp_ms);
	if (drift_ms > PID1_CLOCK_DRIFT_MAX_MS || drift_ms < -PID1_CLOCK_DRIFT_MAX_MS)
		return error_set(error, ERROR_POLICY, "the clock is %" PRId64 " s %s the hypervisor's, more than %d s",
				 (drift_ms < 0 ? -drift_ms : drift_ms) / 1000, drift_ms < 0 ? "behind" : "ahead of",
				 PID1_CLOCK_DRIFT_MAX_MS / 1000);
	*ret_drift_ms = drift_ms;
	return true;
}

/* Programs that talk to themselves over IP expect it; a kernel without IP has nothing to bring up. */
static bool bring_up_loopback(const char **ret_state, struct error *error)
{
	AUTO_FD int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq request = {.ifr_name = "lo"};

	*ret_state = "absent";
	if (fd < 0)
		return errno == EAFNOSUPPORT || error_set_errno(error, ERROR_IO, "loopback");
	if (ioctl(fd, SIOCGIFFLAGS, &request) != 0)
		return error_set_errno(error, ERROR_IO, "loopback");
	request.ifr_flags = (short)(request.ifr_flags | IFF_UP);
	if (ioctl(fd, SIOCSIFFLAGS, &request) != 0)
		return error_set_errno(error, ERROR_IO, "loopback");
	*ret_state = "up";
	return true;
}

static bool ask_nsm(const struct init *init, struct error *error)
{
	AUTO_NSM struct nsm *nsm = init_open_nsm(init, error);
	char random_source[KERNEL_WORD_SIZE], clock_source[KERNEL_WORD_SIZE];
	int64_t drift_ms = 0;
	bool is_notable;

	if (!nsm || !pid1_check_measured(nsm, init->configuration.is_debug, error) || !seed_entropy(nsm, error))
		return false;
	read_kernel_word(RANDOM_SOURCE, random_source);
	log_info("entropy_seeded", "bytes=%d source=%s kernel_source=%s", ENTROPY_SIZE,
		 init->nsm_is_device ? "nsm" : "simulated_nsm", random_source);
	if (!pid1_check_clock(nsm, clock_realtime_ms(), &drift_ms, error))
		return false;
	read_kernel_word(CLOCK_SOURCE, clock_source);
	is_notable = drift_ms > CLOCK_DRIFT_NOTABLE_MS || drift_ms < -CLOCK_DRIFT_NOTABLE_MS;
	log_write(is_notable ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO, "clock_checked", "source=%s ptp=%s drift_ms=%" PRId64,
		  clock_source, file_exists("/dev/ptp0") ? "yes" : "no", drift_ms);
	return true;
}

bool pid1_prepare(const struct init *init, struct error *error)
{
	const char *loopback = "";

	if (init->configuration.is_debug)
		log_warning("debug_image", "the measured configuration says debug: for tests only");
	if (!ask_nsm(init, error) || !bring_up_loopback(&loopback, error))
		return false;
	if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL) != 0)
		return error_set_errno(error, ERROR_IO, "cannot make the root file system read-only");
	log_info("machine_ready", "loopback=%s", loopback);
	return true;
}

bool pid1_send_heartbeat(const struct address *launcher, unsigned timeout_ms, struct error *error)
{
	const uint64_t deadline_ms = deadline_after(timeout_ms);
	AUTO_FD int fd = address_connect(launcher, timeout_ms, error);
	uint8_t byte = MACHINE_HEARTBEAT;
	struct iovec piece = {&byte, 1};
	uint8_t answer = 0;

	if (fd < 0)
		return error_prefix(error, "heartbeat");
	if (!deadline_write(fd, &piece, 1, deadline_ms) || !deadline_read(fd, &answer, 1, deadline_ms, NULL)) {
		if (errno == 0)
			return error_set(error, ERROR_PEER, "heartbeat: the launcher hung up");
		return error_set_errno(error, ERROR_PEER, "heartbeat");
	}
	return answer == MACHINE_HEARTBEAT ||
	       error_set(error, ERROR_PEER, "heartbeat: the launcher answered 0x%02x, not 0x%02x", answer, MACHINE_HEARTBEAT);
}
