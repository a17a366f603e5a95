/* SPDX-License-Identifier: Apache-2.0 */
/* AWS credentials for tests against servers that do not check them, as setup and teardown of a group. */
#pragma once

#include "aws/credentials.h"
#include "vectors.h"

static struct credentials credentials;

static int make_credentials(void **state)
{
	struct error error = {0};
	AUTO_JSON json_t *object = json_pack("{s:s,s:s}", "access_key_id", "AKIDEXAMPLE", "secret_access_key", "example");

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) && credentials_from_json(object, &credentials, &error)
		       ? 0
		       : -1;
}

static int drop_credentials(void **state)
{
	(void)state;
	credentials_done(&credentials);
	return 0;
}
