/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "vectors.h"

/* Each test has a folder of its own. */
struct fixture {
	char folder[64];
	char path[96];
};

static int remove_entry(const char *folder, const char *name)
{
	AUTO_FREE char *path = memory_format("%s/%s", folder, name);

	return remove(path);
}

static int set_up(void **state)
{
	struct fixture *fixture = (struct fixture *)memory_allocate_zeroed(1, sizeof *fixture);

	(void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/test_file.XXXXXX");
	if (!mkdtemp(fixture->folder))
		return -1;
	(void)snprintf(fixture->path, sizeof fixture->path, "%s/file", fixture->folder);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = (struct fixture *)*state;
	DIR *folder = opendir(fixture->folder);
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		(void)remove_entry(fixture->folder, entry->d_name);
	if (folder)
		(void)closedir(folder);
	(void)rmdir(fixture->folder);
	free(fixture);
	return 0;
}

static size_t count_entries(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(folder);
	while ((entry = readdir(folder)))
		count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
	assert_int_equal(closedir(folder), 0);
	return count;
}

static void put(const char *path, struct view bytes)
{
	struct error error = {0};

	assert_ok(file_write_atomic(path, bytes, 0600, &error), &error);
}

static void assert_contents(const char *path, struct view expected)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	assert_ok(file_read(path, 1 << 20, &bytes, &error), &error);
	assert_true(view_equal(buffer_view(&bytes), expected));
}

static void test_read(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	put(fixture->path, view_of("a\0b\n", 4));
	buffer_append_text(&bytes, ">");
	assert_ok(file_read(fixture->path, 4, &bytes, &error), &error);
	assert_true(view_equal(buffer_view(&bytes), view_of(">a\0b\n", 5)));
	put(fixture->path, view_of(NULL, 0));
	assert_ok(file_read(fixture->path, 0, &bytes, &error), &error);
	assert_int_equal(bytes.size, 5);
}

static void test_read_large(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_BUFFER struct buffer large = {0};

	for (size_t i = 0; i < 200001; i++)
		buffer_append_byte(&large, (uint8_t)(i * 13 + i / 256));
	put(fixture->path, buffer_view(&large));
	assert_contents(fixture->path, buffer_view(&large));
}

