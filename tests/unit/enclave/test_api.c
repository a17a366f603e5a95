/* SPDX-License-Identifier: Apache-2.0 */
#include "vectors.h"

#include <poll.h>
#include <signal.h>

#include "base/file.h"
#include "net/http_client.h"
#include "server_fixture.h"

#define R32 "\"0x0101010101010101010101010101010101010101010101010101010101010101\""
#define INFO                                                                                                                       \
	"\"fork_info\":{\"fork\":{\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"        \
	"\"genesis_validators_root\":" R32 "}"
#define RANDAO "{" INFO ",\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}}"

/* The answers are what is looked at here, not when they come: a sanitizer's build on a machine at work is slow. */
#define PATIENCE_MS 60000

#define SIGNATURE_HEX_SIZE (2 * BLS_SIGNATURE_SIZE)

static struct fixture fixture;

static int start(void **state)
{
	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	fixture_start(&fixture, &(struct fixture_options){
					.key_count = 150, .request_deadline_ms = PATIENCE_MS, .keeper_deadline_ms = PATIENCE_MS});
	return 0;
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	return 0;
}

static void upcheck_says_ok(void **state)
{
	static const struct {
		const char *headers;
		bool accepted;
	} cases[] = {
		{"", true},
		{"Accept:\r\n", true},
		{"Accept: */*\r\n", true},
		{"Accept: text/plain\r\n", true},
		{"Accept: text/*;q=0.1\r\n", true},
		{"Accept: application/json, TEXT/Plain ; q=1\r\n", true},
		{"Accept: application/json\r\nAccept: text/html, */*\r\n", true},
		{"Accept: application/json\r\n", false},
		{"Accept: text/html, application/*\r\n", false},
		{"Accept: text/plainer\r\n", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ANSWER struct answer answer = {0};

		fixture_exchange(&fixture, "GET", "/upcheck", cases[i].headers, view_of(NULL, 0), &answer);
		if (!cases[i].accepted) {
			assert_error(&answer, 406, "text/plain");
			continue;
		}
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer_header(&answer, "Content-Type"), TEXT_TYPE);
		assert_true(view_equal_text(answer.body, "OK"));
	}
}

static void query_is_no_part_of_the_path(void **state)
{
	AUTO_ANSWER struct answer answer = {0};

	(void)state;
	fixture_exchange(&fixture, "GET", "/upcheck?x=1&y=%00", "", view_of(NULL, 0), &answer);
	assert_int_equal(answer.status, 200);
}

static void wrong_method_is_405_with_allow(void **state)
{
	static const struct {
		const char *method;
		const char *path;
		const char *allow;
	} cases[] = {
		{"POST", "/upcheck", "GET, HEAD"},
		{"DELETE", "/api/v1/eth2/publicKeys", "GET, HEAD"},
		{"OPTIONS", "/api/v1/eth2/publicKeys", "GET, HEAD"},
		{"POST", "/healthcheck", "GET, HEAD"},
		{"POST", "/api/v1/eth2/highWatermark", "GET, HEAD"},
		{"GET", "/api/v1/eth2/sign", "POST"},
		{"OPTIONS", "/api/v1/eth2/sign", "POST"},
		{"GET", "/api/v1/eth2/sign/0x00", "POST"},
		{"PUT", "/api/v1/eth2/sign/0x00", "POST"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ANSWER struct answer answer = {0};

		fixture_exchange(&fixture, cases[i].method, cases[i].path, "", view_of_text("{}"), &answer);
		assert_error(&answer, 405, "method");
		assert_string_equal(answer_header(&answer, "Allow"), cases[i].allow);
	}
}

static void unknown_path_is_404(void **state)
{
	static const char *const paths[] = {"/",
					    "/upcheck/",
					    "/Upcheck",
					    "/api/v1/eth2/sign/0x00/",
					    "/api/v1/eth2/sign/",
					    "/api/v1/eth2/sign/0x00/x",
					    "/api/v1/eth2/publickeys",
					    "/%22%5c%0a%ff"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		AUTO_ANSWER struct answer answer = {0};

		fixture_exchange(&fixture, "POST", paths[i], "", view_of_text(RANDAO), &answer);
		assert_error(&answer, 404, "nothing at this path");
	}
}

static void public_keys_come_in_pages(void **state)
{
	AUTO_ANSWER struct answer answer = {0};
	AUTO_ANSWER struct answer refused = {0};
	AUTO_JSON json_t *keys = NULL;
	struct error error;
	size_t index;
	json_t *one;

	(void)state;
	fixture_exchange(&fixture, "GET", "/api/v1/eth2/publicKeys", "Accept: application/json\r\n", view_of(NULL, 0), &answer);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer_header(&answer, "Content-Type"), JSON_TYPE);
	keys = json_parse(answer.body, "keys", &error);
	assert_ok(keys != NULL, &error);
	assert_int_equal(json_array_size(keys), 150);
	json_array_foreach(keys, index, one)
	{
		AUTO_BUFFER struct buffer key = unhex(json_string_value(one));

		assert_int_equal(strlen(json_string_value(one)), 98);
		assert_int_equal(key.data[0], index);
	}
	fixture_exchange(&fixture, "GET", "/api/v1/eth2/publicKeys", "Accept: text/plain\r\n", view_of(NULL, 0), &refused);
	assert_error(&refused, 406, "application/json");
}

