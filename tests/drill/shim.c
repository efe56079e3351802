/* Counts what a process does to the files below one folder, and at a chosen operation kills it or makes it fail.
 *
 * Preloaded (LD_PRELOAD), so that it sees what SQLite and Arrow do as well as what Python does. An operation is a call
 * that changes the disk: a write, a creation, a rename, a removal, a flush. Harmless until armed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum what { COUNT, KILL, KILL_AFTER, FULL, FAIL, LOST, SHORT };
enum verdict { GO, SPOIL_BEFORE, SPOIL_AFTER, HALF };

static char folder[4096];
static size_t folder_length;
static long counted, chosen;
static int armed, wanted, log_fd = -1;

#define REAL(name) ((__typeof__(&name))real(#name))

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

void drill_arm(const char *below, long at, int what, int fd)
{
    strncpy(folder, below, sizeof folder - 1);
    folder_length = strlen(folder);
    __atomic_store_n(&counted, 0, __ATOMIC_SEQ_CST);
    chosen = at;
    wanted = what;
    log_fd = fd;
    __atomic_store_n(&armed, 1, __ATOMIC_SEQ_CST);
}

long drill_count(void) { return __atomic_load_n(&counted, __ATOMIC_SEQ_CST); }

void drill_off(void) { __atomic_store_n(&armed, 0, __ATOMIC_SEQ_CST); }

static void note(long number, const char *call, const char *path)
{
    char line[4300];
    int length = snprintf(line, sizeof line, "%ld %s %s\n", number, call, path + folder_length);
    if (log_fd >= 0 && length > 0)
        (void)!REAL(write)(log_fd, line, (size_t)length);
}

static void die(void)
{
    kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

/* What becomes of an operation on `path`; `grows`: it needs room on the disk. */
static enum verdict judge(const char *call, const char *path, int grows)
{
    if (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST) || strncmp(path, folder, folder_length) != 0)
        return GO;
    long number = __atomic_add_fetch(&counted, 1, __ATOMIC_SEQ_CST);
    if (wanted == COUNT || number == chosen)
        note(number, call, path);
    if (wanted == FULL && number >= chosen && grows) {
        errno = ENOSPC;
        return SPOIL_BEFORE;
    }
    if (number != chosen || wanted == COUNT || wanted == FULL)
        return GO;
    if (wanted == KILL)
        die();
    if (wanted == FAIL) {
        errno = EIO;
        return SPOIL_BEFORE;
    }
    return wanted == SHORT || wanted == KILL_AFTER ? HALF : SPOIL_AFTER;
}

/* After an operation that was done: what its caller is told of it. */
static long told(enum verdict verdict, long result)
{
    if (verdict == HALF && wanted == KILL_AFTER)
        die();
    if (verdict == SPOIL_AFTER) {
        errno = EIO;
        return -1;
    }
    return result;
}

static enum verdict judge_fd(const char *call, int fd, int grows)
{
    char link[64], path[4096];
    if (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST))
        return GO;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0)
        return GO;
    path[length] = 0;
    return judge(call, path, grows);
}

static enum verdict judge_at(const char *call, int at, const char *path, int grows)
{
    char whole[8300], link[64];
    if (!__atomic_load_n(&armed, __ATOMIC_SEQ_CST))
        return GO;
    if (path[0] == '/')
        return judge(call, path, grows);
    if (at == AT_FDCWD) {
        if (getcwd(whole, 4096) == NULL)
            return GO;
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", at);
        ssize_t length = readlink(link, whole, 4096);
        if (length <= 0)
            return GO;
        whole[length] = 0;
    }
    strcat(whole, "/");
    strncat(whole, path, 4096);
    return judge(call, whole, grows);
}

#define HALVED(size) (verdict == HALF && (size) > 1 ? (size) / 2 : (size))

ssize_t write(int fd, const void *data, size_t size)
{
    enum verdict verdict = judge_fd("write", fd, 1);
    if (verdict == SPOIL_BEFORE)
        return -1;
    return told(verdict, REAL(write)(fd, data, HALVED(size)));
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at)
{
    enum verdict verdict = judge_fd("write", fd, 1);
    if (verdict == SPOIL_BEFORE)
        return -1;
    return told(verdict, REAL(pwrite64)(fd, data, HALVED(size), at));
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    enum verdict verdict = judge_fd("write", fd, 1);
    if (verdict == SPOIL_BEFORE)
        return -1;
    return told(verdict, REAL(writev)(fd, parts, verdict == HALF && count > 1 ? count / 2 : count));
}

int fsync(int fd)
{
    enum verdict verdict = judge_fd("flush", fd, 0);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(fsync)(fd));
}

int fdatasync(int fd)
{
    enum verdict verdict = judge_fd("flush", fd, 0);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(fdatasync)(fd));
}

int ftruncate64(int fd, off64_t size)
{
    enum verdict verdict = judge_fd("cut", fd, 0);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(ftruncate64)(fd, size));
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int rename(const char *from, const char *to)
{
    enum verdict verdict = judge_at("rename", AT_FDCWD, to, 0);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(rename)(from, to));
}

int renameat(int from_at, const char *from, int at, const char *to)
{
    enum verdict verdict = judge_at("rename", at, to, 0);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(renameat)(from_at, from, at, to));
}

int unlink(const char *path)
{
    enum verdict verdict = judge_at("remove", AT_FDCWD, path, 0);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(unlink)(path));
}

int unlinkat(int at, const char *path, int flags)
{
    enum verdict verdict = judge_at("remove", at, path, 0);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(unlinkat)(at, path, flags));
}

int rmdir(const char *path)
{
    enum verdict verdict = judge_at("remove", AT_FDCWD, path, 0);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(rmdir)(path));
}

int mkdir(const char *path, mode_t mode)
{
    enum verdict verdict = judge_at("create", AT_FDCWD, path, 1);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(mkdir)(path, mode));
}

int mkdirat(int at, const char *path, mode_t mode)
{
    enum verdict verdict = judge_at("create", at, path, 1);
    return verdict == SPOIL_BEFORE ? -1 : (int)told(verdict, REAL(mkdirat)(at, path, mode));
}

static int opening(int at, const char *path, int flags, mode_t mode)
{
    enum verdict verdict = GO;
    if (flags & (O_CREAT | O_TRUNC) && faccessat(at, path, F_OK, 0) != 0)
        verdict = judge_at("create", at, path, 1);
    else if (flags & O_TRUNC)
        verdict = judge_at("cut", at, path, 0);
    if (verdict == SPOIL_BEFORE)
        return -1;
    int fd = ((int (*)(int, const char *, int, ...))real("openat64"))(at, path, flags, mode);
    if (verdict == SPOIL_AFTER && fd >= 0)
        REAL(close)(fd);
    return (int)told(verdict, fd);
}

#define MODE(flags, mode)                                      \
    mode_t mode = 0;                                           \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                     \
        va_list more;                                          \
        va_start(more, flags);                                 \
        mode = (mode_t)va_arg(more, int);                      \
        va_end(more);                                          \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return opening(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags, mode)
    return opening(AT_FDCWD, path, flags, mode);
}

int openat(int at, const char *path, int flags, ...)
{
    MODE(flags, mode)
    return opening(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...)
{
    MODE(flags, mode)
    return opening(at, path, flags, mode);
}
