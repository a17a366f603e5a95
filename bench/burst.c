/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a validator client does at an attestation's due time: all keys vote for the same, at once, and somewhere in between one more
 * key proposes a block. Rounds of it, each of an epoch of its own, so a signer with slashing protection signs them all; before them
 * blocks alone, for comparison. It prints one JSON object, times in microseconds:
 *
 *   wall     from the start of a burst to its last answer
 *   request  of each request of a burst, from its sending to its answer; those of one connection wait for each other
 *   block    of the block inside a burst
 *   idle     of a block when there is nothing else
 *
 * usage: burst HOST PORT CA_FILE KEYS_FILE single|batch CONNECTIONS ROUNDS FIRST_EPOCH IDLE_BLOCKS
 *
 * KEYS_FILE has one public key a line; the first one proposes. The others are dealt to the connections, which send one request a key
 * or (batch) one for all of theirs.
 */
#include <pthread.h>

#include "client.h"

#define KEYS_MAX 4097
#define CONNECTIONS_MAX 1024
#define ROUNDS_MAX 10000
/* Blocks without a burst, before the rounds. */
#define IDLE_BLOCKS_MAX 10000
/* Lets the signer's threads go to sleep, as they would. */
#define IDLE_PAUSE_US 5000
/* The block's time in its burst moves through the first half in so many steps. */
#define BLOCK_PLACES 8

struct burst {
	struct client_target target;
	const char (*voters)[CLIENT_KEY_SIZE];
	size_t voter_count;
	bool is_batch;
	size_t connection_count;
	uint64_t rounds;
	uint64_t first_epoch;
	uint64_t idle_blocks;
	pthread_barrier_t barrier; /* passed at the start and at the end of each round */
};

struct attester {
	struct burst *burst;
	size_t number; /* its keys are this one, and then each connection_count further on */
	pthread_t thread;
	struct client client;
	struct buffer *requests;
	size_t request_count;
	struct samples latencies;
	uint64_t ended_us; /* of the last round */
};

struct results {
	struct samples wall, requests, blocks, idle;
	uint64_t late; /* blocks that were sent when their burst was over: not among `blocks` */
};

/* There is nobody to go on with: a thread that stopped would leave the others at the barrier. */
static __attribute__((noreturn)) void give_up(const struct client *client)
{
	(void)fprintf(stderr, "burst: %s failed, status %ld: %.*s\n", client->failure, client->status, (int)client->body.size,
		      client->body.data ? (const char *)client->body.data : "");
	exit(1);
}

/* ---- votes ---- */

static void make_single_requests(struct attester *attester, struct view vote)
{
	const struct burst *burst = attester->burst;

	for (size_t i = 0; i < attester->request_count; i++) {
		buffer_clear(&attester->requests[i]);
		client_append_request(&attester->requests[i], &burst->target,
				      burst->voters[attester->number + i * burst->connection_count], vote);
	}
}

static void make_batch_request(struct attester *attester, struct view vote)
{
	const struct burst *burst = attester->burst;
	AUTO_BUFFER struct buffer body = {0};

	for (size_t i = attester->number; i < burst->voter_count; i += burst->connection_count)
		buffer_append_format(&body, "%s\"%s\"", body.size ? "," : "{\"identifiers\":[", burst->voters[i]);
	buffer_append_text(&body, "],\"signing_request\":");
	buffer_append(&body, vote);
	buffer_append_text(&body, "}");
	buffer_clear(&attester->requests[0]);
	client_append_request(&attester->requests[0], &burst->target, NULL, buffer_view(&body));
}

static void make_requests(struct attester *attester, uint64_t epoch)
{
	AUTO_BUFFER struct buffer vote = {0};

	client_append_attestation(&vote, epoch);
	if (attester->burst->is_batch)
		make_batch_request(attester, buffer_view(&vote));
	else
		make_single_requests(attester, buffer_view(&vote));
}

static size_t voters_of(const struct burst *burst, size_t number)
{
	return (burst->voter_count - number + burst->connection_count - 1) / burst->connection_count;
}

