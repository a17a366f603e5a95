/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <dirent.h>

#include <openssl/sha.h>

#include "aws/sigv4.h"
#include "base/clock.h"
#include "base/file.h"

#define FILE_MAX_SIZE 65536
#define PUBLIC_CASE_COUNT 38

static int make_heap(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

/* A request as the vectors describe it, with the memory that its views point into. */
struct signing_case {
	struct sigv4_request request;
	struct sigv4_header headers[SIGV4_MAX_HEADERS];
	struct buffer text;
	char date_time[CLOCK_BASIC_TEXT_SIZE];
	char payload_hash[65];
};

static void case_done(struct signing_case *signing)
{
	buffer_done(&signing->text);
}

static void add_header(struct signing_case *signing, struct view name, struct view value)
{
	assert_true(signing->request.header_count < SIGV4_MAX_HEADERS);
	signing->headers[signing->request.header_count++] = (struct sigv4_header){.name = name, .value = value};
	signing->request.headers = signing->headers;
}

static void set_body(struct signing_case *signing, struct view body)
{
	(void)SHA256(body.data, body.size, signing->request.payload_sha256);
	hex_encode(view_of(signing->request.payload_sha256, 32), signing->payload_hash);
}

static void set_time(struct signing_case *signing, const char *timestamp)
{
	uint64_t realtime_ms;

	assert_true(clock_parse(timestamp, &realtime_ms));
	clock_format_basic(realtime_ms, signing->date_time);
}

static size_t line_size(struct view text)
{
	const uint8_t *end = text.size ? (const uint8_t *)memchr(text.data, '\n', text.size) : NULL;

	return end ? (size_t)(end - text.data) : text.size;
}

static struct view after(struct view text, size_t size)
{
	size = size < text.size ? size : text.size;
	return view_of(text.data + size, text.size - size);
}

/* "GET /path?query HTTP/1.1": the path may have blanks in it, so the version is cut off from the end. */
static void read_request_line(struct signing_case *signing, struct view line)
{
	static const size_t version_size = sizeof " HTTP/1.1" - 1;
	const uint8_t *blank = (const uint8_t *)memchr(line.data, ' ', line.size);
	size_t method_size;
	struct view target;
	const uint8_t *mark;

	assert_non_null(blank);
	method_size = (size_t)(blank - line.data);
	target = after(line, method_size + 1);
	assert_true(target.size >= version_size);
	target.size -= version_size;
	mark = (const uint8_t *)memchr(target.data, '?', target.size);
	signing->request.method = view_of(line.data, method_size);
	signing->request.path = mark ? view_of(target.data, (size_t)(mark - target.data)) : target;
	signing->request.query = mark ? after(target, signing->request.path.size + 1) : view_of(NULL, 0);
}

/* One header with its continuation lines; the rest of the text. */
static struct view read_header(struct signing_case *signing, struct view text)
{
	const uint8_t *colon = (const uint8_t *)memchr(text.data, ':', text.size);
	size_t size = line_size(text);
	size_t name_size;

	assert_non_null(colon);
	name_size = (size_t)(colon - text.data);
	while (size + 1 < text.size && text.data[size + 1] == ' ')
		size += 1 + line_size(after(text, size + 1));
	assert_true(name_size < size);
	add_header(signing, view_of(text.data, name_size), view_of(colon + 1, size - name_size - 1));
	return after(text, size + 1);
}

static void read_request(struct signing_case *signing, const char *path)
{
	struct error error = {0};
	struct view text;

	assert_ok(file_read(path, FILE_MAX_SIZE, &signing->text, &error), &error);
	text = buffer_view(&signing->text);
	read_request_line(signing, view_of(text.data, line_size(text)));
	text = after(text, line_size(text) + 1);
	while (text.size > 0 && text.data[0] != '\n')
		text = read_header(signing, text);
	set_body(signing, after(text, 1));
}

static bool flag(json_t *context, const char *name)
{
	return json_is_true(json_object_get(context, name));
}

static const char *text_of(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	assert_non_null(text);
	return text;
}

static void apply_context(struct signing_case *signing, json_t *context)
{
	const char *token = json_string_value(json_object_get(json_object_get(context, "credentials"), "token"));

	set_time(signing, text_of(context, "timestamp"));
	add_header(signing, view_of_text("X-Amz-Date"), view_of_text(signing->date_time));
	if (token && !flag(context, "omit_session_token"))
		add_header(signing, view_of_text("X-Amz-Security-Token"), view_of_text(token));
	if (flag(context, "sign_body"))
		add_header(signing, view_of_text("x-amz-content-sha256"), view_of_text(signing->payload_hash));
	signing->request.normalize_path = flag(context, "normalize");
	signing->request.double_encode_path = true;
}

static void expect_text(const char *what, struct view actual, const char *expected)
{
	if (!view_equal_text(actual, expected))
		fail_msg("%s:\n%.*s\nexpected:\n%s", what, (int)actual.size, (const char *)actual.data, expected);
}

static void check_signature(const struct signing_case *signing, json_t *context, const char *canonical_expected,
			    const char *string_expected, const char *signature_expected)
{
	struct sigv4_scope scope = {
		.region = text_of(context, "region"), .service = text_of(context, "service"), .date_time = signing->date_time};
	const char *secret = text_of(json_object_get(context, "credentials"), "secret_access_key");
	AUTO_BUFFER struct buffer canonical = {0};
	AUTO_BUFFER struct buffer string = {0};
	struct error error = {0};
	char signature[65];

	assert_ok(sigv4_canonical_request(&signing->request, &canonical, NULL, &error), &error);
	expect_text("canonical request", buffer_view(&canonical), canonical_expected);
	sigv4_string_to_sign(buffer_view(&canonical), &scope, &string);
	expect_text("string to sign", buffer_view(&string), string_expected);
	assert_ok(sigv4_signature(buffer_view(&string), &scope, view_of_text(secret), signature, &error), &error);
	assert_string_equal(signature, signature_expected);
}

static char *read_text(const char *folder, const char *name)
{
	AUTO_FREE char *path = memory_format("%s/%s", folder, name);
	struct buffer text = {0};
	struct error error = {0};

	assert_ok(file_read(path, FILE_MAX_SIZE, &text, &error), &error);
	(void)buffer_text(&text);
	return (char *)text.data;
}

static void check_public_case(const char *folder)
{
	CLEANUP(case_done) struct signing_case signing = {0};
	AUTO_FREE char *request = memory_format("%s/request.txt", folder);
	AUTO_FREE char *context_path = memory_format("%s/context.json", folder);
	AUTO_FREE char *canonical = read_text(folder, "header-canonical-request.txt");
	AUTO_FREE char *string = read_text(folder, "header-string-to-sign.txt");
	AUTO_FREE char *signature = read_text(folder, "header-signature.txt");
	AUTO_JSON json_t *context = load_json(context_path);

	read_request(&signing, request);
	apply_context(&signing, context);
	check_signature(&signing, context, canonical, string, signature);
}

static void test_public_vectors(void **state)
{
	AUTO_FREE char *root = public_vector_path("sigv4/aws-c-auth");
	size_t count = 0;
	DIR *folder;

	(void)state;
	if (!root)
		skip();
	folder = opendir(root);
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		AUTO_FREE char *path = memory_format("%s/%s", root, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		check_public_case(path);
		count++;
	}
	assert_int_equal(closedir(folder), 0);
	assert_int_equal(count, PUBLIC_CASE_COUNT);
}

static void check_own_case(json_t *vector)
{
	const char *token = json_string_value(json_object_get(json_object_get(vector, "credentials"), "token"));
	struct signing_case signing = {0};
	AUTO_BUFFER struct buffer canonical = {0};
	AUTO_BUFFER struct buffer names = {0};
	struct error error = {0};
	const char *name;
	json_t *value;

	signing.request.method = view_of_text(text_of(vector, "method"));
	signing.request.path = view_of_text(text_of(vector, "path"));
	signing.request.normalize_path = true;
	signing.request.double_encode_path = true;
	json_object_foreach(json_object_get(vector, "headers"), name, value)
	{
		/* The SDKs leave this one unsigned, since proxies change it. */
		if (strcasecmp(name, "user-agent") != 0)
			add_header(&signing, view_of_text(name), view_of_text(json_string_value(value)));
	}
	set_body(&signing, view_of_text(text_of(vector, "body")));
	set_time(&signing, text_of(vector, "timestamp"));
	assert_string_equal(signing.date_time, text_of(vector, "amz_date"));
	add_header(&signing, view_of_text("x-amz-date"), view_of_text(signing.date_time));
	if (token)
		add_header(&signing, view_of_text("x-amz-security-token"), view_of_text(token));
	assert_ok(sigv4_canonical_request(&signing.request, &canonical, &names, &error), &error);
	expect_text("signed headers", buffer_view(&names), text_of(vector, "signed_headers"));
	check_signature(&signing, vector, text_of(vector, "canonical_request"), text_of(vector, "string_to_sign"),
			text_of(vector, "signature"));
}

static void test_own_vectors(void **state)
{
	AUTO_FREE char *path = own_vector_path("sigv4/json_post.json");
	AUTO_JSON json_t *vectors = load_json(path);
	size_t index;
	json_t *vector;

	(void)state;
	assert_true(json_array_size(vectors) >= 6);
	json_array_foreach(vectors, index, vector) check_own_case(vector);
}

/* Path and query of a GET without headers, as they stand in the canonical request. */
static void expect_target(const char *path, const char *query, bool normalized, bool encoded, const char *expected)
{
	struct sigv4_request request = {
		.method = view_of_text("GET"),
		.path = view_of_text(path),
		.query = view_of_text(query),
		.normalize_path = normalized,
		.double_encode_path = encoded,
	};
	AUTO_BUFFER struct buffer canonical = {0};
	AUTO_FREE char *text = memory_format("GET\n%s\n\n\n%064d", expected, 0);
	struct error error = {0};

	assert_ok(sigv4_canonical_request(&request, &canonical, NULL, &error), &error);
	expect_text(path, buffer_view(&canonical), text);
}

static void test_targets(void **state)
{
	(void)state;
	expect_target("", "", true, true, "/\n");
	expect_target("/../..", "", true, true, "/\n");
	expect_target("/a/../../b/", "", true, true, "/b/\n");
	expect_target("/a//b", "", false, true, "/a//b\n");
	expect_target("/a%20b", "", true, true, "/a%2520b\n");
	expect_target("/a%20b/./c", "", false, false, "/a%20b/./c\n");
	expect_target("/", "b=2&a&c=%7e&&a=1", true, true, "/\na=&a=1&b=2&c=~");
	expect_target("/", "a=%&b=%4&c=%zz&d=+", true, true, "/\na=%25&b=%254&c=%25zz&d=%2B");
	expect_target("/", "a=b=c", true, true, "/\na=b%3Dc");
}

static void test_malformed_headers_are_refused(void **state)
{
	static const char *const names[] = {"", "with blank", "with:colon", "line\nbreak", "\x80"};
	struct sigv4_header header = {.value = view_of_text("v")};
	struct sigv4_request request = {.method = view_of_text("GET"), .headers = &header, .header_count = 1};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		AUTO_BUFFER struct buffer canonical = {0};
		struct error error = {0};

		header.name = view_of_text(names[i]);
		assert_false(sigv4_canonical_request(&request, &canonical, NULL, &error));
		assert_int_equal(error.code, ERROR_INPUT);
		assert_int_equal(canonical.size, 0);
	}
}

