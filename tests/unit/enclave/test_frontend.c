/* SPDX-License-Identifier: Apache-2.0 */
/* The role as a process of its own, in its sandbox, with init, opener and keeper played by the test. */
#include "vectors.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/file.h"
#include "base/json.h"
#include "client_certificate.h"
#include "enclave/role.h"
#include "server_fixture.h"

#define PATIENCE_MS 10000
/* More than the descriptors of few_descriptors_cut_the_limit() are for. */
#define CROWD 40

#define R32 "\"0x0101010101010101010101010101010101010101010101010101010101010101\""
#define RANDAO                                                                                                                     \
	"{\"fork_info\":{\"fork\":{\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"       \
	"\"genesis_validators_root\":" R32 "},\"type\":\"RANDAO_REVEAL\",\"randao_reveal\":{\"epoch\":\"5\"}}"

#define EXIT                                                                                                                       \
	"{\"fork_info\":{\"fork\":{\"previous_version\":\"0x00000001\",\"current_version\":\"0x00000002\",\"epoch\":\"3\"},"       \
	"\"genesis_validators_root\":" R32 "},\"type\":\"VOLUNTARY_EXIT\",\"voluntary_exit\":{\"epoch\":\"5\","                    \
	"\"validator_index\":\"7\"}}"
#define CONFIGURATION(policy)                                                                                                      \
	"{\"version\":1,\"network\":\"hoodi\",\"slashing_protection\":true,\"fleet\":\"f\",\"region\":\"r\",\"kms_host\":\"h\","   \
	"\"kms_key_arn\":\"a\"," policy "\"ca_pem\":\"-----BEGIN CERTIFICATE-----\"}"
#define EXITS_POLICY                                                                                                               \
	"\"policy\":{\"rules\":[{\"name\":\"exits\",\"effect\":\"allow\",\"clients\":\"*\",\"types\":[\"VOLUNTARY_EXIT\"],"        \
	"\"keys\":\"*\"}]},"

enum { INIT, KEEPER, OPENER, CONTROL, ATTESTER, PAIRS };

struct role {
	struct fixture fixture; /* identity, address and the bound socket */
	int ours[PAIRS];
	rlim_t descriptors; /* that it may have; 0: as many as this test */
	pid_t pid;
	pthread_t keeper;
	struct message_sign last;
};

static const int role_numbers[PAIRS] = {ROLE_FD_INIT, ROLE_FD_KEEPER, ROLE_FD_OPENER, ROLE_FD_CONTROL, ROLE_FD_ATTESTER};

/* In the child: each descriptor to its number, by way of high ones so that none is overwritten. */
static __attribute__((noreturn)) void become_role(const int theirs[PAIRS], int listen_fd, int configuration_fd, rlim_t descriptors)
{
	const struct rlimit limit = {descriptors, descriptors};
	int high[PAIRS + 2];

	for (size_t i = 0; i < PAIRS; i++)
		high[i] = fcntl(theirs[i], F_DUPFD, 100);
	high[PAIRS] = fcntl(listen_fd, F_DUPFD, 100);
	high[PAIRS + 1] = fcntl(configuration_fd, F_DUPFD, 100);
	for (int fd = 3; fd < 100; fd++)
		(void)close(fd);
	for (size_t i = 0; i < PAIRS; i++)
		(void)dup2(high[i], role_numbers[i]);
	(void)dup2(high[PAIRS], ROLE_FD_LISTEN);
	(void)dup2(high[PAIRS + 1], ROLE_FD_CONFIGURATION);
	for (size_t i = 0; i < ARRAY_SIZE(high); i++)
		(void)close(high[i]);
	if (descriptors)
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	_exit(frontend_main(0, NULL));
}

