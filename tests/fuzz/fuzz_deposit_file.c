/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "eth/deposit_file.h"

/* What is read is written, read again and must be the same; the first deposit is judged. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_DEPOSIT_FILE struct deposit_file file = {0};
	AUTO_DEPOSIT_FILE struct deposit_file again = {0};
	AUTO_BUFFER struct buffer text = {0};
	struct error error;

	if (!deposit_file_parse(view_of(data, size), &file, &error))
		return 0;
	deposit_file_write(file.deposits, file.count, &text);
	if (!deposit_file_parse(buffer_view(&text), &again, &error) || file.count != again.count ||
	    memcmp(file.deposits, again.deposits, file.count * sizeof *file.deposits) != 0)
		abort();
	(void)!deposit_check(&file.deposits[0], network_find("mainnet", &error), &error);
	return 0;
}
