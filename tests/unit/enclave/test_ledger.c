/* SPDX-License-Identifier: Apache-2.0 */
/* The ledger as it runs: ledger_main() in a child with its descriptors and its sandbox; this test is init and keeper. */
#include "enclave/role.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vectors.h"

/* Above every descriptor that a role has. */
#define PARKING 100
/* SQLite moves its log into the database every 1,000 pages of 4 KiB; these commits write at least a page each. */
#define CHECKPOINT_COMMITS 2500
#define LOG_SIZE_MAX (6 << 20)
/* A few pages of them. */
#define RETIRED_SEEN_MAX (3 * MESSAGE_KEYS_CAPACITY)

struct ledger_process {
	char folder[64];
	int folder_fd;
	pid_t pid;
	int init, keeper;
	bool learns_root;
	uint8_t retired[RETIRED_SEEN_MAX][BLS_PUBLIC_KEY_SIZE]; /* as of its start */
	size_t retired_count;
};

static int park(int fd)
{
	int parked = fcntl(fd, F_DUPFD_CLOEXEC, PARKING);

	assert_true(parked >= PARKING);
	(void)close(fd);
	return parked;
}

static __attribute__((noreturn)) void run_ledger(const struct ledger_process *ledger, int init_end, int keeper_end)
{
	(void)close(ledger->init);
	(void)close(ledger->keeper);
	(void)dup2(init_end, ROLE_FD_INIT);
	(void)dup2(keeper_end, ROLE_FD_KEEPER);
	(void)dup2(ledger->folder_fd, ROLE_FD_STORE);
	(void)close_range(PARKING, ~0u, 0);
	_exit(ledger_main(0, NULL));
}

/* What it says first: which keys are retired. */
static void receive_retired(struct ledger_process *ledger)
{
	struct message_keys page;
	struct error error = {0};

	ledger->retired_count = 0;
	do {
		assert_ok(message_receive(ledger->keeper, &page, sizeof page, NULL, &error), &error);
		assert_int_equal(page.header.type, MESSAGE_KEYS);
		assert_int_equal(page.first, ledger->retired_count);
		assert_in_range(page.total, 0, RETIRED_SEEN_MAX);
		memcpy(ledger->retired[page.first], page.keys, page.count * sizeof page.keys[0]);
		ledger->retired_count += page.count;
	} while (ledger->retired_count < page.total);
}

static void start_ledger(struct ledger_process *ledger)
{
	struct message_start start;
	struct message_ready ready;
	struct error error = {0};
	int init[2], keeper[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, init), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, keeper), 0);
	ledger->init = park(init[0]);
	ledger->keeper = park(keeper[0]);
	init[1] = park(init[1]);
	keeper[1] = park(keeper[1]);
	ledger->pid = fork();
	if (ledger->pid == 0)
		run_ledger(ledger, init[1], keeper[1]);
	(void)close(init[1]);
	(void)close(keeper[1]);
	message_init(&start, MESSAGE_START, 0);
	start.slashing_protection = 1;
	start.network.genesis_validators_root_learned = ledger->learns_root;
	start.network.genesis_validators_root_known = !ledger->learns_root; /* all zero */
	assert_ok(message_send(ledger->init, &start, &error), &error);
	assert_ok(message_receive(ledger->init, &ready, sizeof ready, NULL, &error), &error);
	assert_int_equal(ready.header.type, MESSAGE_READY);
	receive_retired(ledger);
}

static int stop_ledger(struct ledger_process *ledger)
{
	int status;

	(void)close(ledger->init);
	(void)close(ledger->keeper);
	assert_int_equal(waitpid(ledger->pid, &status, 0), ledger->pid);
	return status;
}

/* As when the power goes, but for the disk: and then another. */
static void kill_ledger(struct ledger_process *ledger)
{
	(void)kill(ledger->pid, SIGKILL);
	assert_int_equal(WTERMSIG(stop_ledger(ledger)), SIGKILL);
	start_ledger(ledger);
}

