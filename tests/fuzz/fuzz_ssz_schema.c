/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "eth/schemas.h"

/* In front of the JSON text: which type, and the preset and fork it is of. */
#define HEADER_SIZE 2

/* The same value written again has the same root: what is ignored or spelt in two ways does not reach it. */
static void check_stable(const struct ssz_type *type, json_t *value, const uint8_t expected[ROOT_SIZE])
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_JSON json_t *again = NULL;
	uint8_t root[ROOT_SIZE];

	json_write(value, &text);
	again = json_parse(buffer_view(&text), "value", NULL);
	if (!again || !ssz_json_root(type, again, root, NULL) || memcmp(root, expected, ROOT_SIZE) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const networks[] = {"mainnet", "minimal"};
	const struct ssz_type *type;
	const struct network *network;
	struct error error = {0};
	uint8_t root[ROOT_SIZE];
	AUTO_JSON json_t *value = NULL;

	if (size < HEADER_SIZE)
		return 0;
	network = network_find(networks[data[1] / FORK_COUNT % ARRAY_SIZE(networks)], NULL);
	type = network ? schema_find(data[0] % SCHEMA_COUNT, network, data[1] % FORK_COUNT, NULL) : NULL;
	value = json_parse(view_of(data + HEADER_SIZE, size - HEADER_SIZE), "value", NULL);
	if (!type || !value)
		return 0;
	if (ssz_json_root(type, value, root, &error)) {
		check_stable(type, value, root);
		return 0;
	}
	/* Every refusal is the client's fault and says why. */
	if (error.code != ERROR_INPUT || error.message[0] == '\0')
		abort();
	return 0;
}
