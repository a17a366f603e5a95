/* SPDX-License-Identifier: Apache-2.0 */
/* What the host reads of its tables, to hand it to the enclave or to see whether it changed. */
#pragma once

#include "host/settings.h"
#include "tables/key_table.h"
#include "tables/tls_table.h"

/* The active rows of this signer. ERROR_NOT_FOUND when there is no such table: opening would make an empty one, which hides a wrong path. */
MUST_USE bool host_tables_read_keys(const struct settings *settings, struct key_rows *ret_rows, struct error *error);
/* ERROR_NOT_FOUND when there is no such table, or no row in it. */
MUST_USE bool host_tables_read_tls(const struct settings *settings, struct tls_row *ret_row, struct error *error);
