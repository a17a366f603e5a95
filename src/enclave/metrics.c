/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/metrics.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "enclave/lane.h"

#define LABELS_MAX 2
#define BUCKETS_MAX 12
/* Of one metric: the largest is a histogram for each artifact type, with buckets, the one to infinity, and the sum. */
#define CELLS_MAX (ARTIFACT_TYPE_COUNT * (BUCKETS_MAX + 2))

struct region {
	_Atomic uint64_t cells[METRIC_COUNT][CELLS_MAX];
};

/* A multiple of every page size. Pages that are never counted in are never allocated. */
#define REGION_ALIGNMENT 65536u
#define REGION_SIZE ((sizeof(struct region) + REGION_ALIGNMENT - 1) / REGION_ALIGNMENT * REGION_ALIGNMENT)

/* The order of the regions. */
enum owner { OWNER_KEEPER, OWNER_LEDGER, OWNER_FRONTEND, OWNER_CONTROL, OWNER_OPENER, OWNER_ATTESTER, OWNER_COUNT };
static const char *const owner_names[OWNER_COUNT] = {"keeper", "ledger", "frontend", "control", "opener", "attester"};

enum kind { KIND_COUNTER, KIND_GAUGE, KIND_HISTOGRAM };
static const char *const kind_names[] = {"counter", "gauge", "histogram"};

struct scale {
	double unit; /* what is observed, divided by this, is what is shown */
	size_t count;
	uint64_t bounds[BUCKETS_MAX];
};

/* Signing takes one or two milliseconds, validator clients give up after 3 to 12 seconds. */
static const struct scale seconds = {
	1e6, 12, {500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 2500000, 10000000}};
static const struct scale items = {1, 8, {1, 2, 4, 8, 16, 32, 64, 128}};

struct label {
	const char *name;
	size_t count;
	const char *const *values; /* NULL: artifact types */
};

#define LABEL(name, values)                                                                                                        \
	{                                                                                                                          \
		name, ARRAY_SIZE(values), values                                                                                   \
	}
#define LABEL_TYPE                                                                                                                 \
	{                                                                                                                          \
		"type", ARTIFACT_TYPE_COUNT, NULL                                                                                  \
	}

static const char *const statuses[] = {"200", "400", "403", "404", "412", "500", "503", "other"};
static const char *const refusals[REFUSAL_COUNT] = {
	"malformed", "unknown_key", "root_mismatch", "slashable",  "wrong_network", "policy",
	"retired",   "no_history",  "ledger_failed", "overloaded", "internal",
};
static const char *const tls_versions[TLS_VERSION_COUNT] = {"none", "1.2", "1.3"};
static const char *const tls_outcomes[TLS_OUTCOME_COUNT] = {"completed", "client_refused", "failed"};
static const char *const lanes[LANE_COUNT] = {"proposals", "votes", "rest"};
static const char *const duties[METRICS_DUTY_COUNT] = {"block", "attestation"};
static const char *const commits[METRICS_COMMIT_COUNT] = {"durable", "conflict",   "failed",    "wrong_network",
							  "retired", "no_history", "above_high"};
static const char *const jobs[METRICS_JOB_COUNT] = {"init",       "reload", "import",   "slashing",
						    "credential", "rewrap", "generate", "create_tls"};
static const char *const outcomes[METRICS_OUTCOME_COUNT] = {"ok", "failed"};
static const char *const kms_operations[METRICS_KMS_COUNT] = {"Decrypt", "GenerateDataKey", "GenerateDataKeyPair"};

