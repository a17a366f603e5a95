/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of `ensign`: const tables of verbs, one file a verb. A verb's function gets argv from its own name on, prints its
 * result on stdout and what went wrong on stderr, and returns an exit code of base/options.h.
 */
#pragma once

#include "base/json.h"
#include "base/options.h"

struct command {
	const char *name;
	const char *summary; /* one line of the list of commands */
	int (*run)(int argc, char **argv);
};

/* A group of commands: `ensign` itself, `ensign local`, … */
struct command_group {
	const char *name; /* "ensign local" */
	const char *description;
	const struct command *commands;
	size_t count;
};

/* Finds argv[1] in the group and runs it; without one, or with --help, prints the list. */
int command_group_run(const struct command_group *group, int argc, char **argv);

/* What every verb does first. ret_done: --help was printed or the command line is wrong, return *ret_exit. */
void command_parse(const struct command_help *help, const struct option *options, size_t count, int argc, char **argv,
		   bool *ret_done, int *ret_exit);

/* The same for verbs that take words beside options: up to max of them, which stay argv's. */
void command_parse_words(const struct command_help *help, const struct option *options, size_t count, int argc, char **argv,
			 const char **words, size_t max, size_t *ret_word_count, bool *ret_done, int *ret_exit);

/*
 * Report a failure on stderr, the error first and then what to do next (`advice` may be NULL): returns the exit code that fits.
 */
int command_fail(const struct error *error, const char *advice, ...) PRINTF_LIKE(2, 3);

/* Text that a server, a table or a file had a hand in: what could steer a terminal is not let through. */
void command_print_escaped(FILE *stream, const char *text);
/* A result for machines: one line on stdout. */
void command_print_json(const json_t *json);
/* The same as nitro-cli writes its results: over several lines, two blanks a level. */
void command_print_json_pretty(const json_t *json);

/* Whole program, as main() calls it. */
int cli_main(int argc, char **argv);

int local_main(int argc, char **argv);
int local_up_main(int argc, char **argv);
int local_status_main(int argc, char **argv);
int local_logs_main(int argc, char **argv);
int local_reload_main(int argc, char **argv);
int local_down_main(int argc, char **argv);
int status_main(int argc, char **argv);
int invoke_main(int argc, char **argv);
int fleet_main(int argc, char **argv);
int fleet_start_main(int argc, char **argv);
int fleet_stop_main(int argc, char **argv);
int fleet_status_main(int argc, char **argv);
int fleet_refresh_main(int argc, char **argv);
int keystore_main(int argc, char **argv);
int keystore_create_main(int argc, char **argv);
int image_main(int argc, char **argv);
int image_build_main(int argc, char **argv);
int image_measure_main(int argc, char **argv);
int image_describe_main(int argc, char **argv);
int image_verify_main(int argc, char **argv);
int image_sign_main(int argc, char **argv);
int attest_main(int argc, char **argv);
int attest_verify_main(int argc, char **argv);
int keys_main(int argc, char **argv);
int keys_import_main(int argc, char **argv);
int keys_list_main(int argc, char **argv);
int keys_show_main(int argc, char **argv);
int keys_activate_main(int argc, char **argv);
int keys_deactivate_main(int argc, char **argv);
int keys_assign_main(int argc, char **argv);
int keys_remove_main(int argc, char **argv);
int keys_generate_main(int argc, char **argv);
int keys_export_deposits_main(int argc, char **argv);
int keys_rewrap_main(int argc, char **argv);
int tls_main(int argc, char **argv);
int tls_create_main(int argc, char **argv);
int tls_rotate_main(int argc, char **argv);
int tls_show_main(int argc, char **argv);
int tls_clients_main(int argc, char **argv);
int policy_main(int argc, char **argv);
int policy_check_main(int argc, char **argv);
int policy_write_main(int argc, char **argv);
int policy_rotate_main(int argc, char **argv);
int slashing_main(int argc, char **argv);
int slashing_import_main(int argc, char **argv);
int slashing_export_main(int argc, char **argv);
int slashing_show_main(int argc, char **argv);
int slashing_fresh_main(int argc, char **argv);
int slashing_raise_main(int argc, char **argv);
int slashing_high_watermark_main(int argc, char **argv);
int slashing_prune_main(int argc, char **argv);
int slashing_credentials_main(int argc, char **argv);
int sign_main(int argc, char **argv);
int public_keys_main(int argc, char **argv);
int upcheck_main(int argc, char **argv);
