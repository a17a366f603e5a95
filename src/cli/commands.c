/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "base/cleanup.h"
#include "base/process.h"
#include "base/secret.h"
#include "base/version.h"

static const struct command top_commands[] = {
	{"local", "a whole signer on this machine: up, status, reload, logs, down", local_main},
	{"keys", "the validator keys of a signer: generate, import, list, rewrap, remove", keys_main},
	{"tls", "the server's key and certificate: create, rotate, show; who may connect", tls_main},
	{"keystore", "make EIP-2335 keystores", keystore_main},
	{"image", "build, sign, measure and check enclave images", image_main},
	{"attest", "check what an enclave attests", attest_main},
	{"policy", "the KMS key's policy: which images may open keys; try out signing policies", policy_main},
	{"status", "what the hosts of a fleet, or of this instance, do", status_main},
	{"fleet", "the instances of a stack: start, stop, status, refresh", fleet_main},
	{"invoke", "have a stack's Lambda do something", invoke_main},
	{"slashing", "what keys have signed: import, export, show (EIP-3076)", slashing_main},
	{"sign", "have a signer sign a request from a file", sign_main},
	{"public-keys", "list the keys of a signer", public_keys_main},
	{"upcheck", "ask a signer whether it is there", upcheck_main},
};

static const struct command_group top_group = {
	.name = "ensign",
	.description = "Operate Ensign, the Ethereum remote signer for AWS Nitro Enclaves.\n"
		       "Try it here, without AWS:  ensign local up\n"
		       "Which release this is:     ensign --version",
	.commands = top_commands,
	.count = ARRAY_SIZE(top_commands),
};

static const struct command local_commands[] = {
	{"up", "start simulator, host and enclave; import keystores; wait until it signs", local_up_main},
	{"status", "what runs, and what went wrong last", local_status_main},
	{"reload", "have it read its tables again, without a restart", local_reload_main},
	{"logs", "the log of the signer", local_logs_main},
	{"down", "stop all of it; keys and settings stay", local_down_main},
};

static const struct command_group local_group = {
	.name = "ensign local",
	.description =
		"A whole signer on this machine: the enclave program runs as an ordinary process, and a simulator stands in\n"
		"for the Nitro hypervisor and for KMS. For trying out and for tests.",
	.commands = local_commands,
	.count = ARRAY_SIZE(local_commands),
};

static const struct command fleet_commands[] = {
	{"start", "set the start flag, and wait until every instance serves", fleet_start_main},
	{"stop", "end the enclaves of all instances", fleet_stop_main},
	{"status", "the same as ensign status --outputs", fleet_status_main},
	{"refresh", "restart the hosts one after the other", fleet_refresh_main},
};

static const struct command_group fleet_group = {
	.name = "ensign fleet",
	.description =
		"The instances of a stack (docs/deploy.md), through AWS Systems Manager. `deploy/ensign-deploy` makes the stack.",
	.commands = fleet_commands,
	.count = ARRAY_SIZE(fleet_commands),
};

static const struct command keystore_commands[] = {
	{"create", "make keystores, of new keys or of given ones", keystore_create_main},
};

static const struct command_group keystore_group = {
	.name = "ensign keystore",
	.description = "EIP-2335 keystores.",
	.commands = keystore_commands,
	.count = ARRAY_SIZE(keystore_commands),
};

static const struct command keys_commands[] = {
	{"generate", "make new validator keys and their deposits", keys_generate_main},
	{"import", "seal the keys of keystores into the key table", keys_import_main},
	{"list", "list the keys", keys_list_main},
	{"show", "all that the key table says of keys", keys_show_main},
	{"activate", "sign with keys that were deactivated", keys_activate_main},
	{"deactivate", "sign with keys no more, and keep their rows", keys_deactivate_main},
	{"assign", "give keys to another signer of the table", keys_assign_main},
	{"remove", "remove the rows of keys that are not active", keys_remove_main},
	{"export-deposits", "write the deposits of keys for the launchpad", keys_export_deposits_main},
	{"rewrap", "have the enclave seal keys anew: another data key, another KMS key", keys_rewrap_main},
};

