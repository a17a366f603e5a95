/* SPDX-License-Identifier: Apache-2.0 */
/* A job is over when its opener is gone, whatever that said before: so there is never a second one, and none outlives its answer. */
#include <poll.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "enclave/control/control.h"
#include "enclave/metrics.h"
#include "net/frame.h"

bool job_start(struct control *control, enum job_kind kind, struct connection *connection, struct buffer *frame,
	       struct error *error)
{
	struct message_opener_wanted wanted;

	message_init(&wanted, MESSAGE_OPENER_WANTED, 0);
	if (!message_send(ROLE_FD_INIT, &wanted, error))
		return error_prefix(error, "init");
	control->job = (struct job){.state = JOB_STARTING, .kind = kind, .connection = connection, .request = *frame};
	*frame = (struct buffer){0};
	return true;
}

/* The whole of what the frontend sent, password included, straight from protected memory into the socket and back. */
static bool pass_import(const struct import *import, struct error *error)
{
	AUTO_SECRET struct secret memory = {0};
	struct message_import_keystore *message;

	if (!secret_init(&memory, sizeof *message, error))
		return false;
	message = (struct message_import_keystore *)(void *)memory.data;
	message_init(message, MESSAGE_IMPORT_KEYSTORE, import->id);
	message->keystore_size = (uint32_t)import->keystore_size;
	message->password_size = (uint32_t)(import->input.size - import->keystore_size);
	memcpy(message->keystore, import->input.data, message->keystore_size);
	memcpy(message->password, import->input.data + import->keystore_size, message->password_size);
	return message_send(ROLE_FD_OPENER, message, error);
}

/* Each goes on its way once: what an opener that breaks was given is not tried again. */
static bool pass_imports(struct control *control, struct error *error)
{
	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		struct import *import = &control->imports[i];

		if (import->state != IMPORT_WAITING)
			continue;
		import->state = IMPORT_OPENING;
		if (!pass_import(import, error))
			return false;
		secret_done(&import->input);
	}
	return true;
}

static bool pass_job(struct control *control, struct error *error)
{
	struct message_job message;

	message_init(&message, MESSAGE_JOB, 0);
	message.kind = control->job.kind;
	memcpy(message.tls_digest, control->tls_digest, sizeof message.tls_digest);
	if (control->job.kind == JOB_IMPORT)
		message.import_count = imports_count(control, IMPORT_WAITING);
	return message_send(ROLE_FD_OPENER, &message, error) && (control->job.kind != JOB_IMPORT || pass_imports(control, error)) &&
	       frame_write(ROLE_FD_REQUEST, buffer_view(&control->job.request), CONTROL_FRAME_TIMEOUT_MS, error);
}

bool job_handle_ready(struct control *control, struct error *error)
{
	struct error problem = {0};

	if (control->job.state != JOB_STARTING)
		return error_set(error, ERROR_PEER, "an opener that nobody asked for");
	control->job.state = JOB_RUNNING;
	/* An opener that does not take it ends, and then its job does. */
	if (!pass_job(control, &problem))
		log_failure(LOG_LEVEL_ERROR, "job_not_passed_on", &problem);
	buffer_wipe_done(&control->job.request);
	return true;
}

static bool note_sealed(struct control *control, const union message *message, struct error *error)
{
	struct import *import = imports_find(control, message->header.id, IMPORT_OPENING);

	if (!import)
		return error_set(error, ERROR_PEER, "an import that nobody asked for");
	memcpy(import->public_key, message->sealed_key.public_key, sizeof import->public_key);
	memcpy(import->sealed, message->sealed_key.sealed, sizeof import->sealed);
	import->state = IMPORT_SEALED;
	return true;
}

static bool note_import_result(struct control *control, const union message *message, struct error *error)
{
	struct import *import = imports_find(control, message->header.id, IMPORT_OPENING);

	if (!import || message->import_result.status >= IMPORT_STATUS_COUNT)
		return error_set(error, ERROR_PEER, "an import that nobody asked for");
	return import_finish(import, (enum import_status)message->import_result.status, message->import_result.message, error);
}

