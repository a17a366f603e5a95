/* SPDX-License-Identifier: Apache-2.0 */
/* One program, seven roles: started as init, it re-executes itself with --role for the others. */
#include "enclave/role.h"

#include <unistd.h>

#include "base/log.h"
#include "base/version.h"
#include "crypto/openssl_memory.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} roles[] = {
	{"keeper", keeper_main},   {"ledger", ledger_main}, {"frontend", frontend_main},
	{"control", control_main}, {"opener", opener_main}, {"attester", attester_main},
};

int main(int argc, char **argv)
{
	struct error error = {0};

	/* To a machine's init the kernel hands what its command line has too much. */
	if (getpid() != 1 && version_print_if_asked("ensign-enclave", argc, argv))
		return 0;
	if (!openssl_use_wiping_memory(&error)) {
		log_failure(LOG_LEVEL_ERROR, "not_started", &error);
		return 1;
	}
	if (argc < 3 || strcmp(argv[1], "--role") != 0)
		return init_main(argc, argv);
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++) {
		/* The role's own arguments begin behind its name, which takes the place of the program's. */
		if (strcmp(argv[2], roles[i].name) == 0)
			return roles[i].main(argc - 2, argv + 2);
	}
	(void)fprintf(stderr, "ensign-enclave: no role is called %s\n", argv[2]);
	return 2;
}