/* A batch is 200 whatever became of its keys. */
static void check_answer(struct attester *attester)
{
	struct client *client = &attester->client;
	size_t count = 0;

	if (!attester->burst->is_batch)
		return;
	for (const char *at = strstr((const char *)client->body.data, "\"signature\""); at; at = strstr(at + 1, "\"signature\""))
		count++;
	if (count == voters_of(attester->burst, attester->number))
		return;
	client->failure = "a key of the batch";
	give_up(client);
}

static void send_votes(struct attester *attester)
{
	for (size_t i = 0; i < attester->request_count; i++) {
		uint64_t begun_us = client_now_us();

		if (!client_exchange(&attester->client, buffer_view(&attester->requests[i])))
			give_up(&attester->client);
		samples_add(&attester->latencies, client_now_us() - begun_us);
		check_answer(attester);
	}
	attester->ended_us = client_now_us();
}

static void *run_attester(void *argument)
{
	struct attester *attester = (struct attester *)argument;
	struct burst *burst = attester->burst;

	if (!client_open(&attester->client, &burst->target))
		give_up(&attester->client);
	for (uint64_t round = 0; round < burst->rounds; round++) {
		make_requests(attester, burst->first_epoch + round);
		(void)pthread_barrier_wait(&burst->barrier);
		send_votes(attester);
		(void)pthread_barrier_wait(&burst->barrier);
	}
	return NULL;
}

static void start_attester(struct attester *attester, struct burst *burst, size_t number)
{
	size_t requests = burst->is_batch ? 1 : voters_of(burst, number);

	*attester = (struct attester){.burst = burst, .number = number, .request_count = requests};
	attester->requests = (struct buffer *)memory_allocate_zeroed(requests, sizeof *attester->requests);
	samples_init(&attester->latencies, requests * burst->rounds);
	if (pthread_create(&attester->thread, NULL, run_attester, attester) != 0) {
		perror("burst: thread");
		exit(1);
	}
}

static void finish_attester(struct attester *attester, struct results *results)
{
	(void)pthread_join(attester->thread, NULL);
	samples_append(&results->requests, &attester->latencies);
	samples_done(&attester->latencies);
	for (size_t i = 0; i < attester->request_count; i++)
		buffer_done(&attester->requests[i]);
	free(attester->requests);
	client_close(&attester->client);
}

/* ---- blocks ---- */

static uint64_t propose(struct client *client, const char *key, uint64_t slot)
{
	AUTO_BUFFER struct buffer body = {0};
	AUTO_BUFFER struct buffer request = {0};
	uint64_t begun_us;

	client_append_block(&body, slot);
	client_append_request(&request, client->target, key, buffer_view(&body));
	begun_us = client_now_us();
	if (!client_exchange(client, buffer_view(&request)))
		give_up(client);
	return client_now_us() - begun_us;
}

static void pause_us(uint64_t duration_us)
{
	const struct timespec pause = {(time_t)(duration_us / 1000000), (long)(duration_us % 1000000) * 1000};

	(void)nanosleep(&pause, NULL);
}

static uint64_t end_of(const struct burst *burst, const struct attester *attesters)
{
	uint64_t ended_us = 0;

	for (size_t i = 0; i < burst->connection_count; i++)
		ended_us = attesters[i].ended_us > ended_us ? attesters[i].ended_us : ended_us;
	return ended_us;
}

/* The rounds as the proposer sees them, which also keeps the time. */
static void run_rounds(struct burst *burst, const struct attester *attesters, struct client *client, const char *proposer,
		       uint64_t slot, struct results *results)
{
	uint64_t wall_us = 0;

	for (uint64_t round = 0; round < burst->rounds; round++) {
		uint64_t begun_us, sent_us, block_us, ended_us;

		(void)pthread_barrier_wait(&burst->barrier);
		begun_us = client_now_us();
		pause_us(wall_us * (round % BLOCK_PLACES) / (2 * BLOCK_PLACES));
		sent_us = client_now_us();
		block_us = propose(client, proposer, slot + round);
		(void)pthread_barrier_wait(&burst->barrier);
		ended_us = end_of(burst, attesters);
		wall_us = ended_us - begun_us;
		samples_add(&results->wall, wall_us);
		if (sent_us < ended_us)
			samples_add(&results->blocks, block_us);
		results->late += sent_us >= ended_us;
	}
}