static void fill_missing_result(struct message_job_result *ret_result, const char *how)
{
	message_init(ret_result, MESSAGE_JOB_RESULT, 0);
	ret_result->code = ERROR_BUG;
	(void)snprintf(ret_result->message, sizeof ret_result->message, "the opener failed before it was done: %.400s", how);
}

/* It follows the result at once. */
static bool read_body(struct control *control, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	json_decref(control->job.body);
	control->job.body = NULL;
	if (frame_read(ROLE_FD_REQUEST, CONTROL_BODY_MAX_SIZE, CONTROL_FRAME_TIMEOUT_MS, &text, NULL, error))
		control->job.body = json_parse_object(buffer_view(&text), "body", error);
	return control->job.body != NULL;
}

static bool note_result(struct control *control, const union message *message, struct error *error)
{
	struct error problem = {0};

	if (message->job_result.code >= ERROR_CODE_COUNT)
		return error_set(error, ERROR_PEER, "a result of code %u", message->job_result.code);
	control->job.has_result = true;
	memcpy(&control->job.result, &message->job_result, sizeof control->job.result);
	if (message->job_result.has_body && !read_body(control, &problem))
		fill_missing_result(&control->job.result, problem.message);
	return true;
}

/* What an opener may say. */
static const struct {
	enum message_type type;
	bool (*note)(struct control *control, const union message *message, struct error *error);
} notes[] = {
	{MESSAGE_SEALED_KEY, note_sealed},
	{MESSAGE_IMPORT_RESULT, note_import_result},
	{MESSAGE_JOB_RESULT, note_result},
};

bool job_handle_opener(struct control *control, struct error *error)
{
	union message message;

	if (!message_receive(ROLE_FD_OPENER, &message, sizeof message, NULL, error))
		return error_prefix(error, "opener");
	for (size_t i = 0; i < ARRAY_SIZE(notes); i++) {
		if (notes[i].type == message.header.type && control->job.state == JOB_RUNNING)
			return notes[i].note(control, &message, error) || error_prefix(error, "opener");
	}
	return error_set(error, ERROR_PEER, "opener: message of type %u", message.header.type);
}

/* ---- the end ---- */

static bool tell_frontend_of_reload(const struct control *control, const struct message_job_result *result, struct error *error)
{
	const char *explanation = json_string_value(json_object_get(json_array_get(control->failures, 0), "message"));
	struct message_reload_result message;

	message_init(&message, MESSAGE_RELOAD_RESULT, 0);
	message.ok = result->code == ERROR_NONE;
	message.key_count = result->key_count;
	message.added = result->added;
	message.removed = result->removed;
	message.failed_count = result->failed_count;
	memcpy(message.message, result->message, sizeof message.message);
	if (message.ok && message.failed_count)
		(void)snprintf(message.message, sizeof message.message, "%s",
			       explanation ? explanation : "rows of the key table were passed over");
	return message_send(ROLE_FD_FRONTEND, &message, error) || error_prefix(error, "frontend");
}

static void note_credential(struct control *control)
{
	if (control->start.refreshes_credential)
		control->credential_due_ms = clock_monotonic_ms() + CONTROL_CREDENTIAL_AGE_MS;
}

static void take_over(struct control *control, const struct message_job_result *result)
{
	note_credential(control);
	control->is_provisioned = true;
	control->key_count = result->key_count;
	control->failed_count = result->failed_count;
	json_decref(control->failures);
	control->failures = json_incref(json_object_get(control->job.body, "failures"));
	memcpy(control->tls_digest, result->tls_digest, sizeof control->tls_digest);
}

static bool finish_init(struct control *control, const struct message_job_result *result, struct answer *ret_answer,
			struct error *error)
{
	(void)error;
	if (result->code != ERROR_NONE)
		return true;
	take_over(control, result);
	ret_answer->body = operations_state_new(control);
	return true;
}

