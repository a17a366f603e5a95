/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Functions that this tree does not use, made into compile errors (the idea is git's banned.h).
 * Each has a bounded or typed replacement in base/. Included by base/error.h, hence by every file.
 */
#pragma once

/* The system headers must declare these before the names are poisoned. */
#include <stdio.h>   // IWYU pragma: keep
#include <stdlib.h>  // IWYU pragma: keep
#include <string.h>  // IWYU pragma: keep
#include <strings.h> // IWYU pragma: keep
#include <time.h>    // IWYU pragma: keep

/* With clang, glibc's _FORTIFY_SOURCE makes these macros, which cannot be poisoned. */
#undef sprintf
#undef vsprintf

#pragma GCC poison strcpy strcat strncpy strncat stpcpy
#pragma GCC poison sprintf vsprintf gets
#pragma GCC poison strtok atoi atol atoll atof
#pragma GCC poison gmtime localtime ctime asctime
#pragma GCC poison tmpnam mktemp tempnam system popen