static const struct definition {
	const char *name;
	const char *help;
	enum kind kind;
	enum owner owner;
	struct label labels[LABELS_MAX]; /* count 0: none */
	const struct scale *scale;       /* of a histogram */
} definitions[METRIC_COUNT] = {
	[METRIC_SIGNING_REQUESTS] = {"ensign_signing_requests_total",
				     "Signatures that were asked for, by what was to be signed and the HTTP status of the answer",
				     KIND_COUNTER,
				     OWNER_FRONTEND,
				     {LABEL_TYPE, LABEL("status", statuses)},
				     NULL},
	[METRIC_SIGNING_DURATION] = {"signing_bls_signing_duration",
				     "Seconds from a whole request to its answer, durable slashing protection included",
				     KIND_HISTOGRAM,
				     OWNER_FRONTEND,
				     {LABEL_TYPE},
				     &seconds},
	[METRIC_MISSING_IDENTIFIER] = {"signing_bls_missing_identifier_count_total",
				       "Signatures asked for with a key that is not loaded",
				       KIND_COUNTER,
				       OWNER_FRONTEND,
				       {{0}},
				       NULL},
	[METRIC_MALFORMED_REQUEST] = {"http_bls_malformed_request_count_total",
				      "Signing requests that could not be read",
				      KIND_COUNTER,
				      OWNER_FRONTEND,
				      {{0}},
				      NULL},
	[METRIC_SIGNING_REFUSALS] = {"ensign_signing_refusals_total",
				     "Signatures that were refused, by reason",
				     KIND_COUNTER,
				     OWNER_FRONTEND,
				     {LABEL("reason", refusals)},
				     NULL},
	[METRIC_TLS_HANDSHAKES] = {"ensign_tls_handshakes_total",
				   "Connections to the signing port, by TLS version and by how the handshake ended",
				   KIND_COUNTER,
				   OWNER_FRONTEND,
				   {LABEL("version", tls_versions), LABEL("outcome", tls_outcomes)},
				   NULL},
	[METRIC_CONNECTIONS] = {"ensign_open_connections",
				"Connections to the signing port that are open",
				KIND_GAUGE,
				OWNER_FRONTEND,
				{{0}},
				NULL},
	[METRIC_CONNECTIONS_REFUSED] = {"ensign_connections_refused_total",
					"Connections to the signing port that the enclave closed because there were too many",
					KIND_COUNTER,
					OWNER_FRONTEND,
					{{0}},
					NULL},
	[METRIC_KEYS_LOADED] = {"signing_signers_loaded_count", "Keys that sign", KIND_GAUGE, OWNER_KEEPER, {{0}}, NULL},
	[METRIC_KEYS_FAILED] = {"ensign_keys_failed",
				"Rows of the key table whose keys could not be loaded",
				KIND_GAUGE,
				OWNER_KEEPER,
				{{0}},
				NULL},
	[METRIC_PERMITTED_SIGNINGS] = {"eth2_slashingprotection_permitted_signings_total",
				       "Signatures of any type given with slashing protection on",
				       KIND_COUNTER,
				       OWNER_KEEPER,
				       {{0}},
				       NULL},
	[METRIC_PREVENTED_SIGNINGS] = {"eth2_slashingprotection_prevented_signings_total",
				       "Signatures that slashing protection refused",
				       KIND_COUNTER,
				       OWNER_KEEPER,
				       {{0}},
				       NULL},
	[METRIC_QUEUE_DEPTH] = {"ensign_keeper_queue_depth",
				"Signing jobs under way in the keeper, by lane",
				KIND_GAUGE,
				OWNER_KEEPER,
				{LABEL("lane", lanes)},
				NULL},
	[METRIC_JOBS_SHED] = {"ensign_keeper_jobs_shed_total",
			      "Signing jobs that the keeper turned away because it had too many, by lane",
			      KIND_COUNTER,
			      OWNER_KEEPER,
			      {LABEL("lane", lanes)},
			      NULL},
	[METRIC_COMMIT_DURATION] = {"eth2_slashingprotection_database_duration",
				    "Seconds in which a signing was made durable, as one of its group",
				    KIND_HISTOGRAM,
				    OWNER_LEDGER,
				    {LABEL("signingOperation", duties)},
				    &seconds},
	[METRIC_COMMITS] = {"ensign_ledger_commits_total",
			    "Signings that were brought to the slashing store, by outcome",
			    KIND_COUNTER,
			    OWNER_LEDGER,
			    {LABEL("outcome", commits)},
			    NULL},
	[METRIC_GROUP_SIZE] = {"ensign_ledger_group_size",
			       "Signings that were made durable in one go",
			       KIND_HISTOGRAM,
			       OWNER_LEDGER,
			       {{0}},
			       &items},
	[METRIC_JOBS] = {"ensign_jobs_total",
			 "Loads of keys and imports of keystores that came to an end, by outcome",
			 KIND_COUNTER,
			 OWNER_CONTROL,
			 {LABEL("job", jobs), LABEL("outcome", outcomes)},
			 NULL},
	[METRIC_UPTIME] = {"ensign_enclave_uptime_seconds", "Age of this enclave", KIND_GAUGE, OWNER_CONTROL, {{0}}, NULL},
	[METRIC_KMS_CALLS] = {"ensign_kms_calls_total",
			      "Calls of KMS, by operation and outcome",
			      KIND_COUNTER,
			      OWNER_OPENER,
			      {LABEL("operation", kms_operations), LABEL("outcome", outcomes)},
			      NULL},
	[METRIC_KMS_DURATION] = {"ensign_kms_call_duration_seconds",
				 "Seconds that calls of KMS took, repeats included",
				 KIND_HISTOGRAM,
				 OWNER_OPENER,
				 {LABEL("operation", kms_operations)},
				 &seconds},
};