static const struct command_group keys_group = {
	.name = "ensign keys",
	.description =
		"The validator keys of a signer, as they lie sealed in its key table (docs/keys.md). A signer that runs takes\n"
		"changes up at once, without a restart.",
	.commands = keys_commands,
	.count = ARRAY_SIZE(keys_commands),
};

static const struct command tls_commands[] = {
	{"create", "make the first key and certificate", tls_create_main},
	{"rotate", "make the next one, and have it serve when clients know it", tls_rotate_main},
	{"show", "names, dates and fingerprints", tls_show_main},
	{"clients", "the clients that a fleet's signers let in", tls_clients_main},
};

static const struct command_group tls_group = {
	.name = "ensign tls",
	.description =
		"The key and the certificate that a signer serves with, as they lie sealed in its TLS table (docs/tls.md). A\n"
		"signer that runs takes a new one up without dropping a connection.",
	.commands = tls_commands,
	.count = ARRAY_SIZE(tls_commands),
};

static const struct command attest_commands[] = {
	{"verify", "check whom a client talks to, or where keys were born", attest_verify_main},
};

static const struct command_group attest_group = {
	.name = "ensign attest",
	.description = "Attestation documents of enclaves.",
	.commands = attest_commands,
	.count = ARRAY_SIZE(attest_commands),
};

static const struct command image_commands[] = {
	{"build", "make an image of kernel, enclave program and configuration", image_build_main},
	{"measure", "the PCRs of an image", image_measure_main},
	{"describe", "all that an image says of itself", image_describe_main},
	{"verify", "check an image: sections, CRC, signature, PCRs", image_verify_main},
	{"sign", "sign an image, which gives it a PCR8", image_sign_main},
};

static const struct command_group image_group = {
	.name = "ensign image",
	.description = "Enclave images (EIF): the one file that an enclave is, and that KMS lets have the keys (docs/image.md).",
	.commands = image_commands,
	.count = ARRAY_SIZE(image_commands),
};

static const struct command policy_commands[] = {
	{"write", "the KMS key's policy: which enclave images may open keys", policy_write_main},
	{"rotate", "move the key to the next image, step by step", policy_rotate_main},
	{"check", "what a signing policy answers to a request, and by which rule", policy_check_main},
};

static const struct command_group policy_group = {
	.name = "ensign policy",
	.description =
		"The policy of the KMS key (docs/key-policy.md), and signing policies: who may have what signed with which keys\n"
		"(docs/policy.md).",
	.commands = policy_commands,
	.count = ARRAY_SIZE(policy_commands),
};

static const struct command slashing_commands[] = {
	{"import", "take over what keys signed elsewhere", slashing_import_main},
	{"export", "write what keys signed here, for another signer", slashing_export_main},
	{"show", "list the histories: last block, last vote, how each began", slashing_show_main},
	{"fresh", "say that keys never signed anything, so that they may begin", slashing_fresh_main},
	{"raise", "sign nothing at or below a slot and an epoch any more", slashing_raise_main},
	{"high-watermark", "sign nothing from a slot and an epoch on", slashing_high_watermark_main},
	{"prune", "drop what protects nothing, and give its space back", slashing_prune_main},
	{"credentials", "seal credentials of a fleet's slashing table for its enclaves", slashing_credentials_main},
};

static const struct command_group slashing_group = {
	.name = "ensign slashing",
	.description =
		"Slashing protection: what each key has signed. A signer signs nothing slashable with a key whose history it does\n"
		"not know: import it, or say that there is none (docs/slashing.md).",
	.commands = slashing_commands,
	.count = ARRAY_SIZE(slashing_commands),
};

static void print_group(FILE *stream, const struct command_group *group)
{
	(void)fprintf(stream, "usage: %s COMMAND [options]\n\n%s\n\ncommands:\n", group->name, group->description);
	for (size_t i = 0; i < group->count; i++)
		(void)fprintf(stream, "  %-15s %s\n", group->commands[i].name, group->commands[i].summary);
	(void)fprintf(stream, "\n%s COMMAND --help explains one.\n", group->name);
}

