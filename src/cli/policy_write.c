/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/outputs.h"
#include "cli/policy_key.h"
#include "image/key_pinning.h"

static const struct command_help help = {
	.usage = "ensign policy write (--pcr0 HEX[,HEX] | --pcr8 HEX) (--outputs F | --role ARN [--key ARN]) [--keygen-role ARN] "
		 "[--lambda-role ARN] [--apply]",
	.description =
		"Writes the policy of the KMS key that seals validator keys: only enclaves of these images, on instances of this "
		"role, may\n"
		"decrypt with it or have data keys made. --pcr0 names images; --pcr8 who signs them, and then any image that he "
		"signs will do.\n"
		"A Deny for everybody else stands beside the Allow, so that no statement elsewhere gets around it. --keygen-role "
		"may "
		"seal\n"
		"new keys. With --key the present policy is read: statements that are not Ensign's are kept, and warned of where "
		"they are\n"
		"dangerous. Prints the policy; --apply puts it. All-zero measurements, those of debug enclaves, are refused.\n"
		"\n"
		"  ensign policy write --outputs output.json --pcr0 $(jq -r .Measurements.PCR0 image.json) --apply",
};

#define ARN_PARTITION 1
#define ARN_ACCOUNT 4

struct request {
	struct policy_place place;
	const char *pcr0;
	const char *pcr8;
	const char *outputs;
	const char *role;
	const char *admin;
	const char *keygen;
	const char *lambda;
	bool apply;
};

/* ---- what is asked ---- */

/* Words of the command line come first. */
static bool fill_from_outputs(struct request *request, struct outputs *outputs, struct error *error)
{
	const char *key, *role, *lambda;

	if (!request->outputs)
		return true;
	if (!outputs_read(request->outputs, outputs, error) || !outputs_need(outputs, "KMSKeyARN", &key, error) ||
	    !outputs_need(outputs, "EC2InstanceRoleARN", &role, error) ||
	    !outputs_need(outputs, "LambdaExecutionArn", &lambda, error))
		return false;
	request->place.key = request->place.key ? request->place.key : key;
	request->role = request->role ? request->role : role;
	request->lambda = request->lambda ? request->lambda : lambda;
	return true;
}

/* Comma separated. */
static bool add_images(struct key_pinning *pinning, const char *list, struct error *error)
{
	AUTO_FREE char *text = memory_copy_text(list);
	char *rest;

	for (char *hex = strtok_r(text, ", ", &rest); hex; hex = strtok_r(NULL, ", ", &rest)) {
		if (!key_pinning_add_pcr0(pinning, hex, error))
			return error_prefix(error, "--pcr0");
	}
	return true;
}

static bool make_pinning(const struct request *request, const char *root_arn, struct key_pinning *ret_pinning, struct error *error)
{
	struct key_pinning *pinning = ret_pinning;

	*pinning =
		(struct key_pinning){.role_arn = request->role, .keygen_arn = request->keygen, .tls_sealer_arn = request->lambda};
	pinning->admin_arn = request->admin ? request->admin : root_arn;
	return (!request->pcr0 || add_images(pinning, request->pcr0, error)) &&
	       (!request->pcr8 || key_pinning_set_pcr8(pinning, request->pcr8, error) || error_prefix(error, "--pcr8"));
}

/* The account of the key, or of the role: without it nobody could ever change the policy. Caller frees. */
static char *root_of(const struct request *request)
{
	const char *arn = request->place.key ? request->place.key : request->role;
	AUTO_FREE char *partition = arn ? arn_part(arn, ARN_PARTITION) : NULL;
	AUTO_FREE char *account = arn ? arn_part(arn, ARN_ACCOUNT) : NULL;

	return partition && account ? memory_format("arn:%s:iam::%s:root", partition, account) : NULL;
}

static int run(struct request *request)
{
	AUTO_POLICY_KEY struct policy_key key = {0};
	AUTO_OUTPUTS struct outputs outputs = {0};
	AUTO_JSON json_t *policy = NULL;
	AUTO_FREE char *root_arn = NULL;
	struct key_pinning pinning;
	struct error error = {0};

	if (!fill_from_outputs(request, &outputs, &error))
		return command_fail(&error, NULL);
	root_arn = root_of(request);
	if (!make_pinning(request, root_arn, &pinning, &error))
		return command_fail(&error, NULL);
	if (request->apply && !request->place.key) {
		(void)error_set(&error, ERROR_INPUT, "--apply: the policy of which key? --key ARN or --outputs F");
		return command_fail(&error, NULL);
	}
	if (request->place.key && !policy_key_open(&request->place, &key, &error))
		return command_fail(&error, NULL);
	policy = key_pinning_to_policy(&pinning, key.policy, &error);
	if (!policy)
		return command_fail(&error, "usage: %s", help.usage);
	policy_print_review(policy);
	if (request->apply && !policy_key_put(&key, policy, &error))
		return command_fail(&error, NULL);
	policy_print(policy);
	if (request->apply)
		(void)fprintf(stderr, "The key %s has this policy now.\n", request->place.key);
	return EXIT_CODE_OK;
}

int policy_write_main(int argc, char **argv)
{
	struct request request = {0};
	const struct option options[] = {
		{"pcr0", OPTION_TEXT, &request.pcr0, "HEX,HEX", "measurements of the images that may use the key"},
		{"pcr8", OPTION_TEXT, &request.pcr8, "HEX", "or of the certificate that they are signed with"},
		{"outputs", OPTION_TEXT, &request.outputs, "F", "the stack's outputs: key, roles of instances and Lambda"},
		{"role", OPTION_TEXT, &request.role, "ARN", "of the instances"},
		{"admin", OPTION_TEXT, &request.admin, "ARN", "who administers the key; default the account's root"},
		{"keygen-role", OPTION_TEXT, &request.keygen, "ARN", "who may seal new keys; default nobody else"},
		{"lambda-role", OPTION_TEXT, &request.lambda, "ARN",
		 "who may seal TLS keys; default the Lambda of --outputs, or nobody"},
		{"apply", OPTION_FLAG, &request.apply, NULL, "put the policy, do not just print it"},
		POLICY_PLACE_OPTIONS(request.place),
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	return done ? code : run(&request);
}
