/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/http_tls.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include "base/log.h"
#include "enclave/metrics.h"
#include "net/proxy_protocol.h"

/* Leaf, intermediates, root: longer chains do not fit TLS_IDENTITY_CHAIN_MAX_SIZE anyway. */
#define CHAIN_MAX_LENGTH 16
/*
 * Bytes that a client may send without having a request read any of them: a handshake, or the headers of a request. GnuTLS keeps a handshake message
 * until the whole of it is there, 16 MiB as it may claim to be, before it looks at it, and after the handshake too. The longest chain of a client
 * and the longest headers (http_server.c) take half of this.
 */
#define UNREAD_MAX_SIZE (48u << 10)
/* Whoever reaches the port can cause these lines. */
#define REFUSAL_LINES_PER_SECOND 2

struct identity {
	atomic_uint references;
	gnutls_privkey_t key;
	gnutls_pcert_st chain[CHAIN_MAX_LENGTH];
	unsigned chain_length;
};

struct http_tls {
	struct client_rules *rules; /* borrowed; NULL: any client */
	gnutls_datum_t ticket_key;
	pthread_mutex_t lock;
	struct identity *identity; /* under the lock: of new handshakes */
};

/* What has come of the relay's header. */
struct preamble {
	size_t size;
	uint8_t bytes[PROXY_HEADER_MAX_SIZE];
};

struct http_tls_session {
	struct http_tls *tls;
	struct http_tls_socket socket;
	struct preamble *preamble; /* NULL once TLS has begun */
	struct identity *identity; /* that GnuTLS borrows; NULL before the handshake asked for it */
	struct http_client client;
	struct client_admission admission;
	size_t unread; /* bytes that came since a request had some of them */
	enum metrics_tls_version version;
	enum metrics_tls_outcome outcome;
};

/* ---- identity ---- */

static gnutls_datum_t datum(struct view bytes)
{
	return (gnutls_datum_t){.data = (unsigned char *)(uintptr_t)bytes.data, .size = (unsigned)bytes.size};
}

static bool failed(const char *what, int result, struct error *error)
{
	return error_set(error, ERROR_CRYPTO, "%s: %s", what, gnutls_strerror(result));
}

static bool import_key(struct identity *identity, struct view der, struct error *error)
{
	gnutls_datum_t data = datum(der);
	int result = gnutls_privkey_init(&identity->key);

	if (result == 0)
		result = gnutls_privkey_import_x509_raw(identity->key, &data, GNUTLS_X509_FMT_DER, NULL, GNUTLS_PKCS_PLAIN);
	return result == 0 ? true : failed("TLS key", result, error);
}

static bool import_chain(struct identity *identity, struct view pem, struct error *error)
{
	gnutls_datum_t data = datum(pem);
	unsigned length = CHAIN_MAX_LENGTH;
	int result = gnutls_pcert_list_import_x509_raw(identity->chain, &length, &data, GNUTLS_X509_FMT_PEM, 0);

	if (result != 0)
		return failed("TLS certificate chain", result, error);
	identity->chain_length = length;
	if (length == 0)
		return error_set(error, ERROR_CRYPTO, "TLS certificate chain: empty");
	return true;
}

/* The leaf must be that of the key: else every handshake would fail, one by one. */
static bool check_pair(struct identity *identity, struct error *error)
{
	unsigned char ids[2][64];
	size_t sizes[2] = {sizeof ids[0], sizeof ids[1]};
	gnutls_pubkey_t public_key;
	int result = gnutls_pubkey_init(&public_key);

	if (result != 0)
		return failed("TLS key", result, error);
	result = gnutls_pubkey_import_privkey(public_key, identity->key, 0, 0);
	if (result == 0)
		result = gnutls_pubkey_get_key_id(public_key, GNUTLS_KEYID_USE_SHA256, ids[0], &sizes[0]);
	if (result == 0)
		result = gnutls_pubkey_get_key_id(identity->chain[0].pubkey, GNUTLS_KEYID_USE_SHA256, ids[1], &sizes[1]);
	gnutls_pubkey_deinit(public_key);
	if (result != 0)
		return failed("TLS key", result, error);
	if (!view_equal(view_of(ids[0], sizes[0]), view_of(ids[1], sizes[1])))
		return error_set(error, ERROR_CRYPTO, "the TLS key is not that of the certificate");
	return true;
}

