/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tls_rows.h"

#include "base/file.h"
#include "cli/local_tls.h"

void tls_rows_done(struct tls_rows *rows)
{
	tls_row_done(&rows->current.row);
	tls_row_done(&rows->next.row);
	buffer_done(&rows->current.chain);
	buffer_done(&rows->next.chain);
}

static bool read_one(struct tls_table *table, uint64_t key_id, struct tls_identity_row *ret_row, struct error *error)
{
	struct error problem;

	if (!tls_table_get(table, key_id, &ret_row->row, &problem)) {
		*error = problem;
		return problem.code == ERROR_NOT_FOUND;
	}
	if (!base64_decode(view_of_text(ret_row->row.cert_pem ? ret_row->row.cert_pem : ""), &ret_row->chain))
		return error_set(error, ERROR_INPUT, "TLS table: key_id %llu: cert_pem: not base64", (unsigned long long)key_id);
	ret_row->is_there = true;
	return true;
}

static bool is_same(const struct tls_row *one, const struct tls_row *other)
{
	return strcmp(one->encrypted_tls_key_b64, other->encrypted_tls_key_b64) == 0 && strcmp(one->cert_pem, other->cert_pem) == 0;
}

bool tls_rows_read(struct tls_table *table, struct tls_rows *ret_rows, struct error *error)
{
	if (!read_one(table, TLS_TABLE_KEY_ID, &ret_rows->current, error) ||
	    !read_one(table, TLS_TABLE_NEXT_KEY_ID, &ret_rows->next, error))
		return false;
	if (ret_rows->current.is_there && ret_rows->next.is_there && is_same(&ret_rows->current.row, &ret_rows->next.row))
		ret_rows->next.is_there = false;
	return true;
}

bool tls_rows_note_chosen(struct inventory *inventory, struct error *error)
{
	return inventory->fleet || local_tls_note_chosen(&inventory->folder, &inventory->settings, error);
}

static bool append_anchor(const struct tls_identity_row *row, struct buffer *ret_pem, struct error *error)
{
	const struct tls_identity identity = {.chain = row->chain};

	return !row->is_there || tls_identity_anchor(&identity, ret_pem, error);
}

bool tls_rows_write_anchors(const struct tls_rows *rows, const struct inventory *inventory, const char *path, struct error *error)
{
	AUTO_BUFFER struct buffer pem = {0};

	if (!path && !inventory->fleet)
		path = inventory->folder.ca;
	if (!path)
		return true;
	return append_anchor(&rows->current, &pem, error) && append_anchor(&rows->next, &pem, error) &&
	       file_write_atomic(path, buffer_view(&pem), 0644, error);
}
