/* SPDX-License-Identifier: Apache-2.0 */
#include "server_fixture.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include "vectors.h"

#include "base/json.h"
#include "eth/network.h"

/* ---- the keeper ---- */

static bool answer_sign(int fd, const struct message_sign *request)
{
	struct message_sign_result result;
	struct error error;

	message_init(&result, MESSAGE_SIGN_RESULT, request->header.id);
	result.status = request->public_key[0];
	result.verdict = request->public_key[1];
	memset(result.signing_root, 0xcc, sizeof result.signing_root);
	if (result.status == SIGN_OK)
		memset(result.signature, FIXTURE_SIGNATURE_BYTE, sizeof result.signature);
	result.asked_slot = 100;
	result.last_slot = 101;
	result.asked_source = 4;
	result.asked_target = 5;
	result.last_source = 6;
	result.last_target = 7;
	return message_send(fd, &result, &error);
}

static bool answer_list(int fd, const struct message_list_keys *request, uint64_t key_count)
{
	struct message_keys keys;
	struct error error;

	message_init(&keys, MESSAGE_KEYS, request->header.id);
	keys.total = key_count;
	keys.first = request->first;
	while (keys.count < MESSAGE_KEYS_CAPACITY && keys.first + keys.count < key_count) {
		store_le64(keys.keys[keys.count], keys.first + keys.count);
		keys.count++;
	}
	return message_send(fd, &keys, &error);
}

static bool answer_health(int fd, const struct message_header *request, const struct fixture_options *options)
{
	struct message_health_result health = options->health;
	struct error error;

	health.header = (struct message_header){MESSAGE_HEALTH_RESULT, sizeof health, request->id};
	health.key_count = options->key_count;
	health.slashing_protection = !options->slashing_off;
	return message_send(fd, &health, &error);
}

static bool answer_history(int fd, const struct message_header *request)
{
	struct message_history_result result;
	struct error error;

	message_init(&result, MESSAGE_HISTORY_RESULT, request->id);
	result.status = HISTORY_OK;
	return message_send(fd, &result, &error);
}

void fixture_keeper(int fd, const struct fixture_options *options, struct message_sign *ret_last,
		    struct message_history *ret_last_history)
{
	union message message;
	struct error error;
	bool alive = true;

	while (alive && message_receive(fd, &message, sizeof message, NULL, &error)) {
		if (message.header.type == MESSAGE_LIST_KEYS) {
			alive = answer_list(fd, &message.list_keys, options->key_count);
			continue;
		}
		if (message.header.type == MESSAGE_HEALTH) {
			alive = answer_health(fd, &message.header, options);
			continue;
		}
		if (message.header.type == MESSAGE_HISTORY) {
			if (ret_last_history)
				*ret_last_history = message.history;
			alive = answer_history(fd, &message.header);
			continue;
		}
		memcpy(ret_last, &message.sign, sizeof *ret_last);
		if (message.sign.public_key[1] == KEY_DIES)
			break;
		if (message.sign.public_key[1] != KEY_SILENT)
			alive = answer_sign(fd, &message.sign);
	}
	(void)shutdown(fd, SHUT_RDWR);
}

static void *keeper_thread(void *context)
{
	struct fixture *fixture = (struct fixture *)context;

	fixture_keeper(fixture->keeper_fds[1], &fixture->options, &fixture->last, &fixture->last_history);
	return NULL;
}

/* ---- the server ---- */

void fixture_prepare(struct fixture *fixture)
{
	static const char *const names[] = {"localhost"};
	struct error error;

	*fixture = (struct fixture){.listen_fd = -1};
	assert_ok(secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error), &error);
	assert_ok(tls_identity_create("test", names, 1, 1, &fixture->identity, &fixture->ca_pem, &error), &error);
	(void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/ensign-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	fixture->address.kind = ADDRESS_UNIX;
	(void)snprintf(fixture->address.path, sizeof fixture->address.path, "%s/signing.sock", fixture->folder);
	fixture->listen_fd = address_bind(&fixture->address, &error);
	assert_ok(fixture->listen_fd >= 0, &error);
}

void fixture_release(struct fixture *fixture)
{
	(void)close(fixture->listen_fd);
	(void)unlink(fixture->address.path);
	(void)rmdir(fixture->folder);
	tls_identity_done(&fixture->identity);
	buffer_done(&fixture->ca_pem);
}

static size_t or_default(size_t value, size_t otherwise)
{
	return value ? value : otherwise;
}

static void start_key_manager(struct fixture *fixture, const char *token)
{
	struct error error;

	fixture->key_manager.is_on = true;
	assert_ok(key_manager_digest_token(view_of_text(token), fixture->key_manager.token_sha256, &error), &error);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fixture->control_fds), 0);
	fixture->control = control_client_new(fixture->control_fds[0], &error);
	assert_ok(fixture->control != NULL, &error);
}

static void stop_key_manager(struct fixture *fixture)
{
	if (!fixture->control)
		return;
	control_client_free(fixture->control);
	(void)close(fixture->control_fds[0]);
	(void)close(fixture->control_fds[1]);
}

