/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the measured configuration says of those who may connect to the signing port:
 *
 *   "clients": {"ca_pem": "-----BEGIN…", "known": true}      either member or both
 *   "host_allowlist": ["signer.example", "10.0.0.7"]
 *
 * With "clients" a certificate is required, one that chains to the CA or is on the list of known clients; without it any client may
 * connect, and none is asked for a certificate. "known" can only be true. With "host_allowlist" requests must name one of
 * these hosts in their Host header; without it they may name any. Lists are sets, and letter case means nothing.
 */
#pragma once

#include "base/json.h"

/* A signer has a name or two, and addresses. */
#define HOST_ALLOWLIST_MAX 64
#define HOST_ALLOWLIST_HOST_SIZE 256 /* RFC 1035: 255 octets */

struct client_settings {
	struct buffer ca_pem; /* empty: no CA */
	bool known;
	char (*hosts)[HOST_ALLOWLIST_HOST_SIZE]; /* sorted, in lower case, IPv6 without brackets */
	size_t host_count;                       /* 0: any host */
};

void client_settings_done(struct client_settings *settings);
#define AUTO_CLIENT_SETTINGS CLEANUP(client_settings_done)

/* Whether clients must show a certificate. */
static inline bool client_settings_require_certificate(const struct client_settings *settings)
{
	return settings->known || settings->ca_pem.size > 0;
}

/* The members "clients" and "host_allowlist" of the configuration, each of which may be absent. ERROR_INPUT names the member. */
MUST_USE bool client_settings_read(json_t *configuration, struct client_settings *ret_settings, struct error *error);
/* Those members in one canonical form, each followed by a comma and a line end; nothing for an absent one. */
void client_settings_write(const struct client_settings *settings, struct buffer *ret_json);
/* Add a host, as the list has it. ERROR_INPUT when it is none, or there are too many. */
MUST_USE bool client_settings_add_host(struct client_settings *settings, const char *host, struct error *error);
/* Whether a Host header (HOST, HOST:PORT, [V6], [V6]:PORT) names a host of the list; the port means nothing. */
MUST_USE bool client_settings_allow_host(const struct client_settings *settings, struct view header);
