/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "enclave/opener/opener.h"

static bool copy_field(struct view value, const char *name, uint8_t *field, size_t field_size, uint32_t *ret_size,
		       struct error *error)
{
	if (value.size > field_size)
		return error_set(error, ERROR_INPUT, "%s: %zu bytes, at most %zu are allowed", name, value.size, field_size);
	if (value.size > 0)
		memcpy(field, value.data, value.size);
	*ret_size = (uint32_t)value.size;
	return true;
}

static bool fill(const struct credentials *credentials, struct message_store_credentials *message, struct error *error)
{
	return copy_field(view_of_text(credentials->access_key_id), "access_key_id", message->access_key_id,
			  sizeof message->access_key_id, &message->access_key_id_size, error) &&
	       copy_field(secret_view(&credentials->secret_access_key), "secret_access_key", message->secret_access_key,
			  sizeof message->secret_access_key, &message->secret_access_key_size, error) &&
	       copy_field(secret_view(&credentials->session_token), "token", message->session_token, sizeof message->session_token,
			  &message->session_token_size, error);
}

static bool send(const struct credentials *credentials, struct error *error)
{
	AUTO_SECRET struct secret memory = {0};
	struct message_store_credentials *message;
	uint64_t id = clock_monotonic_us();
	union message answer;

	if (!secret_init(&memory, sizeof *message, error))
		return false;
	message = (struct message_store_credentials *)(void *)memory.data;
	message_init(message, MESSAGE_STORE_CREDENTIALS, id);
	if (!fill(credentials, message, error))
		return false;
	if (!message_send(ROLE_FD_LEDGER, message, error) ||
	    !opener_receive_answer(ROLE_FD_LEDGER, MESSAGE_STORE_RESULT, id, &answer, error))
		return error_prefix(error, "ledger");
	if (answer.store_result.code == ERROR_NONE)
		return true;
	return error_set(error, answer.store_result.code < ERROR_CODE_COUNT ? (enum error_code)answer.store_result.code : ERROR_BUG,
			 "slashing table: %s", answer.store_result.message);
}

static bool open_sealed(struct opening *opening, json_t *request, struct credentials *ret_credentials, struct error *error)
{
	static const char *const name = "encrypted_slashing_credentials";
	AUTO_SECRET struct secret plaintext = {0};
	AUTO_JSON json_t *object = NULL;

	if (!opening_decrypt_member(opening, request, name, (struct kms_context){0}, &plaintext, error))
		return false;
	object = json_parse_object(secret_view(&plaintext), name, error);
	if (!object || !credentials_from_json(object, ret_credentials, error))
		return error_prefix(error, "%s", name), opening_blame_content(error);
	return true;
}

bool opening_give_credentials(struct opening *opening, json_t *request, struct error *error)
{
	const struct slashing_settings *slashing = &opening->opener->configuration.slashing;
	AUTO_CREDENTIALS struct credentials sealed = {0};

	if (!slashing->uses_dynamodb)
		return true;
	if (!slashing->has_sealed_credentials)
		return send(&opening->credentials, error);
	return open_sealed(opening, request, &sealed, error) && send(&sealed, error);
}

bool opener_refresh_credential(struct opener *opener, json_t *request, struct error *error)
{
	CLEANUP(opening_done) struct opening opening = {0};

	return opening_init(&opening, opener, request, error) && opening_give_credentials(&opening, request, error);
}
