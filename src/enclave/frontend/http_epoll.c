/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd (0.9.75, daemon.c, MHD_epoll) asks for 128 events at a time. When it is given just as many it asks again before it looks at them, and
 * with the same time-out, which is for ever: if nothing else happens, 128 connections wait for whatever comes next, two minutes when it is the first
 * deadline of an idle connection. Fewer than it asked for is what makes it go on. So this is what it calls in place of libc's function, as the
 * program's own symbols go before those of libraries; who else calls it gets an event less at a time, and asks again.
 */
#include "enclave/frontend/http_epoll.h"

#include <dlfcn.h>
#include <stddef.h>
#include <sys/epoll.h>

int epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout_ms)
{
	return epoll_pwait(epoll_fd, events, max > 1 ? max - 1 : max, timeout_ms, NULL);
}

bool http_epoll_is_in_place(void)
{
	return dlsym(RTLD_DEFAULT, "epoll_wait") == (void *)epoll_wait;
}
