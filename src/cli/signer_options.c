/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/signer_options.h"

#include "base/file.h"
#include "cli/commands.h"
#include "cli/local_folder.h"
#include "cli/local_settings.h"

/* A CA file is one certificate; a system's whole bundle is about 220 KiB. */
#define CA_FILE_MAX_SIZE (1u << 20)
/* RSA-4096 in PEM takes 3.3 KB. */
#define CLIENT_KEY_MAX_SIZE 16384

static bool target_of_local(struct signer_target *target, struct buffer *ret_ca_path, struct error *error)
{
	AUTO_LOCAL_FOLDER struct local_folder folder = {0};
	struct local_settings settings = {0};

	if (!local_folder_init(NULL, &folder, error))
		return false;
	if (!local_settings_read(folder.settings, &settings, error)) {
		if (error->code == ERROR_NOT_FOUND)
			return error_set(error, ERROR_NOT_FOUND, "no --url and --ca given, and no local signer in %s", folder.path);
		return false;
	}
	target->url = local_settings_url(&settings);
	buffer_append_text(ret_ca_path, folder.ca);
	return true;
}

bool signer_target_init(const char *url, const char *ca_file, struct signer_target *ret_target, struct error *error)
{
	AUTO_SIGNER_TARGET struct signer_target target = {0};
	AUTO_BUFFER struct buffer ca_path = {0};

	if ((url == NULL) != (ca_file == NULL))
		return error_set(error, ERROR_INPUT, "--url and --ca belong together: --%s is missing", url ? "ca" : "url");
	if (url) {
		size_t size = strlen(url);

		if (strncmp(url, "https://", 8) != 0)
			return error_set(error, ERROR_INPUT, "--url: %s does not begin with https://", url);
		while (size > 8 && url[size - 1] == '/')
			size--;
		target.url = memory_format("%.*s", (int)size, url);
		buffer_append_text(&ca_path, ca_file);
	}
	if (!url && !target_of_local(&target, &ca_path, error))
		return false;
	if (!file_read(buffer_text(&ca_path), CA_FILE_MAX_SIZE, &target.ca_pem, error))
		return error_prefix(error, "CA file");
	*ret_target = target;
	target = (struct signer_target){0};
	return true;
}

bool signer_target_use_certificate(struct signer_target *target, const char *certificate_file, const char *key_file,
				   struct error *error)
{
	if (!certificate_file && !key_file)
		return true;
	if (!certificate_file || !key_file)
		return error_set(error, ERROR_INPUT, "--client-cert and --client-key belong together: --client-%s is missing",
				 key_file ? "cert" : "key");
	return file_read(certificate_file, CA_FILE_MAX_SIZE, &target->client_chain_pem, error) &&
	       file_read_secret(key_file, CLIENT_KEY_MAX_SIZE, &target->client_key_pem, error);
}

int signer_target_fail(const char *url, const struct error *error)
{
	static const struct {
		enum error_code code;
		const char *local; /* no --url */
		const char *other;
	} advices[] = {
		{ERROR_NOT_FOUND, "Start one: ensign local up. Or name another signer: --url and --ca.", NULL},
		{ERROR_PEER, "Is it up? See: ensign local status",
		 "Is it up there? Of a local signer: ensign local status --dir D"},
		{ERROR_CRYPTO, NULL, "--ca has to be what its certificate leads to; of a local signer it is ca.pem in its folder."},
	};

	for (size_t i = 0; i < ARRAY_SIZE(advices); i++) {
		const char *advice = url ? advices[i].other : advices[i].local;

		if (advices[i].code == error->code)
			return command_fail(error, advice ? "%s" : NULL, advice);
	}
	return command_fail(error, NULL);
}
