/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd's epoll_wait(), which is ours: why, is in http_epoll.c. */
#pragma once

#include <stdbool.h>

/* Whether libraries find it, which depends on how the program is linked. A server does not start without. */
bool http_epoll_is_in_place(void);
