/* SPDX-License-Identifier: Apache-2.0 */
/* The host's reading of a log answer, and control's of a role's line. */
#include "fuzz.h"

#include <fcntl.h>

#include "base/log_relay.h"
#include "host/enclave_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_JSON json_t *line = log_relay_parse(view_of(data, size));
	AUTO_JSON json_t *body = json_pack("{s:[O], s:b}", "lines", line, "more", 0);
	AUTO_FD int saved = dup(STDERR_FILENO);
	AUTO_FD int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct error error;
	bool more;

	/* The lines themselves are of no interest, their sanitizer's report would be. */
	(void)dup2(nowhere, STDERR_FILENO);
	(void)!enclave_log_write(body, &more, &error);
	(void)!enclave_log_write(line, &more, &error);
	log_set_format(size % 2 ? LOG_FORMAT_JSON : LOG_FORMAT_TEXT);
	(void)dup2(saved, STDERR_FILENO);
	return 0;
}
