/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The attester: has the NSM attest to clients what the frontend serves with. The frontend talks to strangers, so it has no NSM itself: with
 * one it could have a key of its own attested, and KMS would encrypt validator keys to that. What is attested here has no public key in it,
 * and user_data that begins with a label of its own.
 */
#include <errno.h>
#include <poll.h>

#include "attestation/nsm.h"
#include "base/log.h"
#include "base/options.h"
#include "enclave/role.h"
#include "enclave/sandbox.h"

static bool read_arguments(int argc, char **argv, bool *ret_nsm_is_device, struct error *error)
{
	const struct option options[] = {
		{"nsm-device", OPTION_FLAG, ret_nsm_is_device, NULL, "the NSM descriptor is the device"},
	};
	size_t positional_count;
	bool help;

	return options_parse(options, ARRAY_SIZE(options), argc, argv, NULL, 0, &positional_count, &help, error);
}

static bool begin(int argc, char **argv, struct nsm **ret_nsm, struct error *error)
{
	bool nsm_is_device = false;
	struct message_start start;

	if (!role_begin("attester", SECRET_HEAP_SIZE_DEFAULT, &start, error) || !read_arguments(argc, argv, &nsm_is_device, error))
		return false;
	*ret_nsm = nsm_from_fd(ROLE_FD_NSM, nsm_is_device, error);
	return *ret_nsm && sandbox_enter(SANDBOX_ATTESTER, error) && role_ready(error);
}

static bool attest(struct nsm *nsm, const struct message_attest *request, struct buffer *ret_document, struct error *error)
{
	uint8_t user_data[CLIENT_STATEMENT_SIZE];

	client_statement_write(&request->statement, user_data);
	if (!nsm_attest(nsm, view_of(user_data, sizeof user_data), view_of(request->nonce, request->nonce_size), (struct view){0},
			ret_document, error))
		return false;
	return ret_document->size <= ATTESTATION_DOCUMENT_MAX_SIZE ||
	       error_set(error, ERROR_PEER, "NSM: a document of %zu bytes", ret_document->size);
}

static bool answer(struct nsm *nsm, const union message *request, struct error *error)
{
	AUTO_BUFFER struct buffer document = {0};
	struct message_attest_result result;
	struct error problem = {0};

	if (request->header.type != MESSAGE_ATTEST)
		return error_set(error, ERROR_PEER, "frontend: message of type %u", request->header.type);
	message_init(&result, MESSAGE_ATTEST_RESULT, request->header.id);
	if (attest(nsm, &request->attest, &document, &problem)) {
		result.document_size = (uint32_t)document.size;
		memcpy(result.document, document.data, document.size);
	} else {
		log_failure(LOG_LEVEL_WARNING, "not_attested", &problem);
	}
	return message_send(ROLE_FD_FRONTEND, &result, error);
}

static bool serve(struct nsm *nsm, struct error *error)
{
	struct pollfd fds[] = {{ROLE_FD_INIT, POLLIN, 0}, {ROLE_FD_FRONTEND, POLLIN, 0}};
	union message message;

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0) {
			if (errno == EINTR)
				continue;
			return error_set_errno(error, ERROR_IO, "poll");
		}
		if (fds[0].revents)
			return error_set(error, ERROR_PEER, "init is gone");
		if (fds[1].revents &&
		    (!message_receive(ROLE_FD_FRONTEND, &message, sizeof message, NULL, error) || !answer(nsm, &message, error)))
			return error_prefix(error, "frontend");
	}
}

int attester_main(int argc, char **argv)
{
	struct nsm *nsm = NULL;
	struct error error = {0};

	if (begin(argc, argv, &nsm, &error))
		(void)serve(nsm, &error);
	nsm_free(nsm);
	return role_failed(&error);
}
