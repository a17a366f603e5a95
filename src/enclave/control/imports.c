/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/log.h"
#include "enclave/control/control.h"
#include "net/frame.h"

/* The host asks for wishes every second and stores rows in milliseconds; the key manager's client waits as long. */
#define IMPORT_TIMEOUT_MS 30000

static bool tell(uint64_t id, enum import_status status, const char *text, struct error *error)
{
	struct message_import_result message;

	message_init(&message, MESSAGE_IMPORT_RESULT, id);
	message.status = status;
	(void)snprintf(message.message, sizeof message.message, "%s", text);
	return message_send(ROLE_FD_FRONTEND, &message, error) || error_prefix(error, "frontend");
}

bool imports_add(struct control *control, const struct message_import_keystore *message, struct error *error)
{
	struct import *import = control->imports;
	struct error problem = {0};

	while (import < control->imports + IMPORTS_MAX && import->state != IMPORT_FREE)
		import++;
	if (import == control->imports + IMPORTS_MAX)
		return tell(message->header.id, IMPORT_FAILED, "too many imports at one time; try again", error);
	if (!secret_init(&import->input, (size_t)message->keystore_size + message->password_size, &problem))
		return tell(message->header.id, IMPORT_FAILED, problem.message, error);
	import->state = IMPORT_WAITING;
	import->id = message->header.id;
	import->deadline_ms = clock_monotonic_ms() + IMPORT_TIMEOUT_MS;
	import->keystore_size = message->keystore_size;
	memcpy(import->input.data, message->keystore, message->keystore_size);
	memcpy(import->input.data + message->keystore_size, message->password, message->password_size);
	return true;
}

size_t imports_count(const struct control *control, enum import_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < IMPORTS_MAX; i++)
		count += control->imports[i].state == state;
	return count;
}

struct import *imports_find(struct control *control, uint64_t id, enum import_state state)
{
	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		if (control->imports[i].state == state && control->imports[i].id == id)
			return &control->imports[i];
	}
	return NULL;
}

bool import_finish(struct import *import, enum import_status status, const char *message, struct error *error)
{
	uint64_t id = import->id;

	secret_done(&import->input);
	*import = (struct import){0};
	return tell(id, status, message, error);
}

bool imports_fail_all(struct control *control, enum import_state state, const char *message, struct error *error)
{
	bool ok = true;

	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		if (control->imports[i].state == state)
			ok = import_finish(&control->imports[i], IMPORT_FAILED, message, error) && ok;
	}
	return ok;
}

/* Those that are with an opener wait for it: keystores are meant to be slow to open. */
static bool has_deadline(const struct import *import)
{
	return import->state == IMPORT_WAITING || (import->state == IMPORT_SEALED && !import->is_in_reload);
}

bool imports_expire(struct control *control, uint64_t now_ms, struct error *error)
{
	bool ok = true;

	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		struct import *import = &control->imports[i];
		const char *message =
			import->state == IMPORT_WAITING
				? "the host did not ask for it, so it was not stored; see the host's log"
				: "the host was given the sealed key, but did not load it in time; see the host's log";

		if (has_deadline(import) && import->deadline_ms <= now_ms)
			ok = import_finish(import, import->state == IMPORT_WAITING ? IMPORT_FAILED : IMPORT_STORED, message,
					   error) &&
			     ok;
	}
	return ok;
}

uint64_t imports_next_deadline_ms(const struct control *control)
{
	uint64_t next_ms = UINT64_MAX;

	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		const struct import *import = &control->imports[i];

		if (has_deadline(import) && import->deadline_ms < next_ms)
			next_ms = import->deadline_ms;
	}
	return next_ms;
}

static bool is_among(const uint8_t public_key[BLS_PUBLIC_KEY_SIZE], json_t *rows)
{
	char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];
	json_t *row;
	size_t index;

	hex_encode(view_of(public_key, BLS_PUBLIC_KEY_SIZE), hex);
	json_array_foreach(rows, index, row)
	{
		const char *pubkey = json_string_value(json_object_get(row, "pubkey"));

		if (pubkey && strcmp(pubkey, hex) == 0)
			return true;
	}
	return false;
}

