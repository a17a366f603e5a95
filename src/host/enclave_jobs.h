/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor has an enclave do, or asks of it, over its control channel: calls that wait, each of them a job of the worker's. */
#pragma once

#include <stdatomic.h>

#include "host/control_client.h"
#include "host/settings.h"

struct enclave_job {
	const struct settings *settings; /* borrowed */
	const struct address *control;   /* of the enclave; borrowed */
	unsigned launch_timeout_ms;      /* from its start to its first answer */
	unsigned poll_timeout_ms;
	atomic_bool cancel; /* set by another thread: the enclave has ended, an answer is not waited for */
	bool ok;            /* what follows is what came of the last job */
	struct control_state state;
	struct error error; /* !ok */
};

typedef void enclave_job_function(struct enclave_job *job);

/* Until it answers for the first time. */
void enclave_job_wait(struct enclave_job *job);
void enclave_job_provision(struct enclave_job *job);
void enclave_job_poll(struct enclave_job *job);
void enclave_job_reload(struct enclave_job *job);
void enclave_job_import(struct enclave_job *job);
void enclave_job_drain(struct enclave_job *job);   /* clients are to go elsewhere */
void enclave_job_refresh(struct enclave_job *job); /* its credentials */
/* Of the keys that the state of the last job names. */
void enclave_job_forget(struct enclave_job *job);
