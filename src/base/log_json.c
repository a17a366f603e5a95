/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_json.h"

#define KEY_MAX_SIZE 32
/* Far more than any line of ours has. */
#define FIELDS_MAX 32
/* Digits that any reader's integers take. */
#define NUMBER_MAX_SIZE 18
/* The end of a text and of the object: `"}` and the line end. */
#define TAIL_SIZE 3

struct writer {
	char *line;
	size_t used;
};

struct field {
	const char *key;
	size_t key_size;
	const char *value;
	size_t value_size;
	bool is_quoted;
};

/* Whole or not at all. */
static bool put(struct writer *writer, const char *text, size_t size)
{
	if (size > LOG_JSON_LINE_SIZE - TAIL_SIZE - writer->used)
		return false;
	memcpy(writer->line + writer->used, text, size);
	writer->used += size;
	return true;
}

/* Of a quoted value, whose own escapes are undone first. */
static void put_text(struct writer *writer, const char *text, size_t size, bool is_quoted)
{
	for (size_t i = 0; i < size; i++) {
		char escaped[2] = {'\\', text[i]};

		if (is_quoted && text[i] == '\\' && i + 1 < size && (text[i + 1] == '"' || text[i + 1] == '\\'))
			escaped[1] = text[++i];
		if (escaped[1] == '"' || escaped[1] == '\\' ? !put(writer, escaped, 2) : !put(writer, escaped + 1, 1))
			return;
	}
}

/* A member whose name does not fit is left out. */
static void put_member(struct writer *writer, const struct field *field)
{
	bool is_number = !field->is_quoted && log_json_is_number(field->value, field->value_size);
	char name[KEY_MAX_SIZE + sizeof ",\"\":\""];
	int size = snprintf(name, sizeof name, "%s\"%.*s\":%s", writer->used > 1 ? "," : "", (int)field->key_size, field->key,
			    is_number ? "" : "\"");

	/* The number with it: half of one would be another. */
	if (writer->used + (size_t)size + (is_number ? field->value_size : 1) + TAIL_SIZE > LOG_JSON_LINE_SIZE)
		return;
	(void)put(writer, name, (size_t)size);
	if (is_number)
		(void)put(writer, field->value, field->value_size);
	else
		put_text(writer, field->value, field->value_size, field->is_quoted);
	/* There is always room for it: put() leaves some. */
	if (!is_number)
		writer->line[writer->used++] = '"';
}

size_t log_json_key_size(const char *text)
{
	size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");

	return size <= KEY_MAX_SIZE && text[0] >= 'a' && text[0] <= 'z' ? size : 0;
}

bool log_json_is_number(const char *text, size_t size)
{
	size_t sign = size > 0 && text[0] == '-';

	if (size == sign || size - sign > NUMBER_MAX_SIZE || (text[sign] == '0' && size > 1))
		return false;
	for (size_t i = sign; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
	}
	return true;
}

/* Behind the closing quote, or the end of a value that was cut. */
static const char *find_quote(const char *at)
{
	while (*at && *at != '"')
		at += at[0] == '\\' && at[1] ? 2 : 1;
	return at;
}

/* One field at *at, and the blank behind it. False: there is none. */
static bool read_field(const char **at, struct field *ret_field)
{
	const char *end;

	ret_field->key = *at;
	ret_field->key_size = log_json_key_size(*at);
	if (ret_field->key_size == 0 || (*at)[ret_field->key_size] != '=')
		return false;
	ret_field->value = *at + ret_field->key_size + 1;
	ret_field->is_quoted = ret_field->value[0] == '"';
	if (ret_field->is_quoted)
		ret_field->value++;
	end = ret_field->is_quoted ? find_quote(ret_field->value) : ret_field->value + strcspn(ret_field->value, " ");
	ret_field->value_size = (size_t)(end - ret_field->value);
	if (ret_field->is_quoted && *end)
		end++;
	if (*end && *end != ' ')
		return false;
	*at = *end ? end + 1 : end;
	return true;
}

static bool is_known(const struct field *fields, size_t count, const struct field *field)
{
	for (size_t i = 0; i < count; i++) {
		if (fields[i].key_size == field->key_size && memcmp(fields[i].key, field->key, field->key_size) == 0)
			return true;
	}
	return false;
}

static struct field field_of(const char *key, const char *value)
{
	return (struct field){.key = key, .key_size = strlen(key), .value = value, .value_size = strlen(value)};
}

size_t log_json_format(char ret_line[LOG_JSON_LINE_SIZE], const struct log_origin *origin, const char *text)
{
	struct writer writer = {ret_line, 0};
	struct field fields[FIELDS_MAX] = {
		field_of("time", origin->time),
		field_of("level", origin->level),
		field_of("program", origin->program),
		field_of("event", origin->event),
		field_of("text", ""), /* taken: for what is no field */
	};
	size_t count = 5;

	ret_line[writer.used++] = '{';
	for (size_t i = 0; i < count - 1; i++)
		put_member(&writer, &fields[i]);
	while (*text) {
		const char *rest = text;
		struct field field;

		if (count < FIELDS_MAX && read_field(&text, &field) && !is_known(fields, count, &field)) {
			put_member(&writer, &field);
			fields[count++] = field;
			continue;
		}
		field = field_of("text", rest);
		field.is_quoted = false;
		put_member(&writer, &field);
		break;
	}
	ret_line[writer.used++] = '}';
	ret_line[writer.used++] = '\n';
	return writer.used;
}