static void no_keys_is_an_empty_list(void **state)
{
	AUTO_ANSWER struct answer answer = {0};

	(void)state;
	fixture_stop(&fixture);
	fixture_start(&fixture, &(struct fixture_options){0});
	fixture_exchange(&fixture, "GET", "/api/v1/eth2/publicKeys", "", view_of(NULL, 0), &answer);
	assert_int_equal(answer.status, 200);
	assert_true(view_equal_text(answer.body, "[]"));
}

static void signature_is_text_or_json(void **state)
{
	static const struct {
		const char *headers;
		bool json;
	} cases[] = {
		{"", false},
		{"Accept: application/json\r\n", true},
		{"Accept: APPLICATION/json\r\n", true},
		{"Accept: */*\r\n", true},
		{"Accept: text/html, application/json;q=0.1\r\n", true},
		{"Accept: text/plain\r\nAccept: application/json\r\n", true},
		{"Accept: application/*\r\n", false},
		{"Accept: text/plain\r\n", false},
		{"Accept: application/jsonp\r\n", false},
		{"Accept:\r\n", false},
	};
	char hex[SIGNATURE_HEX_SIZE + 1];
	uint8_t signature[BLS_SIGNATURE_SIZE];

	(void)state;
	memset(signature, FIXTURE_SIGNATURE_BYTE, sizeof signature);
	hex_encode(view_of(signature, sizeof signature), hex);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ANSWER struct answer answer = {0};
		AUTO_FREE char *wanted = memory_format(cases[i].json ? "{\"signature\":\"0x%s\"}" : "0x%s", hex);

		fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, 0), cases[i].headers, view_of_text(RANDAO), &answer);
		assert_int_equal(answer.status, 200);
		assert_string_equal(answer_header(&answer, "Content-Type"), cases[i].json ? JSON_TYPE : TEXT_TYPE);
		assert_true(view_equal_text(answer.body, wanted));
	}
}

static void keeper_gets_the_typed_request(void **state)
{
	AUTO_ANSWER struct answer answer = {0};

	(void)state;
	fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, 0), "", view_of_text(RANDAO), &answer);
	assert_int_equal(answer.status, 200);
	assert_int_equal(fixture.last.artifact_type, ARTIFACT_RANDAO_REVEAL);
	assert_int_equal(fixture.last.object.epoch, 5);
	assert_int_equal(fixture.last.fork_info.epoch, 3);
	assert_int_equal(fixture.last.public_key[0], SIGN_OK);
	assert_int_equal(fixture.last.public_key[BLS_PUBLIC_KEY_SIZE - 1], 0xab);
}

