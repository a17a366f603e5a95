/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <sys/stat.h>

#include "aws/credentials.h"
#include "base/clock.h"
#include "base/file.h"
#include "http_test_server.h"

#define AUTO_SERVER CLEANUP(test_server_free)

#define KEY_ID "AKIDEXAMPLE"
#define SECRET_KEY "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN "AQoDYXdzEPT//wEXAMPLE=="

static char folder[] = "/tmp/ensign-credentials-XXXXXX";

static int set_up(void **state)
{
	struct error error = {0};

	(void)state;
	json_use_wiping_memory();
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) && mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	return rmdir(folder);
}

static void expect_credentials(const struct credentials *credentials, const char *token)
{
	assert_string_equal(credentials->access_key_id, KEY_ID);
	assert_true(view_equal_text(secret_view(&credentials->secret_access_key), SECRET_KEY));
	assert_true(view_equal_text(secret_view(&credentials->session_token), token));
}

static void test_json_round_trip(void **state)
{
	static const char *const texts[] = {
		"{\"access_key_id\":\"" KEY_ID "\",\"secret_access_key\":\"" SECRET_KEY "\",\"token\":\"" TOKEN "\"}",
		"{\"access_key_id\":\"" KEY_ID "\",\"secret_access_key\":\"" SECRET_KEY "\"}",
	};
	static const char *const tokens[] = {TOKEN, ""};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		AUTO_CREDENTIALS struct credentials credentials = {0};
		AUTO_BUFFER struct buffer written = {0};
		struct error error = {0};
		AUTO_JSON json_t *object = json_parse_object(view_of_text(texts[i]), "test", &error);
		AUTO_JSON json_t *again = NULL;

		assert_ok(credentials_from_json(object, &credentials, &error), &error);
		expect_credentials(&credentials, tokens[i]);
		assert_int_equal(credentials.expiration_ms, 0);
		again = credentials_to_json(&credentials, &error);
		assert_ok(again != NULL, &error);
		json_write(again, &written);
		assert_true(view_equal_text(buffer_view(&written), texts[i]));
	}
}

