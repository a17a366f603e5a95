/* SPDX-License-Identifier: Apache-2.0 */
#include "host/service.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/process.h"
#include "host/enclave_log.h"
#include "host/host_metrics.h"
#include "host/launcher.h"
#include "host/metrics_server.h"
#include "host/notify.h"
#include "host/start_flag.h"
#include "host/supervisor.h"
#include "host/table_watch.h"
#include "image/machine.h"
#include "net/relay.h"

/* Trouble of a relay is told at most so often: a client without patience could otherwise fill the disk. */
#define RELAY_REPORT_INTERVAL_S 10
/* The way in, besides the ways out that the settings list. */
#define MAX_RELAYS (SETTINGS_MAX_RELAYS + 1)
#define SIGNING_RELAY "signing"
/* Of each way out: the enclave has one opener at a time, and that has one connection to KMS. */
#define WAY_OUT_CONNECTIONS_MAX 64u
/* Descriptors besides those of relays: tables, files, the control channel, the metrics server and whoever asks it. */
#define DESCRIPTOR_RESERVE 128u

struct named_relay {
	const char *name;
	struct relay *relay;
	struct relay_statistics reported; /* as of the last line in the log */
};

struct service {
	const struct settings *settings;
	int lock_fd;
	char *status_path;
	struct launch_options launch;
	struct machine_options machine;
	struct nitro_options nitro;
	struct event_base *base;
	struct event *signals[3];
	struct event *report_timer;
	struct named_relay relays[MAX_RELAYS];
	size_t relay_count;
	size_t signing_connections_max;
	struct launcher *launcher;
	struct supervisor *supervisor;
	struct enclave_log *enclave_log;
	struct metrics_server *metrics;
	struct table_watch *table_watch;
	struct start_flag *start_flag;
	struct notify *notify;
};

static void service_done(struct service *service)
{
	start_flag_free(service->start_flag);
	table_watch_free(service->table_watch);
	metrics_server_free(service->metrics);
	enclave_log_free(service->enclave_log);
	supervisor_free(service->supervisor);
	notify_free(service->notify);
	launcher_free(service->launcher);
	for (size_t i = 0; i < service->relay_count; i++)
		relay_free(service->relays[i].relay);
	for (size_t i = 0; i < ARRAY_SIZE(service->signals); i++) {
		if (service->signals[i])
			event_free(service->signals[i]);
	}
	if (service->report_timer)
		event_free(service->report_timer);
	if (service->base)
		event_base_free(service->base);
	if (service->lock_fd >= 0)
		(void)close(service->lock_fd);
	free(service->status_path);
}

/* Whoever can write there could put sockets of their own in place of the enclave's. */
static bool make_private_folder(const char *path, const char *what, struct error *error)
{
	struct stat status;

	if (!folder_make(path, 0700, error))
		return error_prefix(error, "%s", what);
	if (stat(path, &status) != 0)
		return error_set_errno(error, ERROR_IO, "%s: %s", what, path);
	if (status.st_uid != geteuid())
		return error_set(error, ERROR_IO, "%s: %s belongs to another user", what, path);
	if ((status.st_mode & 077) != 0 && chmod(path, 0700) != 0)
		return error_set_errno(error, ERROR_IO, "%s: %s is open to others", what, path);
	return true;
}