void imports_mark_reloaded(struct control *control, json_t *request)
{
	json_t *rows = json_object_get(request, "encrypted_validator_keys");

	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		struct import *import = &control->imports[i];

		import->is_in_reload = import->state == IMPORT_SEALED && is_among(import->public_key, rows);
	}
}

/* Why its key does not sign although the reload went well, or NULL: it signs. */
static const char *find_failure(const struct import *import, uint64_t failed_count, json_t *failures)
{
	char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];
	json_t *failure;
	size_t index;

	hex_encode(view_of(import->public_key, sizeof import->public_key), hex);
	json_array_foreach(failures, index, failure)
	{
		const char *pubkey = json_string_value(json_object_get(failure, "pubkey"));
		const char *message = json_string_value(json_object_get(failure, "message"));

		if (pubkey && message && strcmp(pubkey, hex) == 0)
			return message;
	}
	return failed_count > json_array_size(failures)
		       ? "too many rows of the key table could not be loaded; it may be one of them"
		       : NULL;
}

bool imports_end_reload(struct control *control, const struct message_job_result *result, json_t *failures, struct error *error)
{
	bool ok = true;

	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		struct import *import = &control->imports[i];
		const char *failure = result->message;

		if (!import->is_in_reload)
			continue;
		if (result->code == ERROR_NONE)
			failure = find_failure(import, result->failed_count, failures);
		ok = import_finish(import, failure ? IMPORT_STORED : IMPORT_OK, failure ? failure : "", error) && ok;
	}
	return ok;
}

json_t *imports_rows_new(const struct control *control)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < IMPORTS_MAX; i++) {
		const struct import *import = &control->imports[i];
		AUTO_BUFFER struct buffer sealed = {0};
		char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

		if (import->state != IMPORT_SEALED)
			continue;
		hex_encode(view_of(import->public_key, sizeof import->public_key), hex);
		base64_encode(view_of(import->sealed, sizeof import->sealed), &sealed);
		(void)json_array_append_new(rows, json_pack("{s:s, s:s}", "pubkey", hex, "sealed_key_b64", buffer_text(&sealed)));
	}
	return rows;
}

/* ---- keys to forget ---- */

void forget_add(struct control *control, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	if (!control->forget)
		control->forget = memory_allocate_zeroed(CONTROL_FORGET_WAITING_MAX, sizeof *control->forget);
	for (size_t i = 0; i < control->forget_count; i++) {
		if (memcmp(control->forget[i], public_key, BLS_PUBLIC_KEY_SIZE) == 0)
			return;
	}
	if (control->forget_count == CONTROL_FORGET_WAITING_MAX) {
		log_warning("forget_dropped", "reason=\"%d keys wait already for the host\"", CONTROL_FORGET_WAITING_MAX);
		return;
	}
	memcpy(control->forget[control->forget_count++], public_key, BLS_PUBLIC_KEY_SIZE);
}

json_t *forget_list_new(const struct control *control)
{
	json_t *list = json_array();

	for (size_t i = 0; i < control->forget_count && i < CONTROL_FORGET_LISTED_MAX; i++) {
		char hex[2 * BLS_PUBLIC_KEY_SIZE + 1];

		hex_encode(view_of(control->forget[i], BLS_PUBLIC_KEY_SIZE), hex);
		(void)json_array_append_new(list, json_string(hex));
	}
	return list;
}

static void forget_drop(struct control *control, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE])
{
	for (size_t i = 0; i < control->forget_count; i++) {
		if (memcmp(control->forget[i], public_key, BLS_PUBLIC_KEY_SIZE) != 0)
			continue;
		memmove(control->forget[i], control->forget[i + 1], (--control->forget_count - i) * sizeof *control->forget);
		return;
	}
}

bool forget_remove(struct control *control, json_t *pubkeys, struct error *error)
{
	json_t *item;
	size_t index;

	json_array_foreach(pubkeys, index, item)
	{
		uint8_t public_key[BLS_PUBLIC_KEY_SIZE];
		const char *text = json_string_value(item);

		if (!text || strlen(text) != 2 * sizeof public_key ||
		    !hex_decode(view_of_text(text), public_key, sizeof public_key))
			return error_set(error, ERROR_INPUT, "pubkeys[%zu]: not 96 hex digits", index);
		forget_drop(control, public_key);
	}
	return true;
}
