/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

/* What the header tells the analyser; here they are defined. */
#undef error_set
#undef error_set_errno
#undef error_prefix

#include <errno.h>

static const char *const code_names[ERROR_CODE_COUNT] = {
	[ERROR_NONE] = "none",     [ERROR_INPUT] = "input", [ERROR_NOT_FOUND] = "not_found", [ERROR_SLASHABLE] = "slashable",
	[ERROR_POLICY] = "policy", [ERROR_IO] = "io",       [ERROR_PEER] = "peer",           [ERROR_AWS] = "aws",
	[ERROR_CRYPTO] = "crypto", [ERROR_BUG] = "bug",
};

const char *error_code_name(enum error_code code)
{
	if ((unsigned)code >= ERROR_CODE_COUNT)
		return "bug";
	return code_names[code];
}

/* Whatever does not fit is cut. */
static void append_text(struct error *error, const char *text)
{
	size_t used = strlen(error->message);
	size_t size = strnlen(text, sizeof error->message - 1 - used);

	memcpy(error->message + used, text, size);
	error->message[used + size] = 0;
}

bool error_set(struct error *error, enum error_code code, const char *format, ...)
{
	va_list arguments;

	if (!error)
		return false;
	error->code = code;
	va_start(arguments, format);
	(void)vsnprintf(error->message, sizeof error->message, format, arguments);
	va_end(arguments);
	return false;
}

bool error_set_errno(struct error *error, enum error_code code, const char *format, ...)
{
	const char *description = strerrordesc_np(errno);
	va_list arguments;

	if (!error)
		return false;
	error->code = code;
	va_start(arguments, format);
	(void)vsnprintf(error->message, sizeof error->message, format, arguments);
	va_end(arguments);
	append_text(error, ": ");
	append_text(error, description ? description : "unknown error");
	return false;
}

bool error_prefix(struct error *error, const char *format, ...)
{
	char old[ERROR_MESSAGE_SIZE];
	va_list arguments;

	if (!error)
		return false;
	memcpy(old, error->message, sizeof old);
	va_start(arguments, format);
	(void)vsnprintf(error->message, sizeof error->message, format, arguments);
	va_end(arguments);
	append_text(error, ": ");
	append_text(error, old);
	return false;
}
