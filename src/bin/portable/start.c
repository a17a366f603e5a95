/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The beginning of a program that brings its own C library (docs/decisions/0017-portable.md). ELF names the dynamic loader by an absolute path, so
 * a program of a release names none: the kernel starts it here, and this maps the loader of the unpacked release and goes on as the kernel
 * would have. /proc/PID/exe stays the program, which the simulator measures and the enclave's init executes again.
 *
 * Nothing is relocated yet when this runs, and there is no C library: no pointers in constants, no calls to outside, no stack protector.
 */
#include <elf.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE_SIZE 4096u
#define PATH_SIZE 4096u
/* Ours have 11, loaders about as many. */
#define HEADERS_MAX 32u
#define EXIT_NO_LOADER 127
#define HIDDEN __attribute__((visibility("hidden")))

/* Seen from the program's folder: a Lambda's program has it beside itself, those in bin/ have it above. As in the DT_RPATH (meson.build). */
static const char places[][40] = {"/root/lib64/ld-linux-x86-64.so.2", "/../root/lib64/ld-linux-x86-64.so.2"};

/* ---- what the linker and the C library's own start give ---- */

extern const Elf64_Ehdr __ehdr_start HIDDEN;
void _start(void) HIDDEN;
void *prepare_loader(uintptr_t *stack) HIDDEN;

/* The stack is left as the kernel made it; the loader reads the arguments from it. */
__asm__(".text\n"
	".globl start_with_loader\n"
	".hidden start_with_loader\n"
	".type start_with_loader, @function\n"
	"start_with_loader:\n"
	"	xorl %ebp, %ebp\n"
	"	movq %rsp, %rbx\n"
	"	movq %rsp, %rdi\n"
	"	andq $-16, %rsp\n"
	"	call prepare_loader\n"
	"	movq %rbx, %rsp\n"
	"	xorl %edx, %edx\n"
	"	jmpq *%rax\n");

/*
 * What the linker leaves out of a program that names no loader: PT_PHDR, from which the loader knows where the program is, and PT_INTERP, its
 * own name. Both come before the others.
 */
enum { HEADER_PHDR, HEADER_INTERP, HEADERS_ADDED };
static Elf64_Phdr program_headers[HEADERS_ADDED + HEADERS_MAX];
static char loader_path[PATH_SIZE + sizeof places[0]];

/* ---- system calls ---- */

