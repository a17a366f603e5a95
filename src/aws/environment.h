/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to AWS as the environment says it, in the variables that AWS's own tools read:
 *
 *   AWS_REGION, AWS_DEFAULT_REGION                     the first that is set
 *   AWS_ENDPOINT_URL_KMS, AWS_ENDPOINT_URL_DYNAMODB …  where that service is, or with
 *   AWS_ENDPOINT_URL                                   any; emulators are found like this
 *   AWS_CA_BUNDLE                                      PEM file of the authorities; default: the system's
 *
 * An empty variable is as good as none. Credentials: credentials_find().
 */
#pragma once

#include "aws/request.h"

/* Of an endpoint's URL. */
struct aws_endpoint_url {
	char host[ADDRESS_HOST_SIZE]; /* HOST or HOST:PORT, [v6] in brackets */
	bool is_plain;                /* http, which is for a host of the loopback alone */
};

/* http://HOST[:PORT] or https://HOST[:PORT], with or without a slash at its end. ERROR_INPUT says what is wrong with it. */
MUST_USE bool aws_endpoint_url_parse(const char *url, struct aws_endpoint_url *ret_url, struct error *error);

/* NULL: none is set. */
const char *aws_environment_region(void);
/* Of a service ("kms", "dynamodb"). ret_url->host is "" when no variable says it. ERROR_INPUT names the variable. */
MUST_USE bool aws_environment_find_endpoint(const char *service, struct aws_endpoint_url *ret_url, struct error *error);

/* A bundle of authorities is some 200 KiB. */
#define AWS_CA_MAX_SIZE (1u << 20)

/*
 * AWS_CA_BUNDLE, or the first file there is of those in which distributions keep their authorities; NULL: none is there. The default of
 * libcurl is that of the system where it was built.
 */
const char *aws_environment_ca_file(void);
/* What is in that file; nothing when there is none. ERROR_NOT_FOUND and so on name the variable. */
MUST_USE bool aws_environment_read_authorities(struct buffer *ret_pem, struct error *error);
