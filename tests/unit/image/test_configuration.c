/* SPDX-License-Identifier: Apache-2.0 */
#include "image/configuration.h"

#include <sys/mman.h>

#include "base/file.h"
#include "image/measurement.h"
#include "vectors.h"

#define GOOD_HEAD "{\"version\":1,\"network\":\"mainnet\",\"slashing_protection\":true,"
#define GOOD_TEXTS                                                                                                                 \
	"\"fleet\":\"f\",\"region\":\"us-east-1\",\"kms_host\":\"kms.us-east-1.amazonaws.com\",\"kms_key_arn\":\"arn:aws:kms:x\","
#define GOOD_CA "\"ca_pem\":\"-----BEGIN CERTIFICATE-----\\nAA==\\n-----END CERTIFICATE-----\\n\""
#define GOOD GOOD_HEAD GOOD_TEXTS GOOD_CA "}"

static void reads_what_it_wrote(void **state)
{
	AUTO_CONFIGURATION struct configuration first = {0};
	AUTO_CONFIGURATION struct configuration second = {0};
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer again = {0};
	struct error error = {0};

	(void)state;
	assert_ok(configuration_parse(view_of_text(GOOD), &first, &error), &error);
	assert_string_equal(first.network.name, "mainnet");
	assert_true(first.slashing_protection);
	assert_string_equal(first.kms_host, "kms.us-east-1.amazonaws.com");
	configuration_write(&first, &text);
	assert_ok(configuration_parse(buffer_view(&text), &second, &error), &error);
	configuration_write(&second, &again);
	assert_true(view_equal(buffer_view(&text), buffer_view(&again)));
	assert_true(view_equal(buffer_view(&first.ca_pem), buffer_view(&second.ca_pem)));
}

/* It changes what is measured only where it is true. */
static void debug_is_measured(void **state)
{
	static const struct {
		const char *member;
		bool is_debug;
	} cases[] = {{"\"debug\":true,", true}, {"\"debug\":false,", false}};
	AUTO_CONFIGURATION struct configuration plain = {0};
	AUTO_BUFFER struct buffer plain_text = {0};
	struct error error = {0};

	(void)state;
	assert_ok(configuration_parse(view_of_text(GOOD), &plain, &error), &error);
	assert_false(plain.is_debug);
	configuration_write(&plain, &plain_text);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_FREE char *json = memory_format("%s%s%s", GOOD_HEAD, cases[i].member, GOOD_TEXTS GOOD_CA "}");
		AUTO_CONFIGURATION struct configuration configuration = {0};
		AUTO_CONFIGURATION struct configuration again = {0};
		AUTO_BUFFER struct buffer text = {0};

		assert_ok(configuration_parse(view_of_text(json), &configuration, &error), &error);
		assert_int_equal(configuration.is_debug, cases[i].is_debug);
		configuration_write(&configuration, &text);
		assert_int_equal(view_equal(buffer_view(&text), buffer_view(&plain_text)), !cases[i].is_debug);
		assert_ok(configuration_parse(buffer_view(&text), &again, &error), &error);
		assert_int_equal(again.is_debug, cases[i].is_debug);
	}
	assert_false(configuration_parse(view_of_text(GOOD_HEAD "\"debug\":1," GOOD_TEXTS GOOD_CA "}"), &plain, &error));
}

static void a_sealed_configuration_is_the_file(void **state)
{
	AUTO_FD int file = memfd_create("configuration", MFD_CLOEXEC);
	AUTO_FREE char *path = memory_format("/proc/self/fd/%d", file);
	AUTO_BUFFER struct buffer text = {0};
	AUTO_FD int sealed = -1;
	struct error error = {0};

	(void)state;
	assert_true(fd_write_all(file, GOOD, strlen(GOOD)));
	sealed = configuration_seal(path, &error);
	assert_ok(sealed >= 0, &error);
	assert_ok(file_read_fd(sealed, "sealed", CONFIGURATION_MAX_SIZE, &text, &error), &error);
	assert_true(view_equal_text(buffer_view(&text), GOOD));
	assert_int_equal(write(sealed, "x", 1), -1);
	assert_int_equal(ftruncate(sealed, 0), -1);
	assert_int_equal(configuration_seal("/nonexistent", &error), -1);
	assert_message_contains(&error, "/nonexistent");
}

#define RULE "{\"name\":\"exits\",\"effect\":\"allow\",\"clients\":\"*\",\"types\":[\"VOLUNTARY_EXIT\"],\"keys\":\"*\"}"
#define WITH_POLICY(policy) GOOD_HEAD GOOD_TEXTS GOOD_CA ",\"policy\":" policy "}"