static void test_limits(void **state)
{
	struct sigv4_header headers[SIGV4_MAX_HEADERS + 1];
	struct sigv4_request request = {.method = view_of_text("GET"), .headers = headers};
	AUTO_BUFFER struct buffer canonical = {0};
	AUTO_BUFFER struct buffer query = {0};
	struct error error = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++)
		headers[i] = (struct sigv4_header){.name = view_of_text("a"), .value = view_of_text("v")};
	request.header_count = SIGV4_MAX_HEADERS;
	assert_ok(sigv4_canonical_request(&request, &canonical, NULL, &error), &error);
	request.header_count = SIGV4_MAX_HEADERS + 1;
	assert_false(sigv4_canonical_request(&request, &canonical, NULL, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	for (int i = 0; i < 65; i++)
		buffer_append_text(&query, "a=1&");
	request.header_count = 0;
	request.query = buffer_view(&query);
	assert_false(sigv4_canonical_request(&request, &canonical, NULL, &error));
	assert_message_contains(&error, "query parameters");
}

static void test_short_dates_are_refused(void **state)
{
	struct sigv4_scope scope = {.region = "us-east-1", .service = "kms", .date_time = "2015083"};
	struct error error = {0};
	char signature[65] = "untouched";

	(void)state;
	assert_false(sigv4_signature(view_of_text("x"), &scope, view_of_text("key"), signature, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_string_equal(signature, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_public_vectors), cmocka_unit_test(test_own_vectors),
		cmocka_unit_test(test_targets),        cmocka_unit_test(test_malformed_headers_are_refused),
		cmocka_unit_test(test_limits),         cmocka_unit_test(test_short_dates_are_refused),
	};

	return cmocka_run_group_tests(tests, make_heap, NULL);
}
