/* Stands between dgt and the disk (LD_PRELOAD): fails the system calls that rules name, and records what reaches the
 * node's files, in order.
 *
 * DGT_FAULT_RULES names a file of lines "FILE OPERATION ACTION SKIP COUNT": the operation fails on the file after SKIP
 * more times, COUNT times (0: for ever). It is read again whenever another file stands in its place.
 *   operations: open, read, map, write, sync, and through (a write through a descriptor opened with O_DSYNC)
 *   actions: EIO, ENOSPC, EDQUOT; SHORT: half is written; KILL: kill -9 before it; BUS: pages of a map cannot be read, from number SKIP on
 * DGT_FAULT_LOG names a file that gets a record for every write and sync; tests/src/faults/recording.rs reads it.
 *
 * One lock is held over each call and its record: the record is the order in which things happened. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { WRITE = 1, WRITE_THROUGH, SYNC, RENAME, ANSWER };

/* The order is that of `Place` in recording.rs. */
static const char *const NAMES[] = {
    "block-01.lmdb", "merkle-01.lmdb", "txn-receipts-01.lmdb", "pbft_consensus-01.lmdb",
    "vote-generation.new", "keys", "data",
};
enum { NAME_COUNT = 7, GENERATION = 4, FOLDERS = 5, NO_NAME = -1, ANY = 255 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static int number_of(const char *path) {
    for (int i = 0; i < NAME_COUNT; i++)
        if (strcmp(last_part(path), NAMES[i]) == 0) return i;
    return NO_NAME;
}

static int number_of_fd(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    int saved = errno;
    ssize_t len = readlink(link, path, sizeof path - 1);
    errno = saved;
    if (len <= 0 || path[0] != '/') return NO_NAME;
    path[len] = 0;
    return number_of(path);
}

/* Rules. */

enum action { NONE, FAIL, SHORT_WRITE, KILL, BUS };
struct rule { int file; char operation[16]; enum action action; int error; long skip, count; int for_ever; };
static struct rule rules[32];
static int rule_count;
static ino_t rules_inode;

static void parse_rule(const char *line) {
    char file[64], action[16];
    struct rule rule = {0};
    if (rule_count == 32 || sscanf(line, "%63s %15s %15s %ld %ld", file, rule.operation, action, &rule.skip, &rule.count) != 5)
        return;
    rule.file = number_of(file);
    rule.for_ever = rule.count == 0;
    rule.action = FAIL;
    if (!strcmp(action, "EIO")) rule.error = EIO;
    else if (!strcmp(action, "ENOSPC")) rule.error = ENOSPC;
    else if (!strcmp(action, "EDQUOT")) rule.error = EDQUOT;
    else if (!strcmp(action, "SHORT")) rule.action = SHORT_WRITE;
    else if (!strcmp(action, "KILL")) rule.action = KILL;
    else if (!strcmp(action, "BUS")) rule.action = BUS;
    rules[rule_count++] = rule;
}

static void read_rules(void) {
    const char *path = getenv("DGT_FAULT_RULES");
    struct stat now;
    if (!path || stat(path, &now) || now.st_ino == rules_inode) return;
    rules_inode = now.st_ino;
    rule_count = 0;
    FILE *file = fopen(path, "r");
    if (!file) return;
    char line[256];
    while (fgets(line, sizeof line, file)) parse_rule(line);
    fclose(file);
}

/* What happens to an operation; the caller holds the lock. */
static struct rule *rule_for(int file, const char *operation) {
    if (file == NO_NAME) return NULL;
    int saved = errno;
    read_rules();
    errno = saved;
    for (int i = 0; i < rule_count; i++) {
        struct rule *rule = &rules[i];
        if (rule->file != file || strcmp(rule->operation, operation)) continue;
        if (rule->action == BUS) return rule;
        if (rule->skip > 0) { rule->skip--; continue; }
        if (!rule->for_ever && rule->count == 0) continue;
        if (!rule->for_ever) rule->count--;
        if (rule->action == KILL) kill(getpid(), SIGKILL);
        return rule;
    }
    return NULL;
}

static int fails(int file, const char *operation) {
    struct rule *rule = rule_for(file, operation);
    if (!rule || rule->action != FAIL) return 0;
    errno = rule->error;
    return 1;
}

/* The record. */

struct head { uint8_t kind, file; uint16_t zero; uint32_t len; uint64_t offset; };

static void put(int fd, const void *bytes, size_t len) {
    for (const char *at = bytes; len > 0;) {
        ssize_t done = syscall(SYS_write, fd, at, len);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) abort();
        at += done;
        len -= (size_t)done;
    }
}

