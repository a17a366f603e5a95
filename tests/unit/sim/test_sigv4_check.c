/* SPDX-License-Identifier: Apache-2.0 */
/* The door of the simulated KMS without a network between: requests that no well-behaved client would send. */
#include <openssl/sha.h>

#include "aws/sigv4.h"
#include "base/clock.h"
#include "sim/identities.h"
#include "sim/kms.h"
#include "sim/sigv4_check.h"
#include "vectors.h"

#define REGION "us-east-1"
#define ACCOUNT "000000000000"
#define USER "arn:aws:iam::" ACCOUNT ":user/operator"
#define ROLE "arn:aws:iam::" ACCOUNT ":role/host"
#define BODY "{\"NumberOfBytes\":8}"
#define MINUTE_MS (60 * 1000)

struct fixture {
	char folder[48];
	char path[64];
	struct sim_store *store;
	struct sim_identity user, role;
	struct kms_service service;
};

/* A request in the making; each test spoils one thing of it. */
struct attempt {
	const struct sim_identity *identity;
	const char *region, *service, *method, *target;
	uint64_t at_ms;
	const char *token;            /* sent as x-amz-security-token; NULL: none */
	const char *scope_date;       /* NULL: that of at_ms */
	const char *dropped_header;   /* not under the signature though it is sent */
	bool no_host;                 /* neither sent nor signed */
	const char *body_as_received; /* differs from what was signed */
	const char *authorization;    /* instead of a good one; "": none */
};

static struct attempt attempt_by(const struct sim_identity *identity)
{
	return (struct attempt){.identity = identity,
				.region = REGION,
				.service = "kms",
				.method = "POST",
				.target = "/",
				.at_ms = clock_realtime_ms(),
				.body_as_received = BODY};
}

static void sign(const struct attempt *attempt, const struct sigv4_header *headers, size_t count, const char *date_time,
		 struct buffer *ret_authorization)
{
	const struct sigv4_scope scope = {attempt->region, attempt->service, date_time};
	struct sigv4_request request = {.method = view_of_text(attempt->method),
					.path = view_of_text(attempt->target),
					.headers = headers,
					.header_count = count,
					.normalize_path = true,
					.double_encode_path = true};
	AUTO_BUFFER struct buffer canonical = {0};
	AUTO_BUFFER struct buffer names = {0};
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};
	char signature[65];

	(void)SHA256((const unsigned char *)BODY, strlen(BODY), request.payload_sha256);
	assert_ok(sigv4_canonical_request(&request, &canonical, &names, &error), &error);
	sigv4_string_to_sign(buffer_view(&canonical), &scope, &text);
	assert_ok(sigv4_signature(buffer_view(&text), &scope, secret_view(&attempt->identity->credentials.secret_access_key),
				  signature, &error),
		  &error);
	buffer_append_format(ret_authorization,
			     "AWS4-HMAC-SHA256 Credential=%s/%.8s/%s/%s/aws4_request, SignedHeaders=%s, Signature=%s",
			     attempt->identity->credentials.access_key_id, attempt->scope_date ? attempt->scope_date : date_time,
			     attempt->region, attempt->service, buffer_text(&names), signature);
}

/* Send it; the name of the exception, "" when it was answered. The caller frees. */
static char *send_attempt(const struct fixture *fixture, const struct attempt *attempt)
{
	char date_time[CLOCK_BASIC_TEXT_SIZE];
	const char *const all[][2] = {{"Host", "localhost:1"},
				      {"X-Amz-Date", date_time},
				      {"X-Amz-Target", "TrentService.GenerateRandom"},
				      {"X-Amz-Security-Token", attempt->token}};
	struct sigv4_header to_sign[ARRAY_SIZE(all)];
	struct http_server_header sent[ARRAY_SIZE(all) + 1];
	size_t to_sign_count = 0;
	size_t sent_count = 0;
	AUTO_BUFFER struct buffer authorization = {0};
	struct http_server_answer answer = {0};
	struct error error = {0};
	AUTO_JSON json_t *json = NULL;
	const char *type;

	clock_format_basic(attempt->at_ms, date_time);
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!all[i][1] || (attempt->no_host && i == 0))
			continue;
		sent[sent_count++] = (struct http_server_header){view_of_text(all[i][0]), view_of_text(all[i][1])};
		if (!attempt->dropped_header || strcasecmp(attempt->dropped_header, all[i][0]) != 0)
			to_sign[to_sign_count++] = (struct sigv4_header){view_of_text(all[i][0]), view_of_text(all[i][1])};
	}
	if (attempt->authorization)
		buffer_append_text(&authorization, attempt->authorization);
	else
		sign(attempt, to_sign, to_sign_count, date_time, &authorization);
	if (authorization.size)
		sent[sent_count++] = (struct http_server_header){view_of_text("authorization"), buffer_view(&authorization)};
	kms_service_handle((void *)(uintptr_t)&fixture->service,
			   &(struct http_server_request){.method = attempt->method,
							 .target = attempt->target,
							 .headers = sent,
							 .header_count = sent_count,
							 .body = view_of_text(attempt->body_as_received)},
			   &answer);
	json = json_parse_object(secret_view(&answer.body), "answer", &error);
	assert_ok(json != NULL, &error);
	secret_done(&answer.body);
	type = json_string_value(json_object_get(json, "__type"));
	assert_int_equal(answer.status, type ? 400 : 200);
	return memory_copy_text(type ? type : "");
}

