/* SPDX-License-Identifier: Apache-2.0 */
#include "base/options.h"

#include "base/bytes.h"

/* "--name", or "-n" for a name of one letter. */
static const char *dashes_of(const struct option *option)
{
	return option->name[1] ? "--" : "-";
}

static const struct option *find_option(const struct option *options, size_t count, const char *word, size_t size)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(options[i].name) == size && memcmp(options[i].name, word, size) == 0)
			return &options[i];
	}
	return NULL;
}

static bool store_value(const struct option *option, const char *value, struct error *error)
{
	if (option->kind == OPTION_TEXT) {
		*(const char **)option->target = value;
		return true;
	}
	if (!u64_parse(view_of_text(value), (uint64_t *)option->target))
		return error_set(error, ERROR_INPUT, "%s%s: %s is not a number", dashes_of(option), option->name, value);
	return true;
}

/* Where the name in an option's word begins. */
static const char *name_in(const char *word)
{
	return word[1] == '-' ? word + 2 : word + 1;
}

/* Handles argv[*index], an option; may eat the word behind it. */
static bool parse_option(const struct option *options, size_t count, int argc, char **argv, int *index, struct error *error)
{
	const char *word = name_in(argv[*index]);
	const char *equals = strchr(word, '=');
	size_t name_size = equals ? (size_t)(equals - word) : strlen(word);
	const struct option *option = find_option(options, count, word, name_size);

	if (!option)
		return error_set(error, ERROR_INPUT, "unknown option --%.*s (see --help)", (int)name_size, word);
	if (option->kind == OPTION_FLAG) {
		if (equals)
			return error_set(error, ERROR_INPUT, "--%s takes no value", option->name);
		*(bool *)option->target = true;
		return true;
	}
	if (equals)
		return store_value(option, equals + 1, error);
	if (*index + 1 >= argc)
		return error_set(error, ERROR_INPUT, "%s%s wants a value: %s", dashes_of(option), option->name, option->argument);
	*index += 1;
	return store_value(option, argv[*index], error);
}

/* "-n", and there is such an option. */
static bool is_letter(const struct option *options, size_t count, const char *word)
{
	return word[0] == '-' && word[1] != 0 && word[1] != '-' && word[2] == 0 && find_option(options, count, word + 1, 1);
}

bool options_parse(const struct option *options, size_t count, int argc, char **argv, const char **positionals,
		   size_t max_positionals, size_t *ret_positional_count, bool *ret_help, struct error *error)
{
	size_t positional_count = 0;
	bool options_ended = false;

	*ret_help = false;
	for (int i = 1; i < argc; i++) {
		bool is_option = !options_ended && (strncmp(argv[i], "--", 2) == 0 || is_letter(options, count, argv[i]));

		if (is_option && strcmp(argv[i], "--") == 0) {
			options_ended = true;
			continue;
		}
		if (!options_ended && (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)) {
			*ret_help = true;
			return true;
		}
		if (is_option) {
			if (!parse_option(options, count, argc, argv, &i, error))
				return false;
			continue;
		}
		/* "-" alone is a word (it often means standard input). */
		if (!options_ended && argv[i][0] == '-' && argv[i][1] != 0)
			return error_set(error, ERROR_INPUT, "unknown option %s: options are long, --name (see --help)", argv[i]);
		if (positional_count == max_positionals)
			return error_set(error, ERROR_INPUT, "unexpected word: %s (see --help)", argv[i]);
		positionals[positional_count++] = argv[i];
	}
	*ret_positional_count = positional_count;
	return true;
}

void options_print_help(FILE *stream, const struct command_help *help, const struct option *options, size_t count)
{
	(void)fprintf(stream, "usage: %s\n\n%s\n", help->usage, help->description);
	if (count)
		(void)fprintf(stream, "\noptions:\n");
	for (size_t i = 0; i < count; i++) {
		int used = fprintf(stream, "  %s%s%s%s", dashes_of(&options[i]), options[i].name, options[i].argument ? " " : "",
				   options[i].argument ? options[i].argument : "");

		(void)fprintf(stream, "%*s%s\n", used < 28 ? 28 - used : 2, "", options[i].help);
	}
	(void)fprintf(stream, "  --help                    this page\n");
}

enum exit_code exit_code_of(const struct error *error)
{
	switch (error->code) {
	case ERROR_NONE:
		return EXIT_CODE_OK;
	case ERROR_INPUT:
		return EXIT_CODE_USAGE;
	case ERROR_SLASHABLE:
	case ERROR_POLICY:
		return EXIT_CODE_REFUSED;
	default:
		return EXIT_CODE_FAILED;
	}
}
