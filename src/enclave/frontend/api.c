/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/api_internal.h"

#include "base/log.h"
#include "enclave/frontend/api_keystores.h"
#include "enclave/frontend/json_budget.h"

/* ---- answers ---- */

/* Messages may quote a client; what is not plain ASCII could break the JSON or a terminal, and is no help to anybody. */
void api_append_text(struct buffer *text, const char *message)
{
	buffer_append_byte(text, '"');
	for (const char *at = message; *at; at++) {
		bool is_plain = *at >= ' ' && *at <= '~';

		if (*at == '"' || *at == '\\')
			buffer_append_byte(text, '\\');
		buffer_append_byte(text, is_plain ? (uint8_t)*at : '?');
	}
	buffer_append_byte(text, '"');
}

/*
 * The log shares a disk with the slashing store, and every client can cause these lines: two a second of each kind are at most
 * 0.2 GB a day, and enough to see what is going on; suppressed=N says how much of it.
 */
#define REFUSAL_LINES_PER_SECOND 2
/* Both are the client's words; our longest path has 116 characters. */
#define LOGGED_METHOD_SIZE 16
#define LOGGED_PATH_SIZE 128

/* Each kind has a limit of its own, so that a flood of one does not hide the other. Warnings are what an operator should look at. */
static struct refusal_kind {
	unsigned status_min;
	unsigned status_max;
	enum log_level level;
	struct log_limit limit;
} refusal_kinds[] = {
	{403, 403, LOG_LEVEL_WARNING, {.per_second = REFUSAL_LINES_PER_SECOND}}, /* signing policy */
	{412, 412, LOG_LEVEL_WARNING, {.per_second = REFUSAL_LINES_PER_SECOND}}, /* slashing, another network */
	{500, 599, LOG_LEVEL_WARNING, {.per_second = REFUSAL_LINES_PER_SECOND}}, /* our own failures */
	{0, 999, LOG_LEVEL_DEBUG, {.per_second = REFUSAL_LINES_PER_SECOND}},
};

void api_log_refusal(const struct http_call *call, unsigned status, const char *message)
{
	struct refusal_kind *kind = refusal_kinds;

	const struct http_client *client = http_call_client(call);

	while (status < kind->status_min || status > kind->status_max)
		kind++;
	log_write_limited(&kind->limit, kind->level, "request_refused", "status=%u client=%s method=%.*s path=%.*s reason=\"%s\"",
			  status, client->has_address ? client->address : "-", LOGGED_METHOD_SIZE, call->method, LOGGED_PATH_SIZE,
			  call->path, message);
}

void api_append_error(struct buffer *text, unsigned status, const char *message)
{
	buffer_append_format(text, "{\"code\":%u,\"message\":", status);
	api_append_text(text, message);
	buffer_append_byte(text, '}');
}

/* Log a refusal and append its body. */
static void write_error(void *context, const struct http_call *call, unsigned status, const char *message, struct buffer *ret_body)
{
	(void)context;
	api_log_refusal(call, status, message);
	api_append_error(ret_body, status, message);
}

/* What we could not do now we can in a moment: the queue is shorter, the store works again, another frontend serves. */
static unsigned retry_after_s(unsigned status)
{
	return status == 503 ? 1 : 0;
}

void api_answer_error(struct http_call *call, unsigned status, const char *message, const char *allow)
{
	AUTO_BUFFER struct buffer body = {0};

	write_error(NULL, call, status, message, &body);
	http_call_answer(call, &(struct http_answer){.status = status,
						     .content_type = API_JSON,
						     .body = buffer_view(&body),
						     .allow = allow,
						     .retry_after_s = retry_after_s(status)});
}

void api_answer_unauthorized(struct http_call *call, const char *message)
{
	AUTO_BUFFER struct buffer body = {0};

	write_error(NULL, call, 401, message, &body);
	http_call_answer(call,
			 &(struct http_answer){
				 .status = 401, .content_type = API_JSON, .body = buffer_view(&body), .authenticate = "Bearer"});
}