static void role_start_with(struct role *role, const char *configuration)
{
	AUTO_FD int configuration_fd = memfd_create("configuration", MFD_CLOEXEC);
	int theirs[PAIRS];

	assert_true(configuration_fd >= 0 && fd_write_all(configuration_fd, configuration, strlen(configuration)));

	fixture_prepare(&role->fixture);
	for (size_t i = 0; i < PAIRS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
		role->ours[i] = pair[0];
		theirs[i] = pair[1];
	}
	role->pid = fork();
	assert_true(role->pid >= 0);
	if (role->pid == 0)
		become_role(theirs, role->fixture.listen_fd, configuration_fd, role->descriptors);
	for (size_t i = 0; i < PAIRS; i++)
		(void)close(theirs[i]);
}

static void role_start(struct role *role)
{
	role_start_with(role, CONFIGURATION(""));
}

static void receive(int fd, union message *ret_message)
{
	struct pollfd readable = {fd, POLLIN, 0};
	struct error error;

	assert_int_equal(poll(&readable, 1, PATIENCE_MS), 1);
	assert_ok(message_receive(fd, ret_message, sizeof *ret_message, NULL, &error), &error);
}

static void send_start(struct role *role)
{
	struct message_start start;
	union message ready;
	struct error error;

	message_init(&start, MESSAGE_START, 0);
	start.network = *network_find("hoodi", &error);
	assert_ok(message_send(role->ours[INIT], &start, &error), &error);
	receive(role->ours[INIT], &ready);
	assert_int_equal(ready.header.type, MESSAGE_READY);
}

/* Hand over a TLS identity; returns what the frontend says. */
static uint32_t give_identity(struct role *role, struct view key)
{
	static struct message_tls_identity message;
	const struct buffer *chain = &role->fixture.identity.chain;
	union message result;
	struct error error;

	message_init(&message, MESSAGE_TLS_IDENTITY, 42);
	message.key_size = (uint32_t)key.size;
	memcpy(message.key, key.data, key.size);
	message.chain_size = (uint32_t)chain->size;
	memcpy(message.chain, chain->data, chain->size);
	assert_ok(message_send(role->ours[OPENER], &message, &error), &error);
	receive(role->ours[OPENER], &result);
	assert_int_equal(result.header.type, MESSAGE_TLS_RESULT);
	assert_int_equal(result.header.id, 42);
	return result.tls_result.ok;
}

static void *keep(void *context)
{
	static const struct fixture_options options = {.key_count = 3};
	struct role *role = (struct role *)context;

	fixture_keeper(role->ours[KEEPER], &options, &role->last, NULL);
	return NULL;
}