/* The caller holds the lock. */
static void record(enum kind kind, int file, uint64_t offset, const struct iovec *parts, int count, size_t len) {
    static int log = -1;
    const char *path = getenv("DGT_FAULT_LOG");
    if (!path) return;
    int saved = errno;
    if (log < 0) log = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (log < 0) abort();
    struct head head = { (uint8_t)kind, (uint8_t)file, 0, (uint32_t)len, offset };
    put(log, &head, sizeof head);
    for (int i = 0; i < count && len > 0; i++) {
        size_t part = parts[i].iov_len < len ? parts[i].iov_len : len;
        put(log, parts[i].iov_base, part);
        len -= part;
    }
    errno = saved;
}

/* A socket's bytes matter when they tell a client that a batch is committed; they are recorded before they leave. */
static void record_answer(const struct iovec *parts, int count) {
    static const char word[] = "COMMITTED";
    size_t len = 0;
    int found = 0;
    for (int i = 0; i < count; i++) {
        len += parts[i].iov_len;
        found |= memmem(parts[i].iov_base, parts[i].iov_len, word, sizeof word - 1) != NULL;
    }
    if (!found || !getenv("DGT_FAULT_LOG")) return;
    pthread_mutex_lock(&lock);
    record(ANSWER, ANY, 0, parts, count, len);
    pthread_mutex_unlock(&lock);
}

/* Writing. */

static ssize_t raw_write(int fd, const struct iovec *parts, int count, off_t at) {
    return at < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, at, 0L);
}

/* At an offset, or where the descriptor stands when that is negative. */
static ssize_t write_at(int fd, const struct iovec *parts, int count, off_t at) {
    int file = number_of_fd(fd);
    if (file == NO_NAME || file >= FOLDERS) {
        if (at < 0) record_answer(parts, count);
        return raw_write(fd, parts, count, at);
    }
    pthread_mutex_lock(&lock);
    int through = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    off_t offset = at < 0 ? lseek(fd, 0, SEEK_CUR) : at;
    struct rule *rule = rule_for(file, through ? "through" : "write");
    ssize_t done;
    if (rule && rule->action == SHORT_WRITE) {
        struct iovec half = parts[0];
        if (count == 1) half.iov_len /= 2;
        done = raw_write(fd, &half, 1, at);
    } else if (rule && rule->action == FAIL) {
        errno = rule->error;
        done = -1;
    } else {
        done = raw_write(fd, parts, count, at);
    }
    if (done > 0) record(through ? WRITE_THROUGH : WRITE, file, (uint64_t)offset, parts, count, (size_t)done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *bytes, size_t len, off_t at) {
    struct iovec part = { (void *)bytes, len };
    return write_at(fd, &part, 1, at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t len, off64_t at) { return pwrite(fd, bytes, len, at); }
ssize_t write(int fd, const void *bytes, size_t len) {
    struct iovec part = { (void *)bytes, len };
    return write_at(fd, &part, 1, -1);
}
ssize_t writev(int fd, const struct iovec *parts, int count) { return write_at(fd, parts, count, -1); }
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return write_at(fd, parts, count, at); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) { return write_at(fd, parts, count, at); }

ssize_t send(int fd, const void *bytes, size_t len, int flags) {
    struct iovec part = { (void *)bytes, len };
    record_answer(&part, 1);
    return syscall(SYS_sendto, fd, bytes, len, flags, NULL, 0);
}
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) {
    record_answer(message->msg_iov, (int)message->msg_iovlen);
    return syscall(SYS_sendmsg, fd, message, flags);
}