static void test_bad_json_is_refused_without_quoting_it(void **state)
{
	static const struct {
		const char *text;
		const char *field;
	} cases[] = {
		{"{}", "access_key_id: missing"},
		{"{\"access_key_id\":\"\",\"secret_access_key\":\"s\"}", "access_key_id"},
		{"{\"access_key_id\":\"A/B\",\"secret_access_key\":\"s\"}", "access_key_id"},
		{"{\"access_key_id\":\"A\\nB\",\"secret_access_key\":\"s\"}", "access_key_id"},
		{"{\"access_key_id\":7,\"secret_access_key\":\"s\"}", "access_key_id: not a string"},
		{"{\"access_key_id\":\"A\"}", "secret_access_key: missing"},
		{"{\"access_key_id\":\"A\",\"secret_access_key\":\"\"}", "secret_access_key: empty"},
		{"{\"access_key_id\":\"A\",\"secret_access_key\":\"hidden value\"}", "secret_access_key: has"},
		{"{\"access_key_id\":\"A\",\"secret_access_key\":\"s\",\"token\":\"hidden\\r\\nX: y\"}", "token: has"},
		{"{\"access_key_id\":\"A\",\"secret_access_key\":\"s\",\"token\":[]}", "token: not a string"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct credentials credentials = {0};
		struct error error = {0};
		AUTO_JSON json_t *object = json_parse_object(view_of_text(cases[i].text), "test", &error);

		assert_non_null(object);
		assert_false(credentials_from_json(object, &credentials, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, cases[i].field);
		assert_null(strstr(error.message, "hidden"));
		assert_null(credentials.secret_access_key.data);
	}
}

static void test_too_long_values_are_refused(void **state)
{
	static const struct {
		const char *field;
		int longest;
	} cases[] = {{"access_key_id", CREDENTIALS_KEY_ID_SIZE - 1}, {"secret_access_key", 256}, {"token", 16384}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int excess = 0; excess < 2; excess++) {
			AUTO_CREDENTIALS struct credentials credentials = {0};
			AUTO_FREE char *value = memory_format("%0*d", cases[i].longest + excess, 0);
			AUTO_JSON json_t *object = json_pack("{s:s,s:s}", "access_key_id", "A", "secret_access_key", "s");
			struct error error = {0};

			assert_int_equal(json_object_set_new(object, cases[i].field, json_string(value)), 0);
			assert_int_equal(credentials_from_json(object, &credentials, &error), excess == 0);
		}
	}
}

static void test_file(void **state)
{
	static const char text[] = "{\"access_key_id\":\"" KEY_ID "\",\"secret_access_key\":\"" SECRET_KEY "\",\"token\":null}\n";
	AUTO_FREE char *path = memory_format("%s/c.json", folder);
	AUTO_CREDENTIALS struct credentials credentials = {0};
	struct error error = {0};

	(void)state;
	assert_ok(file_write_atomic(path, view_of_text(text), 0600, &error), &error);
	assert_ok(credentials_from_file(path, &credentials, &error), &error);
	expect_credentials(&credentials, "");
	assert_int_equal(unlink(path), 0);
}

static void test_files_that_others_can_read_are_refused(void **state)
{
	static const mode_t modes[] = {0640, 0604, 0620, 0601, 0644};
	AUTO_FREE char *path = memory_format("%s/c.json", folder);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct credentials credentials = {0};
		struct error error = {0};

		assert_ok(file_write_atomic(path, view_of_text("{}"), modes[i], &error), &error);
		assert_false(credentials_from_file(path, &credentials, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_message_contains(&error, "chmod 600");
		assert_message_contains(&error, path);
		assert_int_equal(unlink(path), 0);
	}
}

static void test_other_bad_files(void **state)
{
	AUTO_FREE char *path = memory_format("%s/c.json", folder);
	AUTO_BUFFER struct buffer large = {0};
	struct credentials credentials = {0};
	struct error error = {0};

	(void)state;
	assert_false(credentials_from_file(path, &credentials, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_false(credentials_from_file(folder, &credentials, &error));
	assert_message_contains(&error, "not a regular file");
	assert_ok(file_write_atomic(path, view_of_text("{\"access_key_id\":\"A\",\"secret_access_key\":hidden}"), 0600, &error),
		  &error);
	assert_false(credentials_from_file(path, &credentials, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_null(strstr(error.message, "hidden"));
	buffer_reserve(&large, 70000);
	memset(large.data, ' ', 70000);
	large.size = 70000;
	assert_ok(file_write_atomic(path, buffer_view(&large), 0600, &error), &error);
	assert_false(credentials_from_file(path, &credentials, &error));
	assert_message_contains(&error, "larger than");
	assert_int_equal(unlink(path), 0);
}

static void test_environment(void **state)
{
	AUTO_CREDENTIALS struct credentials credentials = {0};
	AUTO_CREDENTIALS struct credentials tokenless = {0};
	struct error error = {0};

	(void)state;
	assert_int_equal(unsetenv("AWS_ACCESS_KEY_ID") | unsetenv("AWS_SECRET_ACCESS_KEY") | unsetenv("AWS_SESSION_TOKEN"), 0);
	assert_false(credentials_from_environment(&credentials, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_int_equal(setenv("AWS_ACCESS_KEY_ID", KEY_ID, 1), 0);
	assert_false(credentials_from_environment(&credentials, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "AWS_SECRET_ACCESS_KEY");
	assert_int_equal(setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY, 1), 0);
	assert_ok(credentials_from_environment(&tokenless, &error), &error);
	expect_credentials(&tokenless, "");
	assert_int_equal(setenv("AWS_SESSION_TOKEN", TOKEN, 1), 0);
	assert_ok(credentials_from_environment(&credentials, &error), &error);
	expect_credentials(&credentials, TOKEN);
}

#define IMDS_TOKEN "AQAEAPm-token=="
#define DOCUMENT                                                                                                                   \
	"{\"Code\":\"Success\",\"Type\":\"AWS-HMAC\",\"AccessKeyId\":\"" KEY_ID "\",\"SecretAccessKey\":\"" SECRET_KEY             \
	"\",\"Token\":\"" TOKEN "\",\"LastUpdated\":\"2026-01-01T00:00:00Z\",\"Expiration\":\"2026-01-01T06:00:00Z\"}"

static void test_imds(void **state)
{
	static const struct test_answer answers[] = {
		{.status = 200, .body = IMDS_TOKEN},
		{.status = 200, .body = "ensign-host\n"},
		{.status = 200, .body = DOCUMENT},
	};
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, answers, ARRAY_SIZE(answers));
	AUTO_FREE char *endpoint = memory_format("http://127.0.0.1:%u", test_server_port(server));
	AUTO_CREDENTIALS struct credentials credentials = {0};
	struct error error = {0};
	AUTO_FREE char *lifetime = NULL;
	uint64_t expected_ms;

	(void)state;
	assert_ok(credentials_from_imds(endpoint, &credentials, &error), &error);
	expect_credentials(&credentials, TOKEN);
	assert_true(clock_parse("2026-01-01T06:00:00Z", &expected_ms));
	assert_int_equal(credentials.expiration_ms, expected_ms);
	assert_string_equal(test_server_request(server, 0)->method, "PUT");
	assert_string_equal(test_server_request(server, 0)->path, "/latest/api/token");
	lifetime = test_request_header(test_server_request(server, 0), "X-aws-ec2-metadata-token-ttl-seconds");
	assert_string_equal(lifetime, "60");
	for (size_t i = 1; i < 3; i++) {
		AUTO_FREE char *token = test_request_header(test_server_request(server, i), "X-aws-ec2-metadata-token");

		assert_string_equal(test_server_request(server, i)->method, "GET");
		assert_string_equal(token, IMDS_TOKEN);
	}
	assert_string_equal(test_server_request(server, 1)->path, "/latest/meta-data/iam/security-credentials/");
	assert_string_equal(test_server_request(server, 2)->path, "/latest/meta-data/iam/security-credentials/ensign-host");
}

static char oversize[40000];

static void test_imds_that_misbehaves(void **state)
{
	static const struct {
		struct test_answer answers[3];
		size_t requests;
		enum error_code code;
		const char *reason;
	} cases[] = {
		{{{403, NULL}}, 1, ERROR_PEER, "status 403"},
		{{{200, NULL}}, 1, ERROR_PEER, "token is malformed"},
		{{{200, "a b"}}, 1, ERROR_PEER, "token is malformed"},
		{{{200, "a\r\nX: y"}}, 1, ERROR_PEER, "token is malformed"},
		{{{200, oversize}}, 1, ERROR_PEER, "larger than"},
		{{{200, "t"}, {404, NULL}}, 2, ERROR_NOT_FOUND, "role"},
		{{{200, "t"}, {302, NULL}}, 2, ERROR_PEER, "status 302"},
		{{{200, "t"}, {200, NULL}}, 2, ERROR_PEER, "name of the instance's role"},
		{{{200, "t"}, {200, "../../user-data"}}, 2, ERROR_PEER, "name of the instance's role"},
		{{{200, "t"}, {200, ".."}}, 2, ERROR_PEER, "name of the instance's role"},
		{{{200, "t"}, {200, "a b"}}, 2, ERROR_PEER, "name of the instance's role"},
		{{{200, "t"}, {200, "r234567890123456789012345678901234567890123456789012345678901234x"}},
		 2,
		 ERROR_PEER,
		 "name of the instance's role"},
		{{{200, "t"}, {200, "r"}, {200, "no JSON"}}, 3, ERROR_PEER, "malformed JSON"},
		{{{200, "t"}, {200, "r"}, {200, "{}"}}, 3, ERROR_PEER, "AccessKeyId: missing"},
		{{{200, "t"}, {200, "r"}, {200, "{\"Code\":\"AssumeRoleUnauthorizedAccess\"}"}}, 3, ERROR_AWS, "AssumeRole"},
		{{{200, "t"},
		  {200, "r"},
		  {200, "{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"t\",\"Expiration\":\"soon\"}"}},
		 3,
		 ERROR_PEER,
		 "Expiration"},
		{{{200, "t"}, {200, "r"}, {200, oversize}}, 3, ERROR_PEER, "larger than"},
	};

	(void)state;
	memset(oversize, 'x', sizeof oversize - 1);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, cases[i].answers, 3);
		AUTO_FREE char *endpoint = memory_format("http://127.0.0.1:%u", test_server_port(server));
		struct credentials credentials = {0};
		struct error error = {0};

		assert_false(credentials_from_imds(endpoint, &credentials, &error));
		assert_message_contains(&error, cases[i].reason);
		assert_message_contains(&error, "instance metadata");
		assert_int_equal(error.code, cases[i].code);
		assert_int_equal(test_server_request_count(server), cases[i].requests);
		assert_null(credentials.secret_access_key.data);
	}
}

static void test_imds_that_is_not_there(void **state)
{
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
	struct error error = {0};
	AUTO_FD int bound = address_bind(&address, &error);
	AUTO_FREE char *endpoint = memory_format("http://127.0.0.1:%u", address_bound_port(bound));
	struct credentials credentials = {0};

	(void)state;
	assert_ok(bound >= 0, &error);
	assert_false(credentials_from_imds(endpoint, &credentials, &error));
	assert_int_equal(error.code, ERROR_PEER);
}

/* ---- wherever they are ---- */

#define CONTAINER_DOCUMENT                                                                                                         \
	"{\"AccessKeyId\":\"" KEY_ID "\",\"SecretAccessKey\":\"" SECRET_KEY "\",\"Token\":\"" TOKEN                                \
	"\",\"Expiration\":\"2030-01-01T00:00:00Z\"}"

static const char *const variables[] = {"AWS_ACCESS_KEY_ID",
					"AWS_SECRET_ACCESS_KEY",
					"AWS_SESSION_TOKEN",
					"AWS_PROFILE",
					"AWS_SHARED_CREDENTIALS_FILE",
					"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
					"AWS_CONTAINER_CREDENTIALS_FULL_URI",
					"AWS_CONTAINER_AUTHORIZATION_TOKEN",
					"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
					"AWS_EC2_METADATA_SERVICE_ENDPOINT"};

/* An empty home, and no instance. */
static void forget_everything(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++)
		assert_int_equal(unsetenv(variables[i]), 0);
	assert_int_equal(setenv("HOME", folder, 1), 0);
	assert_int_equal(setenv("AWS_EC2_METADATA_DISABLED", "true", 1), 0);
}

static void write_profiles(const char *text, mode_t mode)
{
	AUTO_FREE char *path = memory_format("%s/profiles", folder);
	struct error error = {0};

	assert_ok(file_write_atomic(path, view_of_text(text), mode, &error), &error);
	assert_int_equal(setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1), 0);
}

static void remove_profiles(void)
{
	AUTO_FREE char *path = memory_format("%s/profiles", folder);

	(void)unlink(path);
}

static void test_profiles(void **state)
{
	static const char text[] =
		"# a comment = 1\n[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key=x\n\n[ default ]\r\n"
		"region = eu-west-1\n; x\naws_access_key_id=" KEY_ID "\r\n  aws_secret_access_key = " SECRET_KEY
		"  \naws_session_token = " TOKEN "\n[sso]\nsso_session = x\n";
	AUTO_CREDENTIALS struct credentials credentials = {0};
	AUTO_CREDENTIALS struct credentials other = {0};
	struct error error = {0};

	(void)state;
	forget_everything();
	write_profiles(text, 0600);
	assert_ok(credentials_find(&credentials, &error), &error);
	expect_credentials(&credentials, TOKEN);
	assert_int_equal(setenv("AWS_PROFILE", "other", 1), 0);
	assert_ok(credentials_find(&other, &error), &error);
	assert_string_equal(other.access_key_id, "AKIDOTHER");
	/* One that was asked for and is not there is not replaced by what comes next. */
	assert_int_equal(setenv("AWS_PROFILE", "nobody", 1), 0);
	assert_false(credentials_find(&other, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "no profile nobody");
	assert_int_equal(setenv("AWS_PROFILE", "sso", 1), 0);
	assert_false(credentials_find(&other, &error));
	assert_message_contains(&error, "aws_access_key_id");
	assert_int_equal(unsetenv("AWS_PROFILE"), 0);
	write_profiles(text, 0644);
	assert_false(credentials_find(&other, &error));
	assert_message_contains(&error, "chmod 600");
	write_profiles("[default]\naws_access_key_id=" KEY_ID "\naws_secret_access_key=a b\n", 0600);
	assert_false(credentials_find(&other, &error));
	assert_message_contains(&error, "aws_secret_access_key");
	assert_null(strstr(error.message, "a b"));
	remove_profiles();
}

static void test_nowhere(void **state)
{
	AUTO_CREDENTIALS struct credentials credentials = {0};
	struct error error = {0};

	(void)state;
	forget_everything();
	assert_false(credentials_find(&credentials, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_message_contains(&error, "no AWS credentials");
	/* Half of them is a mistake, and nobody else's are taken instead. */
	assert_int_equal(setenv("AWS_ACCESS_KEY_ID", KEY_ID, 1), 0);
	assert_false(credentials_find(&credentials, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "AWS_SECRET_ACCESS_KEY");
}

static void test_container(void **state)
{
	static const struct test_answer answers[] = {{.status = 200, .body = CONTAINER_DOCUMENT},
						     {.status = 200, .body = CONTAINER_DOCUMENT},
						     {.status = 403, .body = "{}"},
						     {.status = 200, .body = "{}"}};
	AUTO_SERVER struct test_server *server = test_server_new(NULL, NULL, answers, ARRAY_SIZE(answers));
	AUTO_FREE char *url = memory_format("http://127.0.0.1:%u/credentials/1", test_server_port(server));
	AUTO_FREE char *token_file = memory_format("%s/token", folder);
	AUTO_FREE char *authorization = NULL;
	AUTO_CREDENTIALS struct credentials credentials = {0};
	AUTO_CREDENTIALS struct credentials again = {0};
	struct error error = {0};

	(void)state;
	forget_everything();
	assert_int_equal(setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url, 1), 0);
	assert_ok(credentials_find(&credentials, &error), &error);
	expect_credentials(&credentials, TOKEN);
	assert_true(credentials.expiration_ms > 0);
	assert_string_equal(test_server_request(server, 0)->path, "/credentials/1");
	assert_ok(file_write_atomic(token_file, view_of_text("secret token\n"), 0600, &error), &error);
	assert_int_equal(setenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", token_file, 1), 0);
	assert_ok(credentials_find(&again, &error), &error);
	authorization = test_request_header(test_server_request(server, 1), "authorization");
	assert_string_equal(authorization, "secret token");
	(void)unlink(token_file);
	assert_false(credentials_find(&again, &error));
	assert_message_contains(&error, "credentials of the container");
	assert_int_equal(unsetenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"), 0);
	for (int i = 0; i < 2; i++) {
		assert_false(credentials_find(&again, &error));
		assert_int_equal(error.code, ERROR_PEER);
	}
}

static void test_container_hosts(void **state)
{
	static const char *const bad[] = {"http://example.com/", "http://localhost.example.com/",
					  "http://localhost:80@example.com/", "ftp://127.0.0.1/", "http://169.254.170.233/"};
	AUTO_CREDENTIALS struct credentials credentials = {0};
	struct error error = {0};

	(void)state;
	forget_everything();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", bad[i], 1), 0);
		assert_false(credentials_find(&credentials, &error));
		assert_int_equal(error.code, ERROR_INPUT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_profiles),
		cmocka_unit_test(test_nowhere),
		cmocka_unit_test(test_container),
		cmocka_unit_test(test_container_hosts),
		cmocka_unit_test(test_json_round_trip),
		cmocka_unit_test(test_bad_json_is_refused_without_quoting_it),
		cmocka_unit_test(test_too_long_values_are_refused),
		cmocka_unit_test(test_file),
		cmocka_unit_test(test_files_that_others_can_read_are_refused),
		cmocka_unit_test(test_other_bad_files),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_imds),
		cmocka_unit_test(test_imds_that_misbehaves),
		cmocka_unit_test(test_imds_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
