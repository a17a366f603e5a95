/* SPDX-License-Identifier: Apache-2.0 */
/* What the Lambda is told by its environment (docs/lambda.md lists the variables). */
#pragma once

#include "aws/access.h"
#include "crypto/x509_cleanup.h"

struct lambda_settings {
	char *signer_host;      /* what its certificate names */
	char *signer_url;       /* https://HOST:PORT */
	char *tls_table;        /* in DynamoDB */
	char *kms_key_arn;      /* that seals the TLS key */
	bool is_development;    /* enclaves in debug mode and decrypt_tls_key are allowed */
	X509 *attestation_root; /* AWS's, or an emulator's */
	struct aws_access kms;  /* no time-outs in them */
	struct aws_access dynamodb;
	struct credentials credentials; /* of the Lambda's role; longer-lived than this process */
};

void lambda_settings_done(struct lambda_settings *settings);
#define AUTO_LAMBDA_SETTINGS CLEANUP(lambda_settings_done)

/* ERROR_INPUT, ERROR_NOT_FOUND: the message names the variable. */
MUST_USE bool lambda_settings_read(struct lambda_settings *ret_settings, struct error *error);
