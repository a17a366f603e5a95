/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control role: the enclave's end of the control channel (docs/protocols.md). It reads what the parent sends, answers what it can
 * by itself at any time, and has an opener started for what needs keys opened: one job at a time, one process a job. It holds
 * no key, no NSM and no descriptor that leads out; the parent's request it passes on as it came and forgets.
 *
 * What the enclave wants of the parent (to read its tables again, to store imported keys, to forget deleted ones) it can only say
 * when asked, so every answer about its state lists its wishes.
 *
 *   control.c      the loop: whose message is next
 *   connections.c  the parent's connections and their deadlines
 *   operations.c   the table of operations
 *   jobs.c         the opener at work
 *   imports.c      what the key manager wants stored or forgotten
 *   observations.c metrics, and what all roles log
 */
#pragma once

#include "base/json.h"
#include "enclave/role.h"

/* The host uses two or three; one that idles gives its place back after CONTROL_IDLE_TIMEOUT_MS. */
#define CONTROL_CONNECTIONS_MAX 8
/* Deleted keys that the host has not forgotten yet: as many as a signer holds, in case it deletes them all while the host is slow. 48 bytes each. */
#define CONTROL_FORGET_WAITING_MAX 100000

/* Of a job: histories, at most 2,000 of them. */
#define CONTROL_BODY_MAX_SIZE (4u << 20)

/*
 * After which the ledger wants new credentials of the parent. The metadata service has the next ones five minutes before the last expire, and
 * what it gives out is good for at least that long.
 */
#define CONTROL_CREDENTIAL_AGE_MS (4u * 60000u)
/* After which it asks again when that failed. */
#define CONTROL_CREDENTIAL_RETRY_MS 10000u

struct control;

struct answer {
	int status;
	json_t *body;
	bool is_pending; /* the job will answer */
};

struct connection {
	int fd; /* -1: free */
	uint64_t deadline_ms;
	bool waits_for_job;
};

enum job_state {
	JOB_NONE,
	JOB_STARTING, /* init was asked for an opener */
	JOB_RUNNING,
};

struct job {
	enum job_state state;
	enum job_kind kind;
	struct connection *connection; /* who waits for the answer; NULL: hung up */
	struct buffer request;         /* the parent's frame until it is passed on; wiped */
	char *data_key_b64;            /* IMPORT: what the keys are sealed with; owned */
	bool has_result;
	struct message_job_result result;
	json_t *body; /* that came with the result; owned */
};

enum import_state {
	IMPORT_FREE,
	IMPORT_WAITING, /* for the parent to ask for it */
	IMPORT_OPENING,
	IMPORT_SEALED, /* the parent has its row; it signs after the next reload that has it */
};

struct import {
	enum import_state state;
	uint64_t id; /* the frontend's */
	uint64_t deadline_ms;
	size_t keystore_size;
	struct secret input;                     /* keystore, then password */
	uint8_t public_key[BLS_PUBLIC_KEY_SIZE]; /* SEALED */
	uint8_t sealed[MESSAGE_SEALED_KEY_SIZE];
	bool is_in_reload;
};

struct control {
	struct message_start start;
	bool is_provisioned;
	uint64_t key_count;
	uint64_t failed_count; /* rows that the load in service passed over */
	json_t *failures;      /* the first of them, as the opener told of them; owned; NULL: none */
	uint8_t tls_digest[DIGEST_SIZE];
	struct connection connections[CONTROL_CONNECTIONS_MAX];
	struct job job;
	bool wants_reload;
	uint64_t credential_due_ms; /* monotonic; 0: the ledger needs none of the parent's */
	struct import imports[IMPORTS_MAX];
	uint8_t (*forget)[BLS_PUBLIC_KEY_SIZE];
	size_t forget_count;
	struct buffer log; /* read from the pipe, not yet answered: a line without its end, or more than one answer takes */
};

/* ---- connections.c ---- */

void connections_init(struct control *control);
size_t connections_count(const struct control *control);
void connection_accept(struct control *control);
/* One frame, or the end. */
void connection_serve(struct control *control, struct connection *connection);
void connection_close(struct control *control, struct connection *connection);
/* Close what has idled too long. */
void connections_expire(struct control *control, uint64_t now_ms);
/* Sends it, and takes the answer's body; a connection that does not take it is closed. */
void connection_answer(struct control *control, struct connection *connection, struct answer *answer);

/* ---- operations.c ---- */

/* `frame` is emptied when a job took it. */
struct answer operations_answer(struct control *control, struct connection *connection, struct buffer *frame);
struct answer answer_refusal(int status, const struct error *error);
/* The status that an error's code is on this channel. */
int answer_status_of(enum error_code code);
json_t *operations_state_new(const struct control *control);

/* ---- jobs.c ---- */

/* Takes the frame. False: another runs, or init cannot be asked. */
MUST_USE bool job_start(struct control *control, enum job_kind kind, struct connection *connection, struct buffer *frame,
			struct error *error);
MUST_USE bool job_handle_ready(struct control *control, struct error *error);
MUST_USE bool job_handle_gone(struct control *control, const struct message_opener_gone *gone, struct error *error);
MUST_USE bool job_handle_opener(struct control *control, struct error *error);

/* ---- imports.c ---- */

MUST_USE bool imports_add(struct control *control, const struct message_import_keystore *message, struct error *error);
size_t imports_count(const struct control *control, enum import_state state);
struct import *imports_find(struct control *control, uint64_t id, enum import_state state);
/* Tells the frontend how it ended, and frees it. */
MUST_USE bool import_finish(struct import *import, enum import_status status, const char *message, struct error *error);
MUST_USE bool imports_fail_all(struct control *control, enum import_state state, const char *message, struct error *error);
MUST_USE bool imports_expire(struct control *control, uint64_t now_ms, struct error *error);
/* UINT64_MAX: none waits. */
uint64_t imports_next_deadline_ms(const struct control *control);
/* Which of the sealed ones a reload brings: those whose rows are in the request. */
void imports_mark_reloaded(struct control *control, json_t *request);
/* Each is told whether its key signs now. `failures` are those that the opener told of, or NULL. */
MUST_USE bool imports_end_reload(struct control *control, const struct message_job_result *result, json_t *failures,
				 struct error *error);
/* The rows of sealed imports that the parent has not got yet. */
json_t *imports_rows_new(const struct control *control);
void forget_add(struct control *control, const uint8_t public_key[BLS_PUBLIC_KEY_SIZE]);
json_t *forget_list_new(const struct control *control);
MUST_USE bool forget_remove(struct control *control, json_t *pubkeys, struct error *error);

/* ---- observations.c ---- */

/* {"text": …} */
json_t *observations_metrics_new(const struct control *control);
/* {"lines": [{…}, …], "more": …}: what the roles have logged, in order, and whether there may be more at once. */
json_t *observations_log_new(struct control *control);
