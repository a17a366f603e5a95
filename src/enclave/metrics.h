/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the enclave counts (docs/metrics.md). init makes one shared mapping with a region for each role; a role writes into its own and
 * maps no other, and control reads them all and renders Prometheus text. The mapping is init's, so counters survive an opener, of
 * which there is one a job.
 *
 * Counting is an atomic addition: from any thread, without locks, memory or system calls. Without a mapping (unit tests) it does
 * nothing. What stands in a region is that role's word: control reads a metric in its owner's region only.
 */
#pragma once

#include "base/bytes.h"

/* One row each in the table of metrics.c. */
enum metric {
	/* frontend */
	METRIC_SIGNING_REQUESTS, /* artifact type, metrics_status_label() */
	METRIC_SIGNING_DURATION, /* artifact type; microseconds */
	METRIC_MISSING_IDENTIFIER,
	METRIC_MALFORMED_REQUEST,
	METRIC_SIGNING_REFUSALS, /* enum metrics_refusal */
	METRIC_TLS_HANDSHAKES,   /* enum metrics_tls_version, enum metrics_tls_outcome */
	METRIC_CONNECTIONS,
	METRIC_CONNECTIONS_REFUSED,
	/* keeper */
	METRIC_KEYS_LOADED,
	METRIC_KEYS_FAILED,
	METRIC_PERMITTED_SIGNINGS,
	METRIC_PREVENTED_SIGNINGS,
	METRIC_QUEUE_DEPTH, /* enum lane */
	METRIC_JOBS_SHED,   /* enum lane */
	/* ledger */
	METRIC_COMMIT_DURATION, /* enum metrics_duty; microseconds */
	METRIC_COMMITS,         /* enum metrics_commit */
	METRIC_GROUP_SIZE,
	/* control */
	METRIC_JOBS, /* enum metrics_job, enum metrics_outcome */
	METRIC_UPTIME,
	/* opener */
	METRIC_KMS_CALLS,    /* enum metrics_kms, enum metrics_outcome */
	METRIC_KMS_DURATION, /* enum metrics_kms; microseconds */
	METRIC_COUNT,
};

enum metrics_refusal {
	REFUSAL_MALFORMED,
	REFUSAL_UNKNOWN_KEY,
	REFUSAL_ROOT_MISMATCH,
	REFUSAL_SLASHABLE,
	REFUSAL_WRONG_NETWORK,
	REFUSAL_POLICY,
	REFUSAL_RETIRED,
	REFUSAL_NO_HISTORY,
	REFUSAL_LEDGER_FAILED,
	REFUSAL_OVERLOADED, /* a queue or a memory budget is full, or no answer came in time */
	REFUSAL_INTERNAL,
	REFUSAL_COUNT,
};
enum metrics_tls_version { TLS_VERSION_NONE, TLS_VERSION_1_2, TLS_VERSION_1_3, TLS_VERSION_COUNT };
enum metrics_tls_outcome { TLS_COMPLETED, TLS_CLIENT_REFUSED, TLS_FAILED, TLS_OUTCOME_COUNT };
enum metrics_duty { METRICS_BLOCK, METRICS_ATTESTATION, METRICS_DUTY_COUNT };
enum metrics_commit {
	METRICS_DURABLE,
	METRICS_CONFLICT,
	METRICS_FAILED,
	METRICS_WRONG_NETWORK,
	METRICS_RETIRED,
	METRICS_NO_HISTORY,
	METRICS_ABOVE_HIGH,
	METRICS_COMMIT_COUNT
};
enum metrics_job {
	METRICS_JOB_INIT,
	METRICS_JOB_RELOAD,
	METRICS_JOB_IMPORT,
	METRICS_JOB_SLASHING,
	METRICS_JOB_CREDENTIAL,
	METRICS_JOB_REWRAP,
	METRICS_JOB_GENERATE,
	METRICS_JOB_CREATE_TLS,
	METRICS_JOB_COUNT
}; /* as enum job_kind, from 0 */
enum metrics_outcome { METRICS_OK, METRICS_FAILURE, METRICS_OUTCOME_COUNT };
enum metrics_kms { METRICS_KMS_DECRYPT, METRICS_KMS_GENERATE_DATA_KEY, METRICS_KMS_GENERATE_KEY_PAIR, METRICS_KMS_COUNT };

/* Counter. Labels that a metric does not have are 0; what is beyond its labels is not counted. */
void metrics_add(enum metric metric, size_t first, size_t second, uint64_t n);
/* Gauge. */
void metrics_set(enum metric metric, size_t first, uint64_t value);
void metrics_change(enum metric metric, size_t first, int64_t difference);
/* Histogram. */
void metrics_observe(enum metric metric, size_t first, uint64_t value);

/* Index of an HTTP status among the label values of METRIC_SIGNING_REQUESTS; the last one stands for all others. */
size_t metrics_status_label(unsigned status);

/* A sealed memfd with a zeroed region for each role; -1 on failure. */
MUST_USE int metrics_memory_new(struct error *error);
/*
 * Count into the region of `role` from now on; control maps all of them too, to read. Where `fd` is no such memory nothing is
 * counted: that is no error. ERROR_IO: it cannot be mapped. ERROR_BUG: no such role.
 */
MUST_USE bool metrics_attach(int fd, const char *role, struct error *error);
/* Append everything in the text exposition format 0.0.4. Series of several labels appear with their first event. */
void metrics_render(struct buffer *ret_text);
