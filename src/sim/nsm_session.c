/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm_session.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/clock.h"

/* The version that QEMU's device and real hardware tell. */
#define NSM_VERSION_MAJOR 1

void nsm_session_init(struct nsm_session *session, struct authority *authority, const char *module_id)
{
	*session = (struct nsm_session){.authority = authority, .locked = NSM_SESSION_LOCKED_PCRS};
	(void)snprintf(session->module_id, sizeof session->module_id, "%s", module_id);
}

static enum nsm_status refuse(struct error *error, enum nsm_status status, const char *reason)
{
	(void)error_set(error, ERROR_INPUT, "%s", reason);
	return status;
}

static enum nsm_status describe_nsm(struct nsm_session *session, const struct nsm_request *request, struct nsm_response *response,
				    struct buffer *storage, struct error *error)
{
	(void)request;
	(void)storage;
	(void)error;
	response->version_major = NSM_VERSION_MAJOR;
	response->module_id = view_of_text(session->module_id);
	response->max_pcrs = NSM_PCR_COUNT;
	response->locked_pcrs = session->locked;
	response->digest = view_of_text("SHA384");
	return NSM_SUCCESS;
}

static enum nsm_status describe_pcr(struct nsm_session *session, const struct nsm_request *request, struct nsm_response *response,
				    struct buffer *storage, struct error *error)
{
	(void)storage;
	if (request->index >= NSM_PCR_COUNT)
		return refuse(error, NSM_INVALID_INDEX, "DescribePCR: no such PCR");
	response->lock = session->locked >> request->index & 1;
	response->data = view_of(session->pcrs[request->index], NSM_PCR_SIZE);
	return NSM_SUCCESS;
}

static enum nsm_status extend_pcr(struct nsm_session *session, const struct nsm_request *request, struct nsm_response *response,
				  struct buffer *storage, struct error *error)
{
	uint8_t *pcr;

	if (request->index >= NSM_PCR_COUNT)
		return refuse(error, NSM_INVALID_INDEX, "ExtendPCR: no such PCR");
	if (session->locked >> request->index & 1)
		return refuse(error, NSM_READ_ONLY_INDEX, "ExtendPCR: the PCR is locked");
	pcr = session->pcrs[request->index];
	buffer_append(storage, view_of(pcr, NSM_PCR_SIZE));
	buffer_append(storage, request->data);
	if (EVP_Digest(storage->data, storage->size, pcr, NULL, EVP_sha384(), NULL) != 1)
		return refuse(error, NSM_INTERNAL_ERROR, "ExtendPCR: SHA-384 failed");
	response->data = view_of(pcr, NSM_PCR_SIZE);
	return NSM_SUCCESS;
}

static enum nsm_status lock_pcr(struct nsm_session *session, const struct nsm_request *request, struct nsm_response *response,
				struct buffer *storage, struct error *error)
{
	(void)response;
	(void)storage;
	if (request->index >= NSM_PCR_COUNT)
		return refuse(error, NSM_INVALID_INDEX, "LockPCR: no such PCR");
	if (session->locked >> request->index & 1)
		return refuse(error, NSM_READ_ONLY_INDEX, "LockPCR: the PCR is locked already");
	session->locked |= UINT32_C(1) << request->index;
	return NSM_SUCCESS;
}

static enum nsm_status lock_pcrs(struct nsm_session *session, const struct nsm_request *request, struct nsm_response *response,
				 struct buffer *storage, struct error *error)
{
	(void)response;
	(void)storage;
	if (request->range > NSM_PCR_COUNT)
		return refuse(error, NSM_INVALID_INDEX, "LockPCRs: more than there are");
	session->locked |= (uint32_t)((UINT64_C(1) << request->range) - 1);
	return NSM_SUCCESS;
}

static enum nsm_status get_random(struct nsm_session *session, const struct nsm_request *request, struct nsm_response *response,
				  struct buffer *storage, struct error *error)
{
	(void)session;
	(void)request;
	buffer_reserve(storage, NSM_RANDOM_MAX_SIZE);
	if (RAND_bytes(storage->data, NSM_RANDOM_MAX_SIZE) != 1)
		return refuse(error, NSM_INTERNAL_ERROR, "GetRandom: no random bytes");
	storage->size = NSM_RANDOM_MAX_SIZE;
	response->random = buffer_view(storage);
	return NSM_SUCCESS;
}

static enum nsm_status attestation(struct nsm_session *session, const struct nsm_request *request, struct nsm_response *response,
				   struct buffer *storage, struct error *error)
{
	struct attestation_document claims = {
		.timestamp_ms = clock_realtime_ms(),
		.pcr_mask = session->locked,
		.has_public_key = request->public_key.present,
		.has_user_data = request->user_data.present,
		.has_nonce = request->nonce.present,
		.public_key = request->public_key.bytes,
		.user_data = request->user_data.bytes,
		.nonce = request->nonce.bytes,
	};

	if (claims.public_key.size > NSM_FIELD_MAX_SIZE || claims.user_data.size > NSM_FIELD_MAX_SIZE ||
	    claims.nonce.size > NSM_FIELD_MAX_SIZE)
		return refuse(error, NSM_INPUT_TOO_LARGE, "Attestation: public_key, user_data or nonce is too large");
	if (claims.has_public_key && claims.public_key.size == 0)
		return refuse(error, NSM_INVALID_ARGUMENT, "Attestation: public_key is empty");
	memcpy(claims.module_id, session->module_id, sizeof claims.module_id);
	for (size_t i = 0; i < NSM_PCR_COUNT; i++) {
		if (session->locked >> i & 1)
			memcpy(claims.pcrs[i], session->pcrs[i], NSM_PCR_SIZE);
	}
	if (!authority_issue(session->authority, &claims, storage, error))
		return NSM_INTERNAL_ERROR;
	response->document = buffer_view(storage);
	return NSM_SUCCESS;
}

/* Fills the response; what its views show must lie in the session or in `storage`. */
typedef enum nsm_status handler(struct nsm_session *session, const struct nsm_request *request, struct nsm_response *response,
				struct buffer *storage, struct error *error);

static handler *const handlers[NSM_OPERATION_COUNT] = {
	[NSM_DESCRIBE_NSM] = describe_nsm, [NSM_DESCRIBE_PCR] = describe_pcr, [NSM_EXTEND_PCR] = extend_pcr,
	[NSM_LOCK_PCR] = lock_pcr,         [NSM_LOCK_PCRS] = lock_pcrs,       [NSM_GET_RANDOM] = get_random,
	[NSM_ATTESTATION] = attestation,
};

enum nsm_status nsm_session_answer(struct nsm_session *session, struct view request, struct buffer *ret_response,
				   struct error *error)
{
	AUTO_BUFFER struct buffer storage = {0};
	struct nsm_response response = {.status = NSM_INVALID_OPERATION};
	struct nsm_request decoded;

	/* QEMU's device answers the same to everything that it cannot read. */
	if (nsm_request_decode(request, &decoded, error)) {
		response.operation = decoded.operation;
		response.status = handlers[decoded.operation](session, &decoded, &response, &storage, error);
	}
	nsm_response_encode(&response, ret_response);
	return response.status;
}
