/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A YAML file that is one flat list of `KEY: value` lines, through libyaml. Values that are lists or mappings are passed over and only
 * their key is kept. No types: `0x01`, `'1'` and `1` are text.
 */
#pragma once

#include "base/bytes.h"

#define YAML_FLAT_ENTRIES_MAX 1024 /* mainnet's configuration has some 150 keys */

struct yaml_entry {
	char *key;
	char *value; /* NULL: a list, a mapping or an alias */
	size_t line; /* of the key, from 1 */
};

struct yaml_flat {
	struct yaml_entry *entries;
	size_t count;
};

void yaml_flat_done(struct yaml_flat *flat);
#define AUTO_YAML_FLAT CLEANUP(yaml_flat_done)

/* One document whose top is a mapping with plain keys, none of them twice. ERROR_INPUT names the line. */
MUST_USE bool yaml_flat_parse(struct view yaml, struct yaml_flat *ret_flat, struct error *error);
/* NULL when there is none. */
const struct yaml_entry *yaml_flat_find(const struct yaml_flat *flat, const char *key);
