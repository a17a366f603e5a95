/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for ensign-enclave that answers the control channel as docs/protocols.md says and misbehaves as its configuration
 * (descriptor 3) asks. What it saw and how often it was started it writes into its --store folder.
 *
 *   {"mode":"serve"}   also die, crash, crash-later, silent, refuse, garbage, forget, relay, key-manager: on its first start; with
 *   "always":true on every start; "stubborn":true ignores SIGTERM
 *
 * It ends by _exit(): a leak checker at exit would change the status that tests look at.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/json.h"
#include "base/options.h"
#include "net/address.h"
#include "net/frame.h"
#include "net/proxy_protocol.h"

#define FRAME_MAX_SIZE (64u << 20)
#define TIMEOUT_MS 5000
#define PATH_SIZE 1024
#define GREETING "hello from the enclave"

extern char **environ;

struct enclave {
	const char *control, *signing, *kms, *nsm, *store;
	const char *mode;
	bool stubborn;
	bool initialized;
	json_int_t key_count;
	unsigned answers;
};

static void die(const char *what, const struct error *error)
{
	(void)fprintf(stderr, "fake enclave: %s: %s\n", what, error->message);
	_exit(3);
}

static void save(const struct enclave *enclave, const char *name, struct view bytes)
{
	AUTO_FREE char *path = memory_format("%s/%s", enclave->store, name);
	struct error error = {0};

	if (!file_write_atomic(path, bytes, 0600, &error))
		die(name, &error);
}

/* Which start this is, from 1. */
static unsigned count_start(const struct enclave *enclave)
{
	AUTO_FREE char *path = memory_format("%s/starts", enclave->store);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	if (fd < 0 || !fd_write_all(fd, "x", 1))
		_exit(4);
	return (unsigned)lseek(fd, 0, SEEK_END);
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* What the launcher gave it. */
static void save_report(const struct enclave *enclave)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *report = NULL;
	char exe[PATH_SIZE] = {0};
	char stdin_path[PATH_SIZE] = {0};
	int environment = 0;

	while (environ && environ[environment])
		environment++;
	if (readlink("/proc/self/exe", exe, sizeof exe - 1) < 0 ||
	    readlink("/proc/self/fd/0", stdin_path, sizeof stdin_path - 1) < 0)
		_exit(5);
	report = json_pack("{s:i, s:i, s:i, s:i, s:s, s:s, s:b, s:b, s:i, s:s, s:s}", "pid", (int)getpid(), "environment",
			   environment, "descriptors", count_descriptors(), "seals", fcntl(3, F_GET_SEALS), "exe", exe, "stdin",
			   stdin_path, "writable", (int)(pwrite(3, "x", 1, 0) == 1), "sees_pid_2", (int)file_exists("/proc/2"),
			   "session", (int)(getsid(0) == getpid() || getsid(0) == 0), "nsm", enclave->nsm, "kms", enclave->kms);
	json_write(report, &text);
	save(enclave, "report.json", buffer_view(&text));
}

static bool fetch_greeting(const struct enclave *enclave)
{
	struct address address;
	struct error error = {0};
	char text[64] = {0};

	if (!address_parse(enclave->kms, &address, &error))
		die("--kms", &error);
	{
		AUTO_FD int fd = address_connect(&address, TIMEOUT_MS, &error);

		if (fd < 0 || !fd_write_all(fd, GREETING, strlen(GREETING)) || shutdown(fd, SHUT_WR) != 0 ||
		    recv(fd, text, sizeof text - 1, MSG_WAITALL) <= 0)
			return false;
	}
	save(enclave, "kms.txt", view_of_text(text));
	return true;
}

/* The host says whose connection it is; what follows is the client's. */
static void skip_header(int fd)
{
	uint8_t header[PROXY_HEADER_MAX_SIZE];
	struct error error;
	size_t missing;

	for (size_t size = 0; proxy_header_missing(view_of(header, size), &missing, &error) && missing > 0; size += missing) {
		if (recv(fd, header + size, missing, MSG_WAITALL) != (ssize_t)missing)
			return;
	}
}

/* A child echoes what comes in on the signing socket. */
static void serve_signing(const struct enclave *enclave)
{
	struct address address;
	struct error error = {0};
	int listening;

	if (!address_parse(enclave->signing, &address, &error))
		die("--signing", &error);
	listening = address_listen(&address, 64, &error);
	if (listening < 0)
		die("--signing", &error);
	if (fork() != 0) {
		(void)close(listening);
		return;
	}
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		AUTO_FD int fd = accept(listening, NULL, NULL);
		char bytes[4096];

		skip_header(fd);
		for (ssize_t got; (got = read(fd, bytes, sizeof bytes)) > 0;) {
			if (!fd_write_all(fd, bytes, (size_t)got))
				break;
		}
	}
}

static json_t *state_of(const struct enclave *enclave)
{
	return json_pack("{s:i, s:{s:b, s:I}}", "status", 200, "body", "initialized", (int)enclave->initialized, "key_count",
			 enclave->key_count);
}

static json_t *refuse(int status, const char *code, const char *message)
{
	return json_pack("{s:i, s:{s:s, s:s}}", "status", status, "body", "code", code, "message", message);
}

