/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's header fields say, as far as libmicrohttpd leaves them to be read. */
#pragma once

#include <microhttpd.h>

#include "base/bytes.h"
#include "image/client_settings.h"

/* Visit each comma-separated entry (trimmed) of every field `name` until `visit` returns true; returns whether it did. */
bool http_headers_find(struct MHD_Connection *mhd, const char *name, bool (*visit)(const void *context, struct view entry),
		       const void *context);
/* Whether the host that the request names is one of `hosts`; NULL, or none listed: any will do. */
MUST_USE bool http_headers_allow_host(struct MHD_Connection *mhd, const struct client_settings *hosts);
