/* SPDX-License-Identifier: Apache-2.0 */
#include "tables/tls_companions.h"

static char *text_of_base64(struct view bytes)
{
	AUTO_BUFFER struct buffer text = {0};

	base64_encode(bytes, &text);
	return memory_copy_text(buffer_text(&text));
}

void tls_row_drop_clients(struct tls_row *row)
{
	free(row->known_clients_sealed_b64);
	free(row->known_clients_data_key_b64);
	row->known_clients_sealed_b64 = row->known_clients_data_key_b64 = NULL;
}

bool tls_row_seal_clients(struct tls_row *row, struct view data_key, const char *wrapped_b64, const char *fleet,
			  const struct known_clients *clients, struct error *error)
{
	AUTO_BUFFER struct buffer sealed = {0};

	if (!known_clients_seal(data_key, fleet, clients, &sealed, error))
		return false;
	tls_row_drop_clients(row);
	row->known_clients_sealed_b64 = text_of_base64(buffer_view(&sealed));
	row->known_clients_data_key_b64 = memory_copy_text(wrapped_b64);
	return true;
}

void tls_row_drop_credentials(struct tls_row *row)
{
	free(row->slashing_credentials_b64);
	row->slashing_credentials_b64 = NULL;
}

bool tls_row_seal_credentials(struct tls_row *row, const struct credentials *credentials, const struct kms_client *kms,
			      const char *kms_key_arn, struct error *error)
{
	AUTO_JSON json_t *object = credentials_to_json(credentials, error);
	AUTO_SECRET struct secret text = {0};
	AUTO_BUFFER struct buffer ciphertext = {0};

	if (!object || !json_write_secret(object, &text, error) ||
	    !kms_encrypt(kms, kms_key_arn, (struct kms_context){0}, secret_view(&text), &ciphertext, error))
		return false;
	tls_row_drop_credentials(row);
	row->slashing_credentials_b64 = text_of_base64(buffer_view(&ciphertext));
	return true;
}
