/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/init/boot_parameters.h"

#include "vectors.h"

static void test_without_parameters_it_is_ec2(void **state)
{
	static const char *const lines[] = {
		"",
		"\n",
		"reboot=k panic=30 pci=off console=ttyS0 i8042.noaux virtio_mmio.device=4K@0xd0000000:5\n",
		"ensign foo.ensign.parent_cid=7 ensignparent_cid=8",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		struct boot_parameters parameters = {0};
		struct error error = {0};

		assert_ok(boot_parameters_parse(view_of_text(lines[i]), &parameters, &error), &error);
		assert_int_equal(parameters.parent_cid, 3);
		assert_false(parameters.has_simulated_nsm);
	}
}

static void test_a_local_machine(void **state)
{
	struct boot_parameters parameters = {0};
	struct error error = {0};

	(void)state;
	assert_ok(boot_parameters_parse(view_of_text("console=ttyS0  ensign.nsm=vsock:2:9001\tquiet ensign.parent_cid=2\n"),
					&parameters, &error),
		  &error);
	assert_int_equal(parameters.parent_cid, 2);
	assert_true(parameters.has_simulated_nsm);
	assert_int_equal(parameters.simulated_nsm.kind, ADDRESS_VSOCK);
	assert_int_equal(parameters.simulated_nsm.cid, 2);
	assert_int_equal(parameters.simulated_nsm.port, 9001);
}

static void test_what_is_wrong_is_named(void **state)
{
	static const struct {
		const char *line;
		const char *message;
	} cases[] = {
		{"ensign.parent_cid", "ensign.parent_cid: has no value"},
		{"ensign.parent_cid=", "ensign.parent_cid: not a number"},
		{"ensign.parent_cid=1", "ensign.parent_cid: not a number from 2"},
		{"ensign.parent_cid=-2", "ensign.parent_cid: not a number"},
		{"ensign.parent_cid=4294967295", "ensign.parent_cid: not a number"},
		{"ensign.parent_cid=99999999999999999999", "ensign.parent_cid: not a number"},
		{"ensign.parent_cid=2 quiet ensign.parent_cid=2", "ensign.parent_cid: is there twice"},
		{"ensign.nsm=", "ensign.nsm: address"},
		{"ensign.nsm=nsm", "ensign.nsm: address"},
		{"ensign.nsm=vsock:2", "ensign.nsm: address"},
		{"ensign.parentcid=2", "ensign.parentcid: no such parameter"},
		{"ensign.=", "ensign.: no such parameter"},
		{"ensign.", "ensign.: no such parameter"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct boot_parameters parameters = {.parent_cid = 99};
		struct error error = {0};

		if (boot_parameters_parse(view_of_text(cases[i].line), &parameters, &error))
			fail_msg("taken: %s", cases[i].line);
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
		assert_int_equal(parameters.parent_cid, 99);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_parameters_it_is_ec2),
		cmocka_unit_test(test_a_local_machine),
		cmocka_unit_test(test_what_is_wrong_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
