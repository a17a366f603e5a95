/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key manager (Ethereum keymanager-APIs, as Web3Signer has it): /eth/v1/keystores. It is there when the measured configuration has a
 * digest of its bearer token; whoever has the token may list, add and delete every key.
 */
#pragma once

#include "enclave/frontend/api_internal.h"

/* True when the call's bearer token is the measured one; else it has been answered, with 401 or 403. */
MUST_USE bool api_authorize_manager(struct http_call *call);

/*
 * An import of the key begins; false: there are too many, or one of this key is under way. Until api_end_import() it may not be deleted: the
 * deletion would be undone by the import's end.
 */
MUST_USE bool api_begin_import(struct api *api, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
void api_end_import(struct api *api, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
bool api_is_importing(struct api *api, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);

/* What a POST or a DELETE under way has, besides its call; freed with the call. Each accepts NULL. */
void api_import_free(struct api_import *job);
void api_deletion_free(struct api_deletion *job);

/* Routes. */
void api_list_keystores(struct http_call *call, const char *identifier);
void api_import_keystores(struct http_call *call, const char *identifier);
void api_delete_keystores(struct http_call *call, const char *identifier);
