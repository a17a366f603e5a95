/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "tables/known_clients.h"

/* The first byte chooses: a file, or what was sealed. What is read is written, read again and must be the same. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct known_clients clients, again;
	AUTO_BUFFER struct buffer bytes = {0};
	struct view input = view_of(data + 1, size ? size - 1 : 0);
	struct error error;
	bool taken;

	if (size == 0)
		return 0;
	clients.serial = 1;
	taken = data[0] & 1 ? known_clients_decode(input, &clients, &error) : known_clients_parse(input, &clients, &error);
	if (!taken)
		return 0;
	known_clients_encode(&clients, &bytes);
	if (!known_clients_decode(buffer_view(&bytes), &again, &error) || memcmp(&clients, &again, sizeof again) != 0)
		abort();
	return 0;
}
