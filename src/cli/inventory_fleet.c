/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/inventory_fleet.h"

#include "aws/access.h"
#include "cli/operator_credentials.h"
#include "tables/key_table_dynamodb.h"
#include "tables/tls_companions.h"
#include "tables/tls_table_dynamodb.h"

struct inventory_fleet {
	const struct inventory_place *place;
	struct credentials credentials;
	struct aws_access dynamodb;
	struct aws_access kms;
};

void inventory_fleet_free(struct inventory_fleet *fleet)
{
	if (!fleet)
		return;
	credentials_done(&fleet->credentials);
	aws_access_done(&fleet->dynamodb);
	aws_access_done(&fleet->kms);
	free(fleet);
}

static bool check(const struct inventory_place *place, struct error *error)
{
	if (place->dir)
		return error_set(error, ERROR_INPUT, "--dir and --table: give one of them");
	if (!place->region)
		return error_set(error, ERROR_INPUT, "--region: missing; the table is of one");
	return true;
}

static bool gain_access(struct inventory_fleet *fleet, struct error *error)
{
	const struct inventory_place *place = fleet->place;
	const struct aws_place dynamodb = {place->region, place->host, place->ca};
	const struct aws_place kms = {place->region, place->kms_host, place->ca};

	if (!credentials_of_operator(place->credentials, &fleet->credentials, error) ||
	    !aws_access_init("dynamodb", &dynamodb, &fleet->dynamodb, error) || !aws_access_init("kms", &kms, &fleet->kms, error))
		return false;
	fleet->kms.endpoint.timeout_ms = OPERATOR_KMS_TIMEOUT_MS;
	fleet->kms.endpoint.attempts = OPERATOR_KMS_ATTEMPTS;
	return true;
}

struct inventory_fleet *inventory_fleet_new(const struct inventory_place *place, struct error *error)
{
	struct inventory_fleet *fleet;

	if (!check(place, error))
		return NULL;
	fleet = memory_allocate_zeroed(1, sizeof *fleet);
	fleet->place = place;
	if (gain_access(fleet, error))
		return fleet;
	inventory_fleet_free(fleet);
	return NULL;
}

struct key_table *inventory_fleet_open_table(const struct inventory_fleet *fleet, struct error *error)
{
	const struct key_table_dynamodb_options options = {
		.endpoint = fleet->dynamodb.endpoint, .credentials = &fleet->credentials, .table = fleet->place->table};

	return key_table_open_dynamodb(&options, error);
}

struct tls_table *inventory_fleet_open_tls(const struct inventory_fleet *fleet, struct error *error)
{
	const struct tls_table_dynamodb_options options = {
		.endpoint = fleet->dynamodb.endpoint, .credentials = &fleet->credentials, .table = fleet->place->table};

	return tls_table_open_dynamodb(&options, error);
}

static bool find_kms(const struct inventory_fleet *fleet, struct kms_client *ret_kms, struct error *error)
{
	*ret_kms = (struct kms_client){.endpoint = fleet->kms.endpoint, .credentials = &fleet->credentials};
	return fleet->place->kms_key || error_set(error, ERROR_INPUT, "--kms-key: missing; it seals new keys");
}

bool inventory_fleet_seal_tls(const struct inventory_fleet *fleet, const struct tls_identity *identity, bool as_pem,
			      struct tls_sealed *ret_sealed, struct error *error)
{
	struct kms_client kms;

	return find_kms(fleet, &kms, error) && tls_seal(identity, as_pem, &kms, fleet->place->kms_key, ret_sealed, error);
}

bool inventory_fleet_new_data_key(const struct inventory_fleet *fleet, struct secret *ret_data_key, struct buffer *ret_wrapped_b64,
				  struct error *error)
{
	const struct kms_context context = {"fleet", fleet->place->fleet ? fleet->place->fleet : LOCAL_FLEET};
	AUTO_BUFFER struct buffer wrapped = {0};
	struct kms_client kms;

	if (!find_kms(fleet, &kms, error))
		return false;
	if (!kms_generate_data_key(&kms, fleet->place->kms_key, context, ret_data_key, &wrapped, error))
		return error_prefix(error, "data key");
	base64_encode(buffer_view(&wrapped), ret_wrapped_b64);
	return true;
}

bool inventory_fleet_seal_credentials(const struct inventory_fleet *fleet, const struct credentials *credentials,
				      struct tls_row *row, struct error *error)
{
	struct kms_client kms;

	return find_kms(fleet, &kms, error) && tls_row_seal_credentials(row, credentials, &kms, fleet->place->kms_key, error);
}

bool inventory_fleet_control(const struct inventory_fleet *fleet, struct address *ret_control, struct error *error)
{
	if (!fleet->place->control)
		return error_set(error, ERROR_INPUT, "--control: missing; this is for an enclave of the fleet to do");
	return address_parse(fleet->place->control, ret_control, error) || error_prefix(error, "--control");
}

const struct credentials *inventory_fleet_credentials(const struct inventory_fleet *fleet)
{
	return &fleet->credentials;
}
