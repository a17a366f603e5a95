/* SPDX-License-Identifier: Apache-2.0 */
#include "tls_client.h"

#include <ctype.h>
#include <poll.h>

#include "base/clock.h"

/* Only so that a test ends; a sanitizer's build on a machine at work takes ten seconds for the costliest request. */
#define ANSWER_TIMEOUT_MS 60000

static int prepare_session(struct tls_client *client, struct view ca_pem, const struct tls_client_options *options)
{
	gnutls_datum_t ca = {(unsigned char *)(uintptr_t)ca_pem.data, (unsigned)ca_pem.size};
	int result;

	(void)gnutls_certificate_allocate_credentials(&client->credentials);
	(void)gnutls_certificate_set_x509_trust_mem(client->credentials, &ca, GNUTLS_X509_FMT_PEM);
	if (options->key)
		(void)gnutls_certificate_set_x509_key(client->credentials, options->chain, (int)options->chain_length,
						      options->key);
	(void)gnutls_init(&client->session, GNUTLS_CLIENT);
	if (options->priorities)
		result = gnutls_priority_set_direct(client->session, options->priorities, NULL);
	else
		result = gnutls_set_default_priority(client->session);
	(void)gnutls_credentials_set(client->session, GNUTLS_CRD_CERTIFICATE, client->credentials);
	if (!options->no_server_name)
		(void)gnutls_server_name_set(client->session, GNUTLS_NAME_DNS, "localhost", strlen("localhost"));
	gnutls_session_set_verify_cert(client->session, "localhost", 0);
	if (result == 0 && options->resume)
		result = gnutls_session_set_data(client->session, options->resume->data, options->resume->size);
	gnutls_transport_set_int(client->session, client->fd);
	gnutls_handshake_set_timeout(client->session, ANSWER_TIMEOUT_MS);
	return result;
}

static bool send_preamble(const struct tls_client *client, const struct tls_client_options *options, struct error *error)
{
	size_t step = options->preamble_pause_us ? 1 : options->preamble.size;

	for (size_t sent = 0; sent < options->preamble.size; sent += step) {
		if (write(client->fd, options->preamble.data + sent, step) < 0)
			return error_set_errno(error, ERROR_IO, "preamble");
		(void)usleep(options->preamble_pause_us);
	}
	return true;
}

bool tls_client_connect_with(struct tls_client *client, const struct address *address, struct view ca_pem,
			     const struct tls_client_options *options, struct error *error)
{
	int result;

	*client = (struct tls_client){.fd = address_connect(address, ANSWER_TIMEOUT_MS, error)};
	if (client->fd < 0)
		return false;
	result = prepare_session(client, ca_pem, options);
	if (result != 0)
		return error_set(error, ERROR_BUG, "priorities: %s", gnutls_strerror(result));
	if (!send_preamble(client, options, error))
		return false;
	do
		result = gnutls_handshake(client->session);
	while (result < 0 && !gnutls_error_is_fatal(result));
	if (result == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return error_set(error, ERROR_CRYPTO, "handshake: alert: %s",
				 gnutls_alert_get_name(gnutls_alert_get(client->session)));
	return result == 0 ? true : error_set(error, ERROR_CRYPTO, "handshake: %s", gnutls_strerror(result));
}

bool tls_client_connect(struct tls_client *client, const struct address *address, struct view ca_pem, const char *priorities,
			struct error *error)
{
	return tls_client_connect_with(client, address, ca_pem, &(struct tls_client_options){.priorities = priorities}, error);
}

void tls_client_session(struct tls_client *client, gnutls_datum_t *ret_session)
{
	*ret_session = (gnutls_datum_t){NULL, 0};
	(void)gnutls_session_get_data2(client->session, ret_session);
}

void tls_client_done(struct tls_client *client)
{
	if (client->session)
		gnutls_deinit(client->session);
	if (client->credentials)
		gnutls_certificate_free_credentials(client->credentials);
	if (client->fd >= 0)
		(void)close(client->fd);
	buffer_done(&client->received);
	*client = (struct tls_client){.fd = -1};
}

bool tls_client_send(struct tls_client *client, struct view bytes)
{
	while (bytes.size > 0) {
		ssize_t sent = gnutls_record_send(client->session, bytes.data, bytes.size);

		if (sent < 0 && !gnutls_error_is_fatal((int)sent))
			continue;
		if (sent <= 0)
			return false;
		bytes = view_of(bytes.data + sent, bytes.size - (size_t)sent);
	}
	return true;
}

/* More bytes; false at the end of the stream or when none came in time. */
static bool receive_more(struct tls_client *client)
{
	uint8_t piece[16384];
	ssize_t got;

	gnutls_record_set_timeout(client->session, ANSWER_TIMEOUT_MS);
	do
		got = gnutls_record_recv(client->session, piece, sizeof piece);
	while (got == GNUTLS_E_INTERRUPTED || got == GNUTLS_E_AGAIN);
	if (got <= 0)
		return false;
	buffer_append(&client->received, view_of(piece, (size_t)got));
	return true;
}

/* Of the head in `text`. */
static const char *find_header(const char *head, const char *name)
{
	static _Thread_local char value[256];
	size_t size = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line; line = strstr(line, "\r\n")) {
		line += 2;
		if (strncasecmp(line, name, size) != 0 || line[size] != ':')
			continue;
		line += size + 1;
		while (*line == ' ')
			line++;
		(void)snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r\n"), line);
		return value;
	}
	return "";
}

bool tls_client_receive(struct tls_client *client, struct answer *ret_answer)
{
	struct buffer *received = &client->received;
	const char *end;
	uint64_t length;
	size_t head;

	while (!(end = strstr(buffer_text(received), "\r\n\r\n")))
		if (!receive_more(client))
			return false;
	head = (size_t)(end - buffer_text(received)) + 4;
	*ret_answer = (struct answer){.head = memory_format("%.*s", (int)head, buffer_text(received))};
	if (sscanf(ret_answer->head, "HTTP/1.1 %u ", &ret_answer->status) != 1 ||
	    !u64_parse(view_of_text(find_header(ret_answer->head, "Content-Length")), &length))
		return false;
	while (received->size < head + length)
		if (!receive_more(client))
			return false;
	buffer_append(&ret_answer->bytes, view_of(received->data + head, length));
	ret_answer->body = buffer_view(&ret_answer->bytes);
	(void)buffer_text(&ret_answer->bytes);
	memmove(received->data, received->data + head + length, received->size - head - length);
	received->size -= head + length;
	return true;
}

unsigned tls_client_wait_for_end(struct tls_client *client, unsigned max_ms)
{
	uint64_t begin_ms = clock_monotonic_ms();
	uint64_t spent_ms = 0;

	while (spent_ms < max_ms) {
		struct pollfd readable = {client->fd, POLLIN, 0};
		char piece[512];

		(void)poll(&readable, 1, (int)(max_ms - spent_ms));
		spent_ms = clock_monotonic_ms() - begin_ms;
		if (readable.revents && read(client->fd, piece, sizeof piece) <= 0)
			break;
	}
	return (unsigned)spent_ms;
}

void answer_done(struct answer *answer)
{
	free(answer->head);
	buffer_done(&answer->bytes);
	*answer = (struct answer){0};
}

const char *answer_header(const struct answer *answer, const char *name)
{
	return find_header(answer->head, name);
}
