/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/http_headers.h"

struct header_search {
	const char *name;
	bool (*visit)(const void *context, struct view entry);
	const void *context;
	bool found;
};

static struct view trim(struct view text)
{
	while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t'))
		text = view_of(text.data + 1, text.size - 1);
	while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
		text.size--;
	return text;
}

static enum MHD_Result search_header(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct header_search *search = (struct header_search *)context;

	(void)kind;
	if (!value || strcasecmp(name, search->name) != 0)
		return MHD_YES;
	for (const char *entry = value; entry && !search->found;) {
		const char *comma = strchr(entry, ',');

		search->found =
			search->visit(search->context, trim(view_of(entry, comma ? (size_t)(comma - entry) : strlen(entry))));
		entry = comma ? comma + 1 : NULL;
	}
	return search->found ? MHD_NO : MHD_YES;
}

bool http_headers_find(struct MHD_Connection *mhd, const char *name, bool (*visit)(const void *context, struct view entry),
		       const void *context)
{
	struct header_search search = {.name = name, .visit = visit, .context = context};

	(void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, search_header, &search);
	return search.found;
}

struct host_check {
	const struct client_settings *hosts;
	bool is_named;
	bool is_refused;
};

static enum MHD_Result check_host(void *context, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct host_check *check = (struct host_check *)context;

	(void)kind;
	if (strcasecmp(name, MHD_HTTP_HEADER_HOST) != 0)
		return MHD_YES;
	check->is_named = true;
	/* Of two Host fields both must be allowed: nobody says which one counts. */
	check->is_refused |= !client_settings_allow_host(check->hosts, view_of_text(value ? value : ""));
	return MHD_YES;
}

bool http_headers_allow_host(struct MHD_Connection *mhd, const struct client_settings *hosts)
{
	struct host_check check = {.hosts = hosts};

	if (!hosts || hosts->host_count == 0)
		return true;
	(void)MHD_get_connection_values(mhd, MHD_HEADER_KIND, check_host, &check);
	return check.is_named && !check.is_refused;
}
