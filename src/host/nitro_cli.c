/* SPDX-License-Identifier: Apache-2.0 */
#include "host/nitro_cli.h"

#include "base/process_output.h"

/* nitro-cli itself waits for the heartbeat, 180 s of an image below 6 GiB, and then says E36, which is more than we would know. */
#define RUN_TIMEOUT_MS 220000u
/* These only ask the processes that hold enclaves. */
#define ASK_TIMEOUT_MS 10000u
/* The hypervisor takes memory and processors back. */
#define TERMINATE_TIMEOUT_MS 30000u
/* The lines with a code are at its beginning; a backtrace may follow. */
#define MESSAGES_MAX_SIZE 16384
#define NUMBER_TEXT_SIZE 16
/* So much of a message as a line of a log can take. */
#define MESSAGE_MAX_SIZE 200
#define ENCLAVES_MAX 64
#define PID_MAX (1u << 22)

#define CONNECTION_LOST "E39"

/* The codes that operators meet (`nitro-cli explain`), and what to do. */
static const struct advice {
	const char *code;
	const char *text;
} advices[] = {
	{"E11", "is this user in the group ne, and /run/nitro_enclaves there?"},
	{"E19", "is the image there, and may this user read it?"},
	{"E22",
	 "set aside more processors: cpu_count in /etc/nitro_enclaves/allocator.yaml, then restart nitro-enclaves-allocator"},
	{"E26", "raise nitro.memory_mib: an enclave needs four times the size of its image"},
	{"E27", "set aside more memory: memory_mib in /etc/nitro_enclaves/allocator.yaml, then restart nitro-enclaves-allocator"},
	{"E29", "does the instance have enclaves enabled, is /dev/nitro_enclaves there, and is no other enclave using the CID?"},
	{"E35", "this is no image; see `ensign image verify`"},
	{"E36", "the enclave did not boot; the image's own console can be read in debug mode (nitro-cli console)"},
	{"E39", "nitro-cli lost its process; the reason is in /var/log/nitro_enclaves"},
	{"E59", "the signature of the image does not hold, or its certificate is out of date; see `ensign image verify`"},
};

/* ---- answers ---- */

static bool copy_member(json_t *object, const char *name, const char *allowed, char *ret_text, size_t size, struct error *error)
{
	const char *text;

	if (!json_read_text(object, name, &text, error))
		return false;
	if (!*text || strlen(text) >= size || strspn(text, allowed) != strlen(text))
		return error_set(error, ERROR_INPUT, "%s: not 1 to %zu of the characters that it is made of", name, size - 1);
	memcpy(ret_text, text, strlen(text) + 1);
	return true;
}

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

static bool read_numbers(json_t *object, struct nitro_enclave *enclave, struct error *error)
{
	uint64_t process_id = 0, cid;

	if (!json_read_u64(object, "EnclaveCID", &cid, error) ||
	    (json_object_get(object, "ProcessID") && !json_read_u64(object, "ProcessID", &process_id, error)))
		return false;
	if (cid > UINT32_MAX)
		return error_set(error, ERROR_INPUT, "EnclaveCID: larger than 32 bits");
	if (process_id > PID_MAX)
		return error_set(error, ERROR_INPUT, "ProcessID: larger than %u", PID_MAX);
	enclave->cid = (uint32_t)cid;
	enclave->process_id = (pid_t)process_id;
	return true;
}

/* describe-enclaves alone has these. */
static bool read_state(json_t *object, struct nitro_enclave *enclave, struct error *error)
{
	const char *state, *flags;
	json_t *measurements;

	if (!json_read_text_optional(object, "State", &state, error) || !json_read_text_optional(object, "Flags", &flags, error))
		return false;
	enclave->is_running = state && strcmp(state, "RUNNING") == 0;
	enclave->is_debug = flags && strstr(flags, "DEBUG_MODE") != NULL;
	if (!json_object_get(object, "Measurements"))
		return true;
	if (!json_read_object(object, "Measurements", &measurements, error))
		return false;
	return copy_member(measurements, "PCR0", "0123456789abcdef", enclave->pcr0, sizeof enclave->pcr0, error) ||
	       error_prefix(error, "Measurements");
}

static bool read_enclave(json_t *object, struct nitro_enclave *ret_enclave, struct error *error)
{
	struct nitro_enclave enclave = {0};

	if (!copy_member(object, "EnclaveID", LETTERS, enclave.id, sizeof enclave.id, error) ||
	    !copy_member(object, "EnclaveName", LETTERS, enclave.name, sizeof enclave.name, error) ||
	    !read_numbers(object, &enclave, error) || !read_state(object, &enclave, error))
		return false;
	*ret_enclave = enclave;
	return true;
}

static bool malformed(struct error *error)
{
	error->code = ERROR_PEER;
	return error_prefix(error, "the answer of nitro-cli");
}

bool nitro_enclave_parse(struct view json, struct nitro_enclave *ret_enclave, struct error *error)
{
	AUTO_JSON json_t *object = json_parse_object(json, "output", error);

	return (object && read_enclave(object, ret_enclave, error)) || malformed(error);
}

/* An enclave of another name may be of another version of nitro-cli; it is none of our business. */
static bool has_name(json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, "EnclaveName"));

	return text && strcmp(text, name) == 0;
}

