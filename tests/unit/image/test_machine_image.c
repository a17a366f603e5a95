/* SPDX-License-Identifier: Apache-2.0 */
#include "machine_maker.h"

#include <stdlib.h>

#include "image/eif_sign.h"

#define HOUR_S 3600
#define NOW_MS UINT64_C(1800000000000)

static char folder[] = "/tmp/ensign-machine-XXXXXX";

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int group_teardown(void **state)
{
	static const char *const names[] = {MACHINE_IMAGE, MACHINE_KERNEL, MACHINE_RAMDISK};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_FREE char *path = memory_format("%s/%s", folder, names[i]);

		(void)unlink(path);
	}
	return rmdir(folder);
}

static void assert_refused(enum error_code code, const char *message)
{
	struct machine_image image;
	struct error error = {0};

	assert_false(machine_image_read(folder, &image, &error));
	assert_int_equal(error.code, code);
	assert_message_contains(&error, message);
}

static void unpacks_what_it_measures(void **state)
{
	static const uint8_t zero[NSM_PCR_SIZE];
	const struct view parts[] = {view_of_text(MAKER_KERNEL), view_of_text(MAKER_COMMAND_LINE), view_of_text(MAKER_SOFTWARE),
				     view_of_text(MAKER_SETTINGS)};
	AUTO_FREE char *kernel_path = memory_format("%s/" MACHINE_KERNEL, folder);
	AUTO_FREE char *ramdisk_path = memory_format("%s/" MACHINE_RAMDISK, folder);
	AUTO_BUFFER struct buffer all = {0};
	AUTO_MACHINE_IMAGE struct machine_image image = {0};
	uint8_t booted[NSM_PCR_SIZE], software[NSM_PCR_SIZE], settings[NSM_PCR_SIZE], pcr8[NSM_PCR_SIZE];
	struct measurement measurement;
	struct error error = {0};
	struct view whole;

	(void)state;
	maker_image(folder, NULL);
	assert_ok(machine_image_read(folder, &image, &error), &error);
	assert_ok(machine_image_measure(&image, NOW_MS, &measurement, pcr8, &error), &error);
	/* What qemu gets, one behind the other. */
	assert_ok(machine_image_unpack(&image, folder, &all, &error), &error);
	assert_string_equal(buffer_text(&all), MAKER_COMMAND_LINE);
	all.size = 0;
	assert_ok(file_read(kernel_path, 100, &all, &error), &error);
	buffer_append_text(&all, MAKER_COMMAND_LINE);
	assert_ok(file_read(ramdisk_path, 100, &all, &error), &error);
	whole = buffer_view(&all);
	assert_ok(measurement_of_parts(&whole, 1, booted, &error) && measurement_of_parts(parts, 3, software, &error) &&
			  measurement_of_parts(&parts[3], 1, settings, &error),
		  &error);
	assert_memory_equal(measurement.pcr0, booted, NSM_PCR_SIZE);
	assert_memory_equal(measurement.pcr1, software, NSM_PCR_SIZE);
	assert_memory_equal(measurement.pcr2, settings, NSM_PCR_SIZE);
	assert_memory_equal(pcr8, zero, NSM_PCR_SIZE);
}

static X509 *make_certificate(EVP_PKEY *key)
{
	X509 *made = X509_new();

	assert_int_equal(X509_set_version(made, 2), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(made), 1), 1);
	assert_non_null(ASN1_TIME_set(X509_getm_notBefore(made), (time_t)(NOW_MS / 1000) - HOUR_S));
	assert_non_null(ASN1_TIME_set(X509_getm_notAfter(made), (time_t)(NOW_MS / 1000) + HOUR_S));
	assert_int_equal(X509_set_pubkey(made, key), 1);
	assert_true(X509_sign(made, key, EVP_sha384()) > 0);
	return made;
}

