/* SPDX-License-Identifier: Apache-2.0 */
#include "host/notify.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/bytes.h"
#include "base/file.h"
#include "base/log.h"

struct notify {
	int fd; /* -1: nobody wants to know */
	struct sockaddr_un address;
	socklen_t address_size;
	struct event *watchdog; /* NULL: nobody watches */
};

static void send_text(struct notify *notify, struct view text)
{
	/* A manager that does not listen any more is no reason to stop. */
	(void)!sendto(notify->fd, text.data, text.size, MSG_NOSIGNAL | MSG_DONTWAIT, (const struct sockaddr *)&notify->address,
		      notify->address_size);
}

void notify_send(struct notify *notify, const char *state, const char *status)
{
	AUTO_BUFFER struct buffer text = {0};

	if (notify->fd < 0)
		return;
	if (state)
		buffer_append_format(&text, "%s\n", state);
	if (status)
		buffer_append_format(&text, "STATUS=%s\n", status);
	send_text(notify, buffer_view(&text));
}

static void on_watchdog(int fd, short what, void *context)
{
	(void)fd;
	(void)what;
	send_text(context, view_of_text("WATCHDOG=1\n"));
}

/* A path, or an abstract name with @ in front. */
static bool find_manager(struct notify *notify, struct error *error)
{
	const char *path = getenv("NOTIFY_SOCKET");

	if (!path)
		return true;
	if ((path[0] != '/' && path[0] != '@') || strlen(path) < 2 || strlen(path) >= sizeof notify->address.sun_path)
		return error_set(error, ERROR_INPUT, "NOTIFY_SOCKET: neither a path nor an abstract name of a unix socket");
	notify->address.sun_family = AF_UNIX;
	memcpy(notify->address.sun_path, path, strlen(path));
	if (path[0] == '@')
		notify->address.sun_path[0] = 0;
	notify->address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return notify->fd >= 0 || error_set_errno(error, ERROR_IO, "cannot make a socket");
}

/* NULL: nobody watches this process. */
static const char *find_watchdog(void)
{
	const char *pid_text = getenv("WATCHDOG_PID");
	uint64_t pid;
	bool is_ours = !pid_text || (u64_parse(view_of_text(pid_text), &pid) && pid == (uint64_t)getpid());

	return is_ours ? getenv("WATCHDOG_USEC") : NULL;
}

static bool start_watchdog(struct notify *notify, struct event_base *base, struct error *error)
{
	const char *interval_text = find_watchdog();
	uint64_t interval_us;
	struct timeval half;

	if (notify->fd < 0 || !interval_text)
		return true;
	if (!u64_parse(view_of_text(interval_text), &interval_us) || interval_us < 2)
		return error_set(error, ERROR_INPUT, "WATCHDOG_USEC: not a number of microseconds");
	half = (struct timeval){.tv_sec = (time_t)(interval_us / 2000000), .tv_usec = (suseconds_t)(interval_us / 2 % 1000000)};
	notify->watchdog = event_new(base, -1, EV_PERSIST, on_watchdog, notify);
	return (notify->watchdog && event_add(notify->watchdog, &half) == 0) || error_set(error, ERROR_IO, "cannot make a timer");
}

struct notify *notify_new(struct event_base *base, struct error *error)
{
	struct notify *notify = memory_allocate_zeroed(1, sizeof *notify);

	notify->fd = -1;
	if (find_manager(notify, error) && start_watchdog(notify, base, error))
		return notify;
	notify_free(notify);
	return NULL;
}

void notify_free(struct notify *notify)
{
	if (!notify)
		return;
	if (notify->watchdog)
		event_free(notify->watchdog);
	if (notify->fd >= 0)
		(void)close(notify->fd);
	free(notify);
}