static struct region *own;                        /* NULL: nothing is counted */
static const struct region *regions[OWNER_COUNT]; /* control only */

/* ---- counting ---- */

static size_t values_of(const struct label *label)
{
	return label->count ? label->count : 1;
}

/* NULL: nowhere. */
static _Atomic uint64_t *cells_at(enum metric metric, size_t first, size_t second, size_t width)
{
	const struct label *labels = definitions[metric].labels;

	if (!own || first >= values_of(&labels[0]) || second >= values_of(&labels[1]))
		return NULL;
	return &own->cells[metric][(first * values_of(&labels[1]) + second) * width];
}

void metrics_add(enum metric metric, size_t first, size_t second, uint64_t n)
{
	_Atomic uint64_t *cell = cells_at(metric, first, second, 1);

	if (cell)
		(void)atomic_fetch_add_explicit(cell, n, memory_order_relaxed);
}

void metrics_set(enum metric metric, size_t first, uint64_t value)
{
	_Atomic uint64_t *cell = cells_at(metric, first, 0, 1);

	if (cell)
		atomic_store_explicit(cell, value, memory_order_relaxed);
}

void metrics_change(enum metric metric, size_t first, int64_t difference)
{
	metrics_add(metric, first, 0, (uint64_t)difference);
}

void metrics_observe(enum metric metric, size_t first, uint64_t value)
{
	const struct scale *scale = definitions[metric].scale;
	_Atomic uint64_t *cells = cells_at(metric, first, 0, scale->count + 2);
	size_t bucket = 0;

	if (!cells)
		return;
	while (bucket < scale->count && value > scale->bounds[bucket])
		bucket++;
	(void)atomic_fetch_add_explicit(&cells[bucket], 1, memory_order_relaxed);
	(void)atomic_fetch_add_explicit(&cells[scale->count + 1], value, memory_order_relaxed);
}

size_t metrics_status_label(unsigned status)
{
	size_t label = 0;
	char text[16];

	(void)snprintf(text, sizeof text, "%u", status);
	while (label < ARRAY_SIZE(statuses) - 1 && strcmp(statuses[label], text) != 0)
		label++;
	return label;
}

/* ---- memory ---- */

