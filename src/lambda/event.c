/* SPDX-License-Identifier: Apache-2.0 */
#include "lambda/event.h"

#include "lambda/operations.h"

/* Of the signer: docs/api.md. */
#define NONCE_MIN_SIZE 8

static bool read_overwrite(json_t *object, struct lambda_event *event, struct error *error)
{
	return json_read_bool(object, "overwrite", &event->overwrite, error);
}

static bool read_pcr0(json_t *object, struct lambda_event *event, struct error *error)
{
	uint8_t pcr0[NSM_PCR_SIZE];
	const char *text;

	if (!json_read_text(object, "pcr0", &text, error) || !attestation_parse_pcr("pcr0", text, pcr0, error))
		return false;
	hex_encode(view_of(pcr0, sizeof pcr0), event->pcr0);
	return true;
}

static bool read_nonce(json_t *object, struct lambda_event *event, struct error *error)
{
	const char *text;
	size_t size;

	if (!json_read_text(object, "nonce", &text, error))
		return false;
	size = strlen(text);
	if (size % 2 || size < 2 * NONCE_MIN_SIZE || size > 2 * CLIENT_NONCE_MAX_SIZE ||
	    !hex_decode(view_of(text, size), event->nonce, size / 2))
		return error_set(error, ERROR_INPUT, "nonce: not %d to %d bytes in hex", NONCE_MIN_SIZE, CLIENT_NONCE_MAX_SIZE);
	event->nonce_size = size / 2;
	return true;
}

static const struct {
	const char *name;
	enum lambda_field field;
	bool (*read)(json_t *object, struct lambda_event *event, struct error *error);
} fields[] = {
	{"overwrite", LAMBDA_FIELD_OVERWRITE, read_overwrite},
	{"pcr0", LAMBDA_FIELD_PCR0, read_pcr0},
	{"nonce", LAMBDA_FIELD_NONCE, read_nonce},
};

/* One that is not of this operation is refused with its name, and so is one that is misspelt. */
static bool read_fields(json_t *object, struct lambda_event *event, struct error *error)
{
	const char *allowed[ARRAY_SIZE(fields) + 1] = {"operation"};
	size_t count = 1;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (!(event->operation->fields & fields[i].field))
			continue;
		allowed[count++] = fields[i].name;
		if (json_object_get(object, fields[i].name) && !fields[i].read(object, event, error))
			return false;
	}
	return json_check_members(object, allowed, count, error);
}

bool lambda_event_parse(struct view text, struct lambda_event *ret_event, struct error *error)
{
	AUTO_JSON json_t *object = NULL;
	struct lambda_event event = {0};
	const char *name;

	if (text.size > LAMBDA_EVENT_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "event: larger than %d bytes", LAMBDA_EVENT_MAX_SIZE);
	object = json_parse_object(text, "event", error);
	if (!object || !json_read_text(object, "operation", &name, error))
		return false;
	event.operation = lambda_operation_find(name, error);
	if (!event.operation || !read_fields(object, &event, error))
		return false;
	*ret_event = event;
	return true;
}
