/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/frontend/json_budget.h"

#include <jansson.h>
#include <malloc.h>
#include <stdatomic.h>

#include "base/secret.h"

static _Atomic size_t used;
static _Thread_local bool was_exceeded;
static _Thread_local size_t limit = JSON_BUDGET_SIZE;

static void *budget_allocate(size_t size)
{
	void *memory;

	if (atomic_load_explicit(&used, memory_order_relaxed) > limit - (size < limit ? size : limit)) {
		was_exceeded = true;
		return NULL;
	}
	memory = malloc(size);
	if (memory)
		(void)atomic_fetch_add_explicit(&used, malloc_usable_size(memory), memory_order_relaxed);
	return memory;
}

static void budget_free(void *memory)
{
	if (!memory)
		return;
	(void)atomic_fetch_sub_explicit(&used, malloc_usable_size(memory), memory_order_relaxed);
	/* Bodies of the key manager hold passwords. */
	secret_wipe(memory, malloc_usable_size(memory));
	free(memory);
}

void json_budget_init(void)
{
	json_set_alloc_funcs(budget_allocate, budget_free);
}

void json_budget_begin(size_t body_size)
{
	limit = body_size <= JSON_BUDGET_SMALL_BODY_SIZE ? JSON_BUDGET_SIZE : JSON_BUDGET_SIZE - JSON_BUDGET_RESERVE;
	was_exceeded = false;
}

bool json_budget_was_exceeded(void)
{
	return was_exceeded;
}
