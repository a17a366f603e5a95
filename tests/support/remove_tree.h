/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#include <ftw.h>
#include <stdio.h>

/* How many folders deep nftw keeps open; deeper ones cost it time only. */
#define REMOVE_TREE_DESCRIPTORS 16

static inline int remove_tree_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* The folder and everything in it; links are removed, not followed. 0, or not if anything stays. */
static inline int remove_tree(const char *path)
{
	return nftw(path, remove_tree_entry, REMOVE_TREE_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}
