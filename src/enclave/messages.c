/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/messages.h"

#include <errno.h>
#include <sys/socket.h>

static const size_t message_sizes[MESSAGE_TYPE_COUNT] = {
	[MESSAGE_START] = sizeof(struct message_start),
	[MESSAGE_READY] = sizeof(struct message_ready),
	[MESSAGE_SIGN] = sizeof(struct message_sign),
	[MESSAGE_SIGN_RESULT] = sizeof(struct message_sign_result),
	[MESSAGE_LIST_KEYS] = sizeof(struct message_list_keys),
	[MESSAGE_KEYS] = sizeof(struct message_keys),
	[MESSAGE_HEALTH] = sizeof(struct message_health),
	[MESSAGE_HEALTH_RESULT] = sizeof(struct message_health_result),
	[MESSAGE_COMMIT] = sizeof(struct message_commit),
	[MESSAGE_COMMIT_RESULT] = sizeof(struct message_commit_result),
	[MESSAGE_LOAD_BEGIN] = sizeof(struct message_load_begin),
	[MESSAGE_LOAD_KEY] = sizeof(struct message_load_key),
	[MESSAGE_LOAD_END] = sizeof(struct message_load_end),
	[MESSAGE_LOAD_RESULT] = sizeof(struct message_load_result),
	[MESSAGE_TLS_IDENTITY] = sizeof(struct message_tls_identity),
	[MESSAGE_TLS_RESULT] = sizeof(struct message_tls_result),
	[MESSAGE_HISTORY] = sizeof(struct message_history),
	[MESSAGE_HISTORY_RESULT] = sizeof(struct message_history_result),
	[MESSAGE_LOAD_KEEP] = sizeof(struct message_load_keep),
	[MESSAGE_KNOWN_CLIENTS] = sizeof(struct message_known_clients),
	[MESSAGE_RELOAD] = sizeof(struct message_reload),
	[MESSAGE_RELOAD_RESULT] = sizeof(struct message_reload_result),
	[MESSAGE_DRAIN] = sizeof(struct message_drain),
	[MESSAGE_IMPORT_KEYSTORE] = sizeof(struct message_import_keystore),
	[MESSAGE_IMPORT_RESULT] = sizeof(struct message_import_result),
	[MESSAGE_FORGET_KEY] = sizeof(struct message_forget_key),
	[MESSAGE_OPENER_WANTED] = sizeof(struct message_opener_wanted),
	[MESSAGE_OPENER_READY] = sizeof(struct message_opener_ready),
	[MESSAGE_OPENER_GONE] = sizeof(struct message_opener_gone),
	[MESSAGE_JOB] = sizeof(struct message_job),
	[MESSAGE_SEALED_KEY] = sizeof(struct message_sealed_key),
	[MESSAGE_JOB_RESULT] = sizeof(struct message_job_result),
	[MESSAGE_STORE_CREDENTIALS] = sizeof(struct message_store_credentials),
	[MESSAGE_STORE_RESULT] = sizeof(struct message_store_result),
	[MESSAGE_HIGH_WATERMARK] = sizeof(struct message_high_watermark),
	[MESSAGE_ATTEST] = sizeof(struct message_attest),
	[MESSAGE_ATTEST_RESULT] = sizeof(struct message_attest_result),
};

size_t message_size(uint32_t type)
{
	return type < MESSAGE_TYPE_COUNT ? message_sizes[type] : 0;
}

void message_init(void *message, enum message_type type, uint64_t id)
{
	struct message_header header = {.type = type, .size = (uint32_t)message_size(type), .id = id};

	memset(message, 0, header.size);
	memcpy(message, &header, sizeof header);
}

bool message_send(int fd, const void *message, struct error *error)
{
	struct message_header header;
	ssize_t sent;

	memcpy(&header, message, sizeof header);
	if (header.size == 0 || header.size != message_size(header.type))
		return error_set(error, ERROR_BUG, "message of type %u has size %u", header.type, header.size);
	do
		sent = send(fd, message, header.size, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent != (ssize_t)header.size)
		return error_set_errno(error, ERROR_PEER, "message of type %u cannot be sent", header.type);
	return true;
}