/* The canonical text, and what it measures beside one program. */
static void measure(const char *json, struct buffer *ret_text, struct measurement *ret_measurement)
{
	AUTO_CONFIGURATION struct configuration configuration = {0};
	AUTO_FD int program = memfd_create("program", MFD_CLOEXEC);
	AUTO_FD int file = memfd_create("configuration", MFD_CLOEXEC);
	struct error error = {0};

	assert_ok(configuration_parse(view_of_text(json), &configuration, &error), &error);
	configuration_write(&configuration, ret_text);
	assert_true(fd_write_all(program, "x", 1) && fd_write_all(file, ret_text->data, ret_text->size));
	assert_ok(measurement_of_process_image(program, file, ret_measurement, &error), &error);
}

static void policy_is_measured(void **state)
{
	static const struct {
		const char *first;
		const char *second;
		bool is_same;
	} cases[] = {
		{GOOD, WITH_POLICY("{\"rules\":[]}"), true},
		{WITH_POLICY("{\"rules\":[" RULE "]}"), WITH_POLICY("{ \"rules\": [" RULE "] }"), true},
		{GOOD, WITH_POLICY("{\"rules\":[" RULE "]}"), false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_CONFIGURATION struct configuration again = {0};
		AUTO_BUFFER struct buffer first_text = {0};
		AUTO_BUFFER struct buffer second_text = {0};
		AUTO_BUFFER struct buffer again_text = {0};
		struct measurement first, second;
		struct error error = {0};

		measure(cases[i].first, &first_text, &first);
		measure(cases[i].second, &second_text, &second);
		assert_int_equal(view_equal(buffer_view(&first_text), buffer_view(&second_text)), cases[i].is_same);
		assert_int_equal(memcmp(first.pcr0, second.pcr0, sizeof first.pcr0) == 0, cases[i].is_same);
		assert_ok(configuration_parse(buffer_view(&second_text), &again, &error), &error);
		configuration_write(&again, &again_text);
		assert_true(view_equal(buffer_view(&second_text), buffer_view(&again_text)));
	}
}

static void refuses_what_it_does_not_know(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"", "empty"},
		{"[]", "not a JSON object"},
		{"{\"version\":1}", "network: missing"},
		{"{\"version\":2,\"network\":\"mainnet\"}", "version: 2"},
		{"{\"version\":1,\"network\":\"atlantis\",\"slashing_protection\":true}", "atlantis"},
		{"{\"version\":1,\"network\":\"mainnet\",\"slashing_protection\":\"on\"," GOOD_TEXTS GOOD_CA "}",
		 "slashing_protection: not true or false"},
		{"{\"version\":1,\"network\":\"mainnet\",\"slashing_protection\":true,\"slashing_protektion\":true," GOOD_TEXTS
			 GOOD_CA "}",
		 "slashing_protektion: no such setting"},
		{GOOD_HEAD "\"fleet\":\"a\\\"b\",\"region\":\"r\",\"kms_host\":\"h\",\"kms_key_arn\":\"a\"," GOOD_CA "}",
		 "fleet: only printable"},
		{GOOD_HEAD "\"fleet\":\"\",\"region\":\"r\",\"kms_host\":\"h\",\"kms_key_arn\":\"a\"," GOOD_CA "}", "fleet: 1 to"},
		{GOOD_HEAD GOOD_TEXTS "\"ca_pem\":\"none\"}", "ca_pem: holds no certificate"},
		{GOOD_HEAD GOOD_TEXTS GOOD_CA ",\"version\":1}", "malformed JSON"},
		{WITH_POLICY("null"), "configuration: policy: missing"},
		{WITH_POLICY("[]"), "configuration: policy: not an object"},
		{WITH_POLICY("{}"), "configuration: policy: rules: missing"},
		{WITH_POLICY("{\"rules\":[" RULE "," RULE "]}"),
		 "configuration: policy: rules[1]: name: rules[0] is called exits too"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_CONFIGURATION struct configuration configuration = {0};
		struct error error = {0};

		assert_false(configuration_parse(view_of_text(cases[i].text), &configuration, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_it_wrote),
		cmocka_unit_test(debug_is_measured),
		cmocka_unit_test(a_sealed_configuration_is_the_file),
		cmocka_unit_test(policy_is_measured),
		cmocka_unit_test(refuses_what_it_does_not_know),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