static void identity_release(struct identity *identity)
{
	if (!identity || atomic_fetch_sub_explicit(&identity->references, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < identity->chain_length; i++)
		gnutls_pcert_deinit(&identity->chain[i]);
	if (identity->key)
		gnutls_privkey_deinit(identity->key);
	free(identity);
}

static struct identity *identity_new(struct view key, struct view chain, struct error *error)
{
	struct identity *identity = (struct identity *)memory_allocate_zeroed(1, sizeof *identity);

	atomic_init(&identity->references, 1);
	if (import_key(identity, key, error) && import_chain(identity, chain, error) && check_pair(identity, error))
		return identity;
	identity_release(identity);
	return NULL;
}

bool http_tls_set_identity(struct http_tls *tls, struct view key, struct view chain, struct error *error)
{
	struct identity *identity = identity_new(key, chain, error);
	struct identity *before;

	if (!identity)
		return false;
	(void)pthread_mutex_lock(&tls->lock);
	before = tls->identity;
	tls->identity = identity;
	(void)pthread_mutex_unlock(&tls->lock);
	identity_release(before);
	return true;
}

static struct identity *current_identity(struct http_tls *tls)
{
	struct identity *identity;

	(void)pthread_mutex_lock(&tls->lock);
	identity = tls->identity;
	atomic_fetch_add_explicit(&identity->references, 1, memory_order_relaxed);
	(void)pthread_mutex_unlock(&tls->lock);
	return identity;
}

int http_tls_certificate(gnutls_session_t session, const gnutls_datum_t *authorities, int authority_count,
			 const gnutls_pk_algorithm_t *algorithms, int algorithm_count, gnutls_pcert_st **ret_chain,
			 unsigned int *ret_chain_length, gnutls_privkey_t *ret_key)
{
	struct http_tls_session *ours = (struct http_tls_session *)gnutls_session_get_ptr(session);

	(void)authorities;
	(void)authority_count;
	(void)algorithms;
	(void)algorithm_count;
	if (!ours->identity)
		ours->identity = current_identity(ours->tls);
	*ret_chain = ours->identity->chain;
	*ret_chain_length = ours->identity->chain_length;
	*ret_key = ours->identity->key;
	return 0;
}

/* ---- the relay's header ---- */

static void end_preamble(struct http_tls_session *session)
{
	free(session->preamble);
	session->preamble = NULL;
}

static ssize_t refuse_bytes(const char *why)
{
	static struct log_limit limit = {.per_second = REFUSAL_LINES_PER_SECOND};

	log_write_limited(&limit, LOG_LEVEL_WARNING, "connection_refused", "reason=\"%s\"", why);
	errno = EPROTO;
	return -1;
}

/*
 * Some of the header. Exactly as many bytes are read as it still lacks, so what follows stays in the socket for GnuTLS. Whoever
 * connects without a relay in between begins with TLS, whose first byte is handed on. As recv(): 1 is that byte, 0 the end of the stream;
 * -1 with errno 0: go on.
 */
static ssize_t receive_preamble(struct http_tls_session *session, uint8_t *ret_first)
{
	struct preamble *preamble = session->preamble;
	size_t missing = 1;
	struct error error;
	ssize_t got;

	if (preamble->size > 0)
		(void)!proxy_header_missing(view_of(preamble->bytes, preamble->size), &missing, &error);
	got = recv(session->socket.fd, preamble->bytes + preamble->size, missing, 0);
	if (got <= 0)
		return got;
	if (preamble->size == 0 && preamble->bytes[0] == TLS_FIRST_BYTE) {
		*ret_first = TLS_FIRST_BYTE;
		end_preamble(session);
		return 1;
	}
	preamble->size += (size_t)got;
	if (!proxy_header_missing(view_of(preamble->bytes, preamble->size), &missing, &error))
		return refuse_bytes(error.message);
	if (missing == 0) {
		proxy_header_address(view_of(preamble->bytes, preamble->size), session->client.address);
		session->client.has_address = session->client.address[0] != '\0';
		end_preamble(session);
	}
	errno = 0;
	return -1;
}

static ssize_t receive(struct http_tls_session *session, void *data, size_t size)
{
	while (session->preamble) {
		ssize_t got = receive_preamble(session, (uint8_t *)data);

		if (got >= 0 || errno != 0)
			return got;
	}
	return recv(session->socket.fd, data, size, 0);
}

/* In place of GnuTLS's own recv(), with the same answers. */
static ssize_t pull(gnutls_transport_ptr_t pointer, void *data, size_t size)
{
	struct http_tls_session *session = (struct http_tls_session *)pointer;
	ssize_t got = receive(session, data, size);

	if (got < 0 && errno == EAGAIN && session->outcome == TLS_FAILED) {
		session->socket.wait(session->socket.context);
		errno = EAGAIN;
	}
	if (got > 0)
		session->unread += (size_t)got;
	return session->unread <= UNREAD_MAX_SIZE ? got : refuse_bytes("too many bytes of TLS that no request is in");
}

void http_tls_session_note_read(struct http_tls_session *session)
{
	session->unread = 0;
}

/* ---- clients ---- */

/* What could end the quotes of a log line. */
static void copy_quotable(const char *name, char *ret_text, size_t size)
{
	size_t i = 0;

	for (; name[i] && i + 1 < size; i++)
		ret_text[i] = name[i];
	ret_text[i] = '\0';
	for (i = 0; ret_text[i]; i++) {
		if (ret_text[i] == '"' || ret_text[i] == '\\')
			ret_text[i] = '?';
	}
}

static void log_refusal(const struct http_tls_session *session, const struct error *why)
{
	static struct log_limit limit = {.per_second = REFUSAL_LINES_PER_SECOND};
	const struct http_client *client = &session->client;
	char fingerprint[2 * sizeof client->fingerprint + 1];
	char name[sizeof client->common_name];

	copy_quotable(client->common_name, name, sizeof name);
	hex_encode(view_of(client->fingerprint, sizeof client->fingerprint), fingerprint);
	log_write_limited(&limit, LOG_LEVEL_WARNING, "client_refused", "client=%s common_name=\"%s\" fingerprint=%s reason=\"%s\"",
			  client->has_address ? client->address : "-", name, fingerprint, why->message);
}

/*
 * The client's Finished has come: by then it has proved that the key of the certificate is its own, now or in the session that it
 * resumes. GnuTLS's own place for a verdict, the verify function, is passed over when a session is resumed in TLS 1.3.
 */
static int on_finished(gnutls_session_t gnutls, unsigned type, unsigned when, unsigned incoming, const gnutls_datum_t *message)
{
	struct http_tls_session *session = (struct http_tls_session *)gnutls_session_get_ptr(gnutls);
	const gnutls_datum_t *chain;
	unsigned length = 0;
	struct error error;

	(void)type;
	(void)when;
	(void)message;
	if (!incoming)
		return 0;
	session->version = gnutls_protocol_get_version(gnutls) == GNUTLS_TLS1_2 ? TLS_VERSION_1_2 : TLS_VERSION_1_3;
	chain = gnutls_certificate_get_peers(gnutls, &length);
	session->outcome = TLS_COMPLETED;
	if (session->tls->rules &&
	    !client_rules_admit(session->tls->rules, chain, chain ? length : 0, &session->client, &session->admission, &error))
		session->outcome = TLS_CLIENT_REFUSED;
	metrics_add(METRIC_TLS_HANDSHAKES, session->version, session->outcome, 1);
	if (session->outcome == TLS_COMPLETED)
		return 0;
	log_refusal(session, &error);
	/* libmicrohttpd only hangs up; a client that is told can tell its user. */
	(void)gnutls_alert_send(gnutls, GNUTLS_AL_FATAL, GNUTLS_A_ACCESS_DENIED);
	return GNUTLS_E_CERTIFICATE_ERROR;
}

bool http_tls_session_is_admitted(struct http_tls_session *session)
{
	struct error error;

	if (!session->tls->rules || client_rules_still_admit(session->tls->rules, &session->client, &session->admission, &error))
		return true;
	log_refusal(session, &error);
	return false;
}

const struct http_client *http_tls_session_client(const struct http_tls_session *session)
{
	return &session->client;
}

/* ---- life ---- */

struct http_tls_session *http_tls_session_new(struct http_tls *tls, gnutls_session_t gnutls, const struct http_tls_socket *socket)
{
	struct http_tls_session *session = (struct http_tls_session *)memory_allocate_zeroed(1, sizeof *session);

	session->tls = tls;
	session->socket = *socket;
	session->outcome = TLS_FAILED; /* until it is another */
	metrics_change(METRIC_CONNECTIONS, 0, 1);
	session->preamble = (struct preamble *)memory_allocate_zeroed(1, sizeof *session->preamble);
	gnutls_session_set_ptr(gnutls, session);
	gnutls_transport_set_ptr2(gnutls, session, (gnutls_transport_ptr_t)(intptr_t)socket->fd);
	gnutls_transport_set_pull_function(gnutls, pull);
	/* Without tickets there is no resumption, and that is all. */
	(void)gnutls_session_ticket_enable_server(gnutls, &tls->ticket_key);
	/* Not GNUTLS_CERT_REQUIRE, which would hang up on a client without one and say nothing; on_finished() refuses it. */
	if (tls->rules)
		gnutls_certificate_server_set_request(gnutls, GNUTLS_CERT_REQUEST);
	gnutls_handshake_set_hook_function(gnutls, GNUTLS_HANDSHAKE_FINISHED, GNUTLS_HOOK_POST, on_finished);
	return session;
}

void http_tls_session_free(struct http_tls_session *session)
{
	if (!session)
		return;
	metrics_change(METRIC_CONNECTIONS, 0, -1);
	if (session->outcome == TLS_FAILED)
		metrics_add(METRIC_TLS_HANDSHAKES, session->version, session->outcome, 1);
	identity_release(session->identity);
	end_preamble(session);
	free(session);
}

struct http_tls *http_tls_new(struct view key, struct view chain, struct client_rules *rules, struct error *error)
{
	struct http_tls *tls = (struct http_tls *)memory_allocate_zeroed(1, sizeof *tls);
	int result;

	tls->rules = rules;
	(void)pthread_mutex_init(&tls->lock, NULL);
	result = gnutls_session_ticket_key_generate(&tls->ticket_key);
	if (result == 0 && http_tls_set_identity(tls, key, chain, error))
		return tls;
	if (result != 0)
		(void)failed("session tickets", result, error);
	http_tls_free(tls);
	return NULL;
}

void http_tls_free(struct http_tls *tls)
{
	if (!tls)
		return;
	identity_release(tls->identity);
	if (tls->ticket_key.data) {
		gnutls_memset(tls->ticket_key.data, 0, tls->ticket_key.size);
		gnutls_free(tls->ticket_key.data);
	}
	(void)pthread_mutex_destroy(&tls->lock);
	free(tls);
}
