/* SPDX-License-Identifier: Apache-2.0 */
/* A server that shows documents of the simulator's authority, each wrong in its own way. */
#include "attestation/client_session.h"

#include "base/clock.h"
#include "http_test_server.h"
#include "remove_tree.h"
#include "sim/authority.h"
#include "vectors.h"

#define MODULE_ID "i-0123456789abcdef0-enc0123456789abcdef"
#define TIMEOUT_MS 10000

static const uint8_t nonce[CLIENT_NONCE_MAX_SIZE] = {1, 2, 3};

struct fixture {
	char folder[64];
	struct authority *authority;
	struct test_certificate certificate;
	struct client_statement statement;
};

static int setup(void **state)
{
	struct fixture *fixture = (struct fixture *)memory_allocate_zeroed(1, sizeof *fixture);
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	struct error error = {0};

	*state = fixture;
	(void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/ensign-session-XXXXXX");
	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) || !mkdtemp(fixture->folder))
		return -1;
	fixture->authority = authority_open(fixture->folder, "us-east-1", "i-0123456789abcdef0", &error);
	assert_ok(fixture->authority != NULL, &error);
	test_certificate_make("localhost", &fixture->certificate);
	assert_ok(certificate_facts_read(buffer_view(&fixture->certificate.certificate_pem), &facts, &error), &error);
	memcpy(fixture->statement.tls_digest, facts.public_key_sha256, CLIENT_DIGEST_SIZE);
	memset(fixture->statement.keys_digest, 7, CLIENT_DIGEST_SIZE);
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = (struct fixture *)*state;
	int result = remove_tree(fixture->folder);

	authority_free(fixture->authority);
	test_certificate_done(&fixture->certificate);
	free(fixture);
	return result;
}

/* What a good one claims; the views borrow from `user_data` and the nonce. */
static struct attestation_document claims_of(const struct fixture *fixture, uint8_t user_data[CLIENT_STATEMENT_SIZE])
{
	struct attestation_document claims = {.module_id = MODULE_ID,
					      .timestamp_ms = clock_realtime_ms(),
					      .pcr_mask = 0xf,
					      .has_nonce = true,
					      .has_user_data = true};

	for (size_t i = 0; i < 4; i++)
		memset(claims.pcrs[i], (int)i + 1, NSM_PCR_SIZE);
	client_statement_write(&fixture->statement, user_data);
	claims.nonce = view_of(nonce, sizeof nonce);
	claims.user_data = view_of(user_data, CLIENT_STATEMENT_SIZE);
	return claims;
}

static char *answer_with(struct view document)
{
	AUTO_JSON json_t *object = json_object();
	AUTO_BUFFER struct buffer text = {0};

	(void)json_object_set_new(object, "attestation_document_b64", json_text_of_base64(document));
	json_write(object, &text);
	return memory_copy_text(buffer_text(&text));
}

static bool verify_answer(const struct fixture *fixture, const struct test_answer *answer, bool allows_debug,
			  struct client_session *ret_session, struct error *error)
{
	struct test_server *server = test_server_new(&fixture->certificate, NULL, answer, 1);
	AUTO_FREE char *url = memory_format("https://localhost:%u/a/path", test_server_port(server));
	const struct client_session_request request = {.url = url,
						       .root = authority_root(fixture->authority),
						       .nonce = view_of(nonce, sizeof nonce),
						       .timeout_ms = TIMEOUT_MS,
						       .allows_debug = allows_debug};
	bool ok = client_session_verify(&request, ret_session, error);

	assert_int_equal(strncmp(test_server_request(server, 0)->path, "/api/v1/enclave/attestation", 27), 0);
	test_server_free(&server);
	return ok;
}

static bool verify(const struct fixture *fixture, const struct attestation_document *claims, bool allows_debug,
		   struct client_session *ret_session, struct error *error)
{
	AUTO_BUFFER struct buffer document = {0};
	AUTO_FREE char *body = NULL;
	struct test_answer answer = {200};

	assert_ok(authority_issue(fixture->authority, claims, &document, error), error);
	body = answer_with(buffer_view(&document));
	answer.body = body;
	return verify_answer(fixture, &answer, allows_debug, ret_session, error);
}

