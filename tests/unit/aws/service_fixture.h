/* SPDX-License-Identifier: Apache-2.0 */
/* A service of AWS with one answer, over TLS, and the way to it with credentials. */
#pragma once

#include "aws/request.h"
#include "http_test_server.h"
#include "vectors.h"

#define SERVICE_TIMEOUT_MS 10000

static struct test_certificate certificate;
static struct credentials credentials;

static inline int set_up(void **state)
{
	struct error error = {0};
	AUTO_JSON json_t *object = json_pack("{s:s,s:s}", "access_key_id", "AKIDEXAMPLE", "secret_access_key", "example");

	(void)state;
	json_use_wiping_memory();
	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) || !credentials_from_json(object, &credentials, &error))
		return -1;
	test_certificate_make("localhost", &certificate);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	credentials_done(&credentials);
	test_certificate_done(&certificate);
	return 0;
}

struct service_fixture {
	struct test_answer answer;
	struct test_server *server;
	char host[32];
	struct aws_endpoint endpoint; /* one attempt */
};

static inline void service_fixture_make(struct service_fixture *fixture, struct test_answer answer)
{
	*fixture = (struct service_fixture){.answer = answer};
	fixture->server = test_server_new(&certificate, NULL, &fixture->answer, 1);
	(void)snprintf(fixture->host, sizeof fixture->host, "localhost:%u", test_server_port(fixture->server));
	fixture->endpoint = (struct aws_endpoint){.region = "us-east-1",
						  .host = fixture->host,
						  .ca_pem = buffer_view(&certificate.certificate_pem),
						  .timeout_ms = SERVICE_TIMEOUT_MS,
						  .attempts = 1};
}

static inline void service_fixture_done(struct service_fixture *fixture)
{
	test_server_free(&fixture->server);
}

#define AUTO_SERVICE CLEANUP(service_fixture_done)

/* The first request: its X-Amz-Target, and its body to the byte. */
static inline void service_expect(struct service_fixture *fixture, const char *target, const char *body)
{
	const struct test_request *request = test_server_request(fixture->server, 0);
	AUTO_FREE char *seen = test_request_header(request, "x-amz-target");

	assert_string_equal(seen, target);
	if (!view_equal_text(buffer_view(&request->body), body))
		fail_msg("%.*s\nexpected:\n%s", (int)request->body.size, (const char *)request->body.data, body);
}
