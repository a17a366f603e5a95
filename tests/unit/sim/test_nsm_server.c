/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The clients are processes of their own: this program starts itself with the argument "client" and the server's address. Such
 * a client passes frames on, between the socket that it finds on descriptor 4 and the simulated NSM, so that a test speaks
 * through a process that has the descriptor 3 (the configuration) which the test gave it.
 */
#include "vectors.h"

#include <openssl/evp.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "base/secret.h"
#include "machine_maker.h"
#include "net/frame.h"
#include "remove_tree.h"
#include "sim/nsm_server.h"
#include "sim/nsm_session.h"
#include "sim/peer_measurement.h"

#define ROLE_ARN "arn:aws:iam::000000000000:role/ensign-host"
#define INSTANCE "i-0123456789abcdef0"
#define CONFIGURATION "{\"network\":\"mainnet\"}"
#define RELAY_FD 4
#define TIMEOUT_MS 10000
#define ALL_SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* ---- the client process ---- */

static int client_main(const char *address_text)
{
	struct address address;
	struct error error = {0};
	AUTO_FD int server = -1;

	if (!address_parse(address_text, &address, &error))
		return 2;
	server = address_connect(&address, TIMEOUT_MS, &error);
	if (server < 0)
		return 2;
	for (;;) {
		AUTO_BUFFER struct buffer request = {0};
		AUTO_BUFFER struct buffer answer = {0};

		if (!frame_read(RELAY_FD, 2 * NSM_REQUEST_MAX_SIZE, TIMEOUT_MS, &request, NULL, &error))
			return 0;
		if (!frame_write(server, buffer_view(&request), TIMEOUT_MS, &error) ||
		    !frame_read(server, NSM_RESPONSE_MAX_SIZE, TIMEOUT_MS, &answer, NULL, &error) ||
		    !frame_write(RELAY_FD, buffer_view(&answer), TIMEOUT_MS, &error))
			return 1;
	}
}

struct client {
	pid_t pid;
	struct nsm *nsm; /* through the client's relay */
};

static char address_text[128];

static struct client client_start(int configuration_fd)
{
	const char *const argv[] = {"client", "client", address_text, NULL};
	struct process_spawn_options options = {.path = "/proc/self/exe", .argv = argv, .die_with_parent = true};
	struct process_fd fds[2];
	struct client client = {0};
	struct error error = {0};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fds[options.fd_count++] = (struct process_fd){.fd = pair[1], .number = RELAY_FD};
	if (configuration_fd >= 0)
		fds[options.fd_count++] = (struct process_fd){.fd = configuration_fd, .number = PEER_CONFIGURATION_FD};
	options.fds = fds;
	assert_ok(process_spawn(&options, &client.pid, &error), &error);
	(void)close(pair[1]);
	client.nsm = nsm_from_fd(pair[0], false, &error);
	assert_ok(client.nsm != NULL, &error);
	return client;
}

static void client_stop(struct client *client)
{
	nsm_free(client->nsm);
	(void)process_stop(client->pid, 1000);
}