static void test_read_refuses(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_BUFFER struct buffer bytes = {0};
	struct error error = {0};

	assert_false(file_read(fixture->path, 10, &bytes, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_message_contains(&error, fixture->path);
	assert_false(file_read(fixture->folder, 10, &bytes, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, fixture->folder);

	buffer_append_text(&bytes, ">");
	put(fixture->path, view_of_text("12345"));
	assert_false(file_read(fixture->path, 4, &bytes, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, fixture->path);
	assert_message_contains(&error, "larger than 4 bytes");
	assert_true(view_equal_text(buffer_view(&bytes), ">"));
}

static void test_read_fd(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_FD int fd = -1;
	struct error error = {0};
	int ends[2];

	put(fixture->path, view_of_text("abcdef"));
	fd = open(fixture->path, O_RDONLY | O_CLOEXEC);
	assert_int_equal(lseek(fd, 3, SEEK_SET), 3);
	assert_ok(file_read_fd(fd, "it", 6, &bytes, &error), &error);
	assert_true(view_equal_text(buffer_view(&bytes), "abcdef"));
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 3);
	/* A pipe has no beginning to read from. */
	assert_int_equal(pipe(ends), 0);
	assert_false(file_read_fd(ends[0], "the pipe", 6, &bytes, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, "the pipe");
	assert_int_equal(bytes.size, 6);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void test_read_secret(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_SECRET struct secret secret = {0};
	AUTO_SECRET struct secret empty = {0};
	struct secret none = {0};
	struct error error = {0};

	put(fixture->path, view_of_text("hunter2"));
	assert_ok(file_read_secret(fixture->path, 7, &secret, &error), &error);
	assert_true(secret_equal(secret_view(&secret), view_of_text("hunter2")));
	assert_false(file_read_secret(fixture->path, 6, &none, &error));
	assert_int_equal(error.code, ERROR_INPUT);
	assert_message_contains(&error, "larger than 6 bytes");
	assert_false(file_read_secret(fixture->folder, 100, &none, &error));
	assert_message_contains(&error, "not a regular file");
	put(fixture->path, view_of(NULL, 0));
	assert_ok(file_read_secret(fixture->path, 7, &empty, &error), &error);
	assert_int_equal(empty.size, 0);
	assert_int_equal(unlink(fixture->path), 0);
	assert_false(file_read_secret(fixture->path, 100, &none, &error));
	assert_int_equal(error.code, ERROR_NOT_FOUND);
	assert_null(none.data);
}

static void test_write_atomic(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;

	put(fixture->path, view_of_text("first, and longer"));
	assert_contents(fixture->path, view_of_text("first, and longer"));
	put(fixture->path, view_of_text("second"));
	assert_contents(fixture->path, view_of_text("second"));
	assert_int_equal(count_entries(fixture->folder), 1);
}

static void test_write_mode(void **state)
{
	static const mode_t modes[] = {0600, 0640, 0644, 0755, 0400};
	const struct fixture *fixture = (const struct fixture *)*state;
	static const mode_t masks[] = {0, 022, 077};

	for (size_t i = 0; i < ARRAY_SIZE(modes) * ARRAY_SIZE(masks); i++) {
		mode_t mode = modes[i % ARRAY_SIZE(modes)];
		mode_t old = umask(masks[i / ARRAY_SIZE(modes)]);
		struct error error = {0};
		struct stat status;

		assert_ok(file_write_atomic(fixture->path, view_of_text("x"), mode, &error), &error);
		(void)umask(old);
		assert_int_equal(stat(fixture->path, &status), 0);
		assert_int_equal(status.st_mode & 07777, mode);
	}
}

/* A link at the path is replaced; what it points to is left alone. */
static void test_write_replaces_link(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_FREE char *victim = memory_format("%s/victim", fixture->folder);
	struct stat status;

	put(victim, view_of_text("precious"));
	assert_int_equal(symlink(victim, fixture->path), 0);
	put(fixture->path, view_of_text("new"));
	assert_int_equal(lstat(fixture->path, &status), 0);
	assert_true(S_ISREG(status.st_mode));
	assert_contents(victim, view_of_text("precious"));
}

/* Nor is a link followed that somebody put where the temporary file goes. */
static void test_write_does_not_follow_planted_link(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_FREE char *victim = memory_format("%s/victim", fixture->folder);
	AUTO_FREE char *temporary = memory_format("%s.new.%d", fixture->path, (int)getpid());
	struct error error = {0};

	put(victim, view_of_text("precious"));
	assert_int_equal(symlink(victim, temporary), 0);
	assert_false(file_write_atomic(fixture->path, view_of_text("new"), 0600, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_contents(victim, view_of_text("precious"));
	assert_false(file_exists(fixture->path));
}

/* What a crash left behind is written over, with the right mode. */
static void test_write_over_stale_temporary(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_FREE char *temporary = memory_format("%s.new.%d", fixture->path, (int)getpid());
	struct stat status;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	assert_true(fd_write_all(fd, "stale and much longer than the new", 34));
	assert_int_equal(close(fd), 0);
	put(fixture->path, view_of_text("new"));
	assert_contents(fixture->path, view_of_text("new"));
	assert_int_equal(stat(fixture->path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	assert_int_equal(count_entries(fixture->folder), 1);
}

static void test_write_failures_leave_no_trace(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_FREE char *nowhere = memory_format("%s/no/such/folder", fixture->folder);
	AUTO_FREE char *folder = memory_format("%s/sub", fixture->folder);
	struct error error = {0};

	assert_false(file_write_atomic(nowhere, view_of_text("x"), 0600, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, nowhere);
	/* A folder cannot be replaced by a file: the rename fails after all the writing. */
	assert_ok(folder_make(folder, 0700, &error), &error);
	assert_false(file_write_atomic(folder, view_of_text("x"), 0600, &error));
	assert_message_contains(&error, folder);
	assert_int_equal(count_entries(fixture->folder), 1);
}

/* A full disk, as a limit on the size of files: the old contents stay whole. */
static int write_with_a_full_disk(const char *path)
{
	const struct rlimit limit = {4096, 4096};
	static const uint8_t large[8192];
	struct error error = {0};

	(void)signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
		return 1;
	if (file_write_atomic(path, view_of(large, sizeof large), 0600, &error))
		return 2;
	return error.code == ERROR_IO && strstr(error.message, path) ? 0 : 3;
}

static void test_full_disk_keeps_the_old_contents(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	int status = -1;
	pid_t pid;

	put(fixture->path, view_of_text("old"));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(write_with_a_full_disk(fixture->path));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_contents(fixture->path, view_of_text("old"));
	assert_int_equal(count_entries(fixture->folder), 1);
}

#define ROUNDS 40
#define ROUND_SIZE 20000

static void write_rounds(const char *path)
{
	static uint8_t bytes[ROUND_SIZE];
	struct error error = {0};

	for (int round = 0; round < ROUNDS; round++) {
		memset(bytes, 'a' + round % 26, sizeof bytes);
		if (!file_write_atomic(path, view_of(bytes, sizeof bytes), 0600, &error))
			_exit(1);
	}
	_exit(0);
}

/* Readers see one round or another, whole, at every moment; also when the writer is killed in the middle. */
static void test_readers_never_see_half(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	int status = -1;
	pid_t pid;

	put(fixture->path, view_of_text("x"));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_rounds(fixture->path);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		AUTO_BUFFER struct buffer bytes = {0};
		struct error error = {0};

		assert_ok(file_read(fixture->path, ROUND_SIZE, &bytes, &error), &error);
		assert_true(bytes.size == 1 || bytes.size == ROUND_SIZE);
		for (size_t i = 1; i < bytes.size; i++)
			assert_int_equal(bytes.data[i], bytes.data[0]);
	}
	assert_int_equal(status, 0);
}

static void test_exists_and_folders(void **state)
{
	const struct fixture *fixture = (const struct fixture *)*state;
	AUTO_FREE char *folder = memory_format("%s/sub", fixture->folder);
	AUTO_FREE char *deep = memory_format("%s/no/deep", fixture->folder);
	struct error error = {0};
	struct stat status;

	assert_false(file_exists(fixture->path));
	put(fixture->path, view_of_text("x"));
	assert_true(file_exists(fixture->path));
	assert_ok(folder_make(folder, 0700, &error), &error);
	assert_int_equal(stat(folder, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	/* Again is fine, and keeps the mode. */
	assert_ok(folder_make(folder, 0755, &error), &error);
	assert_int_equal(stat(folder, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0700);
	assert_false(folder_make(fixture->path, 0700, &error));
	assert_int_equal(error.code, ERROR_IO);
	assert_message_contains(&error, fixture->path);
	assert_message_contains(&error, "File exists");
	assert_false(folder_make(deep, 0700, &error));
	assert_message_contains(&error, deep);
}

/* A pipe hands bytes over in pieces: all of them are waited for. */
static void test_read_all_and_write_all(void **state)
{
	static uint8_t sent[300000];
	static uint8_t received[300000];
	int ends[2];
	int status = -1;
	pid_t pid;

	(void)state;
	for (size_t i = 0; i < sizeof sent; i++)
		sent[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ends[0]);
		_exit(fd_write_all(ends[1], sent, sizeof sent) && fd_write_all(ends[1], "abc", 3) ? 0 : 1);
	}
	assert_int_equal(close(ends[1]), 0);
	assert_true(fd_read_all(ends[0], received, sizeof received));
	assert_memory_equal(sent, received, sizeof sent);
	/* Three bytes are left: five cannot be had, and the end of the file is no errno. */
	errno = EIO;
	assert_false(fd_read_all(ends[0], received, 5));
	assert_int_equal(errno, 0);
	assert_true(fd_read_all(ends[0], received, 0));
	assert_int_equal(close(ends[0]), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_false(fd_read_all(-1, received, 1));
	assert_int_equal(errno, EBADF);
	assert_false(fd_write_all(-1, sent, 1));
	assert_int_equal(errno, EBADF);
}

static int make_heap(void **state)
{
	struct error error = {0};

	(void)state;
	return secret_heap_init_unlocked_ok(SECRET_HEAP_SIZE_DEFAULT, &error) ? 0 : -1;
}

#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(test_read),
		FILE_TEST(test_read_large),
		FILE_TEST(test_read_refuses),
		FILE_TEST(test_read_fd),
		FILE_TEST(test_read_secret),
		FILE_TEST(test_write_atomic),
		FILE_TEST(test_write_mode),
		FILE_TEST(test_write_replaces_link),
		FILE_TEST(test_write_does_not_follow_planted_link),
		FILE_TEST(test_write_over_stale_temporary),
		FILE_TEST(test_write_failures_leave_no_trace),
		FILE_TEST(test_full_disk_keeps_the_old_contents),
		FILE_TEST(test_readers_never_see_half),
		FILE_TEST(test_exists_and_folders),
		cmocka_unit_test(test_read_all_and_write_all),
	};

	return cmocka_run_group_tests(tests, make_heap, NULL);
}
