/* SPDX-License-Identifier: Apache-2.0 */
/* Clients with certificates, tickets and new identities, on the real server. */
#include "vectors.h"

#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_certificate.h"
#include "net/proxy_protocol.h"
#include "server_fixture.h"

#define TLS12 "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13 "NORMAL:-VERS-ALL:+VERS-TLS1.3"

#define SLACK_MS 3000

static const char *const versions[] = {TLS12, TLS13};

static struct fixture fixture;
static struct client_rules *rules;
static struct client_certificate ca, vc, stranger;

static void start(bool with_ca, bool known)
{
	AUTO_BUFFER struct buffer pem = {0};
	struct error error;

	client_certificate_make(&ca, &(struct client_certificate_options){.common_name = "ca", .is_ca = true});
	client_certificate_make(&vc, &(struct client_certificate_options){.common_name = "vc", .issuer = &ca});
	client_certificate_make(&stranger, &(struct client_certificate_options){.common_name = "vc"});
	client_certificate_pem(&ca, &pem);
	rules = client_rules_new(with_ca ? buffer_view(&pem) : view_of(NULL, 0), known, &error);
	assert_ok(rules != NULL, &error);
	fixture_start(&fixture, &(struct fixture_options){.client_rules = rules, .key_count = 3});
}

static int stop(void **state)
{
	(void)state;
	fixture_stop(&fixture);
	client_rules_free(rules);
	rules = NULL;
	client_certificate_done(&ca);
	client_certificate_done(&vc);
	client_certificate_done(&stranger);
	return 0;
}

static void set_known(uint64_t serial, const struct client_certificate *client, const char *name)
{
	struct message_known_clients list;
	struct error error;

	message_init(&list, MESSAGE_KNOWN_CLIENTS, 0);
	list.serial = serial;
	list.count = client != NULL;
	if (client)
		list.clients[0] = client_certificate_known(client, name);
	assert_ok(client_rules_set_known(rules, &list, &error), &error);
}

/* A request on it; false when there is no answer. A server that hung up before the request came said why: an alert is read
 * also when the request could not be sent any more. */
static bool upcheck(struct tls_client *client)
{
	AUTO_ANSWER struct answer answer = {0};
	bool is_sent = tls_client_send(client, view_of_text("GET /upcheck HTTP/1.1\r\nHost: localhost\r\n\r\n"));

	if (!tls_client_receive(client, &answer))
		return false;
	assert_true(is_sent);
	assert_int_equal(answer.status, 200);
	return true;
}

/* With TLS 1.3 a client learns only after its handshake what the server thinks of its certificate. */
static bool is_let_in(const struct client_certificate *certificate, const char *version, struct tls_client *client,
		      const gnutls_datum_t *resume)
{
	struct tls_client_options options = {.priorities = version, .resume = resume};
	gnutls_x509_crt_t chain[1];
	struct error error;

	if (certificate) {
		chain[0] = certificate->certificate;
		options.key = certificate->key;
		options.chain = chain;
		options.chain_length = 1;
	}
	return tls_client_connect_with(client, &fixture.address, buffer_view(&fixture.ca_pem), &options, &error) && upcheck(client);
}

static void certificate_is_required(void **state)
{
	(void)state;
	start(true, false);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		AUTO_TLS_CLIENT struct tls_client none, unknown, good;

		assert_false(is_let_in(NULL, versions[i], &none, NULL));
		assert_int_equal(gnutls_alert_get(none.session), GNUTLS_A_ACCESS_DENIED);
		assert_false(is_let_in(&stranger, versions[i], &unknown, NULL));
		assert_int_equal(gnutls_alert_get(unknown.session), GNUTLS_A_ACCESS_DENIED);
		assert_true(is_let_in(&vc, versions[i], &good, NULL));
		assert_true(upcheck(&good));
	}
}

static void known_clients_come_and_go(void **state)
{
	(void)state;
	start(false, true);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		AUTO_TLS_CLIENT struct tls_client early, late, again;

		set_known(3 * i, NULL, NULL);
		assert_false(is_let_in(&stranger, versions[i], &early, NULL));
		set_known(3 * i + 1, &stranger, "vc");
		assert_true(is_let_in(&stranger, versions[i], &late, NULL));
		/* the connection is there, the client is not known any more */
		set_known(3 * i + 2, &vc, "vc");
		assert_false(upcheck(&late));
		assert_true(tls_client_wait_for_end(&late, SLACK_MS) < SLACK_MS);
		assert_true(is_let_in(&vc, versions[i], &again, NULL));
		/* a list that still has it changes nothing */
		set_known(3 * i + 2, &vc, "vc");
		assert_true(upcheck(&again));
	}
}

