/* SPDX-License-Identifier: Apache-2.0 */
#include "base/log_relay.h"

#include "base/clock.h"
#include "base/log_json.h"

#define NAME_MAX_SIZE 32

static const char *const header_names[] = {"time", "level", "program", "event"};

json_t *log_relay_parse(struct view line)
{
	json_t *object = json_parse_object(line, "line", NULL);
	AUTO_BUFFER struct buffer text = {0};

	if (object)
		return object;
	for (size_t i = 0; i < line.size; i++)
		buffer_append_byte(&text, line.data[i] >= ' ' && line.data[i] <= '~' ? line.data[i] : '?');
	return json_pack("{s:s, s:s}", "event", "output", "text", buffer_text(&text));
}

static bool is_time(const char *text)
{
	uint64_t realtime_ms;

	return strlen(text) == CLOCK_TEXT_SIZE - 1 && clock_parse(text, &realtime_ms);
}

static bool is_level(const char *text)
{
	for (size_t i = 0; log_level_names[i]; i++) {
		if (strcmp(log_level_names[i], text) == 0)
			return true;
	}
	return false;
}

static bool is_name(const char *text)
{
	return log_json_key_size(text) == strlen(text) && *text;
}

static bool is_other_program(const char *text)
{
	return is_name(text) && strcmp(text, log_program_name()) != 0;
}

static const char *header(json_t *line, const char *name, bool (*check)(const char *text), const char *instead)
{
	const char *text = json_string_value(json_object_get(line, name));

	return text && check(text) ? text : instead;
}

static bool is_header(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(header_names); i++) {
		if (strcmp(header_names[i], name) == 0)
			return true;
	}
	return false;
}

/* Without quotes where it reads the same: neither as a number nor as several fields. */
static bool needs_quotes(const char *text)
{
	for (const char *at = text; *at; at++) {
		if (*at <= ' ' || *at > '~' || *at == '"' || *at == '\\')
			return true;
	}
	return !*text || log_json_is_number(text, strlen(text));
}

static void append_text(struct buffer *fields, const char *text)
{
	bool is_quoted = needs_quotes(text);

	buffer_append_text(fields, is_quoted ? "\"" : "");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buffer_append_byte(fields, '\\');
		buffer_append_byte(fields, (uint8_t)*text);
	}
	buffer_append_text(fields, is_quoted ? "\"" : "");
}

static void append_value(struct buffer *fields, json_t *value)
{
	AUTO_BUFFER struct buffer text = {0};

	if (json_is_integer(value)) {
		buffer_append_format(fields, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		return;
	}
	if (!json_is_string(value))
		json_write(value, &text);
	append_text(fields, json_is_string(value) ? json_string_value(value) : buffer_text(&text));
}

void log_relay(json_t *line)
{
	AUTO_BUFFER struct buffer fields = {0};
	char now[CLOCK_TEXT_SIZE];
	struct log_origin origin;
	const char *name;
	json_t *value;

	clock_format(clock_realtime_ms(), now);
	origin.time = header(line, "time", is_time, now);
	origin.level = header(line, "level", is_level, log_level_names[LOG_LEVEL_WARNING]);
	origin.program = header(line, "program", is_other_program, "enclave");
	origin.event = header(line, "event", is_name, "unknown");
	json_object_foreach(line, name, value)
	{
		if (is_header(name) || !is_name(name) || fields.size >= LOG_LINE_SIZE)
			continue;
		buffer_append_format(&fields, "%s%s=", fields.size ? " " : "", name);
		append_value(&fields, value);
	}
	log_write_as(&origin, buffer_text(&fields));
}
