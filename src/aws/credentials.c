/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "aws/credentials_internal.h"
#include "base/clock.h"
#include "base/file.h"

/* AWS's secret keys have 40 characters, the simulator's no more than that. */
#define SECRET_KEY_MAX_SIZE 256
/* AWS gives no limit for session tokens and advises against assuming one; those of instance roles have about 1.5 KiB. */
#define TOKEN_MAX_SIZE 16384
#define FILE_MAX_SIZE 65536

void credentials_done(struct credentials *credentials)
{
	if (!credentials)
		return;
	secret_done(&credentials->secret_access_key);
	secret_done(&credentials->session_token);
	*credentials = (struct credentials){0};
}

static bool key_id_is_plausible(const char *text)
{
	for (; *text; text++) {
		bool letter = (*text >= 'A' && *text <= 'Z') || (*text >= 'a' && *text <= 'z');

		if (!letter && *text != '_' && (*text < '0' || *text > '9'))
			return false;
	}
	return true;
}

/* Goes into a header: a blank or a line break there would change what is sent. */
static bool is_printable(const char *text)
{
	for (; *text; text++) {
		if (*text < '!' || *text > '~')
			return false;
	}
	return true;
}

/* What is wrong with it is never quoted. */
static bool take_secret(const char *text, const char *field, size_t max_size, struct secret *ret_secret, struct error *error)
{
	size_t size = strlen(text);

	if (size > max_size)
		return error_set(error, ERROR_INPUT, "%s: longer than %zu characters", field, max_size);
	if (!is_printable(text))
		return error_set(error, ERROR_INPUT, "%s: has characters that do not belong there", field);
	return secret_init_copy(ret_secret, view_of(text, size), error);
}

bool credentials_take(const struct credentials_source *source, struct credentials *ret_credentials, struct error *error)
{
	AUTO_CREDENTIALS struct credentials credentials = {0};
	size_t size = strlen(source->key_id);

	if (size == 0 || size >= sizeof credentials.access_key_id || !key_id_is_plausible(source->key_id))
		return error_set(error, ERROR_INPUT, "%s: not an access key id", source->key_id_field);
	if (source->secret[0] == 0)
		return error_set(error, ERROR_INPUT, "%s: empty", source->secret_field);
	memcpy(credentials.access_key_id, source->key_id, size + 1);
	if (!take_secret(source->secret, source->secret_field, SECRET_KEY_MAX_SIZE, &credentials.secret_access_key, error))
		return false;
	if (source->token && source->token[0] &&
	    !take_secret(source->token, source->token_field, TOKEN_MAX_SIZE, &credentials.session_token, error))
		return false;
	*ret_credentials = credentials;
	credentials = (struct credentials){0};
	return true;
}

bool credentials_from_json(json_t *object, struct credentials *ret_credentials, struct error *error)
{
	struct credentials_source source = {
		.key_id_field = "access_key_id", .secret_field = "secret_access_key", .token_field = "token"};

	return json_read_text(object, source.key_id_field, &source.key_id, error) &&
	       json_read_text(object, source.secret_field, &source.secret, error) &&
	       json_read_text_optional(object, source.token_field, &source.token, error) &&
	       credentials_take(&source, ret_credentials, error);
}

/* A JSON string of a secret; NULL only for want of memory, since its characters were checked on the way in. */
static json_t *secret_text(const struct secret *secret)
{
	return json_stringn((const char *)secret->data, secret->size);
}

json_t *credentials_to_json(const struct credentials *credentials, struct error *error)
{
	AUTO_JSON json_t *object = json_object();
	json_t *filled;

	if (json_object_set_new(object, "access_key_id", json_string(credentials->access_key_id)) != 0 ||
	    json_object_set_new(object, "secret_access_key", secret_text(&credentials->secret_access_key)) != 0 ||
	    (credentials->session_token.size > 0 &&
	     json_object_set_new(object, "token", secret_text(&credentials->session_token)) != 0))
		return error_set(error, ERROR_BUG, "credentials that are no text"), NULL;
	filled = object;
	object = NULL;
	return filled;
}