/* ---- Accept ---- */

/* The media type of an entry, without parameters; q is ignored, as Web3Signer does. */
static struct view media_type(struct view entry)
{
	const uint8_t *semicolon = entry.size ? (const uint8_t *)memchr(entry.data, ';', entry.size) : NULL;

	if (semicolon)
		entry.size = (size_t)(semicolon - entry.data);
	while (entry.size > 0 && (entry.data[entry.size - 1] == ' ' || entry.data[entry.size - 1] == '\t'))
		entry.size--;
	return entry;
}

static bool is_type(struct view entry, struct view type)
{
	entry = media_type(entry);
	return entry.size == type.size && strncasecmp((const char *)entry.data, (const char *)type.data, type.size) == 0;
}

static bool is_json_or_any(const void *context, struct view entry)
{
	(void)context;
	return is_type(entry, view_of_text("application/json")) || is_type(entry, view_of_text("*/*"));
}

/* `context` is "major/minor". */
static bool covers_type(const void *context, struct view entry)
{
	const char *type = (const char *)context;
	struct view major = view_of(type, (size_t)(strchr(type, '/') - type) + 1);

	if (is_type(entry, view_of_text(type)) || is_type(entry, view_of_text("*/*")) || is_type(entry, view_of_text("*")))
		return true;
	entry = media_type(entry);
	return entry.size == major.size + 1 && entry.data[major.size] == '*' &&
	       strncasecmp((const char *)entry.data, (const char *)major.data, major.size) == 0;
}

static bool is_not_empty(const void *context, struct view entry)
{
	(void)context;
	return entry.size > 0;
}

bool api_accepts(struct http_call *call, const char *type)
{
	return http_call_find_header(call, "Accept", covers_type, type) ||
	       !http_call_find_header(call, "Accept", is_not_empty, NULL);
}

bool api_prefers_json(struct http_call *call)
{
	return http_call_find_header(call, "Accept", is_json_or_any, NULL);
}

/* ---- routes ---- */

bool api_is_draining(const struct api *api)
{
	return atomic_load(&api->is_draining);
}

static void upcheck(struct http_call *call, const char *identifier)
{
	(void)identifier;
	if (api_is_draining(api_call_of(call)->api)) {
		api_answer_error(call, 503, API_DRAINING, NULL);
		return;
	}
	http_call_answer(call, &(struct http_answer){.status = 200, .content_type = API_TEXT, .body = view_of_text("OK")});
}

static bool is_there_always(const struct api *api)
{
	(void)api;
	return true;
}

static bool has_slashing_protection(const struct api *api)
{
	return api->slashing_protection;
}

static bool has_attester(const struct api *api)
{
	return api->attester != NULL;
}

static bool has_key_manager(const struct api *api)
{
	return api->key_manager->is_on;
}

/* Everything this server answers. Routes with the same path stand together. */
static const struct route {
	const char *method;
	const char *path;
	bool has_identifier;                     /* one more segment follows */
	bool (*is_there)(const struct api *api); /* else there is no such path */
	const char *produces;                    /* 406 for a client that does not take it; NULL: the handler decides */
	void (*handle)(struct http_call *call, const char *identifier);
} routes[] = {
	{"GET", "/upcheck", false, is_there_always, "text/plain", upcheck},
	{"GET", "/healthcheck", false, is_there_always, NULL, api_check_health},
	{"GET", "/reload", false, is_there_always, "application/json", api_show_reload},
	{"POST", "/reload", false, is_there_always, "application/json", api_ask_reload},
	{"GET", "/api/v1/enclave/attestation", false, has_attester, "application/json", api_attest},
	{"GET", "/api/v1/eth2/publicKeys", false, is_there_always, "application/json", api_list_keys},
	{"GET", "/api/v1/eth2/highWatermark", false, has_slashing_protection, "application/json", api_show_high_watermark},
	{"POST", "/api/v1/eth2/sign", false, is_there_always, "application/json", api_sign_batch},
	{"POST", "/api/v1/eth2/sign/", true, is_there_always, NULL, api_sign},
	{"GET", "/eth/v1/keystores", false, has_key_manager, "application/json", api_list_keystores},
	{"POST", "/eth/v1/keystores", false, has_key_manager, "application/json", api_import_keystores},
	{"DELETE", "/eth/v1/keystores", false, has_key_manager, "application/json", api_delete_keystores},
};

