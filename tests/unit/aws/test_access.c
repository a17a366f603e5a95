/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/access.h"

#include "base/file.h"
#include "vectors.h"

static const struct aws_place plain = {.region = "eu-west-1"};

static void forget(void)
{
	static const char *const names[] = {"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_KMS", "AWS_ENDPOINT_URL_SSM", "AWS_CA_BUNDLE"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(unsetenv(names[i]), 0);
}

static void expect(const char *service, const struct aws_place *place, const char *host, bool is_plain)
{
	AUTO_AWS_ACCESS struct aws_access access = {0};
	struct error error = {0};

	assert_ok(aws_access_init(service, place, &access, &error), &error);
	assert_string_equal(access.endpoint.host, host);
	assert_string_equal(access.endpoint.region, place->region);
	assert_int_equal(access.endpoint.is_plain, is_plain);
}

static void is_awss_own_by_default(void **state)
{
	const struct aws_place china = {.region = "cn-north-1"};

	(void)state;
	forget();
	expect("kms", &plain, "kms.eu-west-1.amazonaws.com", false);
	expect("dynamodb", &china, "dynamodb.cn-north-1.amazonaws.com.cn", false);
}

static void the_environment_may_name_another(void **state)
{
	const struct aws_place given = {.region = "eu-west-1", .host = "given:1"};

	(void)state;
	forget();
	assert_int_equal(setenv("AWS_ENDPOINT_URL", "https://localhost:4566", 1), 0);
	expect("kms", &plain, "localhost:4566", false);
	assert_int_equal(setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:1/", 1), 0);
	expect("kms", &plain, "127.0.0.1:1", true);
	expect("ssm", &plain, "localhost:4566", false);
	expect("kms", &given, "given:1", false);
}

static void authorities_come_from_a_file(void **state)
{
	char path[] = "/tmp/access-XXXXXX";
	AUTO_FD int fd = mkstemp(path);
	AUTO_AWS_ACCESS struct aws_access access = {0};
	struct error error = {0};

	(void)state;
	forget();
	assert_true(fd >= 0 && fd_write_all(fd, "pem", 3));
	assert_int_equal(setenv("AWS_CA_BUNDLE", path, 1), 0);
	assert_ok(aws_access_init("kms", &plain, &access, &error), &error);
	assert_true(view_equal_text(access.endpoint.ca_pem, "pem"));
	(void)unlink(path);
	assert_false(aws_access_init("kms", &plain, &(struct aws_access){0}, &error));
	assert_message_contains(&error, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_awss_own_by_default),
		cmocka_unit_test(the_environment_may_name_another),
		cmocka_unit_test(authorities_come_from_a_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
