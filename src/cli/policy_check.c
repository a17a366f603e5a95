/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/commands.h"

#include "cli/policy_file.h"

static const struct command_help help = {
	.usage = "ensign policy check [--policy FILE] --type TYPE --key PUBKEY [--client CN] [--fingerprint SHA256] [--json]",
	.description = "Says what a signing policy answers to one request, and which rule decides. Nothing is signed and nobody is "
		       "asked.\n"
		       "Without --policy there are only the built-in rules; without --client and --fingerprint the client has no\n"
		       "certificate. docs/policy.md describes the file.\n"
		       "\n"
		       "  ensign policy check --policy policy.json --type VOLUNTARY_EXIT --key 0x93247f… --client ops\n"
		       "\n"
		       "Exit code 0: allowed. 3: refused.",
};

struct check {
	const char *policy;
	const char *type;
	const char *key;
	const char *client;
	const char *fingerprint;
	bool as_json;
};

struct question {
	enum artifact_type type;
	uint8_t key[BLS_PUBLIC_KEY_SIZE];
	uint8_t fingerprint[SIGNING_POLICY_FINGERPRINT_SIZE];
	struct signing_policy_client client;
};

static bool read_question(const struct check *check, struct question *ret_question, struct error *error)
{
	if (!check->type || !check->key)
		return error_set(error, ERROR_INPUT, "--%s: missing", check->type ? "key" : "type");
	if (!artifact_type_parse(check->type, &ret_question->type))
		return error_set(error, ERROR_INPUT, "--type: \"%.64s\" is no type of the signing API", check->type);
	if (!hex_decode(view_of_text(check->key), ret_question->key, sizeof ret_question->key))
		return error_set(error, ERROR_INPUT, "--key: not a public key of 48 bytes in hex");
	if (check->fingerprint && !signing_policy_parse_fingerprint(check->fingerprint, ret_question->fingerprint, error))
		return error_prefix(error, "--fingerprint");
	ret_question->client = (struct signing_policy_client){
		.has_certificate = check->client || check->fingerprint,
		.common_name = check->client ? check->client : "",
		.fingerprint = ret_question->fingerprint,
	};
	return true;
}

static int run(const struct check *check)
{
	AUTO_SIGNING_POLICY struct signing_policy policy = {0};
	struct signing_policy_decision decision;
	struct question question = {0};
	struct error error = {0};

	if (!read_question(check, &question, &error))
		return command_fail(&error, "usage: %s", help.usage);
	if (check->policy && !policy_file_read("--policy", check->policy, &policy, &error))
		return command_fail(&error, "docs/policy.md describes the file.");
	decision = signing_policy_decide(&policy, &question.client, question.type, question.key);
	if (check->as_json)
		(void)printf("{\"allowed\":%s,\"rule\":\"%s\"}\n", decision.is_allowed ? "true" : "false", decision.rule);
	else
		(void)printf("%s by rule \"%s\"\n", decision.is_allowed ? "allowed" : "refused", decision.rule);
	return decision.is_allowed ? EXIT_CODE_OK : EXIT_CODE_REFUSED;
}

int policy_check_main(int argc, char **argv)
{
	struct check check = {0};
	const struct option options[] = {
		{"policy", OPTION_TEXT, &check.policy, "FILE", "the policy's JSON"},
		{"type", OPTION_TEXT, &check.type, "TYPE", "as requests say it: VOLUNTARY_EXIT, BLOCK_V2, ..."},
		{"key", OPTION_TEXT, &check.key, "PUBKEY", "public key, 96 hex digits, 0x or not"},
		{"client", OPTION_TEXT, &check.client, "CN", "common name of the client's certificate"},
		{"fingerprint", OPTION_TEXT, &check.fingerprint, "SHA256", "of the client's certificate, in hex"},
		{"json", OPTION_FLAG, &check.as_json, NULL, "print {\"allowed\":…,\"rule\":\"…\"}"},
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	return done ? code : run(&check);
}
