/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/file.h"
#include "image/measurement.h"

static int memory_file(const void *bytes, size_t size)
{
	int fd = memfd_create("part", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(fd_write_all(fd, bytes, size));
	return fd;
}

static void assert_pcr(const uint8_t *pcr, const char *hex)
{
	AUTO_BUFFER struct buffer expected = unhex(hex);

	assert_int_equal(expected.size, NSM_PCR_SIZE);
	assert_memory_equal(pcr, expected.data, NSM_PCR_SIZE);
}

/* Expected values by Python's hashlib. */
static void test_known_values(void **state)
{
	AUTO_FD int program = memory_file("program", 7);
	AUTO_FD int configuration = memory_file("{}", 2);
	struct measurement measurement;
	struct error error = {0};

	(void)state;
	/* The offsets stand at the end; measuring starts at the beginning all the same, and leaves them. */
	assert_ok(measurement_of_process_image(program, configuration, &measurement, &error), &error);
	assert_pcr(measurement.pcr0,
		   "ea672f1a4df6264a220ce4b3ad308a376ee1c0e95e73052234cb93785f7d6419e78bef29a88f6a630f0ec7ea3bf1b125");
	assert_pcr(measurement.pcr1,
		   "06180fbed2480874eccfb1cf69cb275f0346fef0b2bbe6ff38620e1613e57093f0a6ffa44731530ce8bb9d1abdfd92e7");
	assert_pcr(measurement.pcr2,
		   "5f39faa6110e0462f66fba1b16366971d894162ff3e4b6ac447fe32ba772fc740f5761c509cedd184340db8e84f54630");
	assert_int_equal(lseek(program, 0, SEEK_CUR), 7);
	assert_int_equal(lseek(configuration, 0, SEEK_CUR), 2);
}

static void test_extended_text(void **state)
{
	uint8_t pcr[NSM_PCR_SIZE];

	(void)state;
	measurement_extend_text("arn:aws:iam::000000000000:role/ensign-host", pcr);
	assert_pcr(pcr, "b49ecbfa7b8fa89d788b77240ea4903e74b87c1de4ca8caa32779091809b6954f74d335733a633564547bb53cd871ea2");
	measurement_extend_text("i-0123456789abcdef0", pcr);
	assert_pcr(pcr, "d6432900ac1c343cb40286898792c55e962aef0cc35c4910c0c286145b51af19e782cb21cc31a042671d7dfbd398251c");
}

/* Several pieces and an odd rest, one byte different at the very end. */
static void test_every_byte_of_a_large_program_counts(void **state)
{
	const size_t size = 3 * 65536 + 17;
	AUTO_FREE uint8_t *bytes = (uint8_t *)memory_allocate_zeroed(size, 1);
	AUTO_FD int configuration = memory_file("{}", 2);
	AUTO_FD int first = memory_file(bytes, size);
	AUTO_FD int second = -1;
	struct measurement a;
	struct measurement b;
	struct error error = {0};

	(void)state;
	bytes[size - 1] = 1;
	second = memory_file(bytes, size);
	assert_ok(measurement_of_process_image(first, configuration, &a, &error), &error);
	assert_ok(measurement_of_process_image(second, configuration, &b, &error), &error);
	assert_memory_not_equal(a.pcr0, b.pcr0, NSM_PCR_SIZE);
	assert_memory_not_equal(a.pcr1, b.pcr1, NSM_PCR_SIZE);
	assert_memory_equal(a.pcr2, b.pcr2, NSM_PCR_SIZE);
	assert_pcr(a.pcr1, "8fde2d9cf3d62e456a15e295495d038bc62c301e4e8c1671a5f4a94883934a114d646fb0b77644d7ccc9c971816a72f4");
}

static void test_files_give_the_same_as_descriptors(void **state)
{
	char folder[] = "/tmp/ensign-measurement-XXXXXX";
	AUTO_FREE char *configuration_path = NULL;
	AUTO_FD int program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	AUTO_FD int configuration = memory_file("{\"a\":1}", 7);
	struct measurement of_image;
	struct measurement of_files;
	struct error error = {0};

	(void)state;
	assert_non_null(mkdtemp(folder));
	configuration_path = memory_format("%s/enclave.json", folder);
	assert_ok(file_write_atomic(configuration_path, view_of_text("{\"a\":1}"), 0600, &error), &error);
	assert_ok(measurement_of_process_files("/proc/self/exe", configuration_path, &of_files, &error), &error);
	assert_ok(measurement_of_process_image(program, configuration, &of_image, &error), &error);
	assert_memory_equal(&of_files, &of_image, sizeof of_files);
	(void)unlink(configuration_path);
	(void)rmdir(folder);
}

static void test_what_cannot_be_measured(void **state)
{
	AUTO_FD int good = memory_file("x", 1);
	AUTO_FD int endless = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	AUTO_FD int folder = open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY);
	struct measurement measurement = {.pcr0 = {1}};
	struct error error = {0};

	(void)state;
	assert_false(measurement_of_process_image(endless, good, &measurement, &error));
	assert_message_contains(&error, "program: not a regular file");
	assert_false(measurement_of_process_image(good, folder, &measurement, &error));
	assert_message_contains(&error, "configuration: not a regular file");
	assert_false(measurement_of_process_image(-1, good, &measurement, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_false(measurement_of_process_files("/nonexistent/program", "/nonexistent/x", &measurement, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_message_contains(&error, "/nonexistent/program");
	assert_false(measurement_of_process_files("/proc/self/exe", "/nonexistent/x", &measurement, &error));
	assert_message_contains(&error, "/nonexistent/x");
	assert_int_equal(measurement.pcr0[0], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known_values),
		cmocka_unit_test(test_extended_text),
		cmocka_unit_test(test_every_byte_of_a_large_program_counts),
		cmocka_unit_test(test_files_give_the_same_as_descriptors),
		cmocka_unit_test(test_what_cannot_be_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