static long call(long number, uintptr_t a, uintptr_t b, uintptr_t c, uintptr_t d, uintptr_t e, uintptr_t f)
{
	register uintptr_t r10 __asm__("r10") = d;
	register uintptr_t r8 __asm__("r8") = e;
	register uintptr_t r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static bool is_failure(long result)
{
	return result < 0 && result > -4096;
}

static __attribute__((noreturn)) void fail(void)
{
	static const char message[] =
		"cannot load root/lib64/ld-linux-x86-64.so.2, beside this program's folder: is the release unpacked whole?\n";

	(void)call(SYS_write, 2, (uintptr_t)message, sizeof message - 1, 0, 0, 0);
	for (;;)
		(void)call(SYS_exit_group, EXIT_NO_LOADER, 0, 0, 0, 0, 0);
}

/* ---- the loader's file ---- */

static int open_loader(void)
{
	static const char self[] = "/proc/self/exe";
	char *path = loader_path;
	long size = call(SYS_readlink, (uintptr_t)self, (uintptr_t)path, PATH_SIZE, 0, 0, 0);

	/* As long as the buffer: perhaps cut short. */
	if (is_failure(size) || size >= (long)PATH_SIZE)
		return -1;
	while (size > 0 && path[size - 1] != '/')
		size--;
	for (size_t i = 0; size > 0 && i < sizeof places / sizeof places[0]; i++) {
		long fd;

		for (size_t j = 0; j < sizeof places[0]; j++)
			path[(size_t)size - 1 + j] = places[i][j];
		fd = call(SYS_open, (uintptr_t)path, O_RDONLY | O_CLOEXEC, 0, 0, 0, 0);
		if (!is_failure(fd))
			return (int)fd;
	}
	return -1;
}

static bool is_loader(const Elf64_Ehdr *header)
{
	return header->e_ident[EI_MAG0] == ELFMAG0 && header->e_ident[EI_MAG1] == ELFMAG1 && header->e_ident[EI_MAG2] == ELFMAG2 &&
	       header->e_ident[EI_MAG3] == ELFMAG3 && header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_type == ET_DYN &&
	       header->e_machine == EM_X86_64 && header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum <= HEADERS_MAX;
}

static uintptr_t page_down(uintptr_t address)
{
	return address & ~(uintptr_t)(PAGE_SIZE - 1);
}

static uintptr_t page_up(uintptr_t address)
{
	return page_down(address + PAGE_SIZE - 1);
}

static uintptr_t map(uintptr_t address, uintptr_t size, int protection, int flags, int fd, uintptr_t offset)
{
	long result = call(SYS_mmap, address, size, (uintptr_t)protection, (uintptr_t)flags, (uintptr_t)(intptr_t)fd, offset);

	if (is_failure(result))
		fail();
	return (uintptr_t)result;
}

static void map_segment(int fd, uintptr_t base, const Elf64_Phdr *segment)
{
	const uintptr_t start = base + segment->p_vaddr;
	const uintptr_t file_end = start + segment->p_filesz;
	const uintptr_t end = page_up(start + segment->p_memsz);
	const int protection = (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
			       (segment->p_flags & PF_X ? PROT_EXEC : 0);

	(void)map(page_down(start), page_up(file_end) - page_down(start), protection, MAP_PRIVATE | MAP_FIXED, fd,
		  page_down(segment->p_offset));
	if (segment->p_memsz == segment->p_filesz)
		return;
	for (volatile uint8_t *byte = (volatile uint8_t *)file_end; byte < (volatile uint8_t *)page_up(file_end); byte++)
		*byte = 0;
	if (end > page_up(file_end))
		(void)map(page_up(file_end), end - page_up(file_end), protection, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
}

/* Returns where it is. */
static uintptr_t map_loader(int fd, uintptr_t *ret_entry)
{
	static Elf64_Ehdr header;
	static Elf64_Phdr segments[HEADERS_MAX];
	uintptr_t size = 0;
	uintptr_t base;

	if (call(SYS_pread64, (uintptr_t)fd, (uintptr_t)&header, sizeof header, 0, 0, 0) != (long)sizeof header ||
	    !is_loader(&header))
		fail();
	if (call(SYS_pread64, (uintptr_t)fd, (uintptr_t)segments, header.e_phnum * sizeof segments[0], header.e_phoff, 0, 0) !=
	    (long)(header.e_phnum * sizeof segments[0]))
		fail();
	for (size_t i = 0; i < header.e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD && page_up(segments[i].p_vaddr + segments[i].p_memsz) > size)
			size = page_up(segments[i].p_vaddr + segments[i].p_memsz);
	}
	base = map(0, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < header.e_phnum; i++) {
		if (segments[i].p_type == PT_LOAD)
			map_segment(fd, base, &segments[i]);
	}
	*ret_entry = base + header.e_entry;
	return base;
}

/* ---- what the loader is told of the program ---- */

static void add_program_header(size_t index, uint32_t type, const void *start, size_t size)
{
	Elf64_Phdr *header = &program_headers[index];

	header->p_type = type;
	header->p_flags = PF_R;
	header->p_vaddr = header->p_paddr = (uintptr_t)start - (uintptr_t)&__ehdr_start;
	header->p_filesz = header->p_memsz = size;
	header->p_align = 1;
}

/* Returns how many there are now. */
static size_t copy_program_headers(const Elf64_Phdr *headers, size_t count)
{
	if (count > HEADERS_MAX)
		fail();
	add_program_header(HEADER_PHDR, PT_PHDR, program_headers, (HEADERS_ADDED + count) * sizeof program_headers[0]);
	add_program_header(HEADER_INTERP, PT_INTERP, loader_path, sizeof loader_path);
	/* Byte by byte: compilers may call memcpy() for a whole one. */
	for (size_t i = 0; i < count * sizeof headers[0]; i++)
		((volatile uint8_t *)&program_headers[HEADERS_ADDED])[i] = ((const uint8_t *)headers)[i];
	return HEADERS_ADDED + count;
}

static Elf64_auxv_t *find_vector(uintptr_t *stack)
{
	uintptr_t *word = stack + 1 + stack[0] + 1; /* behind the arguments */

	while (*word)
		word++;
	return (Elf64_auxv_t *)(word + 1);
}

static Elf64_auxv_t *find_entry(Elf64_auxv_t *vector, uint64_t type)
{
	while (vector->a_type != AT_NULL && vector->a_type != type)
		vector++;
	if (vector->a_type == AT_NULL)
		fail();
	return vector;
}

/* Returns where to go on. */
void *prepare_loader(uintptr_t *stack)
{
	Elf64_auxv_t *vector = find_vector(stack);
	Elf64_auxv_t *headers = find_entry(vector, AT_PHDR);
	Elf64_auxv_t *header_count = find_entry(vector, AT_PHNUM);
	const int fd = open_loader();
	uintptr_t entry;

	if (fd < 0)
		fail();
	find_entry(vector, AT_BASE)->a_un.a_val = map_loader(fd, &entry);
	(void)call(SYS_close, (uintptr_t)fd, 0, 0, 0, 0, 0);
	header_count->a_un.a_val = copy_program_headers((const Elf64_Phdr *)headers->a_un.a_val, header_count->a_un.a_val);
	headers->a_un.a_val = (uintptr_t)program_headers;
	find_entry(vector, AT_ENTRY)->a_un.a_val = (uintptr_t)_start;
	return (void *)entry;
}
