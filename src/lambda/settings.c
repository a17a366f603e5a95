/* SPDX-License-Identifier: Apache-2.0 */
#include "lambda/settings.h"

#include "attestation/document.h"
#include "aws/environment.h"
#include "crypto/certificate_file.h"

#define SIGNER "NITRO_INSTANCE_PRIVATE_DNS"
#define MODE "DEPLOYMENT_MODE"
#define ROOT "ENSIGN_ATTESTATION_ROOT"
/* Of the load balancer in front of the signers. */
#define SIGNER_PORT 443

void lambda_settings_done(struct lambda_settings *settings)
{
	if (!settings)
		return;
	free(settings->signer_host);
	free(settings->signer_url);
	free(settings->tls_table);
	free(settings->kms_key_arn);
	X509_free(settings->attestation_root);
	aws_access_done(&settings->kms);
	aws_access_done(&settings->dynamodb);
	credentials_done(&settings->credentials);
	*settings = (struct lambda_settings){0};
}

static bool read_text(const char *name, char **ret_text, struct error *error)
{
	const char *value = getenv(name);

	if (!value || !value[0])
		return error_set(error, ERROR_NOT_FOUND, "%s is not set", name);
	*ret_text = memory_copy_text(value);
	return true;
}

/* HOST or HOST:PORT. */
static bool read_signer(struct lambda_settings *settings, struct error *error)
{
	AUTO_FREE char *value = NULL;
	AUTO_FREE char *text = NULL;
	struct address address;

	if (!read_text(SIGNER, &value, error))
		return false;
	text = strchr(value, ':') ? memory_format("tcp:%s", value) : memory_format("tcp:%s:%d", value, SIGNER_PORT);
	if (!address_parse(text, &address, error))
		return error_prefix(error, SIGNER);
	settings->signer_host = memory_copy_text(address.host);
	settings->signer_url = memory_format("https://%s:%u", address.host, address.port);
	return true;
}

static bool read_mode(bool *ret_is_development, struct error *error)
{
	const char *mode = getenv(MODE);

	*ret_is_development = mode && strcmp(mode, "dev") == 0;
	return !mode || *ret_is_development || strcmp(mode, "prod") == 0 ||
	       error_set(error, ERROR_INPUT, MODE ": neither dev nor prod");
}

static bool read_root(struct lambda_settings *settings, struct error *error)
{
	const char *path = getenv(ROOT);

	if (path && path[0] && !settings->is_development)
		return error_set(error, ERROR_INPUT, ROOT ": only with " MODE "=dev; an enclave on AWS leads to AWS's root");
	settings->attestation_root = path && path[0] ? certificate_file_read(path, error) : attestation_aws_root(error);
	return settings->attestation_root || error_prefix(error, ROOT);
}

static bool read_access(struct lambda_settings *settings, struct error *error)
{
	const struct aws_place place = {.region = aws_environment_region()};

	if (!place.region)
		return error_set(error, ERROR_NOT_FOUND, "AWS_REGION is not set");
	return aws_access_init("kms", &place, &settings->kms, error) &&
	       aws_access_init("dynamodb", &place, &settings->dynamodb, error) &&
	       credentials_from_environment(&settings->credentials, error);
}

bool lambda_settings_read(struct lambda_settings *ret_settings, struct error *error)
{
	AUTO_LAMBDA_SETTINGS struct lambda_settings settings = {0};

	if (!read_signer(&settings, error) || !read_text("TLS_KEYS_TABLE_NAME", &settings.tls_table, error) ||
	    !read_text("KEY_ARN", &settings.kms_key_arn, error) || !read_mode(&settings.is_development, error) ||
	    !read_root(&settings, error) || !read_access(&settings, error))
		return false;
	*ret_settings = settings;
	settings = (struct lambda_settings){0};
	return true;
}
