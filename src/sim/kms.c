/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms.h"

#include <openssl/rand.h>

#include "base/clock.h"
#include "sim/sigv4_check.h"

#define CONTENT_TYPE "application/x-amz-json-1.1"
#define TARGET_PREFIX "TrentService."
#define SERVICE_NAME "kms"
#define REQUEST_ID_SIZE 37

static void make_request_id(char ret_id[REQUEST_ID_SIZE])
{
	uint8_t bytes[16] = {0};
	char hex[33];

	/* It only names the request in logs: should there be no random bytes, zeros do as well. */
	(void)RAND_bytes(bytes, sizeof bytes);
	hex_encode(view_of(bytes, sizeof bytes), hex);
	(void)snprintf(ret_id, REQUEST_ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static bool find_operation(struct kms_call *call, const struct http_server_request *request, struct error *error)
{
	size_t prefix_size = strlen(TARGET_PREFIX);
	struct view target;

	if (strcmp(request->method, "POST") == 0 && strcmp(request->target, "/") == 0 &&
	    http_server_find_header(request, "X-Amz-Target", &target) && target.size > prefix_size &&
	    memcmp(target.data, TARGET_PREFIX, prefix_size) == 0)
		call->operation = kms_operation_find(view_of(target.data + prefix_size, target.size - prefix_size));
	return call->operation || kms_fail(call, KMS_UNKNOWN_OPERATION, error, "the simulator has no such operation");
}

static bool perform(struct kms_call *call, const struct http_server_request *request, json_t *answer, struct error *error)
{
	if (!sigv4_check(call, request, SERVICE_NAME, error) || !find_operation(call, request, error))
		return false;
	call->body = json_parse_object(request->body, "request", error);
	if (!call->body) {
		call->exception = KMS_SERIALIZATION;
		return false;
	}
	return kms_prepare(call, error) && call->operation->handler(call, answer, error);
}

static void describe_failure(json_t *answer, enum kms_exception exception, const struct error *error)
{
	/* KMS spells it so for authorisation, and in lower case elsewhere. */
	const char *member = exception == KMS_ACCESS_DENIED ? "Message" : "message";

	(void)json_object_clear(answer);
	(void)json_object_set_new(answer, "__type", json_string(kms_exception_kind(exception)->name));
	/* What failed inside is for the log. */
	if (exception == KMS_INTERNAL)
		(void)json_object_set_new(answer, member, json_string("internal failure of the simulator; see its log"));
	else if (error->message[0])
		(void)json_object_set_new(answer, member, json_text_of_any(error->message));
}

static void report(const struct kms_service *service, const struct kms_call *call, enum kms_exception exception,
		   const struct error *error, const char *request_id)
{
	char image[NSM_PCR_TEXT_SIZE] = "";
	struct sim_event event = {
		.service = SERVICE_NAME,
		.operation = call->operation ? call->operation->target : "",
		.caller = sim_identity_arn(&call->caller),
		.image_sha384 = image,
		.status = kms_exception_kind(exception)->status,
		.exception = kms_exception_kind(exception)->name,
		.message = exception == KMS_OK ? "" : error->message,
		.request_id = request_id,
	};

	if (!service->observe)
		return;
	if (call->recipient.present && (call->recipient.document.pcr_mask & 1))
		hex_encode(view_of(call->recipient.document.pcrs[0], NSM_PCR_SIZE), image);
	service->observe(&event);
}

void kms_service_handle(void *context, const struct http_server_request *request, struct http_server_answer *ret_answer)
{
	const struct kms_service *service = context;
	AUTO_KMS_CALL struct kms_call call = {
		.store = service->store,
		.attestation_root = service->attestation_root,
		.region = service->region,
		.account = service->account,
		.operator_arn = service->operator_arn,
		.now_ms = clock_realtime_ms(),
	};
	AUTO_JSON json_t *answer = json_object();
	struct error error = {0};
	enum kms_exception exception = KMS_OK;
	char request_id[REQUEST_ID_SIZE];

	make_request_id(request_id);
	if (!perform(&call, request, answer, &error)) {
		exception = kms_call_exception(&call, &error);
		describe_failure(answer, exception, &error);
	}
	/* PutKeyPolicy answers with an empty body, as in KMS. */
	if (json_object_size(answer) && !json_write_secret(answer, &ret_answer->body, &error))
		exception = KMS_INTERNAL;
	ret_answer->status = kms_exception_kind(exception)->status;
	ret_answer->content_type = CONTENT_TYPE;
	http_server_add_header(ret_answer, "x-amzn-RequestId", request_id);
	report(service, &call, exception, &error, request_id);
}