static bool finish_reload(struct control *control, const struct message_job_result *result, struct answer *ret_answer,
			  struct error *error)
{
	if (result->code == ERROR_NONE) {
		take_over(control, result);
		ret_answer->body = operations_state_new(control);
		(void)json_object_set_new(ret_answer->body, "added", json_integer((json_int_t)result->added));
		(void)json_object_set_new(ret_answer->body, "removed", json_integer((json_int_t)result->removed));
	}
	return imports_end_reload(control, result, json_object_get(control->job.body, "failures"), error) &&
	       tell_frontend_of_reload(control, result, error);
}

static bool finish_import(struct control *control, const struct message_job_result *result, struct answer *ret_answer,
			  struct error *error)
{
	const char *message = result->code != ERROR_NONE ? result->message : "the opener did not say what became of it";

	if (result->code == ERROR_NONE)
		ret_answer->body = json_pack("{s:s, s:s, s:o}", "chain", control->start.network.name, "data_key_b64",
					     control->job.data_key_b64, "rows", imports_rows_new(control));
	return imports_fail_all(control, IMPORT_OPENING, message, error);
}

static bool finish_with_body(struct control *control, const struct message_job_result *result, struct answer *ret_answer,
			     struct error *error)
{
	(void)error;
	if (result->code == ERROR_NONE)
		ret_answer->body = json_incref(control->job.body);
	return true;
}

static bool finish_credential(struct control *control, const struct message_job_result *result, struct answer *ret_answer,
			      struct error *error)
{
	(void)error;
	control->credential_due_ms = clock_monotonic_ms() + CONTROL_CREDENTIAL_RETRY_MS;
	if (result->code != ERROR_NONE)
		return true;
	note_credential(control);
	ret_answer->body = operations_state_new(control);
	return true;
}

static bool (*const finishers[JOB_KIND_COUNT])(struct control *control, const struct message_job_result *result,
					       struct answer *ret_answer, struct error *error) = {
	[JOB_INIT] = finish_init,          [JOB_RELOAD] = finish_reload,         [JOB_IMPORT] = finish_import,
	[JOB_SLASHING] = finish_with_body, [JOB_CREDENTIAL] = finish_credential, [JOB_REWRAP] = finish_with_body,
	[JOB_GENERATE] = finish_with_body, [JOB_CREATE_TLS] = finish_with_body,
};

static bool finish(struct control *control, struct error *error)
{
	const struct message_job_result *result = &control->job.result;
	struct answer answer = {.status = 200};
	struct error refusal = {.code = (enum error_code)result->code};
	bool ok = finishers[control->job.kind](control, result, &answer, error);
	size_t job = (size_t)control->job.kind - JOB_INIT;

	metrics_add(METRIC_JOBS, job, refusal.code == ERROR_NONE ? METRICS_OK : METRICS_FAILURE, 1);
	memcpy(refusal.message, result->message, sizeof refusal.message);
	if (refusal.code != ERROR_NONE) {
		log_failure(LOG_LEVEL_ERROR, "job_failed", &refusal);
		json_done(&answer.body);
		answer = answer_refusal(answer_status_of(refusal.code), &refusal);
	}
	if (control->job.connection)
		connection_answer(control, control->job.connection, &answer);
	else
		json_decref(answer.body);
	return ok;
}

/* Of one that ended in the middle of it. */
static void discard_body(void)
{
	uint8_t waste[4096];

	while (recv(ROLE_FD_REQUEST, waste, sizeof waste, MSG_DONTWAIT) > 0)
		;
}

bool job_handle_gone(struct control *control, const struct message_opener_gone *gone, struct error *error)
{
	bool ok = true;

	/* What it said last may be on its socket still. */
	while (ok && poll(&(struct pollfd){ROLE_FD_OPENER, POLLIN, 0}, 1, 0) > 0)
		ok = job_handle_opener(control, error);
	if (!ok)
		return false;
	if (control->job.state == JOB_NONE)
		return error_set(error, ERROR_PEER, "an opener is gone that nobody asked for");
	discard_body();
	if (!control->job.has_result)
		fill_missing_result(&control->job.result, gone->how);
	ok = finish(control, error);
	buffer_wipe_done(&control->job.request);
	free(control->job.data_key_b64);
	json_decref(control->job.body);
	control->job = (struct job){0};
	return ok;
}
