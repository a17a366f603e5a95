/* SPDX-License-Identifier: Apache-2.0 */
/* A scripted HTTP(S) server on 127.0.0.1 for the tests of clients: answers in turn, keeps what it was asked. */
#pragma once

#include "net/address.h"

#define TEST_SERVER_MAX_REQUESTS 64

struct test_answer {
	unsigned status;
	const char *body; /* NULL: empty */
	size_t body_size; /* 0: the length of the text */
	const char *content_type;
	const char *header_name; /* one more header; NULL: none */
	const char *header_value;
	const char *other_header_name; /* and another one; NULL: none */
	const char *other_header_value;
	unsigned delay_ms; /* before the answer; other connections do not wait for it */
	bool is_lost;      /* the connection is closed instead of an answer */
};

struct test_request {
	char *method;
	char *path;
	struct buffer headers; /* "Name: value\n" each */
	struct buffer body;
};

/* A self-signed certificate for `host` and its key, as PEM. */
struct test_certificate {
	struct buffer certificate_pem;
	struct buffer key_pem;
};

void test_certificate_make(const char *host, struct test_certificate *ret_certificate);
void test_certificate_done(struct test_certificate *certificate);

struct test_server;

/*
 * The n-th request gets answers[n], those after the last one get the last. `certificate` NULL: plain HTTP. `listen` NULL: a free
 * TCP port. Failures end the test.
 */
struct test_server *test_server_new(const struct test_certificate *certificate, const struct address *listen,
				    const struct test_answer *answers, size_t count);
void test_server_free(struct test_server **server);
uint16_t test_server_port(const struct test_server *server);
/* Connections that were ever made. */
size_t test_server_connection_count(struct test_server *server);
/* What came so far; call when the client has its answer. */
size_t test_server_request_count(struct test_server *server);
const struct test_request *test_server_request(struct test_server *server, size_t index);
/* The value of a header of any letter case, up to its line's end, copied; NULL when there is none. Caller frees. */
char *test_request_header(const struct test_request *request, const char *name);