/* No file of a node is ever made shorter or longer but by writing; the recording could not tell it. */
int ftruncate(int fd, off_t len) {
    int file = number_of_fd(fd);
    if (file != NO_NAME && file < FOLDERS && getenv("DGT_FAULT_LOG")) abort();
    return (int)syscall(SYS_ftruncate, fd, len);
}
int ftruncate64(int fd, off64_t len) { return ftruncate(fd, len); }

/* Syncing. */

static int sync_by(long call, int fd) {
    int file = number_of_fd(fd);
    if (file == NO_NAME) return (int)syscall(call, fd);
    pthread_mutex_lock(&lock);
    int failed = fails(file, "sync") || syscall(call, fd) != 0;
    if (!failed) record(SYNC, file, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed ? -1 : 0;
}

int fdatasync(int fd) { return sync_by(SYS_fdatasync, fd); }
int fsync(int fd) { return sync_by(SYS_fsync, fd); }

int rename(const char *from, const char *to) {
    pthread_mutex_lock(&lock);
    int failed = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0) != 0;
    if (!failed && number_of(from) == GENERATION) record(RENAME, GENERATION, 0, NULL, 0, 0);
    pthread_mutex_unlock(&lock);
    return failed ? -1 : 0;
}

/* Opening and reading. */

static int open_at(int folder, const char *path, int flags, int mode) {
    pthread_mutex_lock(&lock);
    int failed = fails(number_of(path), "open");
    pthread_mutex_unlock(&lock);
    return failed ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

#define OPEN(name)                                                                                                      \
    int name(const char *path, int flags, ...) {                                                                        \
        va_list rest;                                                                                                   \
        va_start(rest, flags);                                                                                          \
        int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, int) : 0;                                             \
        va_end(rest);                                                                                                   \
        return open_at(AT_FDCWD, path, flags, mode);                                                                    \
    }
OPEN(open)
OPEN(open64)

ssize_t pread(int fd, void *bytes, size_t len, off_t at) {
    pthread_mutex_lock(&lock);
    int failed = fails(number_of_fd(fd), "read");
    pthread_mutex_unlock(&lock);
    return failed ? -1 : syscall(SYS_pread64, fd, bytes, len, at);
}
ssize_t pread64(int fd, void *bytes, size_t len, off64_t at) { return pread(fd, bytes, len, at); }

void *mmap(void *address, size_t len, int protection, int flags, int fd, off_t offset) {
    struct rule *rule = NULL;
    long page = 0;
    if (fd >= 0) {
        pthread_mutex_lock(&lock);
        rule = rule_for(number_of_fd(fd), "map");
        if (rule) page = rule->skip;
        pthread_mutex_unlock(&lock);
    }
    if (rule && rule->action == FAIL) {
        errno = rule->error;
        return MAP_FAILED;
    }
    void *map = (void *)syscall(SYS_mmap, address, len, protection, flags, fd, offset);
    size_t readable = (size_t)page * 4096;
    if (rule && rule->action == BUS && map != MAP_FAILED && len > readable) {
        /* A page of an empty file is as unreadable as one of a bad disk: touching it is SIGBUS. */
        int empty = (int)syscall(SYS_memfd_create, "unreadable", 0);
        syscall(SYS_mmap, (char *)map + readable, len - readable, protection, MAP_SHARED | MAP_FIXED, empty, 0);
        syscall(SYS_close, empty);
    }
    return map;
}
void *mmap64(void *address, size_t len, int protection, int flags, int fd, off64_t offset) {
    return mmap(address, len, protection, flags, fd, offset);
}
