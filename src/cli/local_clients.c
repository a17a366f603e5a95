/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_clients.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/clock.h"
#include "base/file.h"
#include "tables/tls_companions.h"

/* A few CAs; a public bundle would let the world in. */
#define CLIENT_CA_MAX_SIZE 65536u
#define CLIENTS_FILE_MAX_SIZE (2 * CLIENT_CA_MAX_SIZE)

void local_clients_done(struct local_clients *clients)
{
	client_settings_done(&clients->settings);
}

/* ---- clients.json ---- */

static void append_text(const struct client_settings *settings, struct buffer *ret_text)
{
	buffer_append_text(ret_text, "{\n");
	client_settings_write(settings, ret_text);
	buffer_append_text(ret_text, " \"version\": 1}\n");
}

bool local_clients_read(const struct local_folder *folder, struct client_settings *ret_settings, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *object = NULL;

	if (!file_exists(folder->clients))
		return true;
	if (!file_read(folder->clients, CLIENTS_FILE_MAX_SIZE, &text, error))
		return false;
	object = json_parse_object(buffer_view(&text), folder->clients, error);
	if (!object)
		return false;
	return client_settings_read(object, ret_settings, error) || error_prefix(error, "%s", folder->clients);
}

static bool read_list(const char *path, struct known_clients *ret_list, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};

	return file_read(path, KNOWN_CLIENTS_FILE_MAX_SIZE, &text, error) &&
	       known_clients_parse(buffer_view(&text), ret_list, error);
}

static void append_list(const struct known_clients *list, struct buffer *ret_text)
{
	for (size_t i = 0; i < list->count; i++) {
		char fingerprint[2 * KNOWN_CLIENT_FINGERPRINT_SIZE + 1];

		hex_encode(view_of(list->clients[i].fingerprint, KNOWN_CLIENT_FINGERPRINT_SIZE), fingerprint);
		buffer_append_format(ret_text, "%s %s\n", list->clients[i].common_name, fingerprint);
	}
}

bool local_clients_write(const struct local_folder *folder, const struct local_clients *clients, struct error *error)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer list = {0};

	append_text(&clients->settings, &text);
	append_list(&clients->list, &list);
	return file_write_atomic(folder->clients, buffer_view(&text), 0600, error) &&
	       file_write_atomic(folder->known_clients, buffer_view(&list), 0600, error);
}

/* ---- options ---- */

/* Here, and not only in the enclave, where it would end it. */
static bool check_authorities(const struct buffer *pem, struct error *error)
{
	BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->size);
	X509 *certificate;
	size_t count = 0;
	bool at_end;

	while (bio && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		X509_free(certificate);
		count++;
	}
	at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	ERR_clear_error();
	BIO_free(bio);
	return (count > 0 && at_end) || error_set(error, ERROR_INPUT, "not certificates in PEM");
}

static bool merge_authority(const char *path, struct client_settings *settings, struct error *error)
{
	AUTO_BUFFER struct buffer pem = {0};

	if (!path)
		return true;
	buffer_done(&settings->ca_pem);
	if (strcmp(path, "none") == 0)
		return true;
	if (!file_read(path, CLIENT_CA_MAX_SIZE, &pem, error) || !check_authorities(&pem, error)) {
		error->code = ERROR_INPUT;
		return error_prefix(error, "--client-ca %s", path);
	}
	settings->ca_pem = pem;
	pem = (struct buffer){0};
	return true;
}

static bool merge_list(const char *path, const struct local_folder *folder, struct local_clients *clients, struct error *error)
{
	struct known_clients before = {0};
	struct error ignored;
	bool had_list = clients->settings.known && read_list(folder->known_clients, &before, &ignored);

	clients->list = before;
	if (!path)
		return true;
	clients->settings.known = strcmp(path, "none") != 0;
	clients->list_was_given = clients->settings.known;
	clients->list = (struct known_clients){0};
	if (!clients->settings.known)
		return true;
	if (!read_list(path, &clients->list, error)) {
		error->code = ERROR_INPUT;
		return error_prefix(error, "--known-clients %s", path);
	}
	clients->list_changed = !had_list || memcmp(&before, &clients->list, sizeof before) != 0;
	return true;
}

