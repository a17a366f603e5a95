/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/imds.h"

#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/clock.h"
#include "sim/identities.h"

#define TOKEN_PATH "/latest/api/token"
#define TTL_HEADER "X-aws-ec2-metadata-token-ttl-seconds"
#define TOKEN_HEADER "X-aws-ec2-metadata-token"
#define CREDENTIALS_PATH "/latest/meta-data/iam/security-credentials/"

/* A token is the time of its end (8 bytes) and an HMAC-SHA256 of it, in hex. */
#define TOKEN_TIME_SIZE 8
#define TOKEN_MAC_SIZE 32
#define TOKEN_SIZE (TOKEN_TIME_SIZE + TOKEN_MAC_SIZE)

#define HTTP_INTERNAL 500

/* Ends a request that cannot be answered: the status says all, as in the real service. */
static unsigned fail(unsigned status, struct error *error, const char *message)
{
	(void)error_set(error, ERROR_INPUT, "%s", message);
	return status;
}

bool imds_service_init(struct imds_service *service, struct error *error)
{
	if (!secret_init(&service->token_key, IMDS_TOKEN_KEY_SIZE, error))
		return false;
	return RAND_priv_bytes(service->token_key.data, IMDS_TOKEN_KEY_SIZE) == 1 ||
	       error_set(error, ERROR_CRYPTO, "no random bytes");
}

void imds_service_done(struct imds_service *service)
{
	if (service)
		secret_done(&service->token_key);
}

static bool make_token(const struct imds_service *service, uint64_t end_ms, uint8_t ret_token[TOKEN_SIZE])
{
	unsigned size = 0;

	store_le64(ret_token, end_ms);
	return HMAC(EVP_sha256(), service->token_key.data, (int)service->token_key.size, ret_token, TOKEN_TIME_SIZE,
		    ret_token + TOKEN_TIME_SIZE, &size) != NULL;
}

static uint64_t load_time(const uint8_t bytes[TOKEN_TIME_SIZE])
{
	uint64_t value = 0;

	for (int i = TOKEN_TIME_SIZE - 1; i >= 0; i--)
		value = value << 8 | bytes[i];
	return value;
}

static bool token_is_valid(const struct imds_service *service, const struct http_server_request *request)
{
	uint8_t given[TOKEN_SIZE];
	uint8_t expected[TOKEN_SIZE];
	struct view text;
	uint64_t end_ms;

	if (!http_server_find_header(request, TOKEN_HEADER, &text) || text.size != 2 * sizeof given ||
	    !hex_decode(text, given, sizeof given))
		return false;
	end_ms = load_time(given);
	return make_token(service, end_ms, expected) && secret_equal(view_of(given, TOKEN_SIZE), view_of(expected, TOKEN_SIZE)) &&
	       clock_realtime_ms() < end_ms;
}

static unsigned answer_text(const char *text, struct http_server_answer *answer, struct error *error)
{
	answer->content_type = "text/plain";
	return secret_init_copy(&answer->body, view_of_text(text), error) ? 200 : HTTP_INTERNAL;
}

static unsigned put_token(const struct imds_service *service, const struct http_server_request *request,
			  struct http_server_answer *answer, struct error *error)
{
	char hex[2 * TOKEN_SIZE + 1];
	uint8_t token[TOKEN_SIZE];
	struct view text;
	uint64_t ttl_s;
	char ttl_text[24];

	/* As on EC2: a request that came through a proxy does not come from this instance. */
	if (http_server_find_header(request, "X-Forwarded-For", &text))
		return fail(403, error, "X-Forwarded-For: forwarded requests are refused");
	if (!http_server_find_header(request, TTL_HEADER, &text) || !u64_parse(text, &ttl_s) || ttl_s < 1 ||
	    ttl_s > IMDS_TOKEN_MAX_TTL_S)
		return fail(400, error, TTL_HEADER ": not a number from 1 to 21600");
	if (!make_token(service, clock_realtime_ms() + ttl_s * 1000, token))
		return HTTP_INTERNAL;
	hex_encode(view_of(token, sizeof token), hex);
	(void)snprintf(ttl_text, sizeof ttl_text, "%llu", (unsigned long long)ttl_s);
	http_server_add_header(answer, TTL_HEADER, ttl_text);
	return answer_text(hex, answer, error);
}