static bool is_terminated(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool known_clients_fit(const struct message_known_clients *message)
{
	if (message->count > KNOWN_CLIENTS_MAX)
		return false;
	for (size_t i = 0; i < message->count; i++) {
		if (!is_terminated(message->clients[i].common_name, sizeof message->clients[i].common_name))
			return false;
	}
	return true;
}

static bool credentials_fit(const struct message_store_credentials *message)
{
	return message->access_key_id_size <= sizeof message->access_key_id &&
	       message->secret_access_key_size <= sizeof message->secret_access_key &&
	       message->session_token_size <= sizeof message->session_token;
}

/* Counts that a message carries, against the arrays that they count; texts must end. */
static bool counts_fit(const union message *message)
{
	switch (message->header.type) {
	case MESSAGE_KEYS:
		return message->keys.count <= MESSAGE_KEYS_CAPACITY;
	case MESSAGE_KNOWN_CLIENTS:
		return known_clients_fit(&message->known_clients);
	case MESSAGE_RELOAD_RESULT:
		return is_terminated(message->reload_result.message, sizeof message->reload_result.message);
	case MESSAGE_OPENER_GONE:
		return is_terminated(message->opener_gone.how, sizeof message->opener_gone.how);
	case MESSAGE_JOB_RESULT:
		return is_terminated(message->job_result.message, sizeof message->job_result.message);
	case MESSAGE_ATTEST:
		return message->attest.nonce_size <= sizeof message->attest.nonce;
	case MESSAGE_ATTEST_RESULT:
		return message->attest_result.document_size <= sizeof message->attest_result.document;
	case MESSAGE_STORE_CREDENTIALS:
		return credentials_fit(&message->store_credentials);
	case MESSAGE_STORE_RESULT:
		return is_terminated(message->store_result.message, sizeof message->store_result.message);
	case MESSAGE_IMPORT_RESULT:
		return is_terminated(message->import_result.message, sizeof message->import_result.message);
	case MESSAGE_IMPORT_KEYSTORE:
		return message->import_keystore.keystore_size <= sizeof message->import_keystore.keystore &&
		       message->import_keystore.password_size <= sizeof message->import_keystore.password;
	case MESSAGE_TLS_IDENTITY:
		return message->tls_identity.key_size <= sizeof message->tls_identity.key &&
		       message->tls_identity.chain_size <= sizeof message->tls_identity.chain;
	default:
		return true;
	}
}

static bool receive(int fd, int flags, void *ret_message, size_t capacity, bool *ret_closed, struct error *error)
{
	struct message_header header = {0};
	ssize_t got;

	if (ret_closed)
		*ret_closed = false;
	do
		got = recv(fd, ret_message, capacity, MSG_TRUNC | flags);
	while (got < 0 && errno == EINTR);
	if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
		return error_set(error, ERROR_NONE, "nothing to read");
	if (got <= 0) {
		if (ret_closed)
			*ret_closed = got == 0 || errno == ECONNRESET;
		return error_set(error, ERROR_PEER, "the other role is gone");
	}
	if ((size_t)got < sizeof header || (size_t)got > capacity)
		return error_set(error, ERROR_PEER, "a message of %zd bytes does not fit", got);
	memcpy(&header, ret_message, sizeof header);
	if (header.size != (size_t)got || header.size != message_size(header.type))
		return error_set(error, ERROR_PEER, "a message of type %u has %zd bytes", header.type, got);
	if (!counts_fit((const union message *)ret_message))
		return error_set(error, ERROR_PEER, "a message of type %u has a count beyond its field", header.type);
	return true;
}

bool message_receive(int fd, void *ret_message, size_t capacity, bool *ret_closed, struct error *error)
{
	return receive(fd, 0, ret_message, capacity, ret_closed, error);
}

bool message_receive_ready(int fd, void *ret_message, size_t capacity, bool *ret_closed, struct error *error)
{
	return receive(fd, MSG_DONTWAIT, ret_message, capacity, ret_closed, error);
}
