/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two clients that write the same items at the same time, against a server that does with them what DynamoDB does and no emulator: while a
 * transaction has an item, another that wants it is cancelled, all of it. Both must come through, in time.
 */
#include "vectors.h"

#include <pthread.h>
#include <unistd.h>

#include <microhttpd.h>

#include "aws/dynamodb.h"
#include "base/clock.h"
#include "net/deadline.h"

#define ITEMS 50
#define ROUNDS 20
#define CLIENTS 2
/* What a transaction of a real table takes, about. */
#define TRANSACTION_US 10000
/* The store's, for a group. */
#define DEADLINE_MS 3000

static struct credentials credentials;

/* ---- the server ---- */

struct server {
	struct MHD_Daemon *daemon;
	char host[32];
	pthread_mutex_t lock; /* over what follows */
	bool is_held[ITEMS];
	unsigned written[ITEMS];
	unsigned cancelled;
};

static size_t number_of(json_t *list, size_t i)
{
	return (size_t)json_integer_value(json_object_get(json_array_get(list, i), "n"));
}

/* All of the items, or a reason for each. */
static bool hold(struct server *server, json_t *list, struct buffer *ret_answer)
{
	bool is_free = true;

	buffer_append_text(ret_answer, "{\"__type\":\"com.amazonaws.dynamodb.v20120810#TransactionCanceledException\","
				       "\"CancellationReasons\":[");
	(void)pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < json_array_size(list); i++) {
		bool is_held = server->is_held[number_of(list, i)];

		is_free = is_free && !is_held;
		buffer_append_format(ret_answer, "%s{\"Code\":\"%s\"}", i ? "," : "", is_held ? "TransactionConflict" : "None");
	}
	for (size_t i = 0; is_free && i < json_array_size(list); i++)
		server->is_held[number_of(list, i)] = true;
	server->cancelled += !is_free;
	(void)pthread_mutex_unlock(&server->lock);
	buffer_append_text(ret_answer, "]}");
	return is_free;
}

static void apply(struct server *server, json_t *list)
{
	(void)usleep(TRANSACTION_US);
	(void)pthread_mutex_lock(&server->lock);
	for (size_t i = 0; i < json_array_size(list); i++) {
		server->written[number_of(list, i)]++;
		server->is_held[number_of(list, i)] = false;
	}
	(void)pthread_mutex_unlock(&server->lock);
}

static enum MHD_Result respond(struct MHD_Connection *connection, struct server *server, const struct buffer *body)
{
	AUTO_JSON json_t *request = json_parse(buffer_view(body), "request", NULL);
	json_t *list = json_object_get(request, "TransactItems");
	AUTO_BUFFER struct buffer answer = {0};
	bool is_done = hold(server, list, &answer);
	struct MHD_Response *response;
	enum MHD_Result result;

	if (is_done) {
		apply(server, list);
		buffer_clear(&answer);
		buffer_append_text(&answer, "{}");
	}
	response = MHD_create_response_from_buffer(answer.size, answer.data, MHD_RESPMEM_MUST_COPY);
	result = MHD_queue_response(connection, is_done ? 200 : 400, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *bytes, size_t *size, void **request_context)
{
	struct buffer *body = (struct buffer *)*request_context;

	(void)path;
	(void)method;
	(void)version;
	if (!body) {
		*request_context = memory_allocate_zeroed(1, sizeof *body);
		return MHD_YES;
	}
	if (*size == 0)
		return respond(connection, (struct server *)context, body);
	buffer_append(body, view_of(bytes, *size));
	*size = 0;
	return MHD_YES;
}

static void end_request(void *context, struct MHD_Connection *connection, void **request_context,
			enum MHD_RequestTerminationCode code)
{
	(void)context;
	(void)connection;
	(void)code;
	buffer_done((struct buffer *)*request_context);
	free(*request_context);
}

static void start(struct server *server)
{
	struct address address = {.kind = ADDRESS_TCP, .host = "127.0.0.1"};
	struct error error = {0};
	int fd = address_listen(&address, 64, &error);

	assert_ok(fd >= 0, &error);
	*server = (struct server){0};
	assert_int_equal(pthread_mutex_init(&server->lock, NULL), 0);
	(void)snprintf(server->host, sizeof server->host, "localhost:%u", address_bound_port(fd));
	server->daemon =
		MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, 0, NULL, NULL, handle, server,
				 MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, end_request, NULL, MHD_OPTION_END);
	assert_non_null(server->daemon);
}

/* ---- the clients ---- */

struct client {
	struct server *server;
	size_t number;
	pthread_t thread;
	unsigned done; /* items */
	uint64_t longest_ms;
	struct error error;
};

/* The two go through the items from different ends. */
static void write_round(struct client *client, struct dynamodb *dynamodb)
{
	struct dynamodb_item items[ITEMS] = {0};
	uint64_t start_ms = clock_monotonic_ms();
	uint64_t took_ms;

	for (size_t i = 0; i < ITEMS; i++)
		items[i].request = json_pack("{s:i}", "n", (int)(client->number ? ITEMS - 1 - i : i));
	(void)!dynamodb_write(dynamodb, items, ITEMS, deadline_after(DEADLINE_MS), &client->error);
	took_ms = clock_monotonic_ms() - start_ms;
	client->longest_ms = took_ms > client->longest_ms ? took_ms : client->longest_ms;
	for (size_t i = 0; i < ITEMS; i++) {
		client->done += items[i].fate == DYNAMODB_DONE;
		dynamodb_item_done(&items[i]);
	}
}

static void *run_client(void *context)
{
	struct client *client = (struct client *)context;
	const struct aws_endpoint endpoint = {
		.region = "us-east-1", .host = client->server->host, .timeout_ms = DEADLINE_MS, .is_plain = true};
	struct dynamodb *dynamodb = dynamodb_new(&endpoint, &credentials, &client->error);

	for (int round = 0; dynamodb && round < ROUNDS; round++)
		write_round(client, dynamodb);
	dynamodb_free(dynamodb);
	return NULL;
}

static void two_at_the_same_items_both_come_through(void **state)
{
	struct client clients[CLIENTS] = {0};
	struct server server;

	(void)state;
	start(&server);
	for (size_t i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.server = &server, .number = i};
		assert_int_equal(pthread_create(&clients[i].thread, NULL, run_client, &clients[i]), 0);
	}
	for (size_t i = 0; i < CLIENTS; i++)
		assert_int_equal(pthread_join(clients[i].thread, NULL), 0);
	MHD_stop_daemon(server.daemon);
	print_message("%u transactions cancelled; the longest group took %llu and %llu ms\n", server.cancelled,
		      (unsigned long long)clients[0].longest_ms, (unsigned long long)clients[1].longest_ms);
	for (size_t i = 0; i < CLIENTS; i++)
		assert_ok(clients[i].done == ROUNDS * ITEMS, &clients[i].error);
	for (size_t i = 0; i < ITEMS; i++)
		assert_int_equal(server.written[i], CLIENTS * ROUNDS);
	assert_true(server.cancelled > 0);
	(void)pthread_mutex_destroy(&server.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_at_the_same_items_both_come_through),
	};
	AUTO_JSON json_t *object = json_pack("{s:s,s:s}", "access_key_id", "AKIDEXAMPLE", "secret_access_key", "example");
	struct error error = {0};

	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) || !credentials_from_json(object, &credentials, &error))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