/* Its exit status; -1 when a signal (the sandbox) ended it. */
static int role_wait(struct role *role)
{
	int status = 0;

	assert_int_equal(waitpid(role->pid, &status, 0), role->pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void role_release(struct role *role)
{
	for (size_t i = 0; i < PAIRS; i++)
		if (role->ours[i] >= 0)
			(void)close(role->ours[i]);
	fixture_release(&role->fixture);
}

static void hang_up(struct role *role, size_t pair)
{
	(void)shutdown(role->ours[pair], SHUT_RDWR);
	(void)close(role->ours[pair]);
	role->ours[pair] = -1;
}

static void check_request(struct role *role, const char *method, const char *path, const char *body, unsigned status)
{
	AUTO_ANSWER struct answer answer = {0};

	fixture_exchange(&role->fixture, method, path, "", view_of_text(body), &answer);
	assert_int_equal(answer.status, status);
}

static void whole_life_in_the_sandbox(void **state)
{
	struct role role = {0};
	struct view key;
	struct error error;

	(void)state;
	role_start(&role);
	key = secret_view(&role.fixture.identity.key);
	send_start(&role);
	assert_int_equal(address_connect(&role.fixture.address, 1000, &error), -1);
	/* one that does not work leaves it waiting for another */
	assert_int_equal(give_identity(&role, view_of(key.data, key.size / 2)), 0);
	assert_int_equal(give_identity(&role, key), 1);
	/* another takes its place */
	assert_int_equal(give_identity(&role, key), 1);
	assert_int_equal(give_identity(&role, view_of(key.data, key.size / 2)), 0);
	assert_int_equal(pthread_create(&role.keeper, NULL, keep, &role), 0);
	hang_up(&role, OPENER);
	check_request(&role, "GET", "/upcheck", "", 200);
	check_request(&role, "GET", "/api/v1/eth2/publicKeys", "", 200);
	check_request(&role, "POST", sign_path(SIGN_OK, 0), RANDAO, 200);
	check_request(&role, "POST", sign_path(SIGN_SLASHABLE, SLASHING_BLOCK_TOO_LOW), RANDAO, 412);
	check_request(&role, "POST", sign_path(SIGN_OK, 0), "{", 400);
	/* a crowd makes the allocator and the threads do all they ever do */
	for (unsigned i = 0; i < 50; i++)
		check_request(&role, "POST", sign_path(SIGN_OK, 0), RANDAO, 200);
	(void)shutdown(role.ours[KEEPER], SHUT_RDWR);
	assert_int_equal(role_wait(&role), 1);
	(void)pthread_join(role.keeper, NULL);
	role_release(&role);
}

/* It signs on, but whoever asks after its health is sent elsewhere, and no connection is kept. */
static void drains(void **state)
{
	struct role role = {0};
	struct message_drain message;
	AUTO_ANSWER struct answer answer = {0};
	struct error error;

	(void)state;
	role_start(&role);
	send_start(&role);
	assert_int_equal(give_identity(&role, secret_view(&role.fixture.identity.key)), 1);
	assert_int_equal(pthread_create(&role.keeper, NULL, keep, &role), 0);
	check_request(&role, "GET", "/upcheck", "", 200);
	message_init(&message, MESSAGE_DRAIN, 0);
	assert_ok(message_send(role.ours[CONTROL], &message, &error), &error);
	for (unsigned waited_ms = 0; answer.status != 503 && waited_ms < PATIENCE_MS; waited_ms += 10) {
		answer_done(&answer);
		fixture_exchange(&role.fixture, "GET", "/upcheck", "", view_of(NULL, 0), &answer);
		(void)usleep(10000);
	}
	assert_int_equal(answer.status, 503);
	assert_string_equal(answer_header(&answer, "Connection"), "close");
	check_request(&role, "GET", "/healthcheck", "", 503);
	check_request(&role, "POST", sign_path(SIGN_OK, 0), RANDAO, 200);
	(void)shutdown(role.ours[KEEPER], SHUT_RDWR);
	assert_int_equal(role_wait(&role), 1);
	(void)pthread_join(role.keeper, NULL);
	role_release(&role);
}

/*
 * Freeing many small values that end in one large block makes malloc give back the end of its thread's heap, for which it asks the
 * kernel for the overcommit setting.
 */
static void many_values_do_not_end_it(void **state)
{
	AUTO_BUFFER struct buffer body = {0};
	struct role role = {0};

	(void)state;
	buffer_append_text(&body, "[0");
	for (unsigned i = 1; i < 8100; i++)
		buffer_append_text(&body, ",0");
	buffer_append_text(&body, "]");
	role_start(&role);
	send_start(&role);
	assert_int_equal(give_identity(&role, secret_view(&role.fixture.identity.key)), 1);
	for (unsigned i = 0; i < 20; i++)
		check_request(&role, "POST", sign_path(SIGN_OK, 0), buffer_text(&body), 400);
	assert_int_equal(waitpid(role.pid, NULL, WNOHANG), 0);
	check_request(&role, "GET", "/upcheck", "", 200);
	hang_up(&role, INIT);
	assert_int_equal(role_wait(&role), 1);
	role_release(&role);
}

/* The rules are those of the file that was measured. */
static void policy_is_the_measured_one(void **state)
{
	static const struct {
		const char *configuration;
		unsigned status;
	} cases[] = {{CONFIGURATION(""), 403}, {CONFIGURATION(EXITS_POLICY), 200}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct role role = {0};

		role_start_with(&role, cases[i].configuration);
		send_start(&role);
		assert_int_equal(give_identity(&role, secret_view(&role.fixture.identity.key)), 1);
		assert_int_equal(pthread_create(&role.keeper, NULL, keep, &role), 0);
		check_request(&role, "POST", sign_path(SIGN_OK, 0), EXIT, cases[i].status);
		(void)shutdown(role.ours[KEEPER], SHUT_RDWR);
		assert_int_equal(role_wait(&role), 1);
		(void)pthread_join(role.keeper, NULL);
		role_release(&role);
	}
}

static void send_known_clients(struct role *role, uint64_t serial, const struct client_certificate *client)
{
	static struct message_known_clients message;
	struct error error;

	message_init(&message, MESSAGE_KNOWN_CLIENTS, 0);
	message.serial = serial;
	message.count = 1;
	message.clients[0] = client_certificate_known(client, "vc");
	assert_ok(message_send(role->ours[OPENER], &message, &error), &error);
}

static bool upcheck_as(struct role *role, const struct client_certificate *certificate)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_ANSWER struct answer answer = {0};
	gnutls_x509_crt_t chain[] = {certificate->certificate};
	struct tls_client_options options = {.key = certificate->key, .chain = chain, .chain_length = 1};
	struct error error;

	return tls_client_connect_with(&client, &role->fixture.address, buffer_view(&role->fixture.ca_pem), &options, &error) &&
	       tls_client_send(&client, view_of_text("GET /upcheck HTTP/1.1\r\nHost: localhost\r\n\r\n")) &&
	       tls_client_receive(&client, &answer);
}

/* The list comes before the server is there or after it, and certificates are read and checked in the sandbox. */
static void known_clients_in_the_sandbox(void **state)
{
	AUTO_CLIENT_CERTIFICATE struct client_certificate ca = {0}, by_ca = {0}, first = {0}, second = {0};
	AUTO_BUFFER struct buffer pem = {0};
	AUTO_JSON json_t *ca_pem = NULL;
	AUTO_FREE char *ca_text = NULL;
	AUTO_FREE char *configuration = NULL;
	struct role role = {0};

	(void)state;
	client_certificate_make(&ca, &(struct client_certificate_options){.common_name = "ca", .is_ca = true});
	client_certificate_make(&by_ca, &(struct client_certificate_options){.common_name = "by-ca", .issuer = &ca});
	client_certificate_make(&first, &(struct client_certificate_options){.common_name = "vc"});
	client_certificate_make(&second, &(struct client_certificate_options){.common_name = "vc"});
	client_certificate_pem(&ca, &pem);
	ca_pem = json_string(buffer_text(&pem));
	ca_text = json_dumps(ca_pem, JSON_ENCODE_ANY);
	configuration = memory_format(CONFIGURATION("\"clients\":{\"ca_pem\":%s,\"known\":true},"), ca_text);
	role_start_with(&role, configuration);
	send_start(&role);
	send_known_clients(&role, 1, &first);
	assert_int_equal(give_identity(&role, secret_view(&role.fixture.identity.key)), 1);
	assert_true(upcheck_as(&role, &by_ca));
	assert_true(upcheck_as(&role, &first));
	assert_false(upcheck_as(&role, &second));
	send_known_clients(&role, 2, &second);
	assert_int_equal(give_identity(&role, secret_view(&role.fixture.identity.key)), 1); /* the list was read before it */
	assert_false(upcheck_as(&role, &first));
	assert_true(upcheck_as(&role, &second));
	/* an older list is passed over */
	send_known_clients(&role, 1, &first);
	assert_int_equal(give_identity(&role, secret_view(&role.fixture.identity.key)), 1);
	assert_true(upcheck_as(&role, &second));
	hang_up(&role, INIT);
	assert_int_equal(role_wait(&role), 1);
	role_release(&role);
}

static void does_not_start_without_its_configuration(void **state)
{
	static const char *const configurations[] = {"", "{", CONFIGURATION("\"policy\":{},"),
						     CONFIGURATION("\"clients\":{\"ca_pem\":\"-----BEGIN CERTIFICATE-----\"},")};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(configurations); i++) {
		struct message_start start;
		struct error error;
		struct role role = {0};

		role_start_with(&role, configurations[i]);
		message_init(&start, MESSAGE_START, 0);
		assert_ok(message_send(role.ours[INIT], &start, &error), &error);
		assert_int_equal(role_wait(&role), 1);
		role_release(&role);
	}
}

