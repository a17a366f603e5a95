/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "cli/network_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct network network;
	struct error error;

	if (!network_config_parse(view_of(data, size), &network, &error))
		return 0;
	/* With a root to itself it is a network, unless it has the name of a built-in one. */
	network.genesis_validators_root_learned = true;
	if (!network_check(&network, &error) && !network_find(network.name, &error))
		abort();
	return 0;
}
