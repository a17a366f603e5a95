/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include "image/eif_measure.h"

/* Expected values by Python's hashlib, but for the first: Amazon's own for an image with one ramdisk. */
#define PCR2_OF_NOTHING "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb30948c90ba67310f7b964fc500a"
#define PCR0 "9885c90e418c2a44f0daf2f547b1f56f37e4404101ab2f3314337f8c12afa7312fa3e8d74a7c271f5a854ef7604bf58d"
#define PCR1 "091d0680670a59f6e1b1798d81ff8d7ded780c0115a442f02a3fe2a708ba5c02a748aa5bead6ef49fcc6bc60ca39ccc7"
#define PCR2 "4d75c1ad1f691c63f15aea20df0bebd07ee6ba234ace95b71ec63d6ec100475dfbb9f6327f5546737a848a58eed2e089"
#define PCR8 "e2ad58e7a1a9fdb1dcd72ae5858372974416919245e567ea8f717937e8b914f644320b0f88dcfca2d7a83b5ee6c832dd"
#define PCR1_OTHER_ORDER "ffdcad9bdc512c9012f07de34a05ae7eca30b875579ddfcc1ce1b297342cbec82fe0ddc301e27bac506d3f450d9b0ed9"

static void assert_pcr(const uint8_t *pcr, const char *hex)
{
	AUTO_BUFFER struct buffer expected = unhex(hex);

	assert_memory_equal(pcr, expected.data, NSM_PCR_SIZE);
}

static void add(struct eif *eif, enum eif_section_type type, const char *text)
{
	struct error error = {0};

	assert_ok(eif_add(eif, type, view_of_text(text), &error), &error);
}

static void measures_sections(void **state)
{
	struct eif eif = eif_new(false);
	struct measurement measurement;
	struct error error = {0};

	(void)state;
	add(&eif, EIF_SECTION_KERNEL, "kernel");
	add(&eif, EIF_SECTION_CMDLINE, "cmd");
	add(&eif, EIF_SECTION_METADATA, "{}");
	add(&eif, EIF_SECTION_RAMDISK, "boot");
	assert_ok(eif_measure(&eif, &measurement, &error), &error);
	assert_pcr(measurement.pcr0, PCR1);
	assert_pcr(measurement.pcr1, PCR1);
	assert_pcr(measurement.pcr2, PCR2_OF_NOTHING);
	add(&eif, EIF_SECTION_RAMDISK, "app1");
	add(&eif, EIF_SECTION_RAMDISK, "app2");
	add(&eif, EIF_SECTION_SIGNATURE, "signature");
	assert_ok(eif_measure(&eif, &measurement, &error), &error);
	assert_pcr(measurement.pcr0, PCR0);
	assert_pcr(measurement.pcr1, PCR1);
	assert_pcr(measurement.pcr2, PCR2);
}

static void order_of_the_file_counts(void **state)
{
	struct eif eif = eif_new(false);
	struct measurement measurement;
	struct error error = {0};

	(void)state;
	add(&eif, EIF_SECTION_CMDLINE, "cmd");
	add(&eif, EIF_SECTION_KERNEL, "kernel");
	add(&eif, EIF_SECTION_RAMDISK, "boot");
	assert_ok(eif_measure(&eif, &measurement, &error), &error);
	assert_pcr(measurement.pcr1, PCR1_OTHER_ORDER);
}

static void measures_a_certificate(void **state)
{
	uint8_t pcr8[NSM_PCR_SIZE];
	struct error error = {0};

	(void)state;
	assert_ok(eif_measure_certificate(view_of_text("certificate"), pcr8, &error), &error);
	assert_pcr(pcr8, PCR8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(measures_sections),
		cmocka_unit_test(order_of_the_file_counts),
		cmocka_unit_test(measures_a_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