static void expect(const struct fixture *fixture, struct attempt attempt, const char *exception)
{
	AUTO_FREE char *name = send_attempt(fixture, &attempt);

	assert_string_equal(name, exception);
}

static const char *token_of(const struct sim_identity *identity, struct buffer *memory)
{
	buffer_append(memory, secret_view(&identity->credentials.session_token));
	return buffer_text(memory);
}

static void test_good(void **state)
{
	const struct fixture *fixture = *state;
	AUTO_BUFFER struct buffer token = {0};
	struct attempt attempt = attempt_by(&fixture->user);

	expect(fixture, attempt, "");
	attempt = attempt_by(&fixture->role);
	attempt.token = token_of(&fixture->role, &token);
	expect(fixture, attempt, "");
}

static void test_clock(void **state)
{
	const struct fixture *fixture = *state;
	struct attempt attempt = attempt_by(&fixture->user);
	uint64_t now_ms = attempt.at_ms;

	attempt.at_ms = now_ms - 4 * MINUTE_MS;
	expect(fixture, attempt, "");
	attempt.at_ms = now_ms + 4 * MINUTE_MS;
	expect(fixture, attempt, "");
	attempt.at_ms = now_ms - 6 * MINUTE_MS;
	expect(fixture, attempt, "InvalidSignatureException");
	attempt.at_ms = now_ms + 6 * MINUTE_MS;
	expect(fixture, attempt, "InvalidSignatureException");
}

static void test_tampering(void **state)
{
	static const char *const needed[] = {"host", "x-amz-date", "x-amz-target", "x-amz-security-token"};
	const struct fixture *fixture = *state;
	AUTO_BUFFER struct buffer token = {0};
	struct attempt attempt = attempt_by(&fixture->user);

	attempt.body_as_received = "{\"NumberOfBytes\":9}";
	expect(fixture, attempt, "InvalidSignatureException");
	attempt = attempt_by(&fixture->user);
	attempt.region = "eu-west-1";
	expect(fixture, attempt, "InvalidSignatureException");
	attempt = attempt_by(&fixture->user);
	attempt.service = "dynamodb";
	expect(fixture, attempt, "InvalidSignatureException");
	attempt = attempt_by(&fixture->user);
	attempt.scope_date = "20200101";
	expect(fixture, attempt, "InvalidSignatureException");
	attempt = attempt_by(&fixture->user);
	attempt.no_host = true;
	expect(fixture, attempt, "InvalidSignatureException");
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		buffer_clear(&token);
		attempt = attempt_by(&fixture->role);
		attempt.token = token_of(&fixture->role, &token);
		attempt.dropped_header = needed[i];
		expect(fixture, attempt, "InvalidSignatureException");
	}
}

static void test_target(void **state)
{
	const struct fixture *fixture = *state;
	struct attempt attempt = attempt_by(&fixture->user);

	attempt.target = "/other";
	expect(fixture, attempt, "UnknownOperationException");
	attempt = attempt_by(&fixture->user);
	attempt.method = "GET";
	expect(fixture, attempt, "UnknownOperationException");
}

static void test_tokens(void **state)
{
	const struct fixture *fixture = *state;
	AUTO_BUFFER struct buffer token = {0};
	struct attempt attempt = attempt_by(&fixture->role);

	expect(fixture, attempt, "UnrecognizedClientException");
	attempt.token = "wrong";
	expect(fixture, attempt, "UnrecognizedClientException");
	attempt.token = "";
	expect(fixture, attempt, "UnrecognizedClientException");
	/* A long-lived key has none. */
	attempt = attempt_by(&fixture->user);
	attempt.token = token_of(&fixture->role, &token);
	expect(fixture, attempt, "UnrecognizedClientException");
}

