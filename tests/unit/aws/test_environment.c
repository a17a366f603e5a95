/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/environment.h"

#include <unistd.h>

#include "aws/access.h"
#include "vectors.h"

static bool find(const char *service, const char *region, struct aws_access *ret_access, struct error *error)
{
	const struct aws_place place = {.region = region};

	return aws_access_init(service, &place, ret_access, error);
}

static const char *const variables[] = {"AWS_REGION",           "AWS_DEFAULT_REGION",        "AWS_ENDPOINT_URL",
					"AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_DYNAMODB", "AWS_CA_BUNDLE"};

static int forget_all(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		assert_int_equal(unsetenv(variables[i]), 0);
	return 0;
}

static void set(const char *name, const char *value)
{
	assert_int_equal(setenv(name, value, 1), 0);
}

static void urls_are_read(void **state)
{
	static const struct {
		const char *url;
		const char *host;
		bool is_plain;
	} good[] = {
		{"https://kms.eu-west-1.amazonaws.com", "kms.eu-west-1.amazonaws.com", false},
		{"https://kms.example.org:8443/", "kms.example.org:8443", false},
		{"https://[2001:db8::1]:8443", "[2001:db8::1]:8443", false},
		{"http://127.0.0.1:8000", "127.0.0.1:8000", true},
		{"http://localhost/", "localhost", true},
		{"http://[::1]:8000", "[::1]:8000", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct aws_endpoint_url url = {0};
		struct error error = {0};

		assert_ok(aws_endpoint_url_parse(good[i].url, &url, &error), &error);
		assert_string_equal(url.host, good[i].host);
		assert_int_equal(url.is_plain, good[i].is_plain);
	}
}

static void bad_urls_are_refused(void **state)
{
	static const char *const bad[] = {"",
					  "localhost:8000",
					  "ftp://localhost",
					  "https://",
					  "https:///",
					  "https://:8000",
					  "https://a/b",
					  "https://a//",
					  "https://user@a",
					  "https://a?b",
					  "https://a#b",
					  "https://a\r\nb",
					  "https://a b",
					  "HTTPS://a",
					  "http://10.0.0.1:8000",
					  "http://localhost.example.org",
					  "http://127.0.0.1@example.org"};
	AUTO_FREE char *text = memory_format("https://%0300d", 0);
	struct aws_endpoint_url url = {.host = "untouched"};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (aws_endpoint_url_parse(bad[i], &url, &error))
			fail_msg("%s was taken", bad[i]);
		assert_int_equal(error.code, ERROR_INPUT);
	}
	assert_false(aws_endpoint_url_parse(text, &url, &error));
	assert_string_equal(url.host, "untouched");
}

static void region_is_the_first_that_is_set(void **state)
{
	(void)state;
	assert_null(aws_environment_region());
	set("AWS_DEFAULT_REGION", "eu-west-1");
	assert_string_equal(aws_environment_region(), "eu-west-1");
	set("AWS_REGION", "");
	assert_string_equal(aws_environment_region(), "eu-west-1");
	set("AWS_REGION", "eu-west-2");
	assert_string_equal(aws_environment_region(), "eu-west-2");
}

static void the_service_s_own_endpoint_wins(void **state)
{
	AUTO_AWS_ACCESS struct aws_access usual = {0};
	AUTO_AWS_ACCESS struct aws_access kms = {0};
	AUTO_AWS_ACCESS struct aws_access dynamodb = {0};
	struct error error = {0};

	(void)state;
	assert_ok(find("kms", "eu-west-1", &usual, &error), &error);
	assert_string_equal(usual.endpoint.host, "kms.eu-west-1.amazonaws.com");
	assert_string_equal(usual.endpoint.region, "eu-west-1");
	assert_false(usual.endpoint.is_plain);
	set("AWS_ENDPOINT_URL", "https://emulator.example.org:4566");
	set("AWS_ENDPOINT_URL_DYNAMODB", "http://localhost:8000");
	assert_ok(find("kms", "eu-west-1", &kms, &error), &error);
	assert_ok(find("dynamodb", "eu-west-1", &dynamodb, &error), &error);
	assert_string_equal(kms.endpoint.host, "emulator.example.org:4566");
	assert_false(kms.endpoint.is_plain);
	assert_string_equal(dynamodb.endpoint.host, "localhost:8000");
	assert_true(dynamodb.endpoint.is_plain);
}

static void failures_name_the_variable(void **state)
{
	AUTO_AWS_ACCESS struct aws_access access = {0};
	struct error error = {0};

	(void)state;
	set("AWS_ENDPOINT_URL_KMS", "http://kms.example.org");
	assert_false(find("kms", "eu-west-1", &access, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "AWS_ENDPOINT_URL_KMS: ");
	set("AWS_ENDPOINT_URL_KMS", "");
	set("AWS_CA_BUNDLE", "/there/is/none.pem");
	assert_false(find("kms", "eu-west-1", &access, &error));
	assert_message_contains(&error, "AWS_CA_BUNDLE: ");
}

static void the_bundle_is_read(void **state)
{
	char path[] = "/tmp/ensign-test-XXXXXX";
	int fd = mkstemp(path);
	AUTO_AWS_ACCESS struct aws_access access = {0};
	struct error error = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "PEM", 3), 3);
	(void)close(fd);
	set("AWS_CA_BUNDLE", path);
	assert_string_equal(aws_environment_ca_file(), path);
	assert_ok(find("kms", "eu-west-1", &access, &error), &error);
	assert_true(view_equal_text(access.endpoint.ca_pem, "PEM"));
	(void)unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(urls_are_read, forget_all),
		cmocka_unit_test_setup(bad_urls_are_refused, forget_all),
		cmocka_unit_test_setup(region_is_the_first_that_is_set, forget_all),
		cmocka_unit_test_setup(the_service_s_own_endpoint_wins, forget_all),
		cmocka_unit_test_setup(failures_name_the_variable, forget_all),
		cmocka_unit_test_setup(the_bundle_is_read, forget_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