static bool lock_run_folder(struct service *service, struct error *error)
{
	AUTO_FREE char *path = memory_format("%s/lock", service->settings->run_folder);

	service->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (service->lock_fd < 0)
		return error_set_errno(error, ERROR_IO, "%s", path);
	if (flock(service->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return true;
	if (errno == EWOULDBLOCK)
		return error_set(error, ERROR_IO, "run_folder: another ensign-host is using %s", service->settings->run_folder);
	return error_set_errno(error, ERROR_IO, "%s", path);
}

static bool socket_in_run_folder(const struct service *service, const char *name, struct address *ret_address, struct error *error)
{
	AUTO_FREE char *text = memory_format("unix:%s/%s", service->settings->run_folder, name);

	return address_parse(text, ret_address, error) || error_prefix(error, "run_folder");
}

/* Of a machine: a port of its vsock. */
static bool port_of_machine(const struct service *service, unsigned port, struct address *ret_address, struct error *error)
{
	AUTO_FREE char *text = memory_format("hybrid:%s/" MACHINE_VSOCK ":%u", service->settings->machine.folder, port);

	return address_parse(text, ret_address, error) || error_prefix(error, "machine: folder");
}

static void place_nitro(struct service *service)
{
	const struct nitro_settings *nitro = &service->settings->nitro;

	service->nitro = (struct nitro_options){
		.nitro_cli = nitro->nitro_cli,
		.eif = nitro->eif,
		.name = nitro->name,
		.cpu_count = nitro->cpu_count,
		.memory_mib = nitro->memory_mib,
		.cid = nitro->cid,
		.is_debug = nitro->is_debug,
	};
	service->launch.nitro = &service->nitro;
	service->launch.control = nitro->control;
	service->launch.signing = nitro->signing;
}

static bool place_enclave(struct service *service, struct error *error)
{
	const struct settings *settings = service->settings;
	struct launch_options *launch = &service->launch;

	if (settings->has_nitro) {
		place_nitro(service);
		return true;
	}
	if (!settings->has_machine)
		return socket_in_run_folder(service, "control.sock", &launch->control, error) &&
		       socket_in_run_folder(service, "signing.sock", &launch->signing, error);
	service->machine = (struct machine_options){
		.folder = settings->machine.folder,
		.qemu = settings->machine.qemu,
		.vsock_backend = settings->machine.vsock_backend,
		.accelerator = settings->machine.accelerator,
		.memory_mib = settings->machine.memory_mib,
	};
	launch->machine = &service->machine;
	return make_private_folder(settings->machine.folder, "machine: folder", error) &&
	       port_of_machine(service, MACHINE_CONTROL_PORT, &launch->control, error) &&
	       port_of_machine(service, MACHINE_SIGNING_PORT, &launch->signing, error);
}

static bool prepare_launch(struct service *service, struct error *error)
{
	const struct settings *settings = service->settings;
	struct launch_options *launch = &service->launch;
	const struct relay_settings *table = settings_find_relay(settings, SETTINGS_TABLE_RELAY);

	launch->program = settings->program;
	launch->configuration = settings->configuration;
	launch->store_folder = settings->store_folder;
	launch->log_format = settings->log_is_json ? "json" : NULL;
	launch->kms = settings_find_relay(settings, SETTINGS_KMS_RELAY)->listen;
	launch->has_table = table != NULL;
	if (table)
		launch->table = table->listen;
	launch->nsm = settings->nsm;
	if (!place_enclave(service, error))
		return false;
	service->status_path = memory_format("%s/status.json", settings->run_folder);
	service->launcher = launcher_new(settings->launcher, launch, error);
	return service->launcher != NULL;
}

/*
 * What the ways out may use is set aside, and clients get the rest. Without a descriptor left a relay could not even accept what
 * it then refuses, and clients would wait in the backlog.
 */
static bool plan_descriptors(struct service *service, struct error *error)
{
	size_t ways_out = service->settings->relay_count * WAY_OUT_CONNECTIONS_MAX * RELAY_DESCRIPTORS_PER_CONNECTION;
	size_t set_aside = DESCRIPTOR_RESERVE + ways_out;
	size_t wanted = set_aside + RELAY_CONNECTIONS_MAX * RELAY_DESCRIPTORS_PER_CONNECTION;
	size_t given = process_raise_descriptor_limit();

	if (given < set_aside + RELAY_DESCRIPTORS_PER_CONNECTION)
		return error_set(error, ERROR_IO,
				 "RLIMIT_NOFILE is %zu, which leaves no client a connection; raise its hard limit to %zu "
				 "(systemd: LimitNOFILE=, a shell: ulimit -Hn)",
				 given, wanted);
	service->signing_connections_max =
		given < wanted ? (given - set_aside) / RELAY_DESCRIPTORS_PER_CONNECTION : RELAY_CONNECTIONS_MAX;
	if (given < wanted)
		log_warning("few_descriptors", "limit=%zu wanted=%zu connections=%zu", given, wanted,
			    service->signing_connections_max);
	return true;
}

/* The address that it got is told, for port 0. */
static bool add_relay(struct service *service, const char *name, struct relay_options options, struct error *error)
{
	struct named_relay *slot = &service->relays[service->relay_count];
	char listen_text[ADDRESS_TEXT_SIZE], connect_text[ADDRESS_TEXT_SIZE];

	slot->name = name;
	slot->relay = relay_new(service->base, &options, error);
	if (!slot->relay)
		return error_prefix(error, "relay %s", name);
	service->relay_count++;
	if (options.listen.kind == ADDRESS_TCP)
		options.listen.port = relay_bound_port(slot->relay);
	address_format(&options.listen, listen_text);
	address_format(&options.connect, connect_text);
	log_info("relay", "name=%s listen=%s connect=%s", name, listen_text, connect_text);
	return true;
}

static bool add_relays(struct service *service, struct error *error)
{
	const struct settings *settings = service->settings;

	for (size_t i = 0; i < settings->relay_count; i++) {
		const struct relay_settings *relay = &settings->relays[i];
		const struct relay_options way_out = {
			.listen = relay->listen, .connect = relay->connect, .max_connections = WAY_OUT_CONNECTIONS_MAX};

		if (!add_relay(service, relay->name, way_out, error))
			return false;
	}
	return add_relay(service, SIGNING_RELAY,
			 (struct relay_options){.listen = settings->listen,
						.connect = service->launch.signing,
						.max_connections = service->signing_connections_max,
						.announces_clients = true},
			 error);
}

static void report_relay(struct named_relay *relay)
{
	const struct relay_statistics *now = relay_statistics(relay->relay);
	const struct relay_statistics *before = &relay->reported;
	bool trouble =
		now->failed != before->failed || now->refused != before->refused || now->accept_pauses != before->accept_pauses;

	if (trouble)
		log_warning("relay_trouble",
			    "name=%s connections=%zu failed=%llu refused_at_limit=%llu out_of_descriptors=%llu last_failure=\"%s\"",
			    relay->name, now->connections, (unsigned long long)(now->failed - before->failed),
			    (unsigned long long)(now->refused - before->refused),
			    (unsigned long long)(now->accept_pauses - before->accept_pauses), now->last_failure.message);
	relay->reported = *now;
}

static void on_report_timer(int fd, short what, void *context)
{
	struct service *service = context;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < service->relay_count; i++)
		report_relay(&service->relays[i]);
}

static void on_signal(int number, short what, void *context)
{
	struct service *service = context;

	(void)what;
	if (number == SIGHUP) {
		supervisor_reload(service->supervisor);
		return;
	}
	log_info("stopping", "signal=%d", number);
	notify_send(service->notify, "STOPPING=1", NULL);
	supervisor_stop(service->supervisor);
}

static void describe_waiting(const struct service *service, struct buffer *line)
{
	const struct error *problem = service->start_flag ? start_flag_problem(service->start_flag) : NULL;

	buffer_append_format(line, " for the start flag %s", service->settings->start_flag);
	if (problem)
		buffer_append_format(line, ", which cannot be read: %s", problem->message);
}

/* One line about the enclave, for people. True: it serves. */
static bool describe(void *context, struct buffer *ret_line)
{
	const struct service *service = context;
	const struct host_status *status = supervisor_status(service->supervisor);
	bool serves = status->state == HOST_STATE_SERVING;

	buffer_append_text(ret_line, host_state_name(status->state));
	if (status->state == HOST_STATE_WAITING)
		describe_waiting(service, ret_line);
	else if (serves || status->state == HOST_STATE_DRAINING)
		buffer_append_format(ret_line, " %llu keys", (unsigned long long)status->key_count);
	else if (status->last_error.code != ERROR_NONE)
		buffer_append_format(ret_line, ": %s", status->last_error.message);
	buffer_append_byte(ret_line, '\n');
	return serves;
}

static void on_changed(void *context)
{
	const struct service *service = context;
	AUTO_BUFFER struct buffer line = {0};

	(void)describe(context, &line);
	line.data[line.size - 1] = 0;
	notify_send(service->notify, NULL, buffer_text(&line));
}

static void on_start_flag(void *context, bool may_run)
{
	const struct service *service = context;

	supervisor_hold(service->supervisor, !may_run);
	on_changed(context);
}

static void on_stopped(void *context)
{
	struct service *service = context;

	(void)event_base_loopbreak(service->base);
}

static bool watch_signals(struct service *service, struct error *error)
{
	static const int numbers[] = {SIGTERM, SIGINT, SIGHUP};
	const struct timeval interval = {.tv_sec = RELAY_REPORT_INTERVAL_S};

	(void)signal(SIGPIPE, SIG_IGN);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		service->signals[i] = evsignal_new(service->base, numbers[i], on_signal, service);
		if (!service->signals[i] || event_add(service->signals[i], NULL) != 0)
			return error_set(error, ERROR_IO, "cannot watch for signals");
	}
	service->report_timer = event_new(service->base, -1, EV_PERSIST, on_report_timer, service);
	if (!service->report_timer || event_add(service->report_timer, &interval) != 0)
		return error_set(error, ERROR_IO, "cannot make a timer");
	return true;
}