/* The size and the mode are those of the file that is read, not of one that has the name a moment earlier. */
bool credentials_read_file(const char *path, struct secret *ret_text, struct error *error)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO_SECRET struct secret text = {0};
	struct stat status;

	if (fd < 0)
		return error_set_errno(error, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_IO, "cannot open");
	if (fstat(fd, &status) != 0)
		return error_set_errno(error, ERROR_IO, "cannot read");
	if (!S_ISREG(status.st_mode))
		return error_set(error, ERROR_INPUT, "not a regular file");
	if ((status.st_mode & 077) != 0)
		return error_set(error, ERROR_INPUT, "others may read it (mode %04o): chmod 600", (unsigned)status.st_mode & 07777);
	if (status.st_size > FILE_MAX_SIZE)
		return error_set(error, ERROR_INPUT, "larger than %d bytes", FILE_MAX_SIZE);
	if (!secret_init(&text, (size_t)status.st_size, error))
		return false;
	if (!fd_read_all(fd, text.data, text.size))
		return error_set_errno(error, ERROR_IO, "cannot read");
	*ret_text = text;
	text = (struct secret){0};
	return true;
}

bool credentials_from_file(const char *path, struct credentials *ret_credentials, struct error *error)
{
	AUTO_SECRET struct secret text = {0};
	AUTO_JSON json_t *object = NULL;

	if (!credentials_read_file(path, &text, error))
		return error_prefix(error, "%s", path);
	object = json_parse_object(secret_view(&text), path, error);
	if (!object)
		return false;
	if (!credentials_from_json(object, ret_credentials, error))
		return error_prefix(error, "%s", path);
	return true;
}

bool credentials_from_environment(struct credentials *ret_credentials, struct error *error)
{
	struct credentials_source source = {
		.key_id_field = "AWS_ACCESS_KEY_ID", .secret_field = "AWS_SECRET_ACCESS_KEY", .token_field = "AWS_SESSION_TOKEN"};

	source.key_id = getenv(source.key_id_field);
	source.secret = getenv(source.secret_field);
	source.token = getenv(source.token_field);
	if (!source.key_id || source.key_id[0] == 0)
		return error_set(error, ERROR_NOT_FOUND, "%s is not set", source.key_id_field);
	if (!source.secret)
		return error_set(error, ERROR_INPUT, "%s is set, but %s is not", source.key_id_field, source.secret_field);
	return credentials_take(&source, ret_credentials, error);
}

static bool read_document(struct view text, struct credentials *ret_credentials, struct error *error)
{
	struct credentials_source source = {
		.key_id_field = "AccessKeyId", .secret_field = "SecretAccessKey", .token_field = "Token"};
	AUTO_CREDENTIALS struct credentials credentials = {0};
	AUTO_JSON json_t *object = json_parse_object(text, "the role's credentials", error);
	const char *code;
	const char *expiration;

	if (!object || !json_read_text_optional(object, "Code", &code, error))
		return false;
	if (code && strcmp(code, "Success") != 0)
		return error_set(error, ERROR_AWS, "%.64s: the instance's role gives no credentials", code);
	if (!json_read_text(object, source.key_id_field, &source.key_id, error) ||
	    !json_read_text(object, source.secret_field, &source.secret, error) ||
	    !json_read_text(object, source.token_field, &source.token, error) ||
	    !json_read_text(object, "Expiration", &expiration, error) || !credentials_take(&source, &credentials, error))
		return false;
	if (!clock_parse(expiration, &credentials.expiration_ms))
		return error_set(error, ERROR_INPUT, "Expiration: not a time");
	*ret_credentials = credentials;
	credentials = (struct credentials){0};
	return true;
}

bool credentials_from_document(struct view text, struct credentials *ret_credentials, struct error *error)
{
	if (read_document(text, ret_credentials, error))
		return true;
	/* The service's nonsense is not the caller's mistake. */
	if (error && error->code == ERROR_INPUT)
		error->code = ERROR_PEER;
	return false;
}

/* ---- wherever they are ---- */

bool credentials_find(struct credentials *ret_credentials, struct error *error)
{
	static bool (*const sources[])(struct credentials *, struct error *) = {
		credentials_from_environment, credentials_from_profile, credentials_from_container, credentials_from_instance};
	struct error reason = {0};

	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		reason = (struct error){0};
		if (sources[i](ret_credentials, &reason))
			return true;
		if (reason.code != ERROR_NOT_FOUND)
			break;
	}
	if (reason.code == ERROR_NOT_FOUND)
		return error_set(
			error, ERROR_NOT_FOUND,
			"no AWS credentials: not in the environment (AWS_ACCESS_KEY_ID), no profile, no container's, and %.200s",
			reason.message);
	return error_set(error, reason.code, "%s", reason.message);
}