static int set_up(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)memory_allocate_zeroed(1, sizeof *ledger);

	(void)snprintf(ledger->folder, sizeof ledger->folder, "/tmp/ensign-ledger-XXXXXX");
	if (!mkdtemp(ledger->folder))
		return -1;
	ledger->folder_fd = park(open(ledger->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	start_ledger(ledger);
	*state = ledger;
	return 0;
}

static int tear_down(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;

	(void)unlinkat(ledger->folder_fd, "slashing.sqlite", 0);
	(void)unlinkat(ledger->folder_fd, "slashing.sqlite-wal", 0);
	(void)close(ledger->folder_fd);
	(void)rmdir(ledger->folder);
	free(ledger);
	return 0;
}

static struct message_commit block(uint64_t id, uint64_t slot, uint8_t root)
{
	struct message_commit commit;

	message_init(&commit, MESSAGE_COMMIT, id);
	commit.duty = DUTY_BLOCK;
	commit.may_begin = 1;
	commit.public_key[0] = 1;
	commit.slot = slot;
	commit.signing_root[0] = root;
	return commit;
}

static void send_commit(const struct ledger_process *ledger, const struct message_commit *commit)
{
	struct error error = {0};

	assert_ok(message_send(ledger->keeper, commit, &error), &error);
}

static struct message_commit_result receive_result(const struct ledger_process *ledger)
{
	struct message_commit_result result;
	struct error error = {0};

	assert_ok(message_receive(ledger->keeper, &result, sizeof result, NULL, &error), &error);
	assert_int_equal(result.header.type, MESSAGE_COMMIT_RESULT);
	return result;
}

static struct message_commit_result ask(const struct ledger_process *ledger, struct message_commit commit)
{
	send_commit(ledger, &commit);
	return receive_result(ledger);
}

static struct message_history history(uint64_t id, enum history_action action)
{
	struct message_history asked;

	message_init(&asked, MESSAGE_HISTORY, id);
	asked.action = action;
	asked.public_key[0] = 1;
	return asked;
}

static struct message_history raise_to(uint64_t id, uint64_t slot, uint8_t root)
{
	struct message_history asked = history(id, HISTORY_RAISE);

	asked.watermark.has_block = true;
	asked.watermark.block_slot = slot;
	asked.watermark.block_root[0] = root;
	return asked;
}

static void send_history(const struct ledger_process *ledger, const struct message_history *asked)
{
	struct error error = {0};

	assert_ok(message_send(ledger->keeper, asked, &error), &error);
}

static struct message_history_result receive_history(const struct ledger_process *ledger, uint64_t id)
{
	struct message_history_result result;
	struct error error = {0};

	assert_ok(message_receive(ledger->keeper, &result, sizeof result, NULL, &error), &error);
	assert_int_equal(result.header.type, MESSAGE_HISTORY_RESULT);
	assert_int_equal(result.header.id, id);
	return result;
}

static struct message_history_result ask_history(const struct ledger_process *ledger, struct message_history asked)
{
	send_history(ledger, &asked);
	return receive_history(ledger, asked.header.id);
}

static void commits_and_refuses_across_restarts(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	struct message_commit_result result;

	assert_int_equal(ask(ledger, block(1, 10, 1)).status, COMMIT_DURABLE);
	assert_int_equal(WEXITSTATUS(stop_ledger(ledger)), 1);
	start_ledger(ledger);
	result = ask(ledger, block(2, 10, 2));
	assert_int_equal(result.header.id, 2);
	assert_int_equal(result.status, COMMIT_CONFLICT);
	assert_int_equal(result.watermark.block_slot, 10);
	assert_int_equal(ask(ledger, block(3, 10, 1)).status, COMMIT_DURABLE);
	(void)stop_ledger(ledger);
}

static void learns_the_root_across_restarts(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	struct message_commit ours = block(1, 10, 1), foreign = block(2, 11, 1);
	struct message_commit_result result;

	(void)stop_ledger(ledger);
	ledger->learns_root = true;
	start_ledger(ledger);
	memset(ours.genesis_validators_root, 7, ROOT_SIZE);
	assert_int_equal(ask(ledger, ours).status, COMMIT_DURABLE);
	result = ask(ledger, foreign);
	assert_int_equal(result.status, COMMIT_WRONG_NETWORK);
	assert_memory_equal(result.genesis_validators_root, ours.genesis_validators_root, ROOT_SIZE);
	(void)stop_ledger(ledger);
	start_ledger(ledger);
	assert_int_equal(ask(ledger, foreign).status, COMMIT_WRONG_NETWORK);
	assert_int_equal(ask(ledger, ours).status, COMMIT_DURABLE);
	(void)stop_ledger(ledger);
}

static void answers_a_group_in_order(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;

	for (uint64_t id = 1; id <= 100; id++) {
		struct message_commit commit = block(id, id, 1);

		send_commit(ledger, &commit);
	}
	for (uint64_t id = 1; id <= 100; id++) {
		struct message_commit_result result = receive_result(ledger);

		assert_int_equal(result.header.id, id);
		assert_int_equal(result.status, COMMIT_DURABLE);
	}
	(void)stop_ledger(ledger);
}

static off_t size_of(const struct ledger_process *ledger, const char *name)
{
	struct stat status;

	assert_int_equal(fstatat(ledger->folder_fd, name, &status, 0), 0);
	return status.st_size;
}

/* In its sandbox it must still be able to move the log into the database, or the log grows for ever. */
static void the_log_does_not_grow_for_ever(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;

	for (uint64_t slot = 1; slot <= CHECKPOINT_COMMITS; slot++)
		assert_int_equal(ask(ledger, block(slot, slot, 1)).status, COMMIT_DURABLE);
	assert_in_range(size_of(ledger, "slashing.sqlite-wal"), 1, LOG_SIZE_MAX);
	(void)stop_ledger(ledger);
}

static void ends_when_the_keeper_talks_nonsense(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	struct message_commit nonsense = block(1, 1, 1);

	nonsense.duty = 9;
	send_commit(ledger, &nonsense);
	assert_int_equal(WEXITSTATUS(stop_ledger(ledger)), 1);
}

static void reads_and_raises_histories(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	struct message_history_result result = ask_history(ledger, history(1, HISTORY_READ));
	struct message_history foreign = raise_to(5, 30, 1);

	assert_int_equal(result.status, HISTORY_UNKNOWN);
	assert_int_equal(ask(ledger, block(2, 10, 1)).status, COMMIT_DURABLE);
	result = ask_history(ledger, history(3, HISTORY_READ));
	assert_int_equal(result.status, HISTORY_OK);
	assert_int_equal(result.has_root, 1);
	assert_int_equal(result.is_retired, 0);
	assert_true(result.watermark.has_block);
	assert_false(result.watermark.has_attestation);
	assert_int_equal(result.watermark.block_slot, 10);
	assert_int_equal(result.watermark.block_root[0], 1);
	result = ask_history(ledger, raise_to(4, 20, 2));
	assert_int_equal(result.status, HISTORY_OK);
	assert_int_equal(result.watermark.block_slot, 20);
	foreign.genesis_validators_root[0] = 9;
	result = ask_history(ledger, foreign);
	assert_int_equal(result.status, HISTORY_WRONG_NETWORK);
	assert_int_equal(result.genesis_validators_root[0], 0);
	kill_ledger(ledger);
	assert_int_equal(ask(ledger, block(6, 20, 1)).status, COMMIT_CONFLICT);
	assert_int_equal(ask(ledger, block(7, 20, 2)).status, COMMIT_DURABLE); /* the imported message itself */
	assert_int_equal(ask(ledger, block(8, 21, 1)).status, COMMIT_DURABLE);
	(void)stop_ledger(ledger);
}

static void a_retired_key_stays_retired(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	struct message_history known_only = history(1, HISTORY_RETIRE);
	struct message_history_result result;

	known_only.known_only = 1;
	assert_int_equal(ask_history(ledger, known_only).status, HISTORY_UNKNOWN);
	assert_int_equal(ask(ledger, block(2, 10, 1)).status, COMMIT_DURABLE);
	result = ask_history(ledger, history(3, HISTORY_RETIRE));
	assert_int_equal(result.status, HISTORY_OK);
	assert_int_equal(result.is_retired, 1);
	assert_int_equal(result.watermark.block_slot, 10);
	kill_ledger(ledger);
	assert_int_equal(ask(ledger, block(4, 11, 1)).status, COMMIT_RETIRED);
	assert_int_equal(ask_history(ledger, raise_to(5, 20, 2)).is_retired, 1);
	assert_int_equal(ask(ledger, block(6, 21, 1)).status, COMMIT_RETIRED);
	result = ask_history(ledger, history(7, HISTORY_ENABLE));
	assert_int_equal(result.status, HISTORY_OK);
	assert_int_equal(result.is_retired, 0);
	kill_ledger(ledger);
	assert_int_equal(ask(ledger, block(8, 20, 1)).status, COMMIT_CONFLICT);
	assert_int_equal(ask(ledger, block(9, 21, 1)).status, COMMIT_DURABLE);
	(void)stop_ledger(ledger);
}

/* In several pages, in order, as many as there are. */
static void says_at_its_start_which_keys_are_retired(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	const uint8_t retired = 2 * MESSAGE_KEYS_CAPACITY + 1;

	assert_int_equal(ledger->retired_count, 0);
	for (uint8_t i = retired; i > 0; i--) {
		struct message_history retire = history(i, HISTORY_RETIRE);

		retire.public_key[0] = i;
		assert_int_equal(ask_history(ledger, retire).status, HISTORY_OK);
	}
	kill_ledger(ledger);
	assert_int_equal(ledger->retired_count, retired);
	for (uint8_t i = 0; i < retired; i++)
		assert_int_equal(ledger->retired[i][0], i + 1);
	assert_int_equal(ask_history(ledger, history(1, HISTORY_ENABLE)).status, HISTORY_OK); /* the first */
	kill_ledger(ledger);
	assert_int_equal(ledger->retired_count, retired - 1);
	assert_int_equal(ledger->retired[0][0], 2);
	(void)stop_ledger(ledger);
}

/* All on their way at one time: whatever the groups are, each is judged after what came before it. */
static void commits_and_histories_keep_their_order(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	const struct message_history retire = history(101, HISTORY_RETIRE), enable = history(103, HISTORY_ENABLE);

	(void)kill(ledger->pid, SIGSTOP);
	for (uint64_t id = 1; id <= 30; id++) {
		struct message_commit commit = block(id, id, 1);

		if (id == 11)
			send_history(ledger, &retire);
		if (id == 21)
			send_history(ledger, &enable);
		send_commit(ledger, &commit);
	}
	(void)kill(ledger->pid, SIGCONT);
	for (uint64_t id = 1; id <= 30; id++) {
		struct message_commit_result result;

		if (id == 11)
			assert_int_equal(receive_history(ledger, 101).watermark.block_slot, 10);
		if (id == 21)
			assert_int_equal(receive_history(ledger, 103).watermark.block_slot, 10);
		result = receive_result(ledger);
		assert_int_equal(result.header.id, id);
		assert_int_equal(result.status, id > 10 && id <= 20 ? COMMIT_RETIRED : COMMIT_DURABLE);
	}
	(void)stop_ledger(ledger);
}

/* More than a group, then another kind. */
static void groups_are_bounded(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	const struct message_history read = history(1000, HISTORY_READ);

	(void)kill(ledger->pid, SIGSTOP);
	for (uint64_t id = 1; id <= 150; id++) {
		struct message_commit commit = block(id, id, 1);

		send_commit(ledger, &commit);
	}
	send_history(ledger, &read);
	(void)kill(ledger->pid, SIGCONT);
	for (uint64_t id = 1; id <= 150; id++) {
		struct message_commit_result result = receive_result(ledger);

		assert_int_equal(result.header.id, id);
		assert_int_equal(result.status, COMMIT_DURABLE);
	}
	assert_int_equal(receive_history(ledger, 1000).watermark.block_slot, 150);
	(void)stop_ledger(ledger);
}

static void a_flag_of_two_is_a_flag(void **state)
{
	struct ledger_process *ledger = (struct ledger_process *)*state;
	struct message_history asked = raise_to(1, 10, 1);
	struct message_history_result result;

	memset(&asked.watermark.has_block, 2, 1);
	memset(&asked.watermark.has_attestation, 0xff, 1);
	result = ask_history(ledger, asked);
	assert_memory_equal(&result.watermark.has_block, "\1", 1);
	assert_memory_equal(&result.watermark.has_attestation, "\1", 1);
	(void)stop_ledger(ledger);
}

static void ends_when_the_keeper_asks_nonsense(void **state)
{
	static const uint32_t nonsense[] = {0, HISTORY_ENABLE + 1, UINT32_MAX};
	struct ledger_process *ledger = (struct ledger_process *)*state;

	for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
		struct message_history asked = history(1, HISTORY_READ);

		if (i > 0)
			start_ledger(ledger);
		asked.action = nonsense[i];
		send_history(ledger, &asked);
		assert_int_equal(WEXITSTATUS(stop_ledger(ledger)), 1);
	}
}

#define WITH_LEDGER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LEDGER(commits_and_refuses_across_restarts),
		WITH_LEDGER(learns_the_root_across_restarts),
		WITH_LEDGER(answers_a_group_in_order),
		WITH_LEDGER(the_log_does_not_grow_for_ever),
		WITH_LEDGER(ends_when_the_keeper_talks_nonsense),
		WITH_LEDGER(reads_and_raises_histories),
		WITH_LEDGER(a_retired_key_stays_retired),
		WITH_LEDGER(says_at_its_start_which_keys_are_retired),
		WITH_LEDGER(commits_and_histories_keep_their_order),
		WITH_LEDGER(groups_are_bounded),
		WITH_LEDGER(a_flag_of_two_is_a_flag),
		WITH_LEDGER(ends_when_the_keeper_asks_nonsense),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
