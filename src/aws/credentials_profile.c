/* SPDX-License-Identifier: Apache-2.0 */
#include "aws/credentials.h"

#include "aws/credentials_internal.h"
#include "base/file.h"

#define DEFAULT_PROFILE "default"
#define DEFAULT_FILE ".aws/credentials"

/* Values as they are in the file, which is in memory of its own: each is cut off there with a NUL. */
struct profile {
	bool is_there;
	const char *key_id;
	const char *secret;
	const char *token;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* Without blanks around it; cut off in place. */
static char *trim(char *text)
{
	size_t size;

	while (is_blank(*text))
		text++;
	size = strlen(text);
	while (size > 0 && is_blank(text[size - 1]))
		size--;
	text[size] = 0;
	return text;
}

static void take_value(struct profile *profile, const char *name, const char *value)
{
	if (strcmp(name, "aws_access_key_id") == 0)
		profile->key_id = value;
	if (strcmp(name, "aws_secret_access_key") == 0)
		profile->secret = value;
	if (strcmp(name, "aws_session_token") == 0)
		profile->token = value;
}

/* "[name]". NULL: the line is another. */
static const char *section_name(char *line)
{
	size_t size = strlen(line);

	if (size < 2 || line[0] != '[' || line[size - 1] != ']')
		return NULL;
	line[size - 1] = 0;
	return trim(line + 1);
}

/* `text` is NUL-terminated, and is taken to pieces. What is not understood belongs to others of the file's readers. */
static void find_profile(char *text, const char *wanted, struct profile *ret_profile)
{
	bool is_wanted = false;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		const char *section;
		char *equals;

		line = trim(line);
		section = section_name(line);
		if (section) {
			is_wanted = strcmp(section, wanted) == 0;
			ret_profile->is_there |= is_wanted;
			continue;
		}
		equals = strchr(line, '=');
		if (!is_wanted || !equals || line[0] == '#' || line[0] == ';')
			continue;
		*equals = 0;
		take_value(ret_profile, trim(line), trim(equals + 1));
	}
}

static char *file_path(void)
{
	const char *given = getenv("AWS_SHARED_CREDENTIALS_FILE");
	const char *home = getenv("HOME");

	if (given && given[0])
		return memory_copy_text(given);
	return home && home[0] ? memory_format("%s/" DEFAULT_FILE, home) : NULL;
}

static bool read_profile(const char *path, const char *name, struct credentials *ret_credentials, struct error *error)
{
	struct credentials_source source = {
		.key_id_field = "aws_access_key_id", .secret_field = "aws_secret_access_key", .token_field = "aws_session_token"};
	AUTO_SECRET struct secret text = {0};
	AUTO_SECRET struct secret line = {0};
	struct profile profile = {0};

	if (!credentials_read_file(path, &line, error) || !secret_init(&text, line.size + 1, error))
		return false;
	memcpy(text.data, line.data, line.size);
	find_profile((char *)text.data, name, &profile);
	if (!profile.is_there)
		return error_set(error, ERROR_NOT_FOUND, "there is no profile %.64s", name);
	if (!profile.key_id || !profile.secret)
		return error_set(error, ERROR_INPUT,
				 "profile %.64s has no %s; roles and sign-on are not supported: export-credentials of the AWS CLI "
				 "gives keys",
				 name, profile.key_id ? source.secret_field : source.key_id_field);
	source.key_id = profile.key_id;
	source.secret = profile.secret;
	source.token = profile.token;
	return credentials_take(&source, ret_credentials, error);
}

bool credentials_from_profile(struct credentials *ret_credentials, struct error *error)
{
	const char *asked = getenv("AWS_PROFILE");
	bool is_asked = asked && asked[0];
	AUTO_FREE char *path = file_path();

	if (!path)
		return error_set(error, ERROR_NOT_FOUND, "there is no home folder to have " DEFAULT_FILE);
	if (read_profile(path, is_asked ? asked : DEFAULT_PROFILE, ret_credentials, error))
		return true;
	/* Somebody wanted this one, and shall not get another's by mistake. */
	if (is_asked && error && error->code == ERROR_NOT_FOUND)
		error->code = ERROR_INPUT;
	return error_prefix(error, "%s", path);
}