static void append_metrics(void *context, bool enclave_is_up, struct buffer *ret_text)
{
	const struct service *service = context;

	host_metrics_begin(supervisor_status(service->supervisor), enclave_is_up, ret_text);
	for (size_t i = 0; i < HOST_METRICS_RELAY_COUNT; i++) {
		host_metrics_begin_relays(i, ret_text);
		for (size_t j = 0; j < service->relay_count; j++)
			host_metrics_append_relay(i, service->relays[j].name, relay_statistics(service->relays[j].relay), ret_text);
	}
}

/* What is to be seen of the enclave from here. */
static bool observe(struct service *service, struct error *error)
{
	const struct metrics_server_options options = {
		.base = service->base,
		.listen = service->settings->metrics_listen,
		.control = &service->launch.control,
		.append = append_metrics,
		.health = describe,
		.context = service,
	};

	service->enclave_log = enclave_log_new(service->base, &service->launch.control, error);
	if (!service->enclave_log)
		return false;
	if (!service->settings->has_metrics)
		return true;
	service->metrics = metrics_server_new(&options, error);
	if (!service->metrics)
		return error_prefix(error, "metrics_listen");
	log_info("metrics", "port=%u", metrics_server_port(service->metrics));
	return true;
}

static void on_tables_changed(void *context)
{
	struct service *service = context;

	supervisor_reload(service->supervisor);
}

