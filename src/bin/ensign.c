/* SPDX-License-Identifier: Apache-2.0 */
/* `ensign`, the operator's program. */
#include "cli/commands.h"
#include "crypto/openssl_memory.h"

int main(int argc, char **argv)
{
	struct error error = {0};

	if (!openssl_use_wiping_memory(&error)) {
		(void)fprintf(stderr, "ensign: %s\n", error.message);
		return 1;
	}
	return cli_main(argc, argv);
}