static void sessions_are_resumed(void **state)
{
	(void)state;
	start(true, false);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		AUTO_TLS_CLIENT struct tls_client first, second;
		gnutls_datum_t session;

		assert_true(is_let_in(&vc, versions[i], &first, NULL));
		assert_false(gnutls_session_is_resumed(first.session));
		tls_client_session(&first, &session);
		/* its certificate is in the ticket */
		assert_true(is_let_in(NULL, versions[i], &second, &session));
		assert_true(gnutls_session_is_resumed(second.session));
		gnutls_free(session.data);
	}
}

static void sessions_of_anybody_are_resumed(void **state)
{
	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		AUTO_TLS_CLIENT struct tls_client first, second;
		gnutls_datum_t session;

		assert_true(is_let_in(NULL, versions[i], &first, NULL));
		tls_client_session(&first, &session);
		assert_true(is_let_in(NULL, versions[i], &second, &session));
		assert_true(gnutls_session_is_resumed(second.session));
		gnutls_free(session.data);
	}
}

/* A ticket is no way around the list. */
static void resumption_is_judged_again(void **state)
{
	(void)state;
	start(false, true);
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		AUTO_TLS_CLIENT struct tls_client first, second, third;
		gnutls_datum_t session;

		set_known(2 * i, &stranger, "vc");
		assert_true(is_let_in(&stranger, versions[i], &first, NULL));
		tls_client_session(&first, &session);
		assert_true(is_let_in(&stranger, versions[i], &second, &session));
		assert_true(gnutls_session_is_resumed(second.session));
		set_known(2 * i + 1, &vc, "vc");
		assert_false(is_let_in(&stranger, versions[i], &third, &session));
		gnutls_free(session.data);
	}
}

/* What the API is told of a client, in full and in resumed sessions: here a policy that knows its name. */
static void api_knows_the_client(void **state)
{
	static const char policy[] = "{\"rules\":[{\"name\":\"vc\",\"effect\":\"allow\",\"clients\":[\"vc\"],\"types\":\"*\","
				     "\"keys\":\"*\"},{\"name\":\"rest\",\"effect\":\"deny\",\"clients\":\"*\",\"types\":\"*\","
				     "\"keys\":\"*\"}]}";
	AUTO_CLIENT_CERTIFICATE struct client_certificate other = {0};

	(void)state;
	start(true, false);
	fixture_stop(&fixture);
	fixture_start(&fixture, &(struct fixture_options){.client_rules = rules, .key_count = 1, .policy = policy});
	client_certificate_make(&other, &(struct client_certificate_options){.common_name = "other", .issuer = &ca});
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		for (unsigned resumed = 0; resumed < 2; resumed++) {
			AUTO_TLS_CLIENT struct tls_client first, second;
			AUTO_ANSWER struct answer mine = {0};
			AUTO_ANSWER struct answer theirs = {0};
			gnutls_datum_t session;

			assert_true(is_let_in(&vc, versions[i], &first, NULL));
			tls_client_session(&first, &session);
			if (resumed) {
				tls_client_done(&first);
				assert_true(is_let_in(&vc, versions[i], &first, &session));
				assert_true(gnutls_session_is_resumed(first.session));
			}
			gnutls_free(session.data);
			assert_true(is_let_in(&other, versions[i], &second, NULL));
			assert_true(tls_client_send(
				&first, view_of_text("GET /api/v1/eth2/publicKeys HTTP/1.1\r\nHost: localhost\r\n\r\n")));
			assert_true(tls_client_receive(&first, &mine));
			assert_true(mine.body.size > 90);
			assert_true(tls_client_send(
				&second, view_of_text("GET /api/v1/eth2/publicKeys HTTP/1.1\r\nHost: localhost\r\n\r\n")));
			assert_true(tls_client_receive(&second, &theirs));
			assert_true(view_equal_text(theirs.body, "[]"));
		}
	}
}

static void no_server_name_is_needed(void **state)
{
	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		AUTO_TLS_CLIENT struct tls_client client;
		struct error error;

		assert_ok(tls_client_connect_with(&client, &fixture.address, buffer_view(&fixture.ca_pem),
						  &(struct tls_client_options){.priorities = versions[i], .no_server_name = true},
						  &error),
			  &error);
		assert_true(upcheck(&client));
	}
}

/* ---- a relay in front ---- */

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define HEADER(bytes) view_of(SIGNATURE bytes, sizeof(SIGNATURE bytes) - 1)
#define TCP4_HEADER HEADER("\x21\x11\0\x0c\xc0\0\2\1\x0a\0\0\7\xc3\x50\x20\xfb")

