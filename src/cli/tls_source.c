/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/tls_source.h"

#include "base/file.h"
#include "cli/key_import.h"

/* Whatever is wrong with a file, it is what the user gave. */
static bool blame_option(const char *option, const char *path, struct error *error)
{
	error->code = ERROR_INPUT;
	return error_prefix(error, "%s %s", option, path);
}

static bool read_keystore(const struct tls_source *source, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_BUFFER struct buffer der = {0};
	AUTO_SECRET struct secret password = {0};

	if (!source->password_file)
		return error_set(error, ERROR_INPUT, "--tls-keystore needs --tls-password-file FILE");
	if (!password_file_read(source->password_file, &password, error))
		return blame_option("--tls-password-file", source->password_file, error);
	return (file_read(source->keystore, TLS_IDENTITY_PKCS12_MAX_SIZE, &der, error) &&
		tls_identity_from_pkcs12(buffer_view(&der), secret_view(&password), ret_identity, error)) ||
	       blame_option("--tls-keystore", source->keystore, error);
}

static bool read_pem(const struct tls_source *source, struct tls_identity *ret_identity, struct error *error)
{
	AUTO_BUFFER struct buffer chain = {0};
	AUTO_SECRET struct secret key = {0};

	if (!file_read(source->certificate, TLS_IDENTITY_CHAIN_MAX_SIZE, &chain, error))
		return blame_option("--tls-cert", source->certificate, error);
	return (file_read_secret(source->key, TLS_IDENTITY_KEY_PEM_MAX_SIZE, &key, error) &&
		tls_identity_from_pem(secret_view(&key), buffer_view(&chain), ret_identity, error)) ||
	       blame_option("--tls-key", source->key, error);
}

bool tls_source_read(const struct tls_source *source, struct tls_identity *ret_identity, struct error *error)
{
	bool has_pem = source->certificate || source->key;

	*ret_identity = (struct tls_identity){0};
	if (has_pem && (source->keystore || source->password_file))
		return error_set(error, ERROR_INPUT, "--tls-keystore and --tls-cert: give one of them");
	if (has_pem && (!source->certificate || !source->key))
		return error_set(error, ERROR_INPUT, "--tls-cert and --tls-key belong together");
	if (!source->keystore && source->password_file)
		return error_set(error, ERROR_INPUT, "--tls-keystore: missing");
	if (has_pem)
		return read_pem(source, ret_identity, error);
	if (!source->keystore || strcmp(source->keystore, TLS_SOURCE_NONE) == 0)
		return true;
	return read_keystore(source, ret_identity, error);
}