bool nitro_enclaves_find(struct view json, const char *name, bool *ret_found, struct nitro_enclave *ret_enclave,
			 struct error *error)
{
	AUTO_JSON json_t *list = json_parse(json, "output", error);
	json_t *item;
	size_t index;

	if (!list)
		return malformed(error);
	if (!json_is_array(list) || json_array_size(list) > ENCLAVES_MAX) {
		(void)error_set(error, ERROR_INPUT, "not a list of at most %d enclaves", ENCLAVES_MAX);
		return malformed(error);
	}
	*ret_found = false;
	json_array_foreach(list, index, item)
	{
		if (!has_name(item, name))
			continue;
		*ret_found = true;
		return read_enclave(item, ret_enclave, error) || malformed(error);
	}
	return true;
}

/* ---- messages ---- */

/* Of "… [ E26 ] Insufficient memory requested. …" the code and the rest of the line. */
static const char *next_code(const char *text, char ret_code[4])
{
	const char *found = text;

	while ((found = strstr(found, "[ E"))) {
		const char *digits = found + strlen("[ E");

		if (strspn(digits, "0123456789") == 2 && strncmp(digits + 2, " ]", 2) == 0) {
			(void)snprintf(ret_code, 4, "E%.2s", digits);
			return digits + strlen("NN ]");
		}
		found = digits;
	}
	return NULL;
}

static const char *advice_of(const char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		if (strcmp(advices[i].code, code) == 0)
			return advices[i].text;
	}
	return "see `nitro-cli explain --error-code` and /var/log/nitro_enclaves";
}

bool nitro_messages_to_error(struct view messages, const char *command, int status, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	char code[4] = "", candidate[4];
	const char *line = NULL;
	const char *rest;

	buffer_append(&text, messages);
	/* What is no text is none of its messages. */
	for (size_t i = 0; i < text.size; i++)
		text.data[i] = text.data[i] == 0 ? ' ' : text.data[i];
	for (rest = buffer_text(&text); (rest = next_code(rest, candidate));) {
		if (line && strcmp(candidate, CONNECTION_LOST) == 0)
			continue;
		line = rest;
		memcpy(code, candidate, sizeof code);
		if (strcmp(code, CONNECTION_LOST) != 0)
			break;
	}
	if (!line)
		return error_set(error, ERROR_PEER,
				 "nitro-cli %s ended with status %d and said no reason; see /var/log/nitro_enclaves", command,
				 status);
	line += strspn(line, " ");
	return error_set(error, ERROR_PEER, "nitro-cli %s: %s: %.*s (%s)", command, code,
			 (int)(strcspn(line, "\n\r") < MESSAGE_MAX_SIZE ? strcspn(line, "\n\r") : MESSAGE_MAX_SIZE), line,
			 advice_of(code));
}

/* ---- commands ---- */

static bool call(const char *const *argv, unsigned timeout_ms, int cancel_fd, struct buffer *ret_output, struct error *error)
{
	const struct process_call call = {
		.argv = argv,
		.timeout_ms = timeout_ms,
		.cancel_fd = cancel_fd,
		.output_max_size = NITRO_OUTPUT_MAX_SIZE,
		.messages_max_size = MESSAGES_MAX_SIZE,
	};
	AUTO_BUFFER struct buffer messages = {0};
	int status;

	if (!process_output_read(&call, ret_output, &messages, &status, error))
		return false;
	return status == 0 || nitro_messages_to_error(buffer_view(&messages), argv[1], status, error);
}

bool nitro_cli_run(const struct nitro_options *options, int cancel_fd, struct nitro_enclave *ret_enclave, struct error *error)
{
	AUTO_BUFFER struct buffer output = {0};
	char cpus[NUMBER_TEXT_SIZE], memory[NUMBER_TEXT_SIZE], cid[NUMBER_TEXT_SIZE];
	const char *const argv[] = {options->nitro_cli,
				    "run-enclave",
				    "--eif-path",
				    options->eif,
				    "--enclave-name",
				    options->name,
				    "--enclave-cid",
				    cid,
				    "--cpu-count",
				    cpus,
				    "--memory",
				    memory,
				    options->is_debug ? "--debug-mode" : NULL,
				    NULL};

	(void)snprintf(cpus, sizeof cpus, "%u", options->cpu_count);
	(void)snprintf(memory, sizeof memory, "%u", options->memory_mib);
	(void)snprintf(cid, sizeof cid, "%u", options->cid);
	return call(argv, RUN_TIMEOUT_MS, cancel_fd, &output, error) &&
	       nitro_enclave_parse(buffer_view(&output), ret_enclave, error);
}

bool nitro_cli_find(const struct nitro_options *options, bool *ret_found, struct nitro_enclave *ret_enclave, struct error *error)
{
	const char *const argv[] = {options->nitro_cli, "describe-enclaves", NULL};
	AUTO_BUFFER struct buffer output = {0};

	return call(argv, ASK_TIMEOUT_MS, -1, &output, error) &&
	       nitro_enclaves_find(buffer_view(&output), options->name, ret_found, ret_enclave, error);
}

bool nitro_cli_terminate(const struct nitro_options *options, const struct nitro_enclave *enclave, struct error *error)
{
	const char *const argv[] = {options->nitro_cli, "terminate-enclave", "--enclave-id", enclave->id, NULL};
	AUTO_BUFFER struct buffer output = {0};

	return call(argv, TERMINATE_TIMEOUT_MS, -1, &output, error);
}