static int configuration_make(int seals)
{
	int fd = memfd_create("configuration", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_true(fd_write_all(fd, CONFIGURATION, strlen(CONFIGURATION)));
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* ---- the server ---- */

static char folder[64];
static struct authority *authority;
static struct nsm_server *server;

static bool start_server(const struct address *address, const char *role_arn, const char *machine_folder,
			 struct nsm_server **ret_server, struct error *error)
{
	const struct nsm_server_options options = {.address = *address,
						   .authority = authority,
						   .instance_id = INSTANCE,
						   .role_arn = role_arn,
						   .machine_folder = machine_folder,
						   .images_folder = machine_folder ? NULL : folder};

	return nsm_server_start(&options, ret_server, error);
}

static int setup(void **state)
{
	struct address address;
	struct error error = {0};

	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/ensign-nsm-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	(void)snprintf(address_text, sizeof address_text, "unix:%s/nsm.sock", folder);
	authority = authority_open(folder, "us-east-1", INSTANCE, &error);
	assert_ok(authority != NULL, &error);
	assert_ok(address_parse(address_text, &address, &error), &error);
	assert_ok(start_server(&address, ROLE_ARN, NULL, &server, &error), &error);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nsm_server_stop(server);
	server = NULL;
	authority_done(&authority);
	return remove_tree(folder);
}

static void attest(struct nsm *nsm, struct buffer *ret_bytes, struct attestation_document *ret_document)
{
	const struct view nonce = view_of_text("a nonce");
	struct error error = {0};

	assert_ok(nsm_attest(nsm, (struct view){0}, nonce, view_of_text("a key"), ret_bytes, &error), &error);
	assert_ok(attestation_verify(buffer_view(ret_bytes), authority_root(authority), clock_realtime_ms(), ret_document, &error),
		  &error);
	assert_true(view_equal(ret_document->nonce, nonce));
	assert_true(view_equal_text(ret_document->public_key, "a key"));
	assert_false(ret_document->has_user_data);
}

static void test_a_client_is_measured(void **state)
{
	static const uint8_t zero[NSM_PCR_SIZE];
	AUTO_FREE char *configuration_path = memory_format("%s/enclave.json", folder);
	AUTO_FD int configuration = configuration_make(ALL_SEALS);
	struct client client = client_start(configuration);
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_BUFFER struct buffer again = {0};
	struct attestation_document document;
	struct attestation_document second;
	struct measurement expected;
	uint8_t pcr[NSM_PCR_SIZE];
	struct error error = {0};
	bool locked = false;

	(void)state;
	attest(client.nsm, &bytes, &document);
	assert_ok(file_write_atomic(configuration_path, view_of_text(CONFIGURATION), 0600, &error), &error);
	assert_ok(measurement_of_process_files("/proc/self/exe", configuration_path, &expected, &error), &error);
	assert_memory_equal(document.pcrs[0], expected.pcr0, NSM_PCR_SIZE);
	assert_memory_equal(document.pcrs[1], expected.pcr1, NSM_PCR_SIZE);
	assert_memory_equal(document.pcrs[2], expected.pcr2, NSM_PCR_SIZE);
	measurement_extend_text(ROLE_ARN, pcr);
	assert_memory_equal(document.pcrs[3], pcr, NSM_PCR_SIZE);
	measurement_extend_text(INSTANCE, pcr);
	assert_memory_equal(document.pcrs[4], pcr, NSM_PCR_SIZE);
	for (size_t i = 5; i < 16; i++)
		assert_memory_equal(document.pcrs[i], zero, NSM_PCR_SIZE);
	assert_int_equal(document.pcr_mask, 0xffff);
	assert_int_equal(strncmp(document.module_id, INSTANCE "-enc", strlen(INSTANCE "-enc")), 0);

	attest(client.nsm, &again, &second);
	assert_true(view_equal(document.certificate, second.certificate));
	assert_ok(nsm_describe_pcr(client.nsm, 0, pcr, &locked, &error), &error);
	assert_true(locked);
	assert_memory_equal(pcr, expected.pcr0, NSM_PCR_SIZE);
	client_stop(&client);
}

static void assert_client_refused(int configuration_fd)
{
	struct client client = client_start(configuration_fd);
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	assert_false(nsm_attest(client.nsm, (struct view){0}, (struct view){0}, (struct view){0}, &bytes, &error));
	assert_int_equal(error.code, ERROR_PEER);
	assert_int_equal(bytes.size, 0);
	client_stop(&client);
}

static void test_configurations_that_could_change_are_refused(void **state)
{
	static const int seals[] = {F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE, F_SEAL_SEAL | F_SEAL_GROW | F_SEAL_WRITE,
				    F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_WRITE, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW, 0};
	AUTO_FREE char *path = memory_format("%s/enclave.json", folder);
	struct error error = {0};
	AUTO_FD int file = -1;
	AUTO_FD int device = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(seals); i++) {
		AUTO_FD int configuration = configuration_make(seals[i]);

		assert_client_refused(configuration);
	}
	assert_ok(file_write_atomic(path, view_of_text(CONFIGURATION), 0400, &error), &error);
	file = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	assert_client_refused(file);
	assert_client_refused(device);
	assert_client_refused(-1);
}

static void exchange(int fd, const char *request_hex, struct buffer *ret_answer)
{
	AUTO_BUFFER struct buffer request = unhex(request_hex);
	struct error error = {0};

	assert_ok(frame_write(fd, buffer_view(&request), TIMEOUT_MS, &error), &error);
	assert_ok(frame_read(fd, NSM_RESPONSE_MAX_SIZE, TIMEOUT_MS, ret_answer, NULL, &error), &error);
}

static void test_wrong_requests_get_an_error_and_the_connection_lives(void **state)
{
	static const char *const requests[] = {"00", "63466f6f", "a1674c6f636b504352a0", "6947657452616e646f6d00", ""};
	AUTO_FD int configuration = configuration_make(ALL_SEALS);
	struct client client = client_start(configuration);
	struct error error = {0};
	uint8_t random[600];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		AUTO_BUFFER struct buffer answer = {0};
		struct nsm_response response;

		exchange(nsm_fd(client.nsm), requests[i], &answer);
		assert_ok(nsm_response_decode(buffer_view(&answer), &response, &error), &error);
		assert_int_equal(response.status, NSM_INVALID_OPERATION);
	}
	assert_ok(nsm_random(client.nsm, random, sizeof random, &error), &error);
	client_stop(&client);
}