static void test_identities(void **state)
{
	const struct fixture *fixture = *state;
	AUTO_SIM_IDENTITY struct sim_identity expired = {0};
	AUTO_BUFFER struct buffer token = {0};
	struct sim_identity unknown = fixture->user;
	struct sim_identity wrong_secret = fixture->user;
	struct error error = {0};
	struct attempt attempt;

	(void)snprintf(unknown.credentials.access_key_id, sizeof unknown.credentials.access_key_id, "AKIAUNKNOWN");
	expect(fixture, attempt_by(&unknown), "UnrecognizedClientException");
	wrong_secret.credentials.secret_access_key = fixture->role.credentials.secret_access_key;
	expect(fixture, attempt_by(&wrong_secret), "InvalidSignatureException");
	assert_ok(identities_role(fixture->store, ROLE "-old", "i-1", clock_realtime_ms() - ROLE_CREDENTIALS_LIFETIME_MS - 1,
				  &expired, &error),
		  &error);
	attempt = attempt_by(&expired);
	attempt.token = token_of(&expired, &token);
	expect(fixture, attempt, "ExpiredTokenException");
}

static void test_authorization_header(void **state)
{
#define SCOPE "/20260101/us-east-1/kms/aws4_request"
#define SIGNATURE "0000000000000000000000000000000000000000000000000000000000000000"
	static const struct {
		const char *header, *exception;
	} rows[] = {
		{"", "MissingAuthenticationTokenException"},
		{"Bearer x", "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256", "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256 Credential=A" SCOPE ", SignedHeaders=host", "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256 Credential=A" SCOPE ", Signature=" SIGNATURE, "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256 SignedHeaders=host, Signature=" SIGNATURE, "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256 Credential=A" SCOPE ", SignedHeaders=host, Signature=00", "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256 Credential=A" SCOPE ", SignedHeaders=host, SignedHeaders=x, Signature=" SIGNATURE,
		 "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/kms, SignedHeaders=host, Signature=" SIGNATURE,
		 "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256 Credential=" SCOPE ", SignedHeaders=host, Signature=" SIGNATURE, "IncompleteSignatureException"},
		{"AWS4-HMAC-SHA256 Credential=A/2026/us-east-1/kms/aws4_request, SignedHeaders=host, Signature=" SIGNATURE,
		 "IncompleteSignatureException"},
	};
	const struct fixture *fixture = *state;
	AUTO_BUFFER struct buffer endless = {0};
	struct attempt attempt = attempt_by(&fixture->user);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		attempt.authorization = rows[i].header;
		expect(fixture, attempt, rows[i].exception);
	}
	buffer_append_text(&endless, "AWS4-HMAC-SHA256 Credential=");
	for (int i = 0; i < 4096; i++)
		buffer_append_text(&endless, "A");
	buffer_append_text(&endless, SCOPE ", SignedHeaders=host, Signature=" SIGNATURE);
	attempt.authorization = buffer_text(&endless);
	expect(fixture, attempt, "IncompleteSignatureException");
}

/* Blanks after commas, and none. */
static void test_authorization_parse(void **state)
{
	static const char *const headers[] = {"AWS4-HMAC-SHA256 Credential=A" SCOPE ",SignedHeaders=host;x,Signature=" SIGNATURE,
					      "AWS4-HMAC-SHA256   Signature=" SIGNATURE
					      " ,\tSignedHeaders=host;x,  Credential=A" SCOPE};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct sigv4_authorization parsed;
		struct error error = {0};

		assert_ok(sigv4_authorization_parse(view_of_text(headers[i]), &parsed, &error), &error);
		assert_string_equal(parsed.access_key_id, "A");
		assert_true(view_equal_text(parsed.date, "20260101"));
		assert_true(view_equal_text(parsed.region, "us-east-1"));
		assert_true(view_equal_text(parsed.service, "kms"));
		assert_true(view_equal_text(parsed.signed_headers, "host;x"));
		assert_true(view_equal_text(parsed.signature, SIGNATURE));
	}
}

static int setup(void **state)
{
	struct fixture *fixture = memory_allocate_zeroed(1, sizeof *fixture);
	struct error error = {0};

	*state = fixture;
	assert_ok(secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error), &error);
	(void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/ensign-test-sigv4-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	(void)snprintf(fixture->path, sizeof fixture->path, "%s/store", fixture->folder);
	fixture->store = sim_store_open(fixture->path, &error);
	assert_ok(fixture->store != NULL, &error);
	assert_ok(identities_operator(fixture->store, USER, &fixture->user, &error), &error);
	assert_ok(identities_role(fixture->store, ROLE, "i-1", clock_realtime_ms(), &fixture->role, &error), &error);
	fixture->service =
		(struct kms_service){.store = fixture->store, .region = REGION, .account = ACCOUNT, .operator_arn = USER};
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	sim_identity_done(&fixture->user);
	sim_identity_done(&fixture->role);
	sim_store_free(fixture->store);
	(void)unlink(fixture->path);
	(void)rmdir(fixture->folder);
	free(fixture);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_tampering),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_authorization_header),
		cmocka_unit_test(test_authorization_parse),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