/* One of another image, or of another time, is none. */
static void the_signature_counts_when_it_is_right(void **state)
{
	EVP_PKEY *key = EVP_EC_gen("P-384");
	X509 *certificate = make_certificate(key);
	static const struct {
		int of_other_image;
		uint64_t at_ms;
		bool ok;
	} cases[] = {{0, NOW_MS, true}, {1, NOW_MS, false}, {0, NOW_MS + UINT64_C(2000) * HOUR_S, false}};
	AUTO_MACHINE_IMAGE struct machine_image unsigned_image = {0};
	uint8_t pcr8[NSM_PCR_SIZE], expected[NSM_PCR_SIZE], *der = NULL;
	struct measurement measurement;
	struct error error = {0};
	int der_size;

	(void)state;
	maker_image(folder, NULL);
	assert_ok(machine_image_read(folder, &unsigned_image, &error), &error);
	assert_ok(machine_image_measure(&unsigned_image, NOW_MS, &measurement, pcr8, &error), &error);
	der_size = i2d_X509(certificate, &der);
	assert_true(der_size > 0);
	assert_ok(eif_measure_certificate(view_of(der, (size_t)der_size), expected, &error), &error);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_MACHINE_IMAGE struct machine_image image = {0};
		AUTO_BUFFER struct buffer section = {0};
		struct measurement signed_measurement;
		uint8_t over[NSM_PCR_SIZE];
		struct view view;

		memcpy(over, measurement.pcr0, sizeof over);
		over[0] ^= (uint8_t)cases[i].of_other_image;
		assert_ok(eif_signature_write(over, certificate, key, NOW_MS, &section, &error), &error);
		view = buffer_view(&section);
		maker_image(folder, &view);
		assert_ok(machine_image_read(folder, &image, &error), &error);
		assert_int_equal(machine_image_measure(&image, cases[i].at_ms, &signed_measurement, pcr8, &error), cases[i].ok);
		if (!cases[i].ok) {
			assert_int_equal(error.code, ERROR_CRYPTO);
			assert_message_contains(&error, "signature");
			continue;
		}
		assert_memory_equal(pcr8, expected, NSM_PCR_SIZE);
		assert_memory_equal(signed_measurement.pcr0, measurement.pcr0, NSM_PCR_SIZE);
	}
	OPENSSL_free(der);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static void what_is_no_image_is_refused(void **state)
{
	AUTO_FREE char *path = memory_format("%s/" MACHINE_IMAGE, folder);
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	(void)state;
	maker_image(folder, NULL);
	assert_ok(file_read(path, EIF_MAX_SIZE, &bytes, &error), &error);
	bytes.data[bytes.size - 1] ^= 1;
	maker_write(folder, buffer_view(&bytes));
	assert_refused(ERROR_INPUT, "damaged");
	maker_write(folder, view_of_text("no image"));
	assert_refused(ERROR_INPUT, "image.eif: magic");
	assert_int_equal(unlink(path), 0);
	assert_refused(ERROR_NOT_FOUND, "image.eif");
}

static void an_image_of_another_machine_is_refused(void **state)
{
	struct eif eif = eif_new(true);
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	(void)state;
	assert_ok(eif_add(&eif, EIF_SECTION_KERNEL, view_of_text("k"), &error) &&
			  eif_add(&eif, EIF_SECTION_CMDLINE, view_of_text("c"), &error) &&
			  eif_add(&eif, EIF_SECTION_METADATA, view_of_text("{}"), &error) &&
			  eif_add(&eif, EIF_SECTION_RAMDISK, view_of_text("r"), &error) && eif_write(&eif, &bytes, &error),
		  &error);
	maker_write(folder, buffer_view(&bytes));
	assert_refused(ERROR_INPUT, "AArch64");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unpacks_what_it_measures),
		cmocka_unit_test(the_signature_counts_when_it_is_right),
		cmocka_unit_test(what_is_no_image_is_refused),
		cmocka_unit_test(an_image_of_another_machine_is_refused),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