static void a_session_with_an_enclave_is_verified(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	uint8_t user_data[CLIENT_STATEMENT_SIZE];
	const struct attestation_document claims = claims_of(fixture, user_data);
	AUTO_CLIENT_SESSION struct client_session session = {0};
	struct error error = {0};

	assert_ok(verify(fixture, &claims, false, &session, &error), &error);
	assert_memory_equal(session.attested.pcrs[0], claims.pcrs[0], NSM_PCR_SIZE);
	assert_memory_equal(session.statement.keys_digest, fixture->statement.keys_digest, CLIENT_DIGEST_SIZE);
	assert_true(view_equal(buffer_view(&session.certificate_pem), buffer_view(&fixture->certificate.certificate_pem)));
	/* It still has what the document's views borrow from. */
	assert_true(view_equal(session.attested.nonce, claims.nonce));
}

static void refuse(const struct fixture *fixture, const struct attestation_document *claims, const char *text)
{
	AUTO_CLIENT_SESSION struct client_session session = {0};
	struct error error = {0};

	assert_false(verify(fixture, claims, false, &session, &error));
	assert_int_equal(error.code, ERROR_CRYPTO);
	assert_message_contains(&error, text);
	assert_int_equal(session.document.size, 0);
}

static void what_is_not_of_this_session_is_refused(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	uint8_t user_data[CLIENT_STATEMENT_SIZE];
	const struct attestation_document good = claims_of(fixture, user_data);
	struct attestation_document claims = good;

	claims.nonce = view_of(nonce, sizeof nonce - 1);
	refuse(fixture, &claims, "nonce");
	claims.has_nonce = false;
	refuse(fixture, &claims, "nonce");
	claims = good;
	claims.has_user_data = false;
	refuse(fixture, &claims, "user_data");
	claims = good;
	claims.user_data = view_of_text("ensign tls 1");
	refuse(fixture, &claims, "user_data");
	claims = good;
	claims.timestamp_ms -= 6 * 60 * 1000;
	refuse(fixture, &claims, "apart");
	user_data[CLIENT_STATEMENT_SIZE - 2 * CLIENT_DIGEST_SIZE] ^= 1;
	refuse(fixture, &good, "another key than the attested one");
}

/* With measurements of zero, which whoever reads its memory can have as well. */
static void debug_enclaves_are_refused_unless_they_may_be(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	uint8_t user_data[CLIENT_STATEMENT_SIZE];
	struct attestation_document claims = claims_of(fixture, user_data);
	AUTO_CLIENT_SESSION struct client_session session = {0};
	struct error error = {0};

	for (size_t i = 0; i < 3; i++)
		memset(claims.pcrs[i], 0, NSM_PCR_SIZE);
	refuse(fixture, &claims, "debug");
	assert_ok(verify(fixture, &claims, true, &session, &error), &error);
	assert_true(attestation_is_debug(&session.attested));
}

static void answers_without_a_document_are_told(void **state)
{
	static const struct {
		struct test_answer answer;
		enum error_code code;
		const char *text;
	} bad[] = {
		{{503, "{\"message\":\"come again\"}"}, ERROR_PEER, "503: come again"},
		{{404, "{}"}, ERROR_PEER, "404"},
		{{200, "[]"}, ERROR_PEER, "answer"},
		{{200, "{}"}, ERROR_PEER, "attestation_document_b64"},
		{{200, "{\"attestation_document_b64\":\"?\"}"}, ERROR_PEER, "attestation_document_b64"},
		{{200, "{\"attestation_document_b64\":\"AAAA\"}"}, ERROR_CRYPTO, "attestation document"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		AUTO_CLIENT_SESSION struct client_session session = {0};
		struct error error = {0};

		assert_false(verify_answer((const struct fixture *)*state, &bad[i].answer, false, &session, &error));
		assert_int_equal(error.code, bad[i].code);
		assert_message_contains(&error, bad[i].text);
	}
}

static void requests_are_checked(void **state)
{
	static const uint8_t long_nonce[CLIENT_NONCE_MAX_SIZE + 1];
	struct client_session_request request = {.url = "http://localhost:1", .timeout_ms = TIMEOUT_MS};
	struct client_session session = {0};
	struct error error = {0};

	(void)state;
	assert_false(client_session_verify(&request, &session, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "https://");
	request.url = "https://localhost:1";
	request.nonce = view_of(long_nonce, sizeof long_nonce);
	assert_false(client_session_verify(&request, &session, &error));
	assert_int_equal(error.code, ERROR_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_session_with_an_enclave_is_verified),
		cmocka_unit_test(what_is_not_of_this_session_is_refused),
		cmocka_unit_test(debug_enclaves_are_refused_unless_they_may_be),
		cmocka_unit_test(answers_without_a_document_are_told),
		cmocka_unit_test(requests_are_checked),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
