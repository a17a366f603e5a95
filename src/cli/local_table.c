/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/local_table.h"

#include "aws/credentials.h"
#include "base/file.h"
#include "tables/tls_companions.h"

/* A few certificates. */
#define CA_MAX_SIZE 65536
#define HTTPS_PORT "443"

static bool merge_connect(const struct table_options *options, struct local_settings *settings, struct error *error)
{
	const char *host = options->connect ? options->connect : settings->slashing.host;
	const char *port = strchr(host, ':') ? "" : ":" HTTPS_PORT;
	AUTO_FREE char *text = memory_format("tcp:%s%s", host, port);
	struct address address;

	if (!address_parse(text, &address, error))
		return error_prefix(error, "--slashing-connect");
	if (strlen(text) >= sizeof settings->table_connect)
		return error_set(error, ERROR_INPUT, "--slashing-connect: too long");
	memcpy(settings->table_connect, text, strlen(text) + 1);
	return true;
}

/* By the reader of the measured configuration, so that what it would refuse is refused here. */
static bool check(const struct slashing_settings *slashing, struct error *error)
{
	AUTO_JSON json_t *object = json_pack("{s:o}", "slashing", slashing_settings_json_new(slashing));
	struct slashing_settings read;

	return slashing_settings_read(object, &read, error);
}

static bool merge_text(const char *text, const char *option, char *field, size_t size, struct error *error)
{
	if (text && strlen(text) >= size)
		return error_set(error, ERROR_INPUT, "%s: at most %zu characters", option, size - 1);
	if (text)
		memcpy(field, text, strlen(text) + 1);
	return true;
}

bool local_table_merge(const struct table_options *options, struct local_settings *settings, struct error *error)
{
	struct slashing_settings *slashing = &settings->slashing;

	if (options->table && strcmp(options->table, TABLE_OFF) == 0) {
		*slashing = (struct slashing_settings){.host_may_begin = slashing->host_may_begin,
						       .quiet_period_s = slashing->quiet_period_s};
		settings->table_connect[0] = 0;
		return true;
	}
	if (!options->table && !slashing->uses_dynamodb)
		return (!options->host && !options->connect && !options->ca && !options->credentials) ||
		       error_set(error, ERROR_INPUT, "--slashing-table: missing, which the other options of a table are for");
	slashing->uses_dynamodb = true;
	if (!merge_text(options->table, "--slashing-table", slashing->table, sizeof slashing->table, error) ||
	    !merge_text(options->host, "--slashing-host", slashing->host, sizeof slashing->host, error))
		return false;
	if (!slashing->host[0])
		return error_set(error, ERROR_INPUT, "--slashing-host: missing: dynamodb.REGION.amazonaws.com, for example");
	if (options->credentials)
		slashing->has_sealed_credentials = strcmp(options->credentials, TABLE_PARENT_CREDENTIALS) != 0;
	if (settings->network.genesis_validators_root_learned)
		return error_set(error, ERROR_INPUT, "--slashing-table: not with a genesis validators root that is to be learned");
	return ((!options->host && !options->connect && settings->table_connect[0]) || merge_connect(options, settings, error)) &&
	       check(slashing, error);
}

static bool put_credentials(const struct local_setup *setup, const char *path, struct error *error)
{
	AUTO_TLS_TABLE struct tls_table *table = tls_table_open_sqlite(setup->folder->tables, error);
	AUTO_CREDENTIALS struct credentials credentials = {0};
	AUTO_TLS_ROW struct tls_row row = {0};

	if (!table || !tls_table_get(table, TLS_TABLE_KEY_ID, &row, error))
		return false;
	if (!credentials_from_file(path, &credentials, error))
		return error->code = ERROR_INPUT, error_prefix(error, "--slashing-credentials");
	if (!tls_row_seal_credentials(&row, &credentials, &setup->kms->kms, setup->settings->kms_key_arn, error))
		return error_prefix(error, "--slashing-credentials");
	return tls_table_put_companions(table, &row, error);
}

bool local_setup_table(const struct local_setup *setup, const struct table_options *options, struct error *error)
{
	AUTO_BUFFER struct buffer ca = {0};

	if (options->ca && (!file_read(options->ca, CA_MAX_SIZE, &ca, error) ||
			    !file_write_atomic(setup->folder->table_ca, buffer_view(&ca), 0600, error)))
		return error_prefix(error, "--slashing-ca");
	return !options->credentials || strcmp(options->credentials, TABLE_PARENT_CREDENTIALS) == 0 ||
	       put_credentials(setup, options->credentials, error);
}
