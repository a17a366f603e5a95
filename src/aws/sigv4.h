/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, header form (docs: "Signature Version 4 signing process"). Pure functions: the same canonical form
 * serves the client that signs and the simulator that checks.
 */
#pragma once

#include "base/secret.h"

#define SIGV4_MAX_HEADERS 64

struct sigv4_header {
	struct view name;  /* any letter case; compared in lower case */
	struct view value; /* trimmed and inner runs of blanks folded here */
};

struct sigv4_request {
	struct view method;
	struct view path;                   /* as sent, starting with /, percent-encoded; "" means / */
	struct view query;                  /* as sent, without ?; may be empty */
	const struct sigv4_header *headers; /* all that are signed; repeated names allowed */
	size_t header_count;
	uint8_t payload_sha256[32];
	bool normalize_path;     /* true for every service but S3 */
	bool double_encode_path; /* true for every service but S3 */
};

struct sigv4_scope {
	const char *region;
	const char *service;
	const char *date_time; /* YYYYMMDDTHHMMSSZ */
};

/* Appends the canonical request; ret_signed_headers (may be NULL) gets "host;x-amz-date;…". */
MUST_USE bool sigv4_canonical_request(const struct sigv4_request *request, struct buffer *ret_canonical,
				      struct buffer *ret_signed_headers, struct error *error);
void sigv4_string_to_sign(struct view canonical_request, const struct sigv4_scope *scope, struct buffer *ret_text);
/* Lower-case hex and a NUL. */
MUST_USE bool sigv4_signature(struct view string_to_sign, const struct sigv4_scope *scope, struct view secret_access_key,
			      char ret_hex[65], struct error *error);
