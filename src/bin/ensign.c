/* SPDX-License-Identifier: Apache-2.0 */
/* `ensign`, the operator's program. */
#include "cli/commands.h"

int main(int argc, char **argv)
{
	return cli_main(argc, argv);
}