static bool merge_hosts(const char *list, struct client_settings *settings, struct error *error)
{
	if (!list)
		return true;
	settings->host_count = 0;
	if (strcmp(list, "all") == 0)
		return true;
	for (;;) {
		size_t size = strcspn(list, ",");
		AUTO_FREE char *host = memory_format("%.*s", (int)size, list);

		if (!client_settings_add_host(settings, host, error))
			return error_prefix(error, "--host-allowlist");
		if (!list[size])
			return true;
		list += size + 1;
	}
}

static bool merge_any(const struct client_options *options, struct client_settings *settings, struct error *error)
{
	if (!options->clients)
		return true;
	if (strcmp(options->clients, "any") != 0)
		return error_set(error, ERROR_INPUT, "--clients: any, not %s; others with --client-ca and --known-clients",
				 options->clients);
	if (options->client_ca || options->known_clients)
		return error_set(error, ERROR_INPUT, "--clients any lets everybody in: no --client-ca, no --known-clients");
	buffer_done(&settings->ca_pem);
	settings->known = false;
	return true;
}

bool local_clients_merge(const struct client_options *options, const struct local_folder *folder, struct local_clients *ret_clients,
			 bool *ret_changed, struct error *error)
{
	AUTO_BUFFER struct buffer before = {0};
	AUTO_BUFFER struct buffer after = {0};
	struct client_settings *settings = &ret_clients->settings;

	local_clients_done(ret_clients);
	*ret_clients = (struct local_clients){0};
	if (!local_clients_read(folder, settings, error))
		return false;
	append_text(settings, &before);
	if (!merge_any(options, settings, error) || !merge_authority(options->client_ca, settings, error) ||
	    !merge_list(options->known_clients, folder, ret_clients, error) ||
	    !merge_hosts(options->host_allowlist, settings, error))
		return false;
	append_text(settings, &after);
	*ret_changed = !view_equal(buffer_view(&before), buffer_view(&after));
	return true;
}

/* ---- setup ---- */

static bool seal(const struct local_setup *setup, const struct local_clients *clients, struct tls_row *row, struct error *error)
{
	uint64_t now_ms = clock_realtime_ms();
	uint64_t last = setup->settings->known_clients_serial;
	struct known_clients list = clients->list;
	AUTO_SECRET struct secret data_key = {0};
	AUTO_BUFFER struct buffer wrapped_b64 = {0};

	/* Time, so that it goes on in a folder that lost its settings; more than the last, whatever the clock says. */
	list.serial = now_ms > last ? now_ms : last + 1;
	if (!local_setup_data_key(setup, &data_key, &wrapped_b64, error) ||
	    !tls_row_seal_clients(row, secret_view(&data_key), buffer_text(&wrapped_b64), LOCAL_FLEET, &list, error))
		return false;
	setup->settings->known_clients_serial = list.serial;
	return true;
}

bool local_setup_known_clients(const struct local_setup *setup, const struct local_clients *clients, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(setup->folder->tables, error);
	AUTO_TLS_ROW struct tls_row row = {0};
	bool is_there;

	if (!table || !tls_table_get(table, TLS_TABLE_KEY_ID, &row, error))
		return false;
	is_there = row.known_clients_sealed_b64 != NULL;
	if (clients->settings.known ? is_there && !clients->list_changed : !is_there)
		return true;
	if (clients->settings.known && !seal(setup, clients, &row, error))
		return false;
	if (!clients->settings.known)
		tls_row_drop_clients(&row);
	return tls_table_put_companions(table, &row, error);
}

char *local_clients_describe(const struct local_clients *clients)
{
	bool has_ca = clients->settings.ca_pem.size > 0;

	if (!clients->settings.known)
		return memory_copy_text(has_ca ? "CA" : "any");
	return memory_format("%sknown (%zu)", has_ca ? "CA, " : "", clients->list.count);
}
