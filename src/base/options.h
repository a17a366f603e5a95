/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines from const tables: every program and subcommand lists its options once, and both the parser and --help read
 * that list. `--name VALUE` or `--name=VALUE`, and `-n VALUE` for the few whose name is one letter; `--` ends them. Before that, a word that begins with "-" is
 * an option or an error, but for "-" itself.
 */
#pragma once

#include "base/error.h"

enum option_kind {
	OPTION_FLAG,   /* no value; target is bool *, set to true */
	OPTION_TEXT,   /* target is const char **, borrowed from argv */
	OPTION_NUMBER, /* decimal; target is uint64_t * */
};

struct option {
	const char *name; /* without the dashes; one letter is written with one dash */
	enum option_kind kind;
	void *target;
	const char *argument; /* placeholder in the help, NULL for a flag */
	const char *help;     /* one sentence; what the default is */
};

struct command_help {
	const char *usage;       /* "ensign sign [options]" */
	const char *description; /* a paragraph: what it does, an example, the exit codes where they are special */
};

/*
 * Parse argv[1…]. Words that are no options are collected in order into positionals[0 … max-1] and counted; one too many
 * is ERROR_INPUT. `*ret_help` is set when --help was asked for (then nothing else is checked).
 */
MUST_USE bool options_parse(const struct option *options, size_t count, int argc, char **argv, const char **positionals,
			    size_t max_positionals, size_t *ret_positional_count, bool *ret_help, struct error *error);

/* The help page. Widths are those of an 80-column terminal. */
void options_print_help(FILE *stream, const struct command_help *help, const struct option *options, size_t count);

/* Exit codes of every program, as documented in docs/cli.md. */
enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_FAILED = 1,  /* it was tried and did not work; stderr says why and what to do next */
	EXIT_CODE_USAGE = 2,   /* the command line or an input file is wrong; nothing was done */
	EXIT_CODE_REFUSED = 3, /* a rule refused it: slashing protection, signing policy, key policy, attestation */
};

/* The exit code that fits an error. */
enum exit_code exit_code_of(const struct error *error);
