/* SPDX-License-Identifier: Apache-2.0 */
#include "net/http_transfer.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "net/deadline.h"

/* A response limit up to this is reserved at once; above it memory grows with what comes (a page of table rows is 1 MiB). */
#define RESERVE_AT_ONCE_SIZE (256u << 10)
/* All header lines of an answer, trailers included; AWS sends a few hundred bytes. */
#define RESPONSE_HEADERS_MAX_SIZE (64u << 10)

static void url_done(CURLU **url)
{
	curl_url_cleanup(*url);
}

static void curl_text_done(char **text)
{
	curl_free(*text);
}

/* Like buffer_reserve, but what is left behind is wiped. */
static void reserve_wiping(struct buffer *body, size_t extra)
{
	struct buffer grown = {0};

	if (body->capacity > body->size && extra < body->capacity - body->size)
		return;
	buffer_reserve(&grown, body->size + extra);
	buffer_append(&grown, buffer_view(body));
	buffer_wipe_done(body);
	*body = grown;
}

static size_t take_body(char *bytes, size_t one, size_t size, void *context)
{
	struct http_transfer *transfer = (struct http_transfer *)context;

	(void)one;
	if (size > transfer->request.max_response_size - transfer->body.size) {
		transfer->body_too_large = true;
		return 0;
	}
	reserve_wiping(&transfer->body, size);
	buffer_append(&transfer->body, view_of(bytes, size));
	return size;
}

static size_t count_header(char *bytes, size_t one, size_t size, void *context)
{
	struct http_transfer *transfer = (struct http_transfer *)context;

	(void)bytes;
	(void)one;
	if (size > RESPONSE_HEADERS_MAX_SIZE - transfer->header_size) {
		transfer->headers_too_large = true;
		return 0;
	}
	transfer->header_size += size;
	return size;
}

static CURLcode prepare_tls(CURL *curl, void *tls_context, void *context)
{
	struct http_transfer *transfer = (struct http_transfer *)context;

	(void)curl;
	/* Without this OpenSSL keeps the last decrypted record in its read buffer. */
	(void)SSL_CTX_set_options((SSL_CTX *)tls_context, SSL_OP_CLEANSE_PLAINTEXT);
	return curl_socket_before_first_byte(&transfer->socket) ? CURLE_OK : CURLE_COULDNT_CONNECT;
}

/* Setting an option fails only for want of memory or when libcurl lacks the option: one check at the end is enough. */
#define SET(curl, result, option, value) ((result) |= (unsigned)curl_easy_setopt((curl), (option), (value)))

