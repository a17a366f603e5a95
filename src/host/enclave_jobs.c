/* SPDX-License-Identifier: Apache-2.0 */
#include "host/enclave_jobs.h"

#include "host/manager_jobs.h"
#include "host/provisioner.h"

void enclave_job_wait(struct enclave_job *job)
{
	job->ok = provisioner_wait(job->control, job->launch_timeout_ms, &job->cancel, &job->state, &job->error);
}

void enclave_job_provision(struct enclave_job *job)
{
	job->ok = provisioner_run(job->settings, job->control, &job->state, &job->error);
}

void enclave_job_poll(struct enclave_job *job)
{
	job->ok = control_init_state(job->control, job->poll_timeout_ms, &job->state, &job->error);
}

void enclave_job_reload(struct enclave_job *job)
{
	job->ok = provisioner_reload(job->settings, job->control, &job->state, &job->error);
}

void enclave_job_import(struct enclave_job *job)
{
	job->ok = manager_import(job->settings, job->control, &job->state, &job->error);
}

void enclave_job_refresh(struct enclave_job *job)
{
	job->ok = provisioner_refresh(job->settings, job->control, &job->state, &job->error);
}

void enclave_job_drain(struct enclave_job *job)
{
	job->ok = control_drain(job->control, job->poll_timeout_ms, &job->state, &job->error);
}

void enclave_job_forget(struct enclave_job *job)
{
	const struct control_state wished = job->state;

	job->ok = manager_forget(job->settings, job->control, &wished, &job->state, &job->error);
}