void fixture_start(struct fixture *fixture, const struct fixture_options *options)
{
	struct http_server_options server_options = {.threads = (unsigned)or_default(options->threads, 2)};
	const struct network *network;
	struct error error;

	fixture_prepare(fixture);
	fixture->options = *options;
	network = network_find("hoodi", &error);
	assert_ok(network != NULL, &error);
	if (options->policy)
		assert_ok(signing_policy_parse(view_of_text(options->policy), &fixture->policy, &error), &error);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fixture->keeper_fds), 0);
	assert_int_equal(pthread_create(&fixture->keeper_thread, NULL, keeper_thread, fixture), 0);
	server_options.connection_limit = (unsigned)or_default(options->connection_limit, 1024);
	fixture->keeper = keeper_client_new(
		&(struct keeper_client_options){.fd = fixture->keeper_fds[0],
						.capacity = or_default(options->keeper_capacity, server_options.connection_limit),
						.deadline_ms = (unsigned)or_default(options->keeper_deadline_ms, 5000)},
		&error);
	assert_ok(fixture->keeper != NULL, &error);
	if (options->manager_token)
		start_key_manager(fixture, options->manager_token);
	fixture->api = api_new(&(struct api_options){.network = network,
						     .slashing_protection = !options->slashing_off,
						     .policy = &fixture->policy,
						     .key_manager = &fixture->key_manager,
						     .control = fixture->control,
						     .keeper = fixture->keeper});
	server_options.listen_fd = fixture->listen_fd;
	server_options.request_deadline_ms = (unsigned)or_default(options->request_deadline_ms, 30000);
	server_options.idle_timeout_ms = (unsigned)or_default(options->idle_timeout_ms, 5000);
	server_options.body_budget = or_default(options->body_budget, 64u << 20);
	server_options.answer_budget = or_default(options->answer_budget, 64u << 20);
	server_options.tls_key = secret_view(&fixture->identity.key);
	server_options.tls_chain = buffer_view(&fixture->identity.chain);
	server_options.hosts = options->hosts;
	server_options.client_rules = options->client_rules;
	api_fill_options(fixture->api, &server_options);
	fixture->server = http_server_new(&server_options, &error);
	assert_ok(fixture->server != NULL, &error);
}

void fixture_stop(struct fixture *fixture)
{
	keeper_client_close(fixture->keeper);
	http_server_free(fixture->server);
	api_free(fixture->api);
	stop_key_manager(fixture);
	signing_policy_done(&fixture->policy);
	keeper_client_free(fixture->keeper);
	(void)shutdown(fixture->keeper_fds[0], SHUT_RDWR);
	(void)pthread_join(fixture->keeper_thread, NULL);
	(void)close(fixture->keeper_fds[0]);
	(void)close(fixture->keeper_fds[1]);
	fixture_release(fixture);
}

/* ---- the client ---- */

void fixture_connect(struct fixture *fixture, struct tls_client *client)
{
	struct error error;

	assert_ok(tls_client_connect(client, &fixture->address, buffer_view(&fixture->ca_pem), NULL, &error), &error);
}

void fixture_exchange(struct fixture *fixture, const char *method, const char *path, const char *headers, struct view body,
		      struct answer *ret_answer)
{
	AUTO_TLS_CLIENT struct tls_client client;
	AUTO_BUFFER struct buffer request = {0};

	fixture_connect(fixture, &client);
	buffer_append_format(&request, "%s %s HTTP/1.1\r\nHost: localhost\r\n%s", method, path, headers);
	if (body.size)
		buffer_append_format(&request, "Content-Length: %zu\r\n", body.size);
	buffer_append_text(&request, "\r\n");
	buffer_append(&request, body);
	assert_true(tls_client_send(&client, buffer_view(&request)));
	assert_true(tls_client_receive(&client, ret_answer));
}

void fixture_send_text(struct tls_client *client, const char *text)
{
	assert_true(tls_client_send(client, view_of_text(text)));
}

void fixture_send_sign(struct tls_client *client, const char *path, const char *headers)
{
	AUTO_FREE char *text = memory_format("POST %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n\r\n%s", path,
					     headers, strlen(FIXTURE_RANDAO), FIXTURE_RANDAO);

	fixture_send_text(client, text);
}

void fixture_assert_status(struct tls_client *client, unsigned status)
{
	AUTO_ANSWER struct answer answer = {0};

	assert_true(tls_client_receive(client, &answer));
	assert_int_equal(answer.status, status);
}

void assert_error(const struct answer *answer, unsigned status, const char *message)
{
	AUTO_JSON json_t *body = NULL;
	struct error error;

	assert_int_equal(answer->status, status);
	assert_string_equal(answer_header(answer, "Content-Type"), JSON_TYPE);
	body = json_parse_object(answer->body, "answer", &error);
	assert_ok(body != NULL, &error);
	assert_int_equal(json_object_size(body), 2);
	assert_int_equal(json_integer_value(json_object_get(body, "code")), status);
	if (!strstr(json_string_value(json_object_get(body, "message")), message))
		fail_msg("\"%s\" does not contain \"%s\"", json_string_value(json_object_get(body, "message")), message);
}

const char *sign_path(uint8_t first, uint8_t second)
{
	static char path[160];
	uint8_t key[BLS_PUBLIC_KEY_SIZE] = {first, second};
	char hex[2 * sizeof key + 1];

	memset(key + 2, 0xAb, sizeof key - 2);
	hex_encode(view_of(key, sizeof key), hex);
	(void)snprintf(path, sizeof path, "/api/v1/eth2/sign/0x%s", hex);
	return path;
}