static const char *role_name(const struct imds_service *service)
{
	const char *slash = strrchr(service->role_arn, '/');

	return slash ? slash + 1 : service->role_arn;
}

static unsigned get_role(const struct imds_service *service, const struct http_server_request *request,
			 struct http_server_answer *answer, struct error *error)
{
	(void)request;
	return answer_text(role_name(service), answer, error);
}

static unsigned get_instance_id(const struct imds_service *service, const struct http_server_request *request,
				struct http_server_answer *answer, struct error *error)
{
	(void)request;
	return answer_text(service->instance_id, answer, error);
}

static json_t *json_of_secret(const struct secret *secret)
{
	return json_stringn((const char *)secret->data, secret->size);
}

/* AWS writes whole seconds. */
static json_t *json_of_time(uint64_t realtime_ms)
{
	char text[CLOCK_TEXT_SIZE];

	clock_format(realtime_ms, text);
	return json_sprintf("%.19sZ", text);
}

static unsigned get_credentials(const struct imds_service *service, const struct http_server_request *request,
				struct http_server_answer *answer, struct error *error)
{
	AUTO_SIM_IDENTITY struct sim_identity identity = {0};
	const struct credentials *credentials = &identity.credentials;
	AUTO_JSON json_t *json = json_object();

	if (strcmp(request->target + strlen(CREDENTIALS_PATH), role_name(service)) != 0)
		return fail(404, error, "no such role");
	if (!identities_role(service->store, service->role_arn, service->instance_id, clock_realtime_ms(), &identity, error))
		return HTTP_INTERNAL;
	(void)json_object_set_new(json, "Code", json_string("Success"));
	(void)json_object_set_new(json, "LastUpdated", json_of_time(credentials->expiration_ms - ROLE_CREDENTIALS_LIFETIME_MS));
	(void)json_object_set_new(json, "Type", json_string("AWS-HMAC"));
	(void)json_object_set_new(json, "AccessKeyId", json_string(credentials->access_key_id));
	(void)json_object_set_new(json, "SecretAccessKey", json_of_secret(&credentials->secret_access_key));
	(void)json_object_set_new(json, "Token", json_of_secret(&credentials->session_token));
	(void)json_object_set_new(json, "Expiration", json_of_time(credentials->expiration_ms));
	answer->content_type = "application/json";
	return json_write_secret(json, &answer->body, error) ? 200 : HTTP_INTERNAL;
}

static const struct route {
	const char *method;
	const char *path;
	bool is_prefix;
	bool wants_token;
	unsigned (*handler)(const struct imds_service *service, const struct http_server_request *request,
			    struct http_server_answer *answer, struct error *error);
} routes[] = {
	{"PUT", TOKEN_PATH, false, false, put_token},
	{"GET", "/latest/meta-data/iam/security-credentials", false, true, get_role},
	{"GET", CREDENTIALS_PATH, false, true, get_role},
	{"GET", CREDENTIALS_PATH, true, true, get_credentials},
	{"GET", "/latest/meta-data/instance-id", false, true, get_instance_id},
};

static unsigned dispatch(const struct imds_service *service, const struct http_server_request *request,
			 struct http_server_answer *answer, struct error *error)
{
	bool path_known = false;

	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		const struct route *route = &routes[i];
		bool matches = route->is_prefix ? strncmp(request->target, route->path, strlen(route->path)) == 0
						: strcmp(request->target, route->path) == 0;

		path_known = path_known || matches;
		if (!matches || strcmp(request->method, route->method) != 0)
			continue;
		if (route->wants_token && !token_is_valid(service, request))
			return fail(401, error, "no valid " TOKEN_HEADER " (IMDSv1 is not served)");
		return route->handler(service, request, answer, error);
	}
	return path_known ? fail(405, error, "wrong method") : fail(404, error, "no such path");
}

void imds_service_handle(void *context, const struct http_server_request *request, struct http_server_answer *ret_answer)
{
	const struct imds_service *service = context;
	AUTO_FREE char *operation = memory_format("%s %s", request->method, request->target);
	struct error error = {0};
	struct sim_event event = {
		.service = "imds", .operation = operation, .caller = "", .image_sha384 = "", .exception = "", .request_id = ""};

	ret_answer->status = dispatch(service, request, ret_answer, &error);
	event.status = ret_answer->status;
	event.message = event.status < 400 ? "" : error.message;
	if (service->observe)
		service->observe(&event);
}
