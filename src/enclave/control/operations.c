/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "enclave/control/control.h"
#include "net/frame.h"

/*
 * A value of two bytes of text ("0,") takes forty when parsed, so the size alone is no bound on memory. Each value has a mark in front of
 * it; 100,000 sealed rows have 900,000 marks.
 */
#define CONTROL_MARKS_MAX (1u << 20)

static const int statuses[ERROR_CODE_COUNT] = {
	[ERROR_NONE] = 500, [ERROR_INPUT] = 400, [ERROR_NOT_FOUND] = 404, [ERROR_SLASHABLE] = 412, [ERROR_POLICY] = 403,
	[ERROR_IO] = 500,   [ERROR_PEER] = 502,  [ERROR_AWS] = 502,       [ERROR_CRYPTO] = 422,    [ERROR_BUG] = 500,
};

int answer_status_of(enum error_code code)
{
	return code < ERROR_CODE_COUNT ? statuses[code] : 500;
}

struct answer answer_refusal(int status, const struct error *error)
{
	return (struct answer){
		.status = status,
		.body = json_pack("{s:s, s:o}", "code", error_code_name(error->code), "message", json_text_of_any(error->message)),
	};
}

static struct answer refuse(int status, enum error_code code, const char *message)
{
	struct error error = {0};

	(void)error_set(&error, code, "%s", message);
	return answer_refusal(status, &error);
}

static json_t *wishes_new(const struct control *control)
{
	json_t *wishes = json_array();

	if (control->wants_reload)
		(void)json_array_append_new(wishes, json_string("reload"));
	if (control->credential_due_ms && control->credential_due_ms <= clock_monotonic_ms())
		(void)json_array_append_new(wishes, json_string("credential"));
	if (imports_count(control, IMPORT_WAITING) > 0)
		(void)json_array_append_new(wishes, json_string("import"));
	if (control->forget_count > 0)
		(void)json_array_append_new(wishes, json_string("forget"));
	return wishes;
}

static json_t *failures_new(const struct control *control)
{
	json_t *listed = json_array();

	for (size_t i = 0; i < json_array_size(control->failures) && i < CONTROL_FAILURES_LISTED_MAX; i++)
		(void)json_array_append(listed, json_array_get(control->failures, i));
	return listed;
}

json_t *operations_state_new(const struct control *control)
{
	AUTO_JSON json_t *wishes = wishes_new(control);
	json_t *state =
		json_pack("{s:b, s:I}", "initialized", (int)control->is_provisioned, "key_count", (json_int_t)control->key_count);

	if (control->failed_count > 0) {
		(void)json_object_set_new(state, "failed", json_integer((json_int_t)control->failed_count));
		(void)json_object_set_new(state, "failures", failures_new(control));
	}
	if (json_array_size(wishes) > 0)
		(void)json_object_set(state, "wants", wishes);
	if (control->forget_count > 0)
		(void)json_object_set_new(state, "forget", forget_list_new(control));
	return state;
}

/* What an operation is given. */
struct request {
	json_t *members;
	struct connection *connection;
	struct buffer *frame;
};

static struct answer answer_init_state(struct control *control, const struct request *request)
{
	(void)request;
	return (struct answer){.status = 200, .body = operations_state_new(control)};
}

static struct answer answer_status(struct control *control, const struct request *request)
{
	json_t *body = operations_state_new(control);

	(void)request;
	(void)json_object_set_new(body, "network", json_string(control->start.network.name));
	(void)json_object_set_new(body, "slashing_protection", json_boolean(control->start.slashing_protection));
	(void)json_object_set_new(body, "uptime_ms",
				  json_integer((json_int_t)(clock_monotonic_ms() - control->start.enclave_started_ms)));
	return (struct answer){.status = 200, .body = body};
}

static struct answer start_job(struct control *control, enum job_kind kind, const struct request *request)
{
	struct error error = {0};

	if (control->job.state != JOB_NONE)
		return refuse(409, ERROR_POLICY, "another request that opens keys is under way; try again when it is answered");
	if (!job_start(control, kind, request->connection, request->frame, &error))
		return answer_refusal(answer_status_of(error.code), &error);
	return (struct answer){.is_pending = true};
}

static struct answer answer_init(struct control *control, const struct request *request)
{
	if (control->is_provisioned)
		return refuse(409, ERROR_POLICY, "init: the keys are loaded already; reload loads others");
	return start_job(control, JOB_INIT, request);
}

static struct answer answer_reload(struct control *control, const struct request *request)
{
	struct answer answer;

	if (!control->is_provisioned)
		return refuse(409, ERROR_POLICY, "reload: no keys are loaded yet; init comes first");
	answer = start_job(control, JOB_RELOAD, request);
	if (!answer.is_pending)
		return answer;
	control->wants_reload = false;
	imports_mark_reloaded(control, request->members);
	return answer;
}

static const char no_data_key[] = "the key table has no sealed key whose data key could seal this one; add one there first";

static struct answer answer_import(struct control *control, const struct request *request)
{
	struct error error = {0};
	struct answer answer;
	const char *data_key_b64;

