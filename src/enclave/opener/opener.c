/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/opener/opener.h"

#include <malloc.h>

#include "base/log.h"
#include "base/options.h"
#include "enclave/sandbox.h"
#include "net/frame.h"
#include "net/http_client.h"

/* init names the places that differ between a real enclave and a local one. */
static bool read_arguments(int argc, char **argv, struct opener *opener, bool *ret_nsm_is_device, struct error *error)
{
	const char *kms_relay = NULL;
	const struct option options[] = {
		{"kms", OPTION_TEXT, &kms_relay, "ADDRESS", "relay to KMS"},
		{"nsm-device", OPTION_FLAG, ret_nsm_is_device, NULL, "the NSM descriptor is the device"},
	};
	size_t positional_count;
	bool help;

	if (!options_parse(options, ARRAY_SIZE(options), argc, argv, NULL, 0, &positional_count, &help, error))
		return false;
	return role_parse_relay("kms", kms_relay, &opener->kms_relay, error);
}

static bool begin(int argc, char **argv, struct opener *opener, struct error *error)
{
	bool nsm_is_device = false;
	struct message_start start;

	if (!role_begin("opener", SECRET_HEAP_SIZE_DEFAULT, &start, error) ||
	    !read_arguments(argc, argv, opener, &nsm_is_device, error) || !role_read_configuration(&opener->configuration, error))
		return false;
	opener->nsm = nsm_from_fd(ROLE_FD_NSM, nsm_is_device, error);
	/* Heaps of further threads are of no use: what a derivation takes is mapped for it alone. */
	(void)mallopt(M_ARENA_MAX, 1);
	opener->derivations = derivations_new(&opener->kdf_cache, error);
	/* What libraries read when they start, they must read before the sandbox. */
	return opener->nsm && opener->derivations && http_client_prepare(error) && sandbox_enter(SANDBOX_OPENER, error) &&
	       role_ready(error);
}

/* A packet that may hold a password: the whole of it in protected memory. */
static bool receive_import(struct secret *ret_import, struct error *error)
{
	const union message *message;

	if (!secret_init(ret_import, sizeof(struct message_import_keystore), error) ||
	    !message_receive(ROLE_FD_CONTROL, ret_import->data, ret_import->size, NULL, error))
		return error_prefix(error, "control");
	message = (const union message *)(const void *)ret_import->data;
	return message->header.type == MESSAGE_IMPORT_KEYSTORE ||
	       error_set(error, ERROR_PEER, "control: message of type %u", message->header.type);
}

struct task {
	struct secret imports[IMPORTS_MAX];
	struct buffer request; /* the parent's; wiped */
};

static void task_done(struct task *task)
{
	for (size_t i = 0; i < IMPORTS_MAX; i++)
		secret_done(&task->imports[i]);
	buffer_wipe_done(&task->request);
}

static bool receive_task(struct opener *opener, struct task *task, struct error *error)
{
	if (!message_receive(ROLE_FD_CONTROL, &opener->job, sizeof opener->job, NULL, error))
		return error_prefix(error, "control");
	if (opener->job.header.type != MESSAGE_JOB || opener->job.import_count > IMPORTS_MAX)
		return error_set(error, ERROR_PEER, "control: message of type %u", opener->job.header.type);
	for (size_t i = 0; i < opener->job.import_count; i++) {
		if (!receive_import(&task->imports[i], error))
			return false;
	}
	return frame_read(ROLE_FD_REQUEST, CONTROL_FRAME_MAX_SIZE, CONTROL_FRAME_TIMEOUT_MS, &task->request, NULL, error) ||
	       error_prefix(error, "control");
}

/* The jobs whose answer is a body and nothing else. */
static const struct body_job {
	enum job_kind kind;
	bool (*run)(struct opener *opener, json_t *request, struct buffer *ret_body, struct error *error);
} body_jobs[] = {
	{JOB_SLASHING, opener_histories},
	{JOB_REWRAP, opener_rewrap},
	{JOB_GENERATE, opener_generate},
	{JOB_CREATE_TLS, opener_create_tls},
};

static bool run_task(struct opener *opener, struct task *task, struct message_job_result *ret_result, struct buffer *ret_body,
		     struct error *error)
{
	AUTO_JSON json_t *request = json_parse_object(buffer_view(&task->request), "control frame", error);

	/* Parsed, it is all in memory that is wiped on release. */
	buffer_wipe_done(&task->request);
	if (!request)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(body_jobs); i++) {
		if (body_jobs[i].kind == opener->job.kind)
			return body_jobs[i].run(opener, request, ret_body, error);
	}
	if (opener->job.kind == JOB_IMPORT)
		return opener_import(opener, request, task->imports, opener->job.import_count, error);
	if (opener->job.kind == JOB_CREDENTIAL)
		return opener_refresh_credential(opener, request, error);
	return opener_load(opener, request, ret_result, ret_body, error);
}

static bool report(const struct message_job_result *result, const struct error *failure, struct view body, struct error *error)
{
	struct message_job_result message = *result;

	message.code = failure->code;
	memcpy(message.message, failure->message, sizeof message.message);
	message.has_body = failure->code == ERROR_NONE && body.size > 0;
	if (!message_send(ROLE_FD_CONTROL, &message, error) ||
	    (message.has_body && !frame_write(ROLE_FD_REQUEST, body, CONTROL_FRAME_TIMEOUT_MS, error)))
		return error_prefix(error, "control");
	return true;
}

static bool work(struct opener *opener, struct error *error)
{
	CLEANUP(task_done) struct task task = {0};
	AUTO_BUFFER struct buffer body = {0};
	struct message_job_result result;
	struct error failure = {0};

	if (!receive_task(opener, &task, error))
		return false;
	message_init(&result, MESSAGE_JOB_RESULT, 0);
	if (run_task(opener, &task, &result, &body, &failure))
		failure = (struct error){0};
	return report(&result, &failure, buffer_view(&body), error);
}

int opener_main(int argc, char **argv)
{
	struct opener opener = {0};
	struct error error = {0};
	bool ok = begin(argc, argv, &opener, &error) && work(&opener, &error);

	derivations_free(opener.derivations);
	keystore_kdf_cache_done(&opener.kdf_cache);
	nsm_free(opener.nsm);
	configuration_done(&opener.configuration);
	return ok ? 0 : role_failed(&error);
}