static void test_a_frame_too_large_ends_the_connection(void **state)
{
	static const uint8_t large[NSM_REQUEST_MAX_SIZE + 1];
	AUTO_FD int configuration = configuration_make(ALL_SEALS);
	struct client client = client_start(configuration);
	AUTO_BUFFER struct buffer answer = {0};
	struct error error = {0};

	(void)state;
	assert_ok(frame_write(nsm_fd(client.nsm), view_of(large, sizeof large), TIMEOUT_MS, &error), &error);
	assert_false(frame_read(nsm_fd(client.nsm), NSM_RESPONSE_MAX_SIZE, TIMEOUT_MS, &answer, NULL, &error));
	client_stop(&client);
}

/* A connection of this process itself. Threads of closed connections end a moment later, so a full server is asked again. */
static struct nsm *open_served(const struct address *address)
{
	uint64_t deadline_ms = clock_monotonic_ms() + TIMEOUT_MS;
	struct error error = {0};
	uint8_t byte;

	while (clock_monotonic_ms() < deadline_ms) {
		struct nsm *nsm = nsm_open_simulated(address, &error);

		assert_ok(nsm != NULL, &error);
		if (nsm_random(nsm, &byte, 1, &error))
			return nsm;
		nsm_free(nsm);
		(void)usleep(10000);
	}
	fail_msg("no connection becomes free: %s", error.message);
	return NULL;
}

static void test_connections_are_bounded_and_freed(void **state)
{
	AUTO_FD int configuration = configuration_make(ALL_SEALS);
	struct nsm *connections[NSM_SERVER_CONNECTIONS_MAX];
	struct address address;
	struct error error = {0};
	uint8_t byte;

	(void)state;
	assert_int_equal(dup2(configuration, PEER_CONFIGURATION_FD), PEER_CONFIGURATION_FD);
	assert_ok(address_parse(address_text, &address, &error), &error);
	for (int round = 0; round < 2; round++) {
		AUTO_NSM struct nsm *one_more = NULL;

		for (size_t i = 0; i < NSM_SERVER_CONNECTIONS_MAX; i++)
			connections[i] = open_served(&address);
		one_more = nsm_open_simulated(&address, &error);
		assert_ok(one_more != NULL, &error);
		assert_false(nsm_random(one_more, &byte, 1, &error));
		for (size_t i = 0; i < NSM_SERVER_CONNECTIONS_MAX; i++)
			nsm_free(connections[i]);
	}
}

static void pcr_of_text(const char *text, uint8_t ret_pcr[NSM_PCR_SIZE])
{
	struct view part = view_of_text(text);
	struct error error = {0};

	assert_ok(measurement_of_parts(&part, 1, ret_pcr, &error), &error);
}

