/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/yaml_flat.h"

#include <yaml.h>

/* BLOB_SCHEDULE has 2. libyaml takes time in the square of the depth. */
#define DEPTH_MAX 16

#define AUTO_EVENT CLEANUP(yaml_event_delete)
#define AUTO_PARSER CLEANUP(yaml_parser_delete)

void yaml_flat_done(struct yaml_flat *flat)
{
	if (!flat)
		return;
	for (size_t i = 0; i < flat->count; i++) {
		free(flat->entries[i].key);
		free(flat->entries[i].value);
	}
	free(flat->entries);
	*flat = (struct yaml_flat){0};
}

const struct yaml_entry *yaml_flat_find(const struct yaml_flat *flat, const char *key)
{
	for (size_t i = 0; i < flat->count; i++) {
		if (strcmp(flat->entries[i].key, key) == 0)
			return &flat->entries[i];
	}
	return NULL;
}

static bool next_event(yaml_parser_t *parser, yaml_event_t *ret_event, struct error *error)
{
	if (yaml_parser_parse(parser, ret_event))
		return true;
	return error_set(error, ERROR_INPUT, "line %zu: not YAML: %s", parser->problem_mark.line + 1,
			 parser->problem ? parser->problem : "malformed");
}

/* NULL when there is a NUL inside, which a C string would hide. */
static char *scalar_text(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	return strlen(text) == event->data.scalar.length ? memory_copy_text(text) : NULL;
}

static bool add_key(struct yaml_flat *flat, const yaml_event_t *event, struct error *error)
{
	size_t line = event->start_mark.line + 1;
	AUTO_FREE char *key = event->type == YAML_SCALAR_EVENT ? scalar_text(event) : NULL;
	const struct yaml_entry *first;

	if (!key)
		return error_set(error, ERROR_INPUT, "line %zu: a key that is no plain text", line);
	first = yaml_flat_find(flat, key);
	if (first)
		return error_set(error, ERROR_INPUT, "line %zu: %.64s: given already, in line %zu", line, key, first->line);
	if (flat->count == YAML_FLAT_ENTRIES_MAX)
		return error_set(error, ERROR_INPUT, "line %zu: more than %d keys", line, YAML_FLAT_ENTRIES_MAX);
	flat->entries[flat->count++] = (struct yaml_entry){.key = key, .line = line};
	key = NULL;
	return true;
}

static int depth_change(const yaml_event_t *event)
{
	if (event->type == YAML_MAPPING_START_EVENT || event->type == YAML_SEQUENCE_START_EVENT)
		return 1;
	return event->type == YAML_MAPPING_END_EVENT || event->type == YAML_SEQUENCE_END_EVENT ? -1 : 0;
}

/* The value of the last key. One that is a list or a mapping goes on until the event that ends it. */
static bool read_value(yaml_parser_t *parser, struct yaml_entry *entry, struct error *error)
{
	size_t depth = 0;
	bool first = true;

	do {
		AUTO_EVENT yaml_event_t event = {0};

		if (!next_event(parser, &event, error))
			return false;
		if (first && event.type == YAML_SCALAR_EVENT) {
			entry->value = scalar_text(&event);
			if (!entry->value)
				return error_set(error, ERROR_INPUT, "line %zu: %.64s: holds a NUL", entry->line, entry->key);
		}
		first = false;
		depth += (size_t)depth_change(&event);
		if (depth > DEPTH_MAX)
			return error_set(error, ERROR_INPUT, "line %zu: %.64s: nested too deep", entry->line, entry->key);
	} while (depth > 0);
	return true;
}

static bool expect(yaml_parser_t *parser, yaml_event_type_t type, const char *otherwise, struct error *error)
{
	AUTO_EVENT yaml_event_t event = {0};

	if (!next_event(parser, &event, error))
		return false;
	return event.type == type || error_set(error, ERROR_INPUT, "line %zu: %s", event.start_mark.line + 1, otherwise);
}

static bool read_mapping(yaml_parser_t *parser, struct yaml_flat *flat, struct error *error)
{
	for (;;) {
		AUTO_EVENT yaml_event_t event = {0};

		if (!next_event(parser, &event, error))
			return false;
		if (event.type == YAML_MAPPING_END_EVENT)
			return true;
		if (!add_key(flat, &event, error) || !read_value(parser, &flat->entries[flat->count - 1], error))
			return false;
	}
}

bool yaml_flat_parse(struct view yaml, struct yaml_flat *ret_flat, struct error *error)
{
	AUTO_YAML_FLAT struct yaml_flat flat = {0};
	AUTO_PARSER yaml_parser_t parser = {0};

	if (!yaml_parser_initialize(&parser))
		return error_set(error, ERROR_IO, "no memory to read YAML with");
	flat.entries = (struct yaml_entry *)memory_allocate_zeroed(YAML_FLAT_ENTRIES_MAX, sizeof *flat.entries);
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, yaml.size ? yaml.data : (const uint8_t *)"", yaml.size);
	if (!expect(&parser, YAML_STREAM_START_EVENT, "not YAML", error) ||
	    !expect(&parser, YAML_DOCUMENT_START_EVENT, "holds nothing", error) ||
	    !expect(&parser, YAML_MAPPING_START_EVENT, "not a list of keys with values", error) ||
	    !read_mapping(&parser, &flat, error) || !expect(&parser, YAML_DOCUMENT_END_EVENT, "more than one document", error) ||
	    !expect(&parser, YAML_STREAM_END_EVENT, "more than one document", error))
		return false;
	*ret_flat = flat;
	flat = (struct yaml_flat){0};
	return true;
}