int command_group_run(const struct command_group *group, int argc, char **argv)
{
	if (argc < 2) {
		print_group(stderr, group);
		return EXIT_CODE_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
		print_group(stdout, group);
		return EXIT_CODE_OK;
	}
	for (size_t i = 0; i < group->count; i++) {
		if (strcmp(group->commands[i].name, argv[1]) == 0)
			return group->commands[i].run(argc - 1, argv + 1);
	}
	(void)fprintf(stderr, "%s: no such command: %s\n", group->name, argv[1]);
	print_group(stderr, group);
	return EXIT_CODE_USAGE;
}

void command_parse(const struct command_help *help, const struct option *options, size_t count, int argc, char **argv,
		   bool *ret_done, int *ret_exit)
{
	size_t word_count;

	command_parse_words(help, options, count, argc, argv, NULL, 0, &word_count, ret_done, ret_exit);
}

void command_parse_words(const struct command_help *help, const struct option *options, size_t count, int argc, char **argv,
			 const char **words, size_t max, size_t *ret_word_count, bool *ret_done, int *ret_exit)
{
	struct error error = {0};
	bool help_wanted = false;

	*ret_done = true;
	if (!options_parse(options, count, argc, argv, words, max, ret_word_count, &help_wanted, &error)) {
		*ret_exit = command_fail(&error, "usage: %s", help->usage);
		return;
	}
	if (help_wanted) {
		options_print_help(stdout, help, options, count);
		*ret_exit = EXIT_CODE_OK;
		return;
	}
	*ret_done = false;
}

void command_print_escaped(FILE *stream, const char *text)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c < 0x20 || c == 0x7f)
			(void)fprintf(stream, "\\x%02x", c);
		else
			(void)fputc(c, stream);
	}
}

int command_fail(const struct error *error, const char *advice, ...)
{
	va_list arguments;

	(void)fflush(stdout);
	(void)fputs("error: ", stderr);
	command_print_escaped(stderr, error->message);
	(void)fputc('\n', stderr);
	if (advice) {
		va_start(arguments, advice);
		(void)vfprintf(stderr, advice, arguments);
		va_end(arguments);
		(void)fputc('\n', stderr);
	}
	return (int)exit_code_of(error);
}

void command_print_json(const json_t *json)
{
	AUTO_BUFFER struct buffer text = {0};

	json_write(json, &text);
	(void)puts(buffer_text(&text));
}

void command_print_json_pretty(const json_t *json)
{
	(void)json_dumpf(json, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

int local_main(int argc, char **argv)
{
	return command_group_run(&local_group, argc, argv);
}

int fleet_main(int argc, char **argv)
{
	return command_group_run(&fleet_group, argc, argv);
}

int keystore_main(int argc, char **argv)
{
	return command_group_run(&keystore_group, argc, argv);
}

int tls_main(int argc, char **argv)
{
	return command_group_run(&tls_group, argc, argv);
}

int keys_main(int argc, char **argv)
{
	return command_group_run(&keys_group, argc, argv);
}

int attest_main(int argc, char **argv)
{
	return command_group_run(&attest_group, argc, argv);
}

int image_main(int argc, char **argv)
{
	return command_group_run(&image_group, argc, argv);
}

/* Options without a verb are those of `write`. */
int policy_main(int argc, char **argv)
{
	if (argc > 1 && strncmp(argv[1], "--", 2) == 0 && strcmp(argv[1], "--help") != 0)
		return policy_write_main(argc, argv);
	return command_group_run(&policy_group, argc, argv);
}

int slashing_main(int argc, char **argv)
{
	return command_group_run(&slashing_group, argc, argv);
}

int cli_main(int argc, char **argv)
{
	struct error error = {0};

	if (version_print_if_asked("ensign", argc, argv))
		return EXIT_CODE_OK;
	if (!process_harden(&error))
		return command_fail(&error, NULL);
	json_use_wiping_memory();
	if (!secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error))
		return command_fail(&error, NULL);
	return command_group_run(&top_group, argc, argv);
}
