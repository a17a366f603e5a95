/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/host_report.h"

#include <inttypes.h>

#include "attestation/nsm.h"
#include "cli/attest_session.h"
#include "cli/local_host.h"
#include "net/http_client.h"

#define COUNT_MS 1000
#define TIMEOUT_MS 3000
/* Some 1,500 series. */
#define METRICS_MAX_SIZE (1u << 20)
/* Of a message: what fits a line of a terminal or two, and what SSM keeps. */
#define MESSAGE_SIZE 400
/* Enough of a PCR0 to tell one image from another. */
#define PCR0_SHOWN 12

struct counts {
	bool is_known; /* the enclave answered */
	uint64_t signatures;
	uint64_t commits;
	uint64_t failed_commits;
};

/* ---- metrics ---- */

/* Adds the value of each series of `name` that has `label` in it. */
static uint64_t sum_series(const char *text, const char *name, const char *label)
{
	uint64_t sum = 0;

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *end, *labels;
		uint64_t value;

		line += *line == '\n';
		if (strncmp(line, name, strlen(name)) != 0 || line[strlen(name)] != '{')
			continue;
		labels = strstr(line, label);
		end = strstr(line, "} ");
		if (!labels || !end || labels > end || (strchr(line, '\n') && strchr(line, '\n') < end))
			continue;
		if (u64_parse(view_of(end + 2, strspn(end + 2, "0123456789")), &value))
			sum += value;
	}
	return sum;
}

static void count(const struct host_place *place, struct counts *ret_counts)
{
	AUTO_FREE char *url = place->metrics ? memory_format("http://%s/metrics", place->metrics) : NULL;
	AUTO_HTTP_RESPONSE struct http_response response = {0};
	const struct http_request request = {
		.method = "GET", .url = url, .max_response_size = METRICS_MAX_SIZE, .timeout_ms = TIMEOUT_MS};
	struct error ignored;

	*ret_counts = (struct counts){0};
	if (!url || !http_exchange(&request, &response, &ignored) || response.status != 200)
		return;
	ret_counts->is_known = strstr(buffer_text(&response.body), "\nensign_enclave_up 1\n") != NULL;
	ret_counts->signatures = sum_series(buffer_text(&response.body), "ensign_signing_requests_total", "status=\"200\"");
	ret_counts->commits = sum_series(buffer_text(&response.body), "ensign_ledger_commits_total", "outcome=\"");
	ret_counts->failed_commits = sum_series(buffer_text(&response.body), "ensign_ledger_commits_total", "outcome=\"failed\"");
}

/* A store that failed at some time of this enclave's life and works again is one that works. */
static const char *judge_store(const struct counts *before, const struct counts *after)
{
	if (!before->is_known || !after->is_known)
		return "unknown";
	return after->failed_commits > before->failed_commits ? "failing" : "ok";
}

static void add_counts(json_t *report, const struct counts *before, const struct counts *after)
{
	bool is_known = before->is_known && after->is_known && after->signatures >= before->signatures;

	(void)json_object_set_new(report, "signatures_per_s",
				  is_known ? json_integer((json_int_t)((after->signatures - before->signatures) * 1000 / COUNT_MS))
					   : json_null());
	(void)json_object_set_new(report, "slashing_store", json_string(judge_store(before, after)));
}

/* ---- attestation ---- */

static json_t *cut_text(const char *text)
{
	AUTO_FREE char *cut = memory_format("%.*s", MESSAGE_SIZE, text);

	return json_text_of_any(cut);
}

static void add_attestation(json_t *report, const struct host_place *place)
{
	const struct attest_session_request request = {.url = place->url, .root = place->root};
	char pcr0[NSM_PCR_TEXT_SIZE];
	struct error problem = {0};
	bool ok = attest_session_read(&request, pcr0, &problem);

	(void)json_object_set_new(report, "attested", json_boolean(ok));
	(void)json_object_set_new(report, "attested_pcr0", ok ? json_string(pcr0) : json_null());
	(void)json_object_set_new(report, "attestation_problem", ok ? json_null() : cut_text(problem.message));
}

/* ---- the report ---- */

static json_t *text_or_null(json_t *object, const char *name)
{
	json_t *value = json_object_get(object, name);

	return json_is_string(value) ? json_incref(value) : json_null();
}

json_t *host_report_new(const struct host_place *place, struct error *error)
{
	AUTO_FREE char *path = memory_format("%s/status.json", place->run);
	AUTO_LOCAL_HOST_STATUS struct local_host_status status = {0};
	const struct timespec second = {.tv_sec = COUNT_MS / 1000};
	struct counts before, after;
	json_t *report;

	if (!local_host_status_read(path, &status, error))
		return NULL;
	count(place, &before);
	(void)nanosleep(&second, NULL);
	count(place, &after);
	report = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o, s:o}", "state", status.state, "since", status.since, "keys",
			   (json_int_t)status.key_count, "failed", (json_int_t)status.failed, "restarts",
			   (json_int_t)status.restarts, "pcr0", text_or_null(status.json, "pcr0"), "last_error",
			   status.error_message ? cut_text(status.error_message) : json_null());
	add_counts(report, &before, &after);
	add_attestation(report, place);
	return report;
}

/* ---- the table ---- */

static const char *text_of(const json_t *report, const char *name, const char *otherwise)
{
	const char *text = json_string_value(json_object_get(report, name));

	return text ? text : otherwise;
}

static long long number_of(const json_t *report, const char *name)
{
	return (long long)json_integer_value(json_object_get(report, name));
}

void host_report_print_head(FILE *stream)
{
	(void)fprintf(stream, "%-20s %-12s %-*s %-8s %6s %7s %-8s %s\n", "instance", "state", PCR0_SHOWN, "PCR0", "attested",
		      "keys", "signs/s", "slashing", "last error");
}

/* The attested one, or else what nitro-cli says. */
static const char *pcr0_of(const json_t *report)
{
	return text_of(report, "attested_pcr0", text_of(report, "pcr0", "-"));
}

void host_report_print(FILE *stream, const json_t *report)
{
	const char *problem = text_of(report, "problem", NULL);
	json_t *rate = json_object_get(report, "signatures_per_s");
	char rate_text[24] = "-";

	(void)fprintf(stream, "%-20s ", text_of(report, "instance", "this one"));
	if (problem) {
		command_print_escaped(stream, problem);
		(void)fputc('\n', stream);
		return;
	}
	if (json_is_integer(rate))
		(void)snprintf(rate_text, sizeof rate_text, "%lld", (long long)json_integer_value(rate));
	(void)fprintf(stream, "%-12s %-*.*s %-8s %6lld %7s %-8s ", text_of(report, "state", "?"), PCR0_SHOWN, PCR0_SHOWN,
		      pcr0_of(report), json_is_true(json_object_get(report, "attested")) ? "yes" : "no", number_of(report, "keys"),
		      rate_text, text_of(report, "slashing_store", "-"));
	command_print_escaped(stream, text_of(report, "last_error", "-"));
	(void)fputc('\n', stream);
}