static void identifier_is_hex_of_any_case(void **state)
{
	static const struct {
		const char *prefix;
		const char *last_two;
		const char *body;
		unsigned status;
		const char *message;
	} cases[] = {
		{"0x", "AB", RANDAO, 200, NULL},
		{"0X", "aB", RANDAO, 200, NULL},
		{"", "Ab", RANDAO, 200, NULL},
		{"0x", "a", RANDAO, 404, "no BLS public key"},
		{"0x", "abcd", RANDAO, 404, "no BLS public key"},
		{"0x", "zz", RANDAO, 404, "no BLS public key"},
		{"0x0x", "ab", RANDAO, 404, "no BLS public key"},
		/* the body is looked at first */
		{"0x", "zz", "{}", 400, "type: missing"},
		{"", "", "", 400, "body: empty"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ANSWER struct answer answer = {0};
		AUTO_FREE char *path = memory_format("/api/v1/eth2/sign/%s%094d%s", cases[i].prefix, 0, cases[i].last_two);

		fixture_exchange(&fixture, "POST", path, "", view_of_text(cases[i].body), &answer);
		assert_int_equal(answer.status, cases[i].status);
		if (cases[i].message)
			assert_error(&answer, cases[i].status, cases[i].message);
	}
}

#define TWENTY_AB "abababababababababab"

static void refusals_say_why(void **state)
{
	static const struct {
		uint8_t status;
		uint8_t verdict;
		unsigned http_status;
		const char *message;
	} cases[] = {
		{SIGN_UNKNOWN_KEY, 0, 404, "no key 0x0100" TWENTY_AB},
		{SIGN_ROOT_MISMATCH, 0, 400, "signing_root: the request says 0x0000"},
		{SIGN_ROOT_MISMATCH, 0, 400,
		 "network hoodi has 0xcccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"},
		{SIGN_SLASHABLE, SLASHING_BLOCK_TOO_LOW, 412, "block slot 100 is not above the last signed slot 101"},
		{SIGN_SLASHABLE, SLASHING_SOURCE_AFTER_TARGET, 412, "attestation source epoch 4 is after its target epoch 5"},
		{SIGN_SLASHABLE, SLASHING_SOURCE_TOO_LOW, 412,
		 "attestation source epoch 4 is below the last signed source 6 (target 5, last target 7)"},
		{SIGN_SLASHABLE, SLASHING_TARGET_TOO_LOW, 412,
		 "attestation target epoch 5 is not above the last signed target 7 (source 4, last source 6)"},
		{SIGN_SLASHABLE, SLASHING_SAFE, 412, "slashing protection"},
		{SIGN_SLASHABLE, 77, 412, "slashing protection"},
		{SIGN_WRONG_NETWORK, 0, 412, "not that of this signer's network, hoodi"},
		{SIGN_LEDGER_FAILED, 0, 503, "slashing protection store failed"},
		{SIGN_BAD_REQUEST, 0, 500, "please report"},
		{SIGN_OVERLOADED, 0, 503, "than can be signed in time"},
		{SIGN_POLICY, 0, 403, "no rule of the signing policy"},
		{SIGN_STATUS_COUNT, 0, 500, "please report"},
		{200, 0, 500, "please report"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ANSWER struct answer answer = {0};

		fixture_exchange(&fixture, "POST", sign_path(cases[i].status, cases[i].verdict), "Accept: application/json\r\n",
				 view_of_text(RANDAO), &answer);
		assert_error(&answer, cases[i].http_status, cases[i].message);
	}
}

static void bad_bodies_are_400(void **state)
{
	static const struct {
		const char *body;
		const char *message;
	} cases[] = {
		{"{", "body: malformed JSON"},
		{"{\"type\":\"VOTE\"}", "type: \"VOTE\" is unknown"},
		{"{\"type\":\"\\\"\\u00e9\\n\"}", "type: \"\"???\" is unknown"},
		{"{" INFO ",\"type\":\"RANDAO_REVEAL\"}", "randao_reveal: missing"},
		{"{\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}}", "fork_info: missing"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		AUTO_ANSWER struct answer answer = {0};

		fixture_exchange(&fixture, "POST", sign_path(SIGN_UNKNOWN_KEY, 0), "", view_of_text(cases[i].body), &answer);
		assert_error(&answer, 400, cases[i].message);
	}
}

static void costly_json_is_503_and_leaves_no_trace(void **state)
{
	AUTO_ANSWER struct answer refused = {0};
	AUTO_ANSWER struct answer answer = {0};
	AUTO_BUFFER struct buffer body = {0};

	(void)state;
	buffer_append_text(&body, "{\"x\":[0");
	while (body.size < API_BODY_MAX_SIZE - 2)
		buffer_append_text(&body, ",0");
	fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, 0), "", buffer_view(&body), &refused);
	assert_error(&refused, 503, "memory");
	fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, 0), "", view_of_text(RANDAO), &answer);
	assert_int_equal(answer.status, 200);
}

