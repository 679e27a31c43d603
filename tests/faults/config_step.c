/* Loaded before the C library: the Nth system call that changes something below QD_STEP_PATH
   ends the process (QD_STEP_ACT=kill), is done by half and ends it (half), or fails (fail). */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_int steps;

static int is_ours(const char *path) {
    const char *ours = getenv("QD_STEP_PATH");
    return ours && path && strstr(path, ours);
}

static int is_our_file(int file) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return is_ours(path);
}

/* 0: go on; 1: fail; 2: do it by half, then end. */
static int step(void) {
    const char *at = getenv("QD_STEP_AT"), *act = getenv("QD_STEP_ACT");
    if (!at || !act || atomic_fetch_add(&steps, 1) + 1 != atoi(at)) return 0;
    if (!strcmp(act, "fail")) return errno = EIO, 1;
    if (!strcmp(act, "half")) return 2;
    kill(getpid(), SIGKILL);
    return 1;
}

#define REAL(name) ((__typeof__(name) *)dlsym(RTLD_NEXT, #name))
#define PLAIN(ours, call)                                 \
    if (ours) {                                           \
        int what = step();                                \
        if (what == 1) return -1;                         \
        if (what == 2) { call; kill(getpid(), SIGKILL); } \
    }                                                     \
    return call;

int fsync(int file) { PLAIN(is_our_file(file), REAL(fsync)(file)) }
int fdatasync(int file) { PLAIN(is_our_file(file), REAL(fdatasync)(file)) }
int rename(const char *from, const char *to) { PLAIN(is_ours(to), REAL(rename)(from, to)) }
int mkdir(const char *path, mode_t mode) { PLAIN(is_ours(path), REAL(mkdir)(path, mode)) }
int unlink(const char *path) { PLAIN(is_ours(path), REAL(unlink)(path)) }

ssize_t write(int file, const void *bytes, size_t count) {
    if (is_our_file(file)) {
        int what = step();
        if (what == 1) return -1;
        if (what == 2) { REAL(write)(file, bytes, count / 2); kill(getpid(), SIGKILL); }
    }
    return REAL(write)(file, bytes, count);
}