/* Those that there are no descriptors for are refused, not left waiting. */
static void few_descriptors_cut_the_limit(void **state)
{
	struct role role = {.descriptors = 80};
	struct tls_client crowd[CROWD];
	struct error error;

	(void)state;
	role_start(&role);
	send_start(&role);
	assert_int_equal(give_identity(&role, secret_view(&role.fixture.identity.key)), 1);
	for (size_t i = 0; i < CROWD; i++) {
		crowd[i] = (struct tls_client){.fd = address_connect(&role.fixture.address, PATIENCE_MS, &error)};
		assert_ok(crowd[i].fd >= 0, &error);
	}
	assert_in_range(tls_client_wait_for_end(&crowd[CROWD - 1], PATIENCE_MS), 0, PATIENCE_MS - 1);
	assert_true(tls_client_wait_for_end(&crowd[0], 100) >= 100);
	for (size_t i = 0; i < CROWD; i++)
		tls_client_done(&crowd[i]);
	hang_up(&role, INIT);
	assert_int_equal(role_wait(&role), 1);
	role_release(&role);
}

static void does_not_start_without_descriptors(void **state)
{
	struct role role = {.descriptors = 40};
	struct message_start start;
	struct error error;

	(void)state;
	role_start(&role);
	message_init(&start, MESSAGE_START, 0);
	assert_ok(message_send(role.ours[INIT], &start, &error), &error);
	assert_int_equal(role_wait(&role), 1);
	role_release(&role);
}