static void largest_body_is_taken(void **state)
{
	AUTO_ANSWER struct answer answer = {0};
	AUTO_BUFFER struct buffer body = {0};

	(void)state;
	buffer_append_text(&body, "{\"x\":\"");
	while (body.size < API_BODY_MAX_SIZE - strlen(RANDAO) - 1)
		buffer_append_byte(&body, 'y');
	buffer_append_text(&body, "\",");
	buffer_append_text(&body, &RANDAO[1]);
	assert_int_equal(body.size, API_BODY_MAX_SIZE);
	fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, 0), "", buffer_view(&body), &answer);
	assert_int_equal(answer.status, 200);
}

/* ---- the log ---- */

#define FLOOD 60
/* Longer than the second that an allowance is for. */
#define NEXT_SECOND_MS 1100

static void refuse_often(struct tls_client *client, unsigned count, uint8_t status)
{
	for (unsigned i = 0; i < count; i++) {
		AUTO_FREE char *text = memory_format("POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n%s",
						     sign_path(status, 0), strlen(RANDAO), RANDAO);
		AUTO_ANSWER struct answer answer = {0};

		assert_true(tls_client_send(client, view_of_text(text)));
		assert_true(tls_client_receive(client, &answer));
		assert_true(answer.status == 412 || answer.status == 503);
	}
}

/* Warnings of `status` in the log, and those that it says were not written. */
static void count_lines(const char *log, const char *status, unsigned *ret_lines, unsigned *ret_suppressed)
{
	*ret_lines = *ret_suppressed = 0;
	for (const char *line = log; *line; line = strchr(line, '\n') + 1) {
		AUTO_FREE char *text = memory_format("%.*s", (int)strcspn(line, "\n"), line);
		const char *suppressed = strstr(text, "suppressed=");

		if (!strstr(text, "warning") || !strstr(text, status))
			continue;
		++*ret_lines;
		*ret_suppressed += suppressed ? (unsigned)strtoul(suppressed + strlen("suppressed="), NULL, 10) : 0;
	}
}

/* A client that is refused all the time does not fill the disk, and does not hide refusals of the other kind. */
static void flood_of_refusals_is_few_lines(void **state)
{
	AUTO_TLS_CLIENT struct tls_client client;
	char path[] = "/tmp/ensign-test-log-XXXXXX";
	AUTO_FD int saved = dup(STDERR_FILENO);
	AUTO_FD int log = mkstemp(path);
	AUTO_BUFFER struct buffer text = {0};
	struct error error;
	unsigned suppressed;
	unsigned lines;

	(void)state;
	assert_true(saved >= 0 && log >= 0 && unlink(path) == 0);
	fixture_connect(&fixture, &client);
	/* what earlier tests left is said before the log of this one begins */
	(void)poll(NULL, 0, NEXT_SECOND_MS);
	refuse_often(&client, 1, SIGN_SLASHABLE);
	(void)poll(NULL, 0, NEXT_SECOND_MS);
	assert_true(dup2(log, STDERR_FILENO) >= 0);
	refuse_often(&client, FLOOD, SIGN_SLASHABLE);
	refuse_often(&client, 1, SIGN_LEDGER_FAILED);
	(void)poll(NULL, 0, NEXT_SECOND_MS);
	refuse_often(&client, 1, SIGN_SLASHABLE);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_ok(file_read_fd(log, "log", 1 << 20, &text, &error), &error);
	count_lines(buffer_text(&text), "status=412", &lines, &suppressed);
	assert_in_range(lines, 2, FLOOD / 2);
	assert_int_equal(lines + suppressed, FLOOD + 1);
	count_lines(buffer_text(&text), "status=503", &lines, &suppressed);
	assert_int_equal(lines, 1);
}