	if (!control->is_provisioned)
		return refuse(409, ERROR_POLICY, "import: no keys are loaded yet; init comes first");
	if (imports_count(control, IMPORT_WAITING) == 0)
		return (struct answer){.status = 200, .body = json_pack("{s:[]}", "rows")};
	/* A parent that has none to give says so, rather than let the client wait. */
	if (!json_read_text(request->members, "data_key_b64", &data_key_b64, &error)) {
		(void)(imports_fail_all(control, IMPORT_WAITING, no_data_key, NULL) || error_prefix(&error, "import"));
		return answer_refusal(400, &error);
	}
	answer = start_job(control, JOB_IMPORT, request);
	if (answer.is_pending)
		control->job.data_key_b64 = memory_copy_text(data_key_b64);
	return answer;
}

static struct answer answer_forgotten(struct control *control, const struct request *request)
{
	struct error error = {0};
	json_t *pubkeys;

	if (!json_read_array(request->members, "pubkeys", &pubkeys, &error) || !forget_remove(control, pubkeys, &error))
		return answer_refusal(400, &error);
	return (struct answer){.status = 200, .body = operations_state_new(control)};
}

static struct answer answer_credential(struct control *control, const struct request *request)
{
	if (!control->is_provisioned)
		return refuse(409, ERROR_POLICY, "credential: no keys are loaded yet; init brings credentials too");
	return start_job(control, JOB_CREDENTIAL, request);
}

/* The enclave signs on; whom a load balancer sends elsewhere is between it and the parent. */
static struct answer answer_drain(struct control *control, const struct request *request)
{
	struct message_drain message;
	struct error error = {0};

	(void)request;
	if (!control->is_provisioned)
		return refuse(409, ERROR_POLICY, "drain: no keys are loaded yet, so nobody is served");
	message_init(&message, MESSAGE_DRAIN, 0);
	if (!message_send(ROLE_FD_FRONTEND, &message, &error))
		return answer_refusal(answer_status_of(error.code), &error);
	return (struct answer){.status = 200, .body = operations_state_new(control)};
}

static struct answer answer_metrics(struct control *control, const struct request *request)
{
	(void)request;
	return (struct answer){.status = 200, .body = observations_metrics_new(control)};
}

static struct answer answer_log(struct control *control, const struct request *request)
{
	(void)request;
	return (struct answer){.status = 200, .body = observations_log_new(control)};
}

/*
 * Everything that the parent may ask: what is answered here, or a job that an opener does whatever state the enclave is in. Histories had
 * better come before the keys are loaded, and rows that do not load may be what is to be rewrapped.
 */
static const struct operation {
	const char *name;
	struct answer (*answer)(struct control *control, const struct request *request); /* NULL: it is the job */
	enum job_kind job;
} operations[] = {
	{.name = "init_state", .answer = answer_init_state}, {.name = "init", .answer = answer_init},
	{.name = "status", .answer = answer_status},         {.name = "reload", .answer = answer_reload},
	{.name = "import", .answer = answer_import},         {.name = "forgotten", .answer = answer_forgotten},
	{.name = "credential", .answer = answer_credential}, {.name = "drain", .answer = answer_drain},
	{.name = "metrics", .answer = answer_metrics},       {.name = "log", .answer = answer_log},
	{.name = "slashing", .job = JOB_SLASHING},           {.name = "rewrap", .job = JOB_REWRAP},
	{.name = "generate", .job = JOB_GENERATE},           {.name = "create_tls", .job = JOB_CREATE_TLS},
};

static struct answer answer_request(struct control *control, const struct request *request)
{
	struct error error = {0};
	const char *name;

	if (!json_read_text(request->members, "operation", &name, &error))
		return answer_refusal(400, &error);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		const struct operation *operation = &operations[i];

		if (strcmp(operation->name, name) == 0)
			return operation->answer ? operation->answer(control, request)
						 : start_job(control, operation->job, request);
	}
	(void)error_set(&error, ERROR_NOT_FOUND, "operation: %.40s is not one of this enclave's", name);
	return answer_refusal(404, &error);
}

/* Counts marks inside texts as well, but base64, hex and names have none. */
static bool has_too_many_values(struct view frame)
{
	size_t marks = 0;

	for (size_t i = 0; i < frame.size; i++) {
		uint8_t c = frame.data[i];

		marks += c == ',' || c == ':' || c == '[' || c == '{';
	}
	return marks > CONTROL_MARKS_MAX;
}

struct answer operations_answer(struct control *control, struct connection *connection, struct buffer *frame)
{
	AUTO_JSON json_t *members = NULL;
	struct error error = {0};

	if (has_too_many_values(buffer_view(frame))) {
		(void)error_set(&error, ERROR_INPUT, "control frame: more than %u values", CONTROL_MARKS_MAX);
		return answer_refusal(413, &error);
	}
	members = json_parse_object(buffer_view(frame), "control frame", &error);
	if (!members)
		return answer_refusal(400, &error);
	return answer_request(control, &(struct request){members, connection, frame});
}
