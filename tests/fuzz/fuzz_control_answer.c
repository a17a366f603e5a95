/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz.h"

#include "host/control_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_state state;
	struct error error;

	(void)!control_parse_answer(view_of(data, size), &state, &error);
	return 0;
}