static bool serves_after(struct view preamble, const char *version)
{
	AUTO_TLS_CLIENT struct tls_client client;
	struct error error;

	return tls_client_connect_with(&client, &fixture.address, buffer_view(&fixture.ca_pem),
				       &(struct tls_client_options){.priorities = version, .preamble = preamble}, &error) &&
	       upcheck(&client) && upcheck(&client);
}

static void relay_may_say_whose_it_is(void **state)
{
	uint8_t longest[PROXY_HEADER_MAX_SIZE] = SIGNATURE "\x20\0\2\x08";

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		assert_true(serves_after(view_of(NULL, 0), versions[i]));
		assert_true(serves_after(TCP4_HEADER, versions[i]));
		assert_true(serves_after(HEADER("\x20\0\0\0"), versions[i]));
		assert_true(serves_after(view_of(longest, sizeof longest), versions[i]));
	}
}

static void what_is_no_header_is_hung_up_on(void **state)
{
	const struct view cases[] = {
		view_of_text("GET / HTTP/1.1\r\n\r\n"),
		view_of_text("PROXY TCP4 192.0.2.1 10.0.0.7 50000 8443\r\n"),
		HEADER("\x21\x11\0\x0b\xc0\0\2\1\x0a\0\0\7\xc3\x50\x20"),
		HEADER("\x21\x11\xff\xff"),
		HEADER("\x20\0\2\x09"),
		view_of("\x15\3\1", 3),
		view_of("\x80\x2e\1", 3),
	};

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error;
		struct tls_client raw = {.fd = address_connect(&fixture.address, 1000, &error)};

		assert_true(write(raw.fd, cases[i].data, cases[i].size) > 0);
		if (tls_client_wait_for_end(&raw, SLACK_MS) >= SLACK_MS)
			fail_msg("case %zu is still there", i);
		(void)close(raw.fd);
	}
	/* one header, not two */
	{
		AUTO_BUFFER struct buffer twice = {0};

		buffer_append(&twice, TCP4_HEADER);
		buffer_append(&twice, TCP4_HEADER);
		assert_false(serves_after(buffer_view(&twice), TLS13));
	}
}

/* A byte at a time, with the server polling in between; then the handshake. */
static void header_comes_in_pieces(void **state)
{
	struct view header = TCP4_HEADER;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		AUTO_TLS_CLIENT struct tls_client client;
		struct error error;

		assert_ok(tls_client_connect_with(&client, &fixture.address, buffer_view(&fixture.ca_pem),
						  &(struct tls_client_options){
							  .priorities = versions[i], .preamble = header, .preamble_pause_us = 2000},
						  &error),
			  &error);
		assert_true(upcheck(&client));
	}
}

static void header_that_never_ends_is_hung_up_on(void **state)
{
	struct view header = TCP4_HEADER;
	struct tls_client raw;
	struct error error;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){.request_deadline_ms = 400});
	raw = (struct tls_client){.fd = address_connect(&fixture.address, 1000, &error)};
	assert_true(write(raw.fd, header.data, header.size - 1) > 0);
	assert_true(tls_client_wait_for_end(&raw, SLACK_MS) < SLACK_MS);
	(void)close(raw.fd);
}

/* ---- a new identity ---- */

static bool send_all(int fd, const uint8_t *bytes, size_t size)
{
	return send(fd, bytes, size, MSG_NOSIGNAL) == (ssize_t)size;
}

/* A message may claim 16 MiB, and would be kept until it is whole: by thousands of connections, of whoever reaches the port. */
static void a_handshake_without_end_is_hung_up_on(void **state)
{
	static uint8_t record[5 + 16384] = {0x16, 3, 1, 0x40, 0};
	struct error error = {0};
	size_t sent = 0;
	int fd;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	fd = address_connect(&fixture.address, 1000, &error);
	assert_ok(fd >= 0, &error);
	memcpy(record + 5, "\x01\xff\xff\xff\x03\x03", 6); /* a ClientHello of 16 MiB */
	while (sent < (4u << 20) && send_all(fd, record, sizeof record)) {
		sent += sizeof record;
		memset(record + 5, 0, 6);
		(void)usleep(10000); /* what is sent may lie in the socket for a while */
	}
	assert_in_range(sent, sizeof record, 1u << 20);
	(void)close(fd);
}

