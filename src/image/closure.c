/* SPDX-License-Identifier: Apache-2.0 */
#include "image/closure.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/file.h"

/* What the loaders of Debian and of the Red Hat family have built in; a folder that is not there costs nothing. */
static const struct machine {
	uint16_t number;
	const char *folders[6];
} machines[] = {
	{EM_X86_64, {"/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}},
	{EM_AARCH64, {"/lib/aarch64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/lib64", "/usr/lib64", "/lib", "/usr/lib"}},
};

struct search {
	struct closure closure;
	const struct machine *machine;
	int root_fd;
};

void closure_done(struct closure *closure)
{
	if (!closure)
		return;
	for (size_t i = 0; i < closure->count; i++) {
		free(closure->files[i].path);
		buffer_done(&closure->files[i].contents);
	}
	free(closure->files);
	*closure = (struct closure){0};
}

static void search_done(struct search *search)
{
	closure_done(&search->closure);
	cleanup_fd(&search->root_fd);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The loader knows a library that it has by the name it was asked for. */
static bool has_name(const struct closure *closure, const char *name)
{
	for (size_t i = 1; i < closure->count; i++) {
		if (strcmp(base_name(closure->files[i].path), name) == 0)
			return true;
	}
	return false;
}

static bool add(struct closure *closure, const char *path, struct buffer *contents, struct error *error)
{
	if (closure->count == CLOSURE_FILES_MAX)
		return error_set(error, ERROR_INPUT, "%s: more than %d files", path, CLOSURE_FILES_MAX);
	closure->files[closure->count++] = (struct closure_file){.path = memory_copy_text(path), .contents = *contents};
	*contents = (struct buffer){0};
	return true;
}

/* False with ERROR_NOT_FOUND when there is no such file below the root, whose symbolic links are its own. */
static bool read_below_root(int root_fd, const char *path, struct buffer *ret_contents, struct error *error)
{
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT};
	AUTO_FD int fd = (int)syscall(SYS_openat2, root_fd, path, &how, sizeof how);
	struct stat status;

	if (fd < 0)
		return error_set_errno(error, errno == ENOENT || errno == ENOTDIR ? ERROR_NOT_FOUND : ERROR_IO, "%s", path);
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return error_set(error, ERROR_INPUT, "%s: not a regular file", path);
	return file_read_fd(fd, path, CLOSURE_FILE_MAX_SIZE, ret_contents, error);
}

/* "/a/./b/../c/" as "/a/c": the image has no symbolic links, so that is where the loader ends up. */
static char *plain_path(const char *path)
{
	char *plain = (char *)memory_allocate(strlen(path) + 2);
	size_t size = 0;

	while (*path) {
		size_t name = strcspn(path, "/");

		if (name == 2 && strncmp(path, "..", 2) == 0) {
			while (size > 0 && plain[--size] != '/')
				;
		} else if (name > 0 && !(name == 1 && path[0] == '.')) {
			plain[size++] = '/';
			memcpy(plain + size, path, name);
			size += name;
		}
		path += name + (path[name] == '/');
	}
	plain[size] = 0;
	return plain;
}

/* One folder of a DT_RUNPATH, for the file at `origin`. NULL on failure. */
static char *expand(struct view entry, const char *origin, struct error *error)
{
	static const char *const spellings[] = {"$ORIGIN", "${ORIGIN}"};
	AUTO_FREE char *text = memory_format("%.*s", (int)entry.size, (const char *)entry.data);
	AUTO_FREE char *expanded = NULL;
	const char *rest = text;

	for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
		if (strncmp(text, spellings[i], strlen(spellings[i])) == 0)
			rest = text + strlen(spellings[i]);
	}
	if (strchr(rest, '$') || (rest != text && rest[0] != 0 && rest[0] != '/'))
		return (void)error_set(error, ERROR_INPUT, "DT_RUNPATH: %s: only $ORIGIN is followed, at the beginning", text),
		       NULL;
	if (rest != text)
		expanded = memory_format("%.*s%s", (int)(base_name(origin) - origin), origin, rest);
	if (!expanded && text[0] != '/')
		return (void)error_set(error, ERROR_INPUT, "DT_RUNPATH: %s: not an absolute path", text), NULL;
	return plain_path(expanded ? expanded : text);
}

/* Take the library from one folder. *ret_found is false when it is not there, or is one for another machine: the loader looks on. */
static bool try_folder(struct search *search, const char *folder, const char *name, bool *ret_found, struct error *error)
{
	AUTO_FREE char *path = memory_format("%s/%s", folder, name);
	AUTO_BUFFER struct buffer contents = {0};
	struct error absent = {0};

	*ret_found = false;
	if (!read_below_root(search->root_fd, path, &contents, &absent)) {
		if (absent.code == ERROR_NOT_FOUND)
			return true;
		return error_set(error, absent.code, "%s", absent.message);
	}
	if (!elf_is_for(buffer_view(&contents), search->machine->number))
		return true;
	*ret_found = true;
	return add(&search->closure, path, &contents, error);
}

static bool try_run_path(struct search *search, const char *run_path, const char *origin, const char *name, bool *ret_found,
			 struct error *error)
{
	*ret_found = false;
	while (run_path && !*ret_found) {
		size_t size = strcspn(run_path, ":");
		AUTO_FREE char *folder = expand(view_of(run_path, size), origin, error);

		if (!folder || !try_folder(search, folder, name, ret_found, error))
			return false;
		run_path = run_path[size] ? run_path + size + 1 : NULL;
	}
	return true;
}

static bool find_library(struct search *search, const struct elf_file *file, const char *origin, const char *name,
			 struct error *error)
{
	bool found = false;

	if (strchr(name, '/'))
		return error_set(error, ERROR_INPUT, "%s: a path, not a name", name);
	if (!try_run_path(search, file->run_path, origin, name, &found, error))
		return false;
	for (size_t i = 0; !found && i < ARRAY_SIZE(search->machine->folders); i++) {
		if (!try_folder(search, search->machine->folders[i], name, &found, error))
			return false;
	}
	return found || error_set(error, ERROR_NOT_FOUND, "%s: in none of the folders of libraries", name);
}

/* What one file of the closure needs. */
static bool follow(struct search *search, size_t index, struct error *error)
{
	const char *path = search->closure.files[index].path;
	struct elf_file file;

	if (!elf_read(buffer_view(&search->closure.files[index].contents), &file, error))
		return error_prefix(error, "%s", path);
	for (size_t i = 0; i < file.needed_count; i++) {
		if (has_name(&search->closure, file.needed[i]))
			continue;
		if (!find_library(search, &file, path, file.needed[i], error))
			return error_prefix(error, "%s needs %s", path, file.needed[i]);
	}
	return true;
}

static bool add_interpreter(struct search *search, const char *interpreter, struct error *error)
{
	AUTO_FREE char *path = plain_path(interpreter);
	AUTO_BUFFER struct buffer contents = {0};

	if (interpreter[0] != '/')
		return error_set(error, ERROR_INPUT, "PT_INTERP: not an absolute path");
	return (read_below_root(search->root_fd, path, &contents, error) && add(&search->closure, path, &contents, error)) ||
	       error_prefix(error, "PT_INTERP");
}

static bool begin(struct search *search, const char *program_file, const char *image_path, struct error *error)
{
	AUTO_BUFFER struct buffer contents = {0};
	struct elf_file file;

	if (!file_read(program_file, CLOSURE_FILE_MAX_SIZE, &contents, error))
		return false;
	if (!elf_read(buffer_view(&contents), &file, error))
		return error_prefix(error, "%s", program_file);
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		if (machines[i].number == file.machine)
			search->machine = &machines[i];
	}
	if (!search->machine)
		return error_set(error, ERROR_INPUT, "%s: e_machine: %u, neither x86-64 nor AArch64", program_file, file.machine);
	search->closure.machine = file.machine;
	/* The bytes stay where they are when the buffer changes hands. */
	return add(&search->closure, image_path, &contents, error) &&
	       (!file.interpreter || add_interpreter(search, file.interpreter, error) || error_prefix(error, "%s", program_file));
}

bool closure_of_program(const char *program_file, const char *image_path, const char *root, struct closure *ret_closure,
			struct error *error)
{
	CLEANUP(search_done)
	struct search search = {.root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC)};

	if (search.root_fd < 0)
		return error_set_errno(error, ERROR_IO, "%s", root);
	search.closure.files = (struct closure_file *)memory_allocate_zeroed(CLOSURE_FILES_MAX, sizeof *search.closure.files);
	if (!begin(&search, program_file, image_path, error))
		return false;
	/* It grows while it is walked through. */
	for (size_t i = 0; i < search.closure.count; i++) {
		if (!follow(&search, i, error))
			return false;
	}
	*ret_closure = search.closure;
	search.closure = (struct closure){0};
	return true;
}
