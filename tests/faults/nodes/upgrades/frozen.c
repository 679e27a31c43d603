/* Loaded before the C library: while the file QD_FROZEN exists, a look at a file whose path contains QD_FROZEN_PATH has no
   answer, as on a mount whose server is gone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int is_frozen(const char *path) {
    const char *part = getenv("QD_FROZEN_PATH"), *mark = getenv("QD_FROZEN");
    return part && mark && path && strstr(path, part) && !access(mark, F_OK);
}

int statx(int folder, const char *restrict path, int flags, unsigned int mask, struct statx *restrict found) {
    while (is_frozen(path)) usleep(10000);
    return ((__typeof__(statx) *)dlsym(RTLD_NEXT, "statx"))(folder, path, flags, mask, found);
}
