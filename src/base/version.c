/* SPDX-License-Identifier: Apache-2.0 */
#include "base/version.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"

const char *version_text(void)
{
	return ENSIGN_VERSION;
}

bool version_print_if_asked(const char *program, int argc, char *const *argv)
{
	if (argc != 2 || strcmp(argv[1], "--version") != 0)
		return false;
	(void)printf("%s %s\n", program, version_text());
	return true;
}