static unsigned set_safety(CURL *curl, bool keep_connection)
{
	unsigned bad = 0;

	SET(curl, bad, CURLOPT_NOSIGNAL, 1L);
	SET(curl, bad, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(curl, bad, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(curl, bad, CURLOPT_FOLLOWLOCATION, 0L);
	SET(curl, bad, CURLOPT_PROXY, "");
	SET(curl, bad, CURLOPT_NOPROXY, "*");
	SET(curl, bad, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(curl, bad, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
	SET(curl, bad, CURLOPT_FRESH_CONNECT, keep_connection ? 0L : 1L);
	SET(curl, bad, CURLOPT_FORBID_REUSE, keep_connection ? 0L : 1L);
	return bad;
}

static unsigned set_tls(CURL *curl, struct view ca_pem, bool judges_certificate)
{
	struct curl_blob blob = {.data = (void *)(uintptr_t)ca_pem.data, .len = ca_pem.size, .flags = CURL_BLOB_NOCOPY};
	unsigned bad = 0;

	SET(curl, bad, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(curl, bad, CURLOPT_SSL_VERIFYPEER, judges_certificate ? 0L : 1L);
	SET(curl, bad, CURLOPT_SSL_VERIFYHOST, judges_certificate ? 0L : 2L);
	SET(curl, bad, CURLOPT_CERTINFO, judges_certificate ? 1L : 0L);
	SET(curl, bad, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	if (ca_pem.size == 0)
		return bad;
	/* The distribution's defaults would be trusted beside the given anchors. */
	SET(curl, bad, CURLOPT_CAINFO, NULL);
	SET(curl, bad, CURLOPT_CAPATH, NULL);
	SET(curl, bad, CURLOPT_CAINFO_BLOB, &blob);
	return bad;
}

static unsigned set_client_certificate(CURL *curl, const struct http_request *request)
{
	const struct view chain = request->client_chain_pem, key = request->client_key_pem;
	struct curl_blob chain_blob = {.data = (void *)(uintptr_t)chain.data, .len = chain.size, .flags = CURL_BLOB_NOCOPY};
	struct curl_blob key_blob = {.data = (void *)(uintptr_t)key.data, .len = key.size, .flags = CURL_BLOB_NOCOPY};
	unsigned bad = 0;

	if (chain.size == 0)
		return bad;
	SET(curl, bad, CURLOPT_SSLCERTTYPE, "PEM");
	SET(curl, bad, CURLOPT_SSLCERT_BLOB, &chain_blob);
	SET(curl, bad, CURLOPT_SSLKEYTYPE, "PEM");
	SET(curl, bad, CURLOPT_SSLKEY_BLOB, &key_blob);
	/* A key with a password: without one libcurl would ask the terminal. */
	SET(curl, bad, CURLOPT_KEYPASSWD, "");
	return bad;
}

static unsigned set_request(CURL *curl, const struct http_request *request, struct curl_slist *headers)
{
	bool is_get = strcmp(request->method, "GET") == 0;
	unsigned bad = 0;

	SET(curl, bad, CURLOPT_URL, request->url);
	SET(curl, bad, CURLOPT_HTTPHEADER, headers);
	if (is_get) {
		SET(curl, bad, CURLOPT_HTTPGET, 1L);
		return bad;
	}
	SET(curl, bad, CURLOPT_POST, 1L);
	SET(curl, bad, CURLOPT_CUSTOMREQUEST, request->method);
	SET(curl, bad, CURLOPT_POSTFIELDS, request->body.size ? (const char *)request->body.data : "");
	SET(curl, bad, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.size);
	return bad;
}

static unsigned set_callbacks(CURL *curl, struct http_transfer *transfer)
{
	unsigned bad = 0;

	SET(curl, bad, CURLOPT_ERRORBUFFER, transfer->problem);
	SET(curl, bad, CURLOPT_WRITEFUNCTION, take_body);
	SET(curl, bad, CURLOPT_WRITEDATA, transfer);
	SET(curl, bad, CURLOPT_HEADERFUNCTION, count_header);
	SET(curl, bad, CURLOPT_HEADERDATA, transfer);
	SET(curl, bad, CURLOPT_SSL_CTX_FUNCTION, prepare_tls);
	SET(curl, bad, CURLOPT_SSL_CTX_DATA, transfer);
	return bad;
}

static unsigned set_via(CURL *curl, struct http_transfer *transfer)
{
	unsigned bad;

	if (!transfer->request.via)
		return 0;
	bad = curl_socket_use(&transfer->socket, curl) ? 0u : 1u;
	if (!transfer->resolved)
		return bad;
	SET(curl, bad, CURLOPT_RESOLVE, transfer->resolved);
	/* Otherwise libcurl opens an IPv6 socket to see whether there is IPv6. */
	SET(curl, bad, CURLOPT_IPRESOLVE, (long)CURL_IPRESOLVE_V4);
	return bad;
}

static bool append(struct curl_slist **list, const char *line, struct error *error)
{
	struct curl_slist *longer = curl_slist_append(*list, line);

	if (!longer)
		return error_set(error, ERROR_IO, "out of memory");
	*list = longer;
	return true;
}

static bool make_headers(const struct http_request *request, struct curl_slist **ret_list, struct error *error)
{
	/* libcurl adds these two to a POST by itself; the second one only takes effect when the caller gives none. */
	if (!append(ret_list, "Expect:", error))
		return false;
	for (const char *const *header = request->headers; header && *header; header++) {
		/* A line break would end the header and begin another one of the peer's choice. */
		if (strpbrk(*header, "\r\n"))
			return error_set(error, ERROR_INPUT, "a header has a line break in it");
		if (!append(ret_list, *header, error))
			return false;
	}
	return append(ret_list, "Content-Type:", error);
}

/* With a connection of our own, any address does; an entry keeps libcurl from asking a name server. */
static bool make_resolved(const char *url, struct curl_slist **ret_list, struct error *error)
{
	CLEANUP(url_done) CURLU *parts = curl_url();
	CLEANUP(curl_text_done) char *host = NULL;
	CLEANUP(curl_text_done) char *port = NULL;
	AUTO_FREE char *entry = NULL;

	if (!parts || curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
	    curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK)
		return error_set(error, ERROR_INPUT, "not a URL with a host");
	/* Numeric IPv6 hosts are not looked up anyhow, and the list's notation has no place for them. */
	if (host[0] == '[')
		return true;
	entry = memory_format("%s:%s:127.0.0.1", host, port);
	return append(ret_list, entry, error);
}

/* What each failure of libcurl means to us. Not listed: the answer or the request cannot be used, trying again is no help. */
static const struct {
	CURLcode code;
	const char *what;
	bool transient;
} causes[] = {
	{CURLE_COULDNT_RESOLVE_HOST, "cannot resolve the name", true},
	{CURLE_COULDNT_CONNECT, "cannot connect", true},
	{CURLE_SEND_ERROR, "connection lost", true},
	{CURLE_RECV_ERROR, "connection lost", true},
	{CURLE_GOT_NOTHING, "connection closed without an answer", true},
	{CURLE_PARTIAL_FILE, "connection closed in the middle of the answer", true},
	/* Also what a relay's peer that hangs up during the handshake looks like. */
	{CURLE_SSL_CONNECT_ERROR, "TLS handshake failed", true},
	{CURLE_PEER_FAILED_VERIFICATION, "TLS certificate refused", false},
	{CURLE_SSL_CACERT_BADFILE, "TLS trust anchors unusable", false},
	{CURLE_SSL_CERTPROBLEM, "the client's certificate or key is unusable", false},
	{CURLE_UNSUPPORTED_PROTOCOL, "not an HTTP answer", false},
	{CURLE_WEIRD_SERVER_REPLY, "not an HTTP answer", false},
};

/* libcurl's own words, unless they are about the socket's family, of which it only knows some; then the next best. */
static const char *problem_text(const struct http_transfer *transfer, CURLcode code)
{
	long verify_result = X509_V_OK;

	if (transfer->problem[0] && !strstr(transfer->problem, "inet_ntop() failed"))
		return transfer->problem;
	if (code == CURLE_PEER_FAILED_VERIFICATION &&
	    curl_easy_getinfo(transfer->curl, CURLINFO_SSL_VERIFYRESULT, &verify_result) == CURLE_OK && verify_result != X509_V_OK)
		return X509_verify_cert_error_string(verify_result);
	return curl_easy_strerror(code);
}

static bool explain(const struct http_transfer *transfer, CURLcode code, struct http_response *response, struct error *error)
{
	const char *what = "HTTP exchange failed";

	if (transfer->socket.problem.code != ERROR_NONE) {
		response->transient = true;
		return error_set(error, transfer->socket.problem.code, "%s", transfer->socket.problem.message);
	}
	if (transfer->body_too_large)
		return error_set(error, ERROR_PEER, "the answer is larger than %zu bytes", transfer->request.max_response_size);
	if (transfer->headers_too_large)
		return error_set(error, ERROR_PEER, "the answer's headers are larger than %u bytes", RESPONSE_HEADERS_MAX_SIZE);
	if (code == CURLE_OPERATION_TIMEDOUT) {
		response->transient = true;
		return error_set(error, ERROR_PEER, "timed out after %u ms", transfer->request.timeout_ms);
	}
	response->is_refused = code == CURLE_PEER_FAILED_VERIFICATION;
	if (code == CURLE_URL_MALFORMAT)
		return error_set(error, ERROR_INPUT, "not a URL");
	for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
		if (causes[i].code != code)
			continue;
		what = causes[i].what;
		response->transient = causes[i].transient;
	}
	return error_set(error, ERROR_PEER, "%s: %s", what, problem_text(transfer, code));
}

static void copy_header(CURL *curl, const char *name, char ret_value[HTTP_HEADER_VALUE_SIZE])
{
	struct curl_header *header = NULL;

	if (name && curl_easy_header(curl, name, 0, CURLH_HEADER, -1, &header) == CURLHE_OK)
		(void)snprintf(ret_value, HTTP_HEADER_VALUE_SIZE, "%s", header->value);
}

/* libcurl lists what is in each certificate of the chain; the first is the server's own. */
static bool take_certificate(CURL *curl, struct buffer *ret_pem, struct error *error)
{
	static const char name[] = "Cert:";
	struct curl_certinfo *chain = NULL;

	if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &chain) == CURLE_OK && chain && chain->num_of_certs > 0) {
		for (const struct curl_slist *entry = chain->certinfo[0]; entry; entry = entry->next) {
			if (strncmp(entry->data, name, strlen(name)) != 0)
				continue;
			buffer_append_text(ret_pem, entry->data + strlen(name));
			return true;
		}
	}
	return error_set(error, ERROR_PEER, "the server showed no certificate");
}

static bool take_answer(struct http_transfer *transfer, struct http_response *response, struct error *error)
{
	if (curl_easy_getinfo(transfer->curl, CURLINFO_RESPONSE_CODE, &response->status) != CURLE_OK)
		return error_set(error, ERROR_BUG, "no status");
	copy_header(transfer->curl, "Content-Type", response->content_type);
	for (size_t i = 0; i < HTTP_WANTED_HEADERS_MAX; i++)
		copy_header(transfer->curl, transfer->request.wanted_headers[i], response->wanted_values[i]);
	if (transfer->request.judges_certificate && !take_certificate(transfer->curl, &response->server_certificate_pem, error))
		return false;
	response->body = transfer->body;
	transfer->body = (struct buffer){0};
	return true;
}

bool http_transfer_finish(struct http_transfer *transfer, CURLcode code, struct http_response *ret_response, struct error *error)
{
	*ret_response = (struct http_response){0};
	return code == CURLE_OK ? take_answer(transfer, ret_response, error) : explain(transfer, code, ret_response, error);
}

static unsigned set_options(struct http_transfer *transfer, uint64_t deadline_ms, bool keep_connection)
{
	const struct http_request *request = &transfer->request;
	CURL *curl = transfer->curl;
	unsigned bad = set_safety(curl, keep_connection) | set_tls(curl, request->ca_pem, request->judges_certificate) |
		       set_client_certificate(curl, request) | set_request(curl, request, transfer->headers) |
		       set_callbacks(curl, transfer) | set_via(curl, transfer);

	/* 0 would mean no limit. */
	SET(curl, bad, CURLOPT_TIMEOUT_MS, (long)deadline_left_ms(deadline_ms) + 1);
	return bad;
}

bool http_transfer_init(struct http_transfer *transfer, const struct http_request *request, bool keep_connection,
			struct error *error)
{
	uint64_t deadline_ms = deadline_after(request->timeout_ms);

	*transfer = (struct http_transfer){.request = *request, .socket = CURL_SOCKET_NONE};
	transfer->socket.via = request->via;
	transfer->socket.deadline_ms = deadline_ms;
	if (!http_client_prepare(error) || !make_headers(request, &transfer->headers, error) ||
	    (request->via && !make_resolved(request->url, &transfer->resolved, error)))
		return false;
	transfer->curl = curl_easy_init();
	if (!transfer->curl)
		return error_set(error, ERROR_IO, "out of memory");
	if (request->max_response_size <= RESERVE_AT_ONCE_SIZE)
		buffer_reserve(&transfer->body, request->max_response_size);
	if (set_options(transfer, deadline_ms, keep_connection))
		return error_set(error, ERROR_BUG, "libcurl lacks an option or memory");
	return true;
}

void http_transfer_done(struct http_transfer *transfer)
{
	/* The handle first: it uses the lists. */
	curl_easy_cleanup(transfer->curl);
	curl_slist_free_all(transfer->headers);
	curl_slist_free_all(transfer->resolved);
	buffer_wipe_done(&transfer->body);
	curl_socket_done(&transfer->socket);
	*transfer = (struct http_transfer){.socket = CURL_SOCKET_NONE};
}
