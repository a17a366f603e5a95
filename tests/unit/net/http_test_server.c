/* SPDX-License-Identifier: Apache-2.0 */
#include "http_test_server.h"

#include "vectors.h"

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include <microhttpd.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

struct test_server {
	struct MHD_Daemon *daemon;
	const struct test_answer *answers;
	size_t answer_count;
	uint16_t port;
	pthread_mutex_t lock; /* over what follows: the server has a thread for each connection */
	struct test_request requests[TEST_SERVER_MAX_REQUESTS];
	size_t request_count;
	size_t connection_count;
};

static void take_bio(BIO *bio, struct buffer *ret_text)
{
	char *text;
	long size = BIO_get_mem_data(bio, &text);

	assert_true(size > 0);
	buffer_append(ret_text, view_of(text, (size_t)size));
	/* The server takes PEM as text. */
	(void)buffer_text(ret_text);
	(void)BIO_free(bio);
}

static void add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

void test_certificate_make(const char *host, struct test_certificate *ret_certificate)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *certificate = X509_new();
	AUTO_FREE char *name = memory_format("DNS:%s", host);
	BIO *key_text = BIO_new(BIO_s_mem());
	BIO *certificate_text = BIO_new(BIO_s_mem());

	*ret_certificate = (struct test_certificate){0};
	assert_true(key && certificate && key_text && certificate_text);
	assert_int_equal(X509_set_version(certificate, X509_VERSION_3), 1);
	assert_int_equal(ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1), 1);
	assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600));
	assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), 3600));
	assert_int_equal(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8,
						    (const unsigned char *)"Test", -1, -1, 0),
			 1);
	assert_int_equal(X509_set_issuer_name(certificate, X509_get_subject_name(certificate)), 1);
	assert_int_equal(X509_set_pubkey(certificate, key), 1);
	add_extension(certificate, NID_subject_alt_name, name);
	add_extension(certificate, NID_basic_constraints, "critical,CA:TRUE");
	assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
	assert_int_equal(PEM_write_bio_X509(certificate_text, certificate), 1);
	assert_int_equal(PEM_write_bio_PrivateKey(key_text, key, NULL, NULL, 0, NULL, NULL), 1);
	take_bio(certificate_text, &ret_certificate->certificate_pem);
	take_bio(key_text, &ret_certificate->key_pem);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

void test_certificate_done(struct test_certificate *certificate)
{
	buffer_done(&certificate->certificate_pem);
	buffer_done(&certificate->key_pem);
}

static enum MHD_Result keep_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	buffer_append_format((struct buffer *)context, "%s: %s\n", name, value);
	return MHD_YES;
}

static enum MHD_Result answer(struct MHD_Connection *connection, const struct test_answer *answer_)
{
	const char *body = answer_->body ? answer_->body : "";
	size_t size = answer_->body_size ? answer_->body_size : strlen(body);
	struct MHD_Response *response = MHD_create_response_from_buffer(size, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	if (answer_->content_type)
		(void)MHD_add_response_header(response, "Content-Type", answer_->content_type);
	if (answer_->header_name)
		(void)MHD_add_response_header(response, answer_->header_name, answer_->header_value);
	if (answer_->other_header_name)
		(void)MHD_add_response_header(response, answer_->other_header_name, answer_->other_header_value);
	result = MHD_queue_response(connection, answer_->status, response);
	MHD_destroy_response(response);
	return result;
}

static struct test_request *begin_request(struct test_server *server, struct MHD_Connection *connection, const char *method,
					  const char *path)
{
	struct test_request *request;

	(void)pthread_mutex_lock(&server->lock);
	request = server->request_count < TEST_SERVER_MAX_REQUESTS ? &server->requests[server->request_count++] : NULL;
	if (request) {
		request->method = memory_copy_text(method);
		request->path = memory_copy_text(path);
		(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, keep_header, &request->headers);
	}
	(void)pthread_mutex_unlock(&server->lock);
	return request;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *bytes, size_t *size, void **request_context)
{
	struct test_server *server = (struct test_server *)context;
	struct test_request *request = (struct test_request *)*request_context;
	const struct test_answer *chosen;
	size_t index;

	(void)version;
	if (!request) {
		*request_context = begin_request(server, connection, method, path);
		return *request_context ? MHD_YES : MHD_NO;
	}
	if (*size > 0) {
		(void)pthread_mutex_lock(&server->lock);
		buffer_append(&request->body, view_of(bytes, *size));
		(void)pthread_mutex_unlock(&server->lock);
		*size = 0;
		return MHD_YES;
	}
	index = (size_t)(request - server->requests);
	chosen = &server->answers[index < server->answer_count ? index : server->answer_count - 1];
	(void)usleep(chosen->delay_ms * 1000);
	return chosen->is_lost ? MHD_NO : answer(connection, chosen);
}

static void count_connection(void *context, struct MHD_Connection *connection, void **connection_context,
			     enum MHD_ConnectionNotificationCode code)
{
	struct test_server *server = (struct test_server *)context;

