/* SPDX-License-Identifier: Apache-2.0 */
#include "sim_fixture.h"

#include <dirent.h>
#include <unistd.h>

#include "base/file.h"

#define TIMEOUT_MS 20000

void remove_folder(const char *folder)
{
	DIR *entries = opendir(folder);
	struct dirent *entry;

	while (entries && (entry = readdir(entries)) != NULL) {
		AUTO_FREE char *path = memory_format("%s/%s", folder, entry->d_name);

		(void)unlink(path);
	}
	if (entries)
		(void)closedir(entries);
	(void)rmdir(folder);
}

const char *sim_fixture_endpoint(const struct sim_fixture *fixture, const char *member)
{
	const char *text = json_string_value(json_object_get(simulator_endpoints(fixture->simulator), member));

	assert_non_null(text);
	return text;
}

static struct kms_client make_client(const struct sim_fixture *fixture, const struct credentials *credentials)
{
	return (struct kms_client){.endpoint = {.region = SIM_REGION,
						.host = fixture->kms_authority,
						.ca_pem = buffer_view(&fixture->ca),
						.timeout_ms = TIMEOUT_MS,
						.attempts = 1},
				   .credentials = credentials};
}

int sim_fixture_setup(void **state)
{
	struct sim_fixture *fixture = memory_allocate_zeroed(1, sizeof *fixture);
	struct error error = {0};

	*state = fixture;
	assert_ok(secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error), &error);
	(void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/ensign-test-sim-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	fixture->simulator = simulator_start(&(struct simulator_options){.folder = fixture->folder}, &error);
	assert_ok(fixture->simulator != NULL, &error);
	(void)snprintf(fixture->kms_authority, sizeof fixture->kms_authority, "%s",
		       sim_fixture_endpoint(fixture, "kms_url") + strlen("https://"));
	assert_ok(file_read(sim_fixture_endpoint(fixture, "kms_ca_file"), 65536, &fixture->ca, &error), &error);
	assert_ok(credentials_from_file(sim_fixture_endpoint(fixture, "operator_credentials_file"), &fixture->operator, & error),
		  &error);
	assert_ok(credentials_from_imds(sim_fixture_endpoint(fixture, "imds_url"), &fixture->role, &error), &error);
	fixture->as_operator = make_client(fixture, &fixture->operator);
	fixture->as_role = make_client(fixture, &fixture->role);
	return 0;
}

int sim_fixture_teardown(void **state)
{
	struct sim_fixture *fixture = *state;

	simulator_stop(fixture->simulator);
	credentials_done(&fixture->operator);
	credentials_done(&fixture->role);
	buffer_done(&fixture->ca);
	remove_folder(fixture->folder);
	free(fixture);
	return 0;
}

void sim_fixture_make_key(const struct sim_fixture *fixture, char ret_arn[KMS_ARN_SIZE])
{
	struct error error = {0};

	assert_ok(kms_create_key(&fixture->as_operator, "test", NULL, ret_arn, &error), &error);
}

void sim_fixture_seal(const struct sim_fixture *fixture, const char *arn, struct kms_context context, const char *text,
		      struct buffer *ret_ciphertext)
{
	struct error error = {0};

	assert_ok(kms_encrypt(&fixture->as_operator, arn, context, view_of_text(text), ret_ciphertext, &error), &error);
}

json_t *sim_fixture_call(const struct kms_client *client, const char *operation, const char *body, struct aws_failure *ret_failure,
			 struct error *error)
{
	AUTO_FREE char *target = memory_format("TrentService.%s", operation);
	json_t *answer = NULL;

	return aws_call(&client->endpoint, "kms", target, client->credentials, view_of_text(body), AWS_KMS_RESPONSE_MAX_SIZE,
			&answer, ret_failure, error)
		       ? answer
		       : NULL;
}