static void print_samples(const char *name, struct samples *samples)
{
	(void)printf(",\"%s_p50_us\":%u,\"%s_p99_us\":%u", name, samples_percentile(samples, 50), name,
		     samples_percentile(samples, 99));
}

static void report(const struct burst *burst, struct results *results)
{
	(void)printf("{\"voters\":%zu,\"connections\":%zu,\"rounds\":%llu,\"late_blocks\":%llu,\"signatures\":%llu",
		     burst->voter_count, burst->connection_count, (unsigned long long)burst->rounds,
		     (unsigned long long)results->late,
		     (unsigned long long)(burst->rounds * (burst->voter_count + 1) + burst->idle_blocks));
	print_samples("wall", &results->wall);
	print_samples("request", &results->requests);
	print_samples("block", &results->blocks);
	print_samples("idle", &results->idle);
	(void)printf("}\n");
}

static void run(struct burst *burst, const char *proposer)
{
	static struct attester attesters[CONNECTIONS_MAX];
	uint64_t slot = burst->first_epoch * 32;
	struct results results = {0};
	struct client client;

	samples_init(&results.wall, burst->rounds);
	samples_init(&results.blocks, burst->rounds);
	samples_init(&results.idle, burst->idle_blocks + 1);
	samples_init(&results.requests, burst->rounds * burst->voter_count);
	if (!client_open(&client, &burst->target))
		give_up(&client);
	for (uint64_t i = 0; i < burst->idle_blocks; i++) {
		pause_us(IDLE_PAUSE_US);
		samples_add(&results.idle, propose(&client, proposer, ++slot));
	}
	(void)pthread_barrier_init(&burst->barrier, NULL, (unsigned)burst->connection_count + 1);
	for (size_t i = 0; i < burst->connection_count; i++)
		start_attester(&attesters[i], burst, i);
	run_rounds(burst, attesters, &client, proposer, slot + 1, &results);
	for (size_t i = 0; i < burst->connection_count; i++)
		finish_attester(&attesters[i], &results);
	report(burst, &results);
}

int main(int argc, char **argv)
{
	static char keys[KEYS_MAX][CLIENT_KEY_SIZE];
	struct burst burst = {.voters = (const char(*)[CLIENT_KEY_SIZE])keys + 1};
	uint64_t connections;
	size_t count;

	if (argc != 10 || !u64_parse(view_of_text(argv[6]), &connections) || !u64_parse(view_of_text(argv[7]), &burst.rounds) ||
	    !u64_parse(view_of_text(argv[8]), &burst.first_epoch) || !u64_parse(view_of_text(argv[9]), &burst.idle_blocks) ||
	    burst.idle_blocks > IDLE_BLOCKS_MAX || connections < 1 || connections > CONNECTIONS_MAX || burst.rounds < 1 ||
	    burst.rounds > ROUNDS_MAX || burst.first_epoch < 1) {
		(void)fprintf(stderr,
			      "usage: burst HOST PORT CA_FILE KEYS_FILE single|batch CONNECTIONS ROUNDS FIRST_EPOCH IDLE_BLOCKS\n"
			      "at least as many keys as connections, and one more; at most %d connections, %d rounds\n",
			      CONNECTIONS_MAX, ROUNDS_MAX);
		return 2;
	}
	burst.is_batch = strcmp(argv[5], "batch") == 0;
	burst.connection_count = connections;
	count = client_read_keys(argv[4], keys, KEYS_MAX);
	if (count <= connections || !client_target_init(&burst.target, argv[1], argv[2], argv[3])) {
		(void)fprintf(stderr, "burst: %s cannot be read, or %s has too few keys\n", argv[3], argv[4]);
		return 1;
	}
	burst.voter_count = count - 1;
	run(&burst, keys[0]);
	return 0;
}