/* The identifier ("" for a route without one) when the path is this route's, else NULL. */
static const char *match(const struct route *route, const char *path)
{
	size_t size = strlen(route->path);

	if (!route->has_identifier)
		return strcmp(route->path, path) == 0 ? "" : NULL;
	if (strncmp(route->path, path, size) != 0 || path[size] == '\0' || strchr(path + size, '/'))
		return NULL;
	return path + size;
}

/* HEAD is answered as GET; the server leaves the body out. */
static bool takes_method(const struct route *route, const char *method)
{
	return strcmp(route->method, method) == 0 || (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

static void append_methods(struct buffer *allow, const struct route *route)
{
	buffer_append_format(allow, "%s%s%s", allow->size ? ", " : "", route->method,
			     strcmp(route->method, "GET") == 0 ? ", HEAD" : "");
}

static void run(const struct route *route, struct http_call *call, const char *identifier)
{
	AUTO_FREE char *message = NULL;

	if (!route->produces || api_accepts(call, route->produces)) {
		route->handle(call, identifier);
		return;
	}
	message = memory_format("this answer is %s, which the Accept header excludes", route->produces);
	api_answer_error(call, 406, message, NULL);
}

static void handle(void *context, struct http_call *call)
{
	AUTO_BUFFER struct buffer allow = {0};
	struct api *api = (struct api *)context;

	api_call_of(call)->api = api;
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		const char *identifier = match(&routes[i], call->path);

		if (!identifier || !routes[i].is_there(api))
			continue;
		if (takes_method(&routes[i], call->method)) {
			run(&routes[i], call, identifier);
			return;
		}
		append_methods(&allow, &routes[i]);
	}
	if (allow.size == 0) {
		api_answer_error(call, 404, "there is nothing at this path", NULL);
		return;
	}
	api_answer_error(call, 405, "this path does not take this method", buffer_text(&allow));
}

static void state_done(void *state)
{
	struct api_call *call = (struct api_call *)state;

	buffer_done(&call->keys);
	api_batch_free(call->batch);
	api_import_free(call->import);
	api_deletion_free(call->deletion);
}

/* ---- life ---- */

void api_drain(struct api *api)
{
	atomic_store(&api->is_draining, true);
}

struct api *api_new(const struct api_options *options)
{
	static const struct key_manager off;
	struct api *api = (struct api *)memory_allocate_zeroed(1, sizeof *api);

	json_budget_init();
	api->network = *options->network;
	api->requests = sign_request_cache_new(&api->network);
	api->slashing_protection = options->slashing_protection;
	api->policy = options->policy;
	api->key_manager = options->key_manager ? options->key_manager : &off;
	api->keeper = options->keeper;
	api->control = options->control;
	api->attester = options->attester;
	(void)pthread_mutex_init(&api->tls_lock, NULL);
	reload_state_init(&api->reload);
	(void)pthread_mutex_init(&api->importing_lock, NULL);
	if (api->control)
		control_client_on_reload(api->control, api_end_reload, api);
	return api;
}

void api_free(struct api *api)
{
	if (!api)
		return;
	reload_state_done(&api->reload);
	sign_request_cache_free(api->requests);
	(void)pthread_mutex_destroy(&api->importing_lock);
	(void)pthread_mutex_destroy(&api->tls_lock);
	free(api);
}

void api_fill_options(struct api *api, struct http_server_options *options)
{
	options->handle = handle;
	options->refuse = write_error;
	options->retry_after_s = retry_after_s;
	options->refusal_content_type = API_JSON;
	options->context = api;
	options->state_size = sizeof(struct api_call);
	options->state_done = state_done;
	options->body_max_size = API_BODY_MAX_SIZE;
}