/* Whoever connects is the back end of the machine's vsock; what is measured is the image in the folder. */
static void test_a_machine_is_measured_by_its_image(void **state)
{
	static const uint8_t zero[NSM_PCR_SIZE];
	AUTO_FREE char *text = memory_format("hybrid:%s/vsock:9001", folder);
	AUTO_FREE char *path = memory_format("unix:%s/vsock_9001", folder);
	AUTO_BUFFER struct buffer bytes = {0};
	struct nsm_server *machine_server = NULL;
	struct attestation_document document;
	struct address address, backend;
	AUTO_NSM struct nsm *nsm = NULL;
	AUTO_NSM struct nsm *refused = NULL;
	struct error error = {0};
	uint8_t expected[NSM_PCR_SIZE];
	uint8_t byte;

	(void)state;
	maker_image(folder, NULL);
	assert_ok(address_parse(text, &address, &error) && address_parse(path, &backend, &error), &error);
	assert_ok(start_server(&address, ROLE_ARN, folder, &machine_server, &error), &error);
	nsm = nsm_open_simulated(&backend, &error);
	assert_ok(nsm != NULL, &error);
	attest(nsm, &bytes, &document);
	pcr_of_text(MAKER_KERNEL MAKER_COMMAND_LINE MAKER_SOFTWARE MAKER_SETTINGS, expected);
	assert_memory_equal(document.pcrs[0], expected, NSM_PCR_SIZE);
	pcr_of_text(MAKER_KERNEL MAKER_COMMAND_LINE MAKER_SOFTWARE, expected);
	assert_memory_equal(document.pcrs[1], expected, NSM_PCR_SIZE);
	pcr_of_text(MAKER_SETTINGS, expected);
	assert_memory_equal(document.pcrs[2], expected, NSM_PCR_SIZE);
	assert_memory_equal(document.pcrs[8], zero, NSM_PCR_SIZE);
	/* The next connection finds none. */
	maker_write(folder, view_of_text("no image"));
	refused = nsm_open_simulated(&backend, &error);
	assert_ok(refused != NULL, &error);
	assert_false(nsm_random(refused, &byte, 1, &error));
	nsm_server_stop(machine_server);
}

static void test_stopping_disconnects(void **state)
{
	AUTO_FD int configuration = configuration_make(ALL_SEALS);
	struct client client = client_start(configuration);
	struct error error = {0};
	uint8_t byte;

	(void)state;
	assert_ok(nsm_random(client.nsm, &byte, 1, &error), &error);
	nsm_server_stop(server);
	server = NULL;
	assert_false(nsm_random(client.nsm, &byte, 1, &error));
	client_stop(&client);
}