/* Before the first launch reads the tables, so that no change falls between the two. */
static bool watch_tables(struct service *service, struct error *error)
{
	if (service->settings->tables_poll_s == 0)
		return true;
	service->table_watch = table_watch_new(service->base, service->settings, on_tables_changed, service, error);
	return service->table_watch != NULL;
}

static bool start(struct service *service, struct error *error)
{
	struct supervisor_options options = {
		.base = service->base,
		.settings = service->settings,
		.launcher = service->launcher,
		.control = service->launch.control,
		.status_path = service->status_path,
		.drain_ms = service->settings->drain_s * 1000,
		.is_held = service->settings->start_flag[0] != 0,
		.changed = on_changed,
		.stopped = on_stopped,
		.context = service,
	};

	service->supervisor = supervisor_new(&options, error);
	if (!service->supervisor)
		return false;
	if (!options.is_held)
		return true;
	service->start_flag = start_flag_new(service->base, service->settings, on_start_flag, service, error);
	return service->start_flag != NULL;
}

bool service_run(const struct settings *settings, struct error *error)
{
	CLEANUP(service_done) struct service service = {.settings = settings, .lock_fd = -1};

	if (!make_private_folder(settings->run_folder, "run_folder", error) ||
	    !make_private_folder(settings->store_folder, "store_folder", error) || !lock_run_folder(&service, error) ||
	    !prepare_launch(&service, error) || !plan_descriptors(&service, error))
		return false;
	service.base = event_base_new();
	if (!service.base)
		return error_set(error, ERROR_IO, "cannot make an event loop");
	service.notify = notify_new(service.base, error);
	if (!service.notify || !add_relays(&service, error) || !watch_tables(&service, error) || !start(&service, error) ||
	    !observe(&service, error) || !watch_signals(&service, error))
		return false;
	notify_send(service.notify, "READY=1", NULL);
	if (event_base_dispatch(service.base) < 0)
		return error_set(error, ERROR_IO, "the event loop failed");
	log_info("stopped", "%s", "");
	return true;
}
