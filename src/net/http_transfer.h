/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange as libcurl sees it: a handle with every option set, and what its callbacks fill. Part of http_client and http_session,
 * which differ only in who drives the handle and whether its connection is kept.
 */
#pragma once

#include <curl/curl.h>

#include "net/curl_socket.h"
#include "net/http_client.h"

struct http_transfer {
	struct http_request request; /* borrows what the caller's did */
	CURL *curl;
	struct curl_slist *headers;  /* libcurl's copies of the lines */
	struct curl_slist *resolved; /* what keeps it from asking a name server */
	struct curl_socket socket;   /* of a request with `via` */
	struct buffer body;          /* of the answer */
	size_t header_size;
	bool body_too_large;
	bool headers_too_large;
	char problem[CURL_ERROR_SIZE]; /* libcurl's words */
};

/* Call first: libcurl's callbacks keep the transfer's address, so it stays where it is until http_transfer_done(). */
MUST_USE bool http_transfer_init(struct http_transfer *transfer, const struct http_request *request, bool keep_connection,
				 struct error *error);
/* The outcome of a transfer that ended with `code`, as http_exchange() gives it. */
MUST_USE bool http_transfer_finish(struct http_transfer *transfer, CURLcode code, struct http_response *ret_response,
				   struct error *error);
/* Wipes and releases; the handle must have left its session. */
void http_transfer_done(struct http_transfer *transfer);

#define AUTO_HTTP_TRANSFER CLEANUP(http_transfer_done)