static void ends_with_init(void **state)
{
	struct role role = {0};

	(void)state;
	role_start(&role);
	send_start(&role);
	assert_int_equal(give_identity(&role, secret_view(&role.fixture.identity.key)), 1);
	hang_up(&role, INIT);
	assert_int_equal(role_wait(&role), 1);
	role_release(&role);
}

static void ends_when_init_says_nothing(void **state)
{
	struct role role = {0};

	(void)state;
	role_start(&role);
	hang_up(&role, INIT);
	assert_int_equal(role_wait(&role), 1);
	role_release(&role);
}

static void opener_must_keep_to_its_messages(void **state)
{
	struct message_load_end message;
	struct role role = {0};
	struct error error;

	(void)state;
	role_start(&role);
	send_start(&role);
	message_init(&message, MESSAGE_LOAD_END, 0);
	assert_ok(message_send(role.ours[OPENER], &message, &error), &error);
	assert_int_equal(role_wait(&role), 1);
	role_release(&role);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whole_life_in_the_sandbox),
		cmocka_unit_test(drains),
		cmocka_unit_test(many_values_do_not_end_it),
		cmocka_unit_test(policy_is_the_measured_one),
		cmocka_unit_test(known_clients_in_the_sandbox),
		cmocka_unit_test(does_not_start_without_its_configuration),
		cmocka_unit_test(few_descriptors_cut_the_limit),
		cmocka_unit_test(does_not_start_without_descriptors),
		cmocka_unit_test(ends_with_init),
		cmocka_unit_test(ends_when_init_says_nothing),
		cmocka_unit_test(opener_must_keep_to_its_messages),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
