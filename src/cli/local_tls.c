/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_tls.h"

#include "base/clock.h"
#include "base/file.h"
#include "crypto/certificate_facts.h"
#include "tables/tls_sealed.h"
#include "tables/tls_table.h"

#define TLS_RENEW_AFTER_MS (730ull * 24 * 3600 * 1000)

/* ---- the table ---- */

bool local_tls_is_there(const struct local_folder *folder, const struct tls_identity *identity)
{
	AUTO_TLS_TABLE struct tls_table *table = NULL;
	AUTO_BUFFER struct buffer chain_b64 = {0};
	AUTO_TLS_ROW struct tls_row row = {0};
	struct error ignored;

	if (!file_exists(folder->tables))
		return false;
	table = tls_table_open_sqlite(folder->tables, &ignored);
	if (!table || !tls_table_get(table, TLS_TABLE_KEY_ID, &row, &ignored))
		return false;
	base64_encode(buffer_view(&identity->chain), &chain_b64);
	return strcmp(buffer_text(&chain_b64), row.cert_pem) == 0;
}

bool local_tls_has_name(const struct local_folder *folder, const char *name)
{
	AUTO_CERTIFICATE_FACTS struct certificate_facts facts = {0};
	struct error ignored;
	AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(folder->tables, &ignored);
	AUTO_BUFFER struct buffer chain = {0};
	AUTO_TLS_ROW struct tls_row row = {0};

	if (!table || !tls_table_get(table, TLS_TABLE_KEY_ID, &row, &ignored) || !row.cert_pem ||
	    !base64_decode(view_of_text(row.cert_pem), &chain) || !certificate_facts_read(buffer_view(&chain), &facts, &ignored))
		return false;
	for (size_t i = 0; i < facts.name_count; i++) {
		if (strcasecmp(facts.names[i], name) == 0)
			return true;
	}
	return false;
}

static bool store_tls(const struct local_setup *setup, const struct tls_identity *identity, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(setup->folder->tables, error);
	AUTO_TLS_SEALED struct tls_sealed sealed = {0};

	return table &&
	       tls_seal(identity, setup->settings->tls_is_own, &setup->kms->kms, setup->settings->kms_key_arn, &sealed, error) &&
	       tls_sealed_put(table, TLS_TABLE_KEY_ID, &sealed, error);
}

/* ---- setup ---- */

static bool is_usual_name(const char *host)
{
	static const char *const usual[] = {"", "localhost", "127.0.0.1", "::1", "0.0.0.0", "::"};

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++) {
		if (strcmp(usual[i], host) == 0)
			return true;
	}
	return false;
}

static bool set_up_own(const struct local_setup *setup, const struct tls_identity *own, struct error *error)
{
	AUTO_BUFFER struct buffer anchor = {0};

	if (!own->key.data || local_tls_is_there(setup->folder, own))
		return true;
	return store_tls(setup, own, error) && tls_identity_anchor(own, &anchor, error) &&
	       file_write_atomic(setup->folder->ca, buffer_view(&anchor), 0644, error);
}

size_t local_tls_names(const struct local_settings *settings, char ret_host[LOCAL_LISTEN_SIZE],
		       const char *ret_names[LOCAL_TLS_NAMES_MAX])
{
	static const char *const everywhere[] = {"localhost", "127.0.0.1", "::1"};
	uint16_t port;

	_Static_assert(ARRAY_SIZE(everywhere) + 1 == LOCAL_TLS_NAMES_MAX, "and the host's own");
	local_settings_host(settings, ret_host, &port);
	if (is_usual_name(ret_host))
		ret_host[0] = 0;
	memcpy(ret_names, everywhere, sizeof everywhere);
	ret_names[ARRAY_SIZE(everywhere)] = ret_host;
	return ARRAY_SIZE(everywhere) + (ret_host[0] != 0);
}

/* Read again under the lock: making an identity takes a moment, and `up` may have changed the settings meanwhile. */
bool local_tls_note_chosen(const struct local_folder *folder, struct local_settings *ret_settings, struct error *error)
{
	AUTO_FD int lock = local_folder_lock(folder, error);

	if (lock < 0 || !local_settings_read(folder->settings, ret_settings, error))
		return false;
	ret_settings->tls_is_own = true;
	return local_settings_write(folder->settings, ret_settings, error);
}

static bool set_up_made(const struct local_setup *setup, struct error *error)
{
	AUTO_TLS_IDENTITY struct tls_identity identity = {0};
	AUTO_BUFFER struct buffer ca_pem = {0};
	struct local_settings *settings = setup->settings;
	char host[LOCAL_LISTEN_SIZE];
	const char *names[LOCAL_TLS_NAMES_MAX];
	size_t name_count = local_tls_names(settings, host, names);
	uint64_t now_ms = clock_realtime_ms();

	if (file_exists(setup->folder->ca) && strcmp(host, settings->tls_listen) == 0 && settings->tls_created_ms <= now_ms &&
	    settings->tls_created_ms + TLS_RENEW_AFTER_MS > now_ms)
		return true;
	if (!tls_identity_create("ensign local", names, name_count, TLS_IDENTITY_DAYS_MAX, &identity, &ca_pem, error) ||
	    !store_tls(setup, &identity, error) || !file_write_atomic(setup->folder->ca, buffer_view(&ca_pem), 0644, error))
		return false;
	memcpy(settings->tls_listen, host, sizeof settings->tls_listen);
	settings->tls_created_ms = now_ms;
	return true;
}

bool local_setup_tls(const struct local_setup *setup, const struct tls_identity *own, struct error *error)
{
	bool done = setup->settings->tls_is_own ? set_up_own(setup, own, error) : set_up_made(setup, error);

	return done || error_prefix(error, "TLS");
}
