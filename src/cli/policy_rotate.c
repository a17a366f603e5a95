/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/attest_session.h"
#include "cli/policy_key.h"
#include "image/key_pinning.h"

static const struct command_help help = {
	.usage = "ensign policy rotate --key ARN --from OLD --to NEW [--url U[,U]] [--root PEM] [--apply]",
	.description =
		"Moves a key from one image to the next without a moment in which no enclave may use it:\n"
		"  1. the policy allows both images,\n"
		"  2. the instances are replaced one by one,\n"
		"  3. each signer (--url) attests that it is the new image,\n"
		"  4. the policy allows the new image alone.\n"
		"Says which step is next, and with --apply does what is to be done to the policy: step 1, and step 4 when every "
		"--url\n"
		"attests. Run it again after each step.\n"
		"\n"
		"  ensign policy rotate --key arn:… --from $OLD --to $NEW --url https://signer:8443 --apply",
};

struct request {
	struct policy_place place;
	const char *from;
	const char *to;
	const char *urls;
	const char *root;
	bool apply;
};

struct images {
	char from[NSM_PCR_TEXT_SIZE];
	char to[NSM_PCR_TEXT_SIZE];
};

static bool read_image(const char *option, const char *hex, char ret_hex[NSM_PCR_TEXT_SIZE], struct error *error)
{
	struct key_pinning one = {0};

	if (!hex)
		return error_set(error, ERROR_INPUT, "%s: missing", option);
	if (!key_pinning_add_pcr0(&one, hex, error))
		return error_prefix(error, "%s", option);
	memcpy(ret_hex, one.pcr0[0], NSM_PCR_TEXT_SIZE);
	return true;
}

static bool check(const struct request *request, struct images *ret_images, struct error *error)
{
	if (!request->place.key)
		return error_set(error, ERROR_INPUT, "--key: missing; the policy of which key?");
	if (!read_image("--from", request->from, ret_images->from, error) ||
	    !read_image("--to", request->to, ret_images->to, error))
		return false;
	return strcmp(ret_images->from, ret_images->to) != 0 || error_set(error, ERROR_INPUT, "--from and --to: the same image");
}

static bool has_image(const struct key_pinning *pinning, const char *hex)
{
	for (size_t i = 0; i < pinning->pcr0_count; i++) {
		if (strcmp(pinning->pcr0[i], hex) == 0)
			return true;
	}
	return false;
}

static void drop_image(struct key_pinning *pinning, const char *hex)
{
	size_t kept = 0;

	for (size_t i = 0; i < pinning->pcr0_count; i++) {
		if (strcmp(pinning->pcr0[i], hex) != 0)
			memmove(pinning->pcr0[kept++], pinning->pcr0[i], NSM_PCR_TEXT_SIZE);
	}
	pinning->pcr0_count = kept;
}

/* Each signer of the fleet; which one does not attest is said. */
static bool all_attest(const struct request *request)
{
	AUTO_FREE char *text = memory_copy_text(request->urls);
	bool ok = true;
	char *rest;

	for (char *url = strtok_r(text, ", ", &rest); url; url = strtok_r(NULL, ", ", &rest)) {
		const struct attest_session_request session = {.url = url, .root = request->root, .pcr0 = request->to};

		(void)printf("%s\n", url);
		ok = attest_session(&session) == EXIT_CODE_OK && ok;
	}
	return ok;
}

static bool put(const struct policy_key *key, const struct key_pinning *pinning, struct error *error)
{
	AUTO_JSON json_t *policy = key_pinning_to_policy(pinning, key->policy, error);

	return policy && policy_key_put(key, policy, error);
}

static int allow_both(const struct request *request, const struct policy_key *key, struct key_pinning *pinning,
		      const struct images *images)
{
	struct error error = {0};

	if (!request->apply) {
		(void)puts("Step 1 is next: --apply has the policy allow both images.");
		return EXIT_CODE_OK;
	}
	if (!key_pinning_add_pcr0(pinning, images->to, &error) || !put(key, pinning, &error))
		return command_fail(&error, NULL);
	(void)puts("Step 1 is done: the policy allows both images. A change takes KMS some seconds.\n"
		   "Step 2 is next: replace the instances one by one, then run this again with --url of each.");
	return EXIT_CODE_OK;
}

static int allow_new_alone(const struct request *request, const struct policy_key *key, struct key_pinning *pinning,
			   const struct images *images)
{
	struct error error = {0};

	if (!request->urls) {
		(void)puts("The policy allows both images.\n"
			   "Step 2 is next: replace the instances one by one, then run this again with --url of each.");
		return EXIT_CODE_OK;
	}
	if (!all_attest(request)) {
		(void)fputs("Step 3 is not done: not every signer is the new image yet. The policy stays as it is.\n", stderr);
		return EXIT_CODE_FAILED;
	}
	if (!request->apply) {
		(void)puts("Step 3 is done. Step 4 is next: --apply has the policy allow the new image alone.");
		return EXIT_CODE_OK;
	}
	drop_image(pinning, images->from);
	if (!put(key, pinning, &error))
		return command_fail(&error, NULL);
	(void)puts("Step 4 is done: the policy allows the new image alone.");
	return EXIT_CODE_OK;
}

static int run(const struct request *request)
{
	AUTO_POLICY_KEY struct policy_key key = {0};
	struct key_pinning pinning;
	struct images images;
	struct error error = {0};

	if (!check(request, &images, &error))
		return command_fail(&error, "usage: %s", help.usage);
	if (!policy_key_open(&request->place, &key, &error) || !key_pinning_of_policy(key.policy, &pinning, &error))
		return command_fail(&error, "ensign policy write makes one that can be rotated.");
	policy_print_review(key.policy);
	if (pinning.pcr8[0]) {
		(void)puts("Images are pinned by who signs them (PCR8): the next one needs no change of the policy.");
		return EXIT_CODE_OK;
	}
	if (!has_image(&pinning, images.to) && !has_image(&pinning, images.from)) {
		(void)error_set(&error, ERROR_INPUT, "--from: the policy does not have this image");
		return command_fail(&error, NULL);
	}
	if (!has_image(&pinning, images.to))
		return allow_both(request, &key, &pinning, &images);
	if (has_image(&pinning, images.from))
		return allow_new_alone(request, &key, &pinning, &images);
	(void)puts("All is done: the policy allows the new image, and not the old one.");
	return EXIT_CODE_OK;
}

int policy_rotate_main(int argc, char **argv)
{
	struct request request = {0};
	const struct option options[] = {
		{"from", OPTION_TEXT, &request.from, "HEX", "PCR0 of the image that is running"},
		{"to", OPTION_TEXT, &request.to, "HEX", "PCR0 of the next one"},
		{"url", OPTION_TEXT, &request.urls, "U,U", "the signers, https://HOST[:PORT]; each has to attest the new image"},
		{"root", OPTION_TEXT, &request.root, "PEM", "certificate of the attestation root; default AWS's"},
		{"apply", OPTION_FLAG, &request.apply, NULL, "change the policy"},
		POLICY_PLACE_OPTIONS(request.place),
	};
	bool done;
	int code;

	command_parse(&help, options, ARRAY_SIZE(options), argc, argv, &done, &code);
	return done ? code : run(&request);
}
