/* SPDX-License-Identifier: Apache-2.0 */
#include "host/table_watch.h"

#include <openssl/evp.h>

#include "base/log.h"
#include "host/tables.h"
#include "host/worker.h"

#define DIGEST_SIZE 32

struct table_watch {
	const struct settings *settings;
	table_watch_changed *changed;
	void *context;
	struct worker *worker;
	struct event *timer;
	bool is_looking; /* the worker has `seen` and `problem` */
	uint8_t known[DIGEST_SIZE];
	uint8_t seen[DIGEST_SIZE];
	bool is_readable;
	struct error problem;
};

/* Each text with its length, so that two rows never look like one. */
static void add(EVP_MD_CTX *digest, const char *text)
{
	uint64_t size = text ? strlen(text) + 1 : 0;

	(void)EVP_DigestUpdate(digest, &size, sizeof size);
	if (text)
		(void)EVP_DigestUpdate(digest, text, size);
}

static bool add_keys(EVP_MD_CTX *digest, const struct settings *settings, struct error *error)
{
	AUTO_KEY_ROWS struct key_rows rows = {0};

	if (!host_tables_read_keys(settings, &rows, error))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		add(digest, rows.rows[i].pubkey);
		add(digest, rows.rows[i].chain);
		add(digest, rows.rows[i].encrypted_key_password_mnemonic_b64);
		add(digest, rows.rows[i].sealed_key_b64);
		add(digest, rows.rows[i].data_key_b64);
	}
	for (size_t i = 0; i < rows.problem_count; i++) {
		add(digest, rows.problems[i].pubkey);
		add(digest, rows.problems[i].message);
	}
	return true;
}

static bool add_tls(EVP_MD_CTX *digest, const struct settings *settings, struct error *error)
{
	AUTO_TLS_ROW struct tls_row row = {0};

	if (!host_tables_read_tls(settings, &row, error))
		return false;
	add(digest, row.encrypted_tls_key_b64);
	add(digest, row.cert_pem);
	add(digest, row.known_clients_sealed_b64);
	add(digest, row.known_clients_data_key_b64);
	add(digest, row.slashing_credentials_b64);
	return true;
}

static bool look(const struct settings *settings, uint8_t ret_digest[DIGEST_SIZE], struct error *error)
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool ok = digest && EVP_DigestInit_ex2(digest, EVP_sha256(), NULL) == 1;

	if (!ok)
		(void)error_set(error, ERROR_BUG, "SHA-256");
	ok = ok && add_keys(digest, settings, error) && add_tls(digest, settings, error) &&
	     EVP_DigestFinal_ex(digest, ret_digest, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return ok;
}

/* In the worker's thread. */
static void look_again(void *context)
{
	struct table_watch *watch = context;

	watch->problem = (struct error){0};
	(void)!look(watch->settings, watch->seen, &watch->problem);
}

static void on_looked(void *context)
{
	struct table_watch *watch = context;

	watch->is_looking = false;
	if (watch->problem.code != ERROR_NONE) {
		if (watch->is_readable)
			log_failure(LOG_LEVEL_WARNING, "tables_unreadable", &watch->problem);
		watch->is_readable = false;
		return;
	}
	watch->is_readable = true;
	if (memcmp(watch->seen, watch->known, sizeof watch->known) == 0)
		return;
	memcpy(watch->known, watch->seen, sizeof watch->known);
	log_info("tables_changed", "%s", "");
	watch->changed(watch->context);
}

static void on_timer(int fd, short what, void *context)
{
	struct table_watch *watch = context;

	(void)fd;
	(void)what;
	/* A slow disk may take longer than the interval. */
	if (watch->is_looking)
		return;
	watch->is_looking = true;
	worker_submit(watch->worker, look_again);
}

struct table_watch *table_watch_new(struct event_base *base, const struct settings *settings, table_watch_changed *changed,
				    void *context, struct error *error)
{
	const struct timeval interval = {.tv_sec = settings->tables_poll_s};
	struct table_watch *watch = memory_allocate_zeroed(1, sizeof *watch);
	struct error ignored;

	watch->settings = settings;
	watch->changed = changed;
	watch->context = context;
	/* One that cannot be read now is another when it can be. */
	watch->is_readable = look(settings, watch->known, &ignored);
	watch->worker = worker_new(base, on_looked, watch, error);
	watch->timer = event_new(base, -1, EV_PERSIST, on_timer, watch);
	if (watch->worker && watch->timer && event_add(watch->timer, &interval) == 0)
		return watch;
	if (watch->worker)
		(void)error_set(error, ERROR_IO, "cannot make a timer");
	table_watch_free(watch);
	return NULL;
}

void table_watch_free(struct table_watch *watch)
{
	if (!watch)
		return;
	if (watch->timer)
		event_free(watch->timer);
	worker_free(watch->worker);
	free(watch);
}
