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

struct ledger_process {
	char folder[64];
	int folder_fd;
	pid_t pid;
	int init, keeper;
	bool learns_root;
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
	assert_ok(message_send(ledger->init, &start, &error), &error);
	assert_ok(message_receive(ledger->init, &ready, sizeof ready, NULL, &error), &error);
	assert_int_equal(ready.header.type, MESSAGE_READY);
}

static int stop_ledger(struct ledger_process *ledger)
{
	int status;

	(void)close(ledger->init);
	(void)close(ledger->keeper);
	assert_int_equal(waitpid(ledger->pid, &status, 0), ledger->pid);
	return status;
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

#define WITH_LEDGER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LEDGER(commits_and_refuses_across_restarts),
		WITH_LEDGER(learns_the_root_across_restarts),
		WITH_LEDGER(answers_a_group_in_order),
		WITH_LEDGER(the_log_does_not_grow_for_ever),
		WITH_LEDGER(ends_when_the_keeper_talks_nonsense),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