	(void)connection;
	(void)connection_context;
	(void)pthread_mutex_lock(&server->lock);
	server->connection_count += code == MHD_CONNECTION_NOTIFY_STARTED;
	(void)pthread_mutex_unlock(&server->lock);
}

struct test_server *test_server_new(const struct test_certificate *certificate, const struct address *listen_address,
				    const struct test_answer *answers, size_t count)
{
	struct test_server *server = (struct test_server *)memory_allocate_zeroed(1, sizeof *server);
	struct address any_port = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
	struct error error = {0};
	int fd = address_listen(listen_address ? listen_address : &any_port, 16, &error);
	unsigned flags =
		MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | (certificate ? (unsigned)MHD_USE_TLS : 0u);

	assert_ok(fd >= 0, &error);
	assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
	server->answers = answers;
	server->answer_count = count;
	server->port = address_bound_port(fd);
	if (certificate)
		server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, fd,
						  MHD_OPTION_NOTIFY_CONNECTION, count_connection, server, MHD_OPTION_HTTPS_MEM_CERT,
						  (const char *)certificate->certificate_pem.data, MHD_OPTION_HTTPS_MEM_KEY,
						  (const char *)certificate->key_pem.data, MHD_OPTION_END);
	if (!certificate)
		server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, fd,
						  MHD_OPTION_NOTIFY_CONNECTION, count_connection, server, MHD_OPTION_END);
	assert_non_null(server->daemon);
	return server;
}

void test_server_free(struct test_server **server_)
{
	struct test_server *server = *server_;

	if (!server)
		return;
	MHD_stop_daemon(server->daemon);
	for (size_t i = 0; i < server->request_count; i++) {
		free(server->requests[i].method);
		free(server->requests[i].path);
		buffer_done(&server->requests[i].headers);
		buffer_done(&server->requests[i].body);
	}
	(void)pthread_mutex_destroy(&server->lock);
	free(server);
	*server_ = NULL;
}

uint16_t test_server_port(const struct test_server *server)
{
	return server->port;
}

size_t test_server_connection_count(struct test_server *server)
{
	size_t count;

	(void)pthread_mutex_lock(&server->lock);
	count = server->connection_count;
	(void)pthread_mutex_unlock(&server->lock);
	return count;
}

size_t test_server_request_count(struct test_server *server)
{
	size_t count;

	(void)pthread_mutex_lock(&server->lock);
	count = server->request_count;
	(void)pthread_mutex_unlock(&server->lock);
	return count;
}

const struct test_request *test_server_request(struct test_server *server, size_t index)
{
	assert_true(index < test_server_request_count(server));
	return &server->requests[index];
}

char *test_request_header(const struct test_request *request, const char *name)
{
	struct view left = buffer_view(&request->headers);
	size_t name_size = strlen(name);

	while (left.size > 0) {
		const uint8_t *end = (const uint8_t *)memchr(left.data, '\n', left.size);
		size_t size = (size_t)(end - left.data);

		if (size > name_size + 1 && strncasecmp((const char *)left.data, name, name_size) == 0 &&
		    left.data[name_size] == ':')
			return memory_format("%.*s", (int)(size - name_size - 2), (const char *)left.data + name_size + 2);
		left = view_of(end + 1, left.size - size - 1);
	}
	return NULL;
}