static void libcurl_is_a_client(void **state)
{
	static const char *const headers[] = {"Accept: application/json", "Content-Type: application/json", NULL};
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	AUTO_FREE char *url = memory_format("https://localhost%s", sign_path(SIGN_OK, 0));
	struct http_request request = {.method = "POST",
				       .url = url,
				       .via = &fixture.address,
				       .ca_pem = buffer_view(&fixture.ca_pem),
				       .headers = headers,
				       .body = view_of_text(RANDAO),
				       .max_response_size = 4096,
				       .timeout_ms = PATIENCE_MS};
	struct error error;

	(void)state;
	assert_ok(http_exchange(&request, &response, &error), &error);
	assert_int_equal(response.status, 200);
	assert_string_equal(response.content_type, JSON_TYPE);
}

static void silent_keeper_is_503(void **state)
{
	AUTO_ANSWER struct answer answer = {0};
	AUTO_ANSWER struct answer next = {0};

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){.keeper_deadline_ms = 200});
	fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, KEY_SILENT), "", view_of_text(RANDAO), &answer);
	assert_error(&answer, 503, "the keeper did not answer within 200 ms");
	fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, 0), "", view_of_text(RANDAO), &next);
	assert_int_equal(next.status, 200);
	fixture_stop(&fixture);
}

static void dead_keeper_is_503(void **state)
{
	AUTO_ANSWER struct answer answer = {0};
	AUTO_ANSWER struct answer later = {0};
	AUTO_ANSWER struct answer list = {0};

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, KEY_DIES), "", view_of_text(RANDAO), &answer);
	assert_error(&answer, 503, "keeper");
	fixture_exchange(&fixture, "POST", sign_path(SIGN_OK, 0), "", view_of_text(RANDAO), &later);
	assert_error(&later, 503, "keeper");
	fixture_exchange(&fixture, "GET", "/api/v1/eth2/publicKeys", "", view_of(NULL, 0), &list);
	assert_error(&list, 503, "keeper");
	fixture_stop(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upcheck_says_ok),
		cmocka_unit_test(query_is_no_part_of_the_path),
		cmocka_unit_test(wrong_method_is_405_with_allow),
		cmocka_unit_test(unknown_path_is_404),
		cmocka_unit_test(public_keys_come_in_pages),
		cmocka_unit_test(signature_is_text_or_json),
		cmocka_unit_test(keeper_gets_the_typed_request),
		cmocka_unit_test(identifier_is_hex_of_any_case),
		cmocka_unit_test(refusals_say_why),
		cmocka_unit_test(bad_bodies_are_400),
		cmocka_unit_test(costly_json_is_503_and_leaves_no_trace),
		cmocka_unit_test(largest_body_is_taken),
		cmocka_unit_test(flood_of_refusals_is_few_lines),
		cmocka_unit_test(libcurl_is_a_client),
		cmocka_unit_test(no_keys_is_an_empty_list),
	};
	const struct CMUnitTest failures[] = {
		cmocka_unit_test(silent_keeper_is_503),
		cmocka_unit_test(dead_keeper_is_503),
	};
	int failed = cmocka_run_group_tests_name("api", tests, start, stop);

	return failed + cmocka_run_group_tests_name("api without a keeper", failures, NULL, NULL);
}