static json_t *answer_init(struct enclave *enclave, struct view frame, json_t *request)
{
	save(enclave, "init.json", frame);
	if (enclave->initialized)
		return refuse(409, "policy", "init: the keys are loaded already");
	if (strcmp(enclave->mode, "refuse") == 0)
		return refuse(403, "policy", "AccessDeniedException: PCR0 is not the one that the key policy wants");
	if (strcmp(enclave->mode, "crash") == 0)
		_exit(7);
	if (strcmp(enclave->mode, "relay") == 0 && !fetch_greeting(enclave))
		return refuse(502, "peer", "KMS cannot be reached");
	if (json_array_size(json_object_get(request, "encrypted_validator_keys")) == 0 && strcmp(enclave->mode, "key-manager") != 0)
		return refuse(400, "input", "encrypted_validator_keys: empty");
	enclave->initialized = true;
	enclave->key_count = (json_int_t)json_array_size(json_object_get(request, "encrypted_validator_keys"));
	serve_signing(enclave);
	return state_of(enclave);
}

static json_t *answer_init_state(struct enclave *enclave, struct view frame, json_t *request)
{
	(void)frame;
	(void)request;
	if (!enclave->initialized)
		return state_of(enclave);
	enclave->answers++;
	if (strcmp(enclave->mode, "crash-later") == 0)
		_exit(8);
	if (strcmp(enclave->mode, "garbage") == 0)
		return json_pack("{s:s}", "status", "what?");
	if (strcmp(enclave->mode, "forget") == 0 && enclave->answers == 2) {
		enclave->initialized = false;
		enclave->mode = "serve";
	}
	while (strcmp(enclave->mode, "silent") == 0)
		(void)pause();
	if (strcmp(enclave->mode, "credential") == 0)
		return json_pack("{s:i, s:{s:b, s:I, s:[s]}}", "status", 200, "body", "initialized", 1, "key_count",
				 enclave->key_count, "wants", "credential");
	return state_of(enclave);
}

static json_t *answer_credential(struct enclave *enclave, struct view frame, json_t *request)
{
	(void)request;
	save(enclave, "credential.json", frame);
	enclave->mode = "serve";
	return state_of(enclave);
}

static json_t *answer_drain(struct enclave *enclave, struct view frame, json_t *request)
{
	(void)request;
	save(enclave, "drain.json", frame);
	return state_of(enclave);
}

static const struct operation {
	const char *name;
	json_t *(*answer)(struct enclave *enclave, struct view frame, json_t *request);
} operations[] = {
	{"init_state", answer_init_state},
	{"init", answer_init},
	{"credential", answer_credential},
	{"drain", answer_drain},
};

static json_t *answer(struct enclave *enclave, struct view frame)
{
	struct error error = {0};
	AUTO_JSON json_t *request = json_parse_object(frame, "frame", &error);
	const char *name;

	if (!request || !json_read_text(request, "operation", &name, &error))
		die("frame", &error);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (strcmp(operations[i].name, name) == 0)
			return operations[i].answer(enclave, frame, request);
	}
	return refuse(404, "not_found", "no such operation");
}

static void serve_control(struct enclave *enclave, int listening)
{
	for (;;) {
		AUTO_FD int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
		AUTO_BUFFER struct buffer frame = {0};

		if (fd < 0)
			continue;
		while (frame_read(fd, FRAME_MAX_SIZE, TIMEOUT_MS, &frame, NULL, NULL)) {
			AUTO_JSON json_t *envelope = answer(enclave, buffer_view(&frame));
			AUTO_BUFFER struct buffer text = {0};

			json_write(envelope, &text);
			if (!frame_write(fd, buffer_view(&text), TIMEOUT_MS, NULL))
				break;
		}
	}
}

static void on_term(int number)
{
	(void)number;
	_exit(0);
}

static void read_configuration(struct enclave *enclave)
{
	AUTO_BUFFER struct buffer text = {0};
	struct error error = {0};
	json_t *object;
	bool first = count_start(enclave) == 1;

	if (!file_read_fd(3, "configuration", 65536, &text, &error))
		die("descriptor 3", &error);
	object = json_parse_object(buffer_view(&text), "configuration", &error);
	if (!object || !json_read_text(object, "mode", &enclave->mode, &error))
		die("descriptor 3", &error);
	if (!first && !json_is_true(json_object_get(object, "always")) && strcmp(enclave->mode, "relay") != 0)
		enclave->mode = "serve";
	enclave->stubborn = json_is_true(json_object_get(object, "stubborn"));
	/* The object stays: `mode` borrows from it. */
}

static void read_arguments(struct enclave *enclave, int argc, char **argv)
{
	const struct option options[] = {
		{"control", OPTION_TEXT, &enclave->control, "ADDRESS", ""},
		{"signing", OPTION_TEXT, &enclave->signing, "ADDRESS", ""},
		{"kms", OPTION_TEXT, &enclave->kms, "ADDRESS", ""},
		{"nsm", OPTION_TEXT, &enclave->nsm, "ADDRESS", ""},
		{"store", OPTION_TEXT, &enclave->store, "DIR", ""},
	};
	struct error error = {0};
	size_t count;
	bool wants_help;

	if (!options_parse(options, ARRAY_SIZE(options), argc, argv, NULL, 0, &count, &wants_help, &error))
		die("arguments", &error);
	if (!enclave->control || !enclave->signing || !enclave->kms || !enclave->nsm || !enclave->store)
		_exit(6);
}

int main(int argc, char **argv)
{
	struct enclave enclave = {0};
	struct address control;
	struct error error = {0};
	int listening;

	read_arguments(&enclave, argc, argv);
	read_configuration(&enclave);
	save_report(&enclave);
	if (strcmp(enclave.mode, "die") == 0)
		_exit(2);
	(void)signal(SIGTERM, enclave.stubborn ? SIG_IGN : on_term);
	if (!address_parse(enclave.control, &control, &error))
		die("--control", &error);
	listening = address_listen(&control, 16, &error);
	if (listening < 0)
		die("--control", &error);
	serve_control(&enclave, listening);
}