static void test_a_client_that_is_gone_is_refused(void **state)
{
	AUTO_FREE char *text = memory_format("unix:%s/gone.sock", folder);
	struct peer_process process;
	struct measurement measurement;
	struct address address;
	struct error error = {0};
	AUTO_FD int listener = -1;
	AUTO_FD int accepted = -1;
	pid_t child;
	int status;

	(void)state;
	assert_ok(address_parse(text, &address, &error), &error);
	listener = address_listen(&address, 1, &error);
	assert_true(listener >= 0);
	child = fork();
	if (child == 0) {
		int fd = address_connect(&address, TIMEOUT_MS, NULL);

		_exit(fd < 0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	accepted = accept(listener, NULL, NULL);
	assert_true(accepted >= 0);
	assert_false(peer_measure(accepted, &process, &measurement, &error));
	assert_message_contains(&error, "cannot be measured");
}

static void test_an_address_that_cannot_be_had(void **state)
{
	struct nsm_server *none = NULL;
	struct address address;
	struct error error = {0};

	(void)state;
	assert_ok(address_parse("unix:/nonexistent/nsm.sock", &address, &error), &error);
	assert_false(start_server(&address, NULL, NULL, &none, &error));
	assert_null(none);
	nsm_server_stop(NULL);
}

/* ---- sessions, without sockets ---- */

static enum nsm_status ask(struct nsm_session *session, const struct nsm_request *request, struct buffer *ret_bytes,
			   struct nsm_response *ret_response)
{
	AUTO_BUFFER struct buffer encoded = {0};
	struct error error = {0};
	enum nsm_status status;

	nsm_request_encode(request, &encoded);
	buffer_clear(ret_bytes);
	status = nsm_session_answer(session, buffer_view(&encoded), ret_bytes, &error);
	assert_ok(nsm_response_decode(buffer_view(ret_bytes), ret_response, &error), &error);
	assert_int_equal(ret_response->status, status);
	if (status == NSM_SUCCESS)
		assert_int_equal(ret_response->operation, request->operation);
	return status;
}

static void test_pcrs_lock(void **state)
{
	static const struct {
		struct nsm_request request;
		enum nsm_status status;
		uint32_t locked; /* afterwards */
	} steps[] = {
		{{.operation = NSM_EXTEND_PCR, .index = 15}, NSM_READ_ONLY_INDEX, 0xffff},
		{{.operation = NSM_EXTEND_PCR, .index = 32}, NSM_INVALID_INDEX, 0xffff},
		{{.operation = NSM_DESCRIBE_PCR, .index = 32}, NSM_INVALID_INDEX, 0xffff},
		{{.operation = NSM_LOCK_PCR, .index = 0}, NSM_READ_ONLY_INDEX, 0xffff},
		{{.operation = NSM_LOCK_PCR, .index = 32}, NSM_INVALID_INDEX, 0xffff},
		{{.operation = NSM_LOCK_PCRS, .range = 33}, NSM_INVALID_INDEX, 0xffff},
		{{.operation = NSM_LOCK_PCRS, .range = 65535}, NSM_INVALID_INDEX, 0xffff},
		{{.operation = NSM_LOCK_PCRS, .range = 0}, NSM_SUCCESS, 0xffff},
		{{.operation = NSM_EXTEND_PCR, .index = 16}, NSM_SUCCESS, 0xffff},
		{{.operation = NSM_LOCK_PCR, .index = 16}, NSM_SUCCESS, 0x1ffff},
		{{.operation = NSM_LOCK_PCR, .index = 16}, NSM_READ_ONLY_INDEX, 0x1ffff},
		{{.operation = NSM_EXTEND_PCR, .index = 16}, NSM_READ_ONLY_INDEX, 0x1ffff},
		{{.operation = NSM_LOCK_PCRS, .range = 20}, NSM_SUCCESS, 0xfffff},
		{{.operation = NSM_LOCK_PCR, .index = 31}, NSM_SUCCESS, 0x800fffff},
		{{.operation = NSM_LOCK_PCRS, .range = 32}, NSM_SUCCESS, 0xffffffff},
	};
	const struct nsm_request describe = {.operation = NSM_DESCRIBE_NSM};
	AUTO_BUFFER struct buffer bytes = {0};
	struct nsm_response response;
	struct nsm_session session;

	(void)state;
	nsm_session_init(&session, authority, INSTANCE "-enc0000000000000001");
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		assert_int_equal(ask(&session, &steps[i].request, &bytes, &response), steps[i].status);
		assert_int_equal(ask(&session, &describe, &bytes, &response), NSM_SUCCESS);
		assert_int_equal(response.locked_pcrs, steps[i].locked);
	}
	assert_int_equal(response.max_pcrs, NSM_PCR_COUNT);
	assert_true(view_equal_text(response.digest, "SHA384"));
	assert_true(view_equal_text(response.module_id, INSTANCE "-enc0000000000000001"));
}

static void test_extended_pcrs_are_attested_once_locked(void **state)
{
	/* SHA384(0^48 ‖ "abc") by Python's hashlib. */
	AUTO_BUFFER struct buffer once =
		unhex("b1c16eb7634112b7c9d5ebd27e62a2d4528bbfcfd68b62d3afd9ecf98e0f413a84314acce78317fb69fd895155343e09");
	const struct nsm_request extend = {.operation = NSM_EXTEND_PCR, .index = 16, .data = view_of_text("abc")};
	const struct nsm_request describe = {.operation = NSM_DESCRIBE_PCR, .index = 16};
	const struct nsm_request lock = {.operation = NSM_LOCK_PCR, .index = 16};
	const struct nsm_request attestation = {.operation = NSM_ATTESTATION};
	struct attestation_document document;
	AUTO_BUFFER struct buffer bytes = {0};
	struct nsm_response response;
	struct nsm_session session;
	struct error error = {0};

	(void)state;
	nsm_session_init(&session, authority, INSTANCE "-enc0000000000000001");
	assert_int_equal(ask(&session, &extend, &bytes, &response), NSM_SUCCESS);
	assert_true(view_equal(response.data, buffer_view(&once)));
	assert_int_equal(ask(&session, &describe, &bytes, &response), NSM_SUCCESS);
	assert_false(response.lock);
	assert_true(view_equal(response.data, buffer_view(&once)));
	assert_int_equal(ask(&session, &attestation, &bytes, &response), NSM_SUCCESS);
	assert_ok(attestation_parse(response.document, &document, &error), &error);
	assert_int_equal(document.pcr_mask, 0xffff);
	assert_int_equal(ask(&session, &lock, &bytes, &response), NSM_SUCCESS);
	assert_int_equal(ask(&session, &describe, &bytes, &response), NSM_SUCCESS);
	assert_true(response.lock);
	assert_int_equal(ask(&session, &attestation, &bytes, &response), NSM_SUCCESS);
	assert_ok(attestation_parse(response.document, &document, &error), &error);
	assert_int_equal(document.pcr_mask, 0x1ffff);
	assert_memory_equal(document.pcrs[16], once.data, NSM_PCR_SIZE);
}

static void test_attestation_fields_are_bounded(void **state)
{
	static const uint8_t large[NSM_FIELD_MAX_SIZE + 1];
	struct nsm_request request = {.operation = NSM_ATTESTATION};
	AUTO_BUFFER struct buffer bytes = {0};
	struct nsm_response response;
	struct nsm_session session;

	(void)state;
	nsm_session_init(&session, authority, INSTANCE "-enc0000000000000001");
	request.user_data = (struct nsm_optional){true, view_of(large, NSM_FIELD_MAX_SIZE)};
	request.nonce = request.user_data;
	request.public_key = request.user_data;
	assert_int_equal(ask(&session, &request, &bytes, &response), NSM_SUCCESS);
	request.nonce.bytes.size++;
	assert_int_equal(ask(&session, &request, &bytes, &response), NSM_INPUT_TOO_LARGE);
	request.nonce.present = false;
	request.public_key.bytes.size = 0;
	assert_int_equal(ask(&session, &request, &bytes, &response), NSM_INVALID_ARGUMENT);
	/* A fault of the authority's own is told as one. */
	nsm_session_init(&session, authority, "nonsense");
	request.public_key.present = false;
	assert_int_equal(ask(&session, &request, &bytes, &response), NSM_INTERNAL_ERROR);
}

/* A process that stands in for an image is measured as that; where the file cannot be understood it is not measured at all. */
static void test_image_of_a_process(void **state)
{
	AUTO_FREE char *configuration_path = memory_format("%s/enclave.json", folder);
	AUTO_FREE char *image_path = NULL;
	AUTO_BUFFER struct buffer image = {0};
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_FD int configuration = configuration_make(ALL_SEALS);
	struct attestation_document document;
	struct measurement process;
	char pcr0[NSM_PCR_TEXT_SIZE];
	char ones[NSM_PCR_TEXT_SIZE];
	uint8_t expected[NSM_PCR_SIZE];
	struct client client;
	struct error error = {0};

	(void)state;
	assert_ok(file_write_atomic(configuration_path, view_of_text(CONFIGURATION), 0600, &error), &error);
	assert_ok(measurement_of_process_files("/proc/self/exe", configuration_path, &process, &error), &error);
	hex_encode(view_of(process.pcr0, NSM_PCR_SIZE), pcr0);
	image_path = memory_format("%s/%s.json", folder, pcr0);
	memset(expected, 0x11, sizeof expected);
	hex_encode(view_of(expected, NSM_PCR_SIZE), ones);
	buffer_append_format(&image, "{\"PCR0\":\"%s\",\"PCR1\":\"%s\",\"PCR2\":\"%s\",\"HashAlgorithm\":\"x\"}", ones, ones, ones);
	assert_ok(file_write_atomic(image_path, buffer_view(&image), 0600, &error), &error);
	client = client_start(configuration);
	attest(client.nsm, &bytes, &document);
	for (size_t i = 0; i < 3; i++)
		assert_memory_equal(document.pcrs[i], expected, NSM_PCR_SIZE);
	client_stop(&client);
	assert_ok(file_write_atomic(image_path, view_of_text("{\"PCR0\":\"11\"}"), 0600, &error), &error);
	assert_client_refused(configuration);
	(void)unlink(image_path);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_client_is_measured, setup, teardown),
		cmocka_unit_test_setup_teardown(test_image_of_a_process, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_machine_is_measured_by_its_image, setup, teardown),
		cmocka_unit_test_setup_teardown(test_configurations_that_could_change_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_requests_get_an_error_and_the_connection_lives, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_frame_too_large_ends_the_connection, setup, teardown),
		cmocka_unit_test_setup_teardown(test_connections_are_bounded_and_freed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stopping_disconnects, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_client_that_is_gone_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_address_that_cannot_be_had, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pcrs_lock, setup, teardown),
		cmocka_unit_test_setup_teardown(test_extended_pcrs_are_attested_once_locked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_attestation_fields_are_bounded, setup, teardown),
	};
	struct error error = {0};

	if (argc == 3 && strcmp(argv[1], "client") == 0)
		return client_main(argv[2]);
	log_set_level(LOG_LEVEL_ERROR);
	/* Occupy descriptor 3 until a test puts a configuration there, so that nothing else gets that number. */
	(void)close(PEER_CONFIGURATION_FD);
	if (open("/dev/null", O_RDWR | O_CLOEXEC) < 0 || !secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