/* Neither may records that hold next to nothing go on for ever; what a client sends in the course of its requests is another matter. */
static void bytes_that_no_request_reads_are_bounded(void **state)
{
	static const char head[] = "POST /api/v1/eth2/sign/0x00 HTTP/1.1\r\nHost: localhost\r\nX-Padding: ";
	AUTO_TLS_CLIENT struct tls_client client = {0};
	size_t records = 0;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	fixture_connect(&fixture, &client);
	for (size_t i = 0; i < 400; i++) {
		fixture_send_sign(&client, sign_path(0, 0), "");
		fixture_assert_status(&client, 200);
	}
	assert_true(tls_client_send(&client, view_of_text(head)));
	while (records < 10000 && tls_client_send(&client, view_of_text("a")))
		records++;
	assert_in_range(records, 1000, 9999);
}

static void identity_changes_under_connections(void **state)
{
	static const char *const names[] = {"localhost"};
	AUTO_TLS_IDENTITY struct tls_identity other = {0};
	AUTO_BUFFER struct buffer other_ca = {0};
	AUTO_TLS_CLIENT struct tls_client before, after, old_ca;
	struct error error;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	assert_ok(tls_identity_create("other", names, 1, 1, &other, &other_ca, &error), &error);
	fixture_connect(&fixture, &before);
	assert_true(upcheck(&before));
	/* one that does not work changes nothing */
	assert_false(
		http_server_set_identity(fixture.server, secret_view(&other.key), buffer_view(&fixture.identity.chain), &error));
	assert_int_equal(error.code, ERROR_CRYPTO);
	fixture_connect(&fixture, &after);
	assert_true(upcheck(&after));
	tls_client_done(&after);
	assert_ok(http_server_set_identity(fixture.server, secret_view(&other.key), buffer_view(&other.chain), &error), &error);
	assert_true(upcheck(&before));
	assert_ok(tls_client_connect(&after, &fixture.address, buffer_view(&other_ca), NULL, &error), &error);
	assert_true(upcheck(&after));
	assert_false(tls_client_connect(&old_ca, &fixture.address, buffer_view(&fixture.ca_pem), NULL, &error));
	assert_true(upcheck(&before));
}

struct rotation {
	struct tls_identity identities[2];
	atomic_bool stop;
	unsigned count;
};

static void *rotate(void *context)
{
	struct rotation *rotation = (struct rotation *)context;
	struct error error;

	while (!atomic_load(&rotation->stop)) {
		const struct tls_identity *next = &rotation->identities[rotation->count++ % 2];

		assert_ok(http_server_set_identity(fixture.server, secret_view(&next->key), buffer_view(&next->chain), &error),
			  &error);
	}
	return NULL;
}

/* Handshakes in both versions while the identity changes all the time: none fails, and none uses what is gone. */
static void handshakes_survive_rotation(void **state)
{
	static const char *const names[] = {"localhost"};
	struct rotation rotation = {0};
	AUTO_BUFFER struct buffer both = {0};
	pthread_t thread;
	struct error error;

	(void)state;
	fixture_start(&fixture, &(struct fixture_options){0});
	for (size_t i = 0; i < 2; i++)
		assert_ok(tls_identity_create(i ? "b" : "a", names, 1, 1, &rotation.identities[i], &both, &error), &error);
	buffer_append(&both, buffer_view(&fixture.ca_pem));
	assert_int_equal(pthread_create(&thread, NULL, rotate, &rotation), 0);
	for (unsigned i = 0; i < 200; i++) {
		AUTO_TLS_CLIENT struct tls_client client;

		assert_ok(tls_client_connect(&client, &fixture.address, buffer_view(&both), versions[i % 2], &error), &error);
		assert_true(upcheck(&client));
	}
	atomic_store(&rotation.stop, true);
	(void)pthread_join(thread, NULL);
	assert_true(rotation.count > 10);
	for (size_t i = 0; i < 2; i++)
		tls_identity_done(&rotation.identities[i]);
}

#define with_server(test) cmocka_unit_test_setup_teardown(test, NULL, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_server(certificate_is_required),
		with_server(known_clients_come_and_go),
		with_server(sessions_are_resumed),
		with_server(sessions_of_anybody_are_resumed),
		with_server(resumption_is_judged_again),
		with_server(api_knows_the_client),
		with_server(no_server_name_is_needed),
		with_server(identity_changes_under_connections),
		with_server(handshakes_survive_rotation),
		with_server(relay_may_say_whose_it_is),
		with_server(what_is_no_header_is_hung_up_on),
		with_server(header_comes_in_pieces),
		with_server(header_that_never_ends_is_hung_up_on),
		with_server(a_handshake_without_end_is_hung_up_on),
		with_server(bytes_that_no_request_reads_are_bounded),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