/* Nobody can shrink it under a reader. */
int metrics_memory_new(struct error *error)
{
	int fd = memfd_create("ensign-metrics", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd >= 0 && ftruncate(fd, (off_t)(OWNER_COUNT * REGION_SIZE)) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		return fd;
	(void)error_set_errno(error, ERROR_IO, "cannot make memory for metrics");
	if (fd >= 0)
		(void)close(fd);
	return -1;
}

static void *map_region(int fd, size_t owner, int protection, struct error *error)
{
	void *memory = mmap(NULL, REGION_SIZE, protection, MAP_SHARED, fd, (off_t)(owner * REGION_SIZE));

	if (memory == MAP_FAILED)
		return error_set_errno(error, ERROR_IO, "cannot map the memory of metrics"), NULL;
	return memory;
}

bool metrics_attach(int fd, const char *role, struct error *error)
{
	size_t owner = 0;
	struct stat status;

	if (fstat(fd, &status) != 0 || status.st_size != (off_t)(OWNER_COUNT * REGION_SIZE))
		return true;
	while (owner < OWNER_COUNT && strcmp(owner_names[owner], role) != 0)
		owner++;
	if (owner == OWNER_COUNT)
		return error_set(error, ERROR_BUG, "no metrics for role %s", role);
	own = map_region(fd, owner, PROT_READ | PROT_WRITE, error);
	for (size_t i = 0; own && owner == OWNER_CONTROL && i < OWNER_COUNT; i++) {
		regions[i] = map_region(fd, i, PROT_READ, error);
		if (!regions[i])
			return false;
	}
	return own != NULL;
}

/* ---- text ---- */

static const char *label_value(const struct label *label, size_t index)
{
	return label->values ? label->values[index] : artifact_type_name((uint32_t)index);
}

/* "{type=\"BLOCK_V2\",le=\"0.5\"}"; `le` NULL: none. */
static void append_labels(struct buffer *text, const struct definition *definition, const size_t indices[LABELS_MAX],
			  const char *le)
{
	char separator = '{';

	for (size_t i = 0; i < LABELS_MAX; i++) {
		const struct label *label = &definition->labels[i];

		if (!label->count)
			continue;
		buffer_append_format(text, "%c%s=\"%s\"", separator, label->name, label_value(label, indices[i]));
		separator = ',';
	}
	if (le) {
		buffer_append_format(text, "%cle=\"%s\"", separator, le);
		separator = ',';
	}
	if (separator == ',')
		buffer_append_byte(text, '}');
}

static uint64_t read_cell(const _Atomic uint64_t *cells, size_t i)
{
	return atomic_load_explicit(&cells[i], memory_order_relaxed);
}

/* The count is the sum of the buckets that are shown, whatever is counted meanwhile. */
static void render_histogram(struct buffer *text, const struct definition *definition, const size_t indices[LABELS_MAX],
			     const _Atomic uint64_t *cells)
{
	const struct scale *scale = definition->scale;
	uint64_t count = 0;

	for (size_t i = 0; i <= scale->count; i++) {
		char le[32] = "+Inf";

		if (i < scale->count)
			(void)snprintf(le, sizeof le, "%g", (double)scale->bounds[i] / scale->unit);
		count += read_cell(cells, i);
		buffer_append_format(text, "%s_bucket", definition->name);
		append_labels(text, definition, indices, le);
		buffer_append_format(text, " %" PRIu64 "\n", count);
	}
	buffer_append_format(text, "%s_sum", definition->name);
	append_labels(text, definition, indices, NULL);
	buffer_append_format(text, " %.*f\n%s_count", scale->unit > 1 ? 6 : 0,
			     (double)read_cell(cells, scale->count + 1) / scale->unit, definition->name);
	append_labels(text, definition, indices, NULL);
	buffer_append_format(text, " %" PRIu64 "\n", count);
}

static void render_value(struct buffer *text, const struct definition *definition, const size_t indices[LABELS_MAX],
			 const _Atomic uint64_t *cells)
{
	buffer_append_text(text, definition->name);
	append_labels(text, definition, indices, NULL);
	buffer_append_format(text, " %" PRIu64 "\n", read_cell(cells, 0));
}

/* Of types there are many, of which a signer sees a few. */
static bool is_shown(const struct definition *definition, const _Atomic uint64_t *cells, size_t width)
{
	if (definition->labels[1].count == 0 && definition->labels[0].count < ARTIFACT_TYPE_COUNT)
		return true;
	for (size_t i = 0; i < width; i++) {
		if (read_cell(cells, i) != 0)
			return true;
	}
	return false;
}

static void render(struct buffer *text, enum metric metric)
{
	const struct definition *definition = &definitions[metric];
	const _Atomic uint64_t *cells = regions[definition->owner]->cells[metric];
	size_t width = definition->scale ? definition->scale->count + 2 : 1;

	buffer_append_format(text, "# HELP %s %s\n# TYPE %s %s\n", definition->name, definition->help, definition->name,
			     kind_names[definition->kind]);
	for (size_t first = 0; first < values_of(&definition->labels[0]); first++) {
		for (size_t second = 0; second < values_of(&definition->labels[1]); second++, cells += width) {
			const size_t indices[LABELS_MAX] = {first, second};

			if (!is_shown(definition, cells, width))
				continue;
			if (definition->scale)
				render_histogram(text, definition, indices, cells);
			else
				render_value(text, definition, indices, cells);
		}
	}
}

void metrics_render(struct buffer *ret_text)
{
	for (size_t i = 0; i < METRIC_COUNT; i++) {
		if (regions[definitions[i].owner])
			render(ret_text, (enum metric)i);
	}
}
