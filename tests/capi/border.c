/* What goes wrong inside libsaligate must come out as a status and a message, never as the end of the
   program: border FOLDER, where FOLDER holds
     model.edge          a locked model, with model.edge.sig, the vendor's signature
     unsigned.edge       the same without one; another.sig, another vendor's; older.sig, of other bytes
     changed.sig         the vendor's, with another date in it
     vendor.key, wrong.key, ana.identity
     good.license        by the vendor; other.license, by another vendor, for the same key
     ring.raw            a picture [row][column][channel]
     vendors             the public keys of the vendor and the other, a line each
   Two functions of the system are replaced by ones that can be told to fail. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "saligate.h"

/* Rust's library panics where there is no clock. */
static int no_clock = 0;

int clock_gettime(clockid_t clock, struct timespec *time) {
    static int (*real)(clockid_t, struct timespec *) = NULL;
    if (no_clock) {
        errno = EINVAL;
        return -1;
    }
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    return real(clock, time);
}

/* So many threads are still given. */
static int threads_left = 1000000;

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *with) {
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) = NULL;
    if (threads_left == 0)
        return EAGAIN;
    threads_left--;
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return real(thread, attributes, body, with);
}

static void want(int line, SaligateStatus wanted, SaligateStatus found, const char *words) {
    const char *message = found == SALIGATE_STATUS_OK ? "" : saligate_message();
    if (found != wanted || !strstr(message, words)) {
        fprintf(stderr, "border.c, line %d: status %d '%s', not %d with '%s'\n", line, (int)found, message,
                (int)wanted, words);
        exit(1);
    }
}

#define OK(call) want(__LINE__, SALIGATE_STATUS_OK, (call), "")
#define NO(call, words) want(__LINE__, SALIGATE_STATUS_NO, (call), words)
#define ERROR(call, words) want(__LINE__, SALIGATE_STATUS_ERROR, (call), words)
#define HOLDS(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "border.c, line %d: not so: %s\n", __LINE__, #condition);                                  \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

typedef struct {
    uint8_t *data;
    size_t length;
} Bytes;

static Bytes contents(const char *name) {
    Bytes bytes = {NULL, 0};
    FILE *file = fopen(name, "rb");
    HOLDS(file && fseek(file, 0, SEEK_END) == 0);
    bytes.length = (size_t)ftell(file);
    rewind(file);
    bytes.data = malloc(bytes.length + 1);
    HOLDS(fread(bytes.data, 1, bytes.length, file) == bytes.length);
    bytes.data[bytes.length] = 0;
    fclose(file);
    return bytes;
}

static SaligatePicture picture;
static size_t cells;

/* The map without an access, or with one. */
static float *map_of(const SaligateModel *model, const SaligateAccess *access) {
    float *map = malloc(cells * sizeof *map);
    OK(saligate_explain(model, picture, NULL, -1, access, map, cells, NULL));
    return map;
}

static int same(const float *one, const float *other) {
    return memcmp(one, other, cells * sizeof *one) == 0;
}

/* Bytes that this program has mapped. */
static rlim_t address_space(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    unsigned long pages = 0;
    HOLDS(file && fscanf(file, "%lu", &pages) == 1);
    fclose(file);
    return (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE);
}

int main(int count, char **words) {
    HOLDS(count == 2 && chdir(words[1]) == 0);
    HOLDS(strcmp(saligate_message(), "") == 0);

    /* From a file and from memory: the same maps. */
    SaligateModel *model = NULL, *other = NULL;
    OK(saligate_open("model.edge", 1, &model));
    SaligateShape shape;
    OK(saligate_shape(model, &shape));
    cells = shape.height * shape.width;
    Bytes pixels = contents("ring.raw");
    picture = (SaligatePicture){pixels.data, pixels.length, SALIGATE_ORDER_INTERLEAVED};
    float *locked = map_of(model, NULL);
    Bytes file = contents("model.edge");
    OK(saligate_open_bytes(file.data, file.length, 2, &other));
    HOLDS(same(locked, map_of(other, NULL)));

    /* A key, from a file and from memory. */
    SaligateAccess *access = NULL, *none = NULL;
    OK(saligate_access_with_key(model, "vendor.key", &access));
    float *keyed = map_of(model, access);
    HOLDS(!same(locked, keyed));
    HOLDS(same(keyed, map_of(other, access)));
    saligate_access_free(access);
    Bytes key = contents("vendor.key"), wrong = contents("wrong.key");
    OK(saligate_access_with_key_bytes(model, key.data, key.length, &access));
    HOLDS(same(keyed, map_of(model, access)));
    saligate_access_free(access);
    NO(saligate_access_with_key(model, "wrong.key", &none), "does not open this model");
    NO(saligate_access_with_key_bytes(model, wrong.data, wrong.length, &none), "does not open this model");
    ERROR(saligate_access_with_key(model, "ring.raw", &none), "ring.raw: ");
    ERROR(saligate_access_with_key_bytes(model, key.data, key.length / 2, &none), "key: ");
    ERROR(saligate_access_with_key_bytes(model, NULL, 7, &none), "key is null");

    /* A licence, from files and from memory. */
    OK(saligate_access_with_license(model, "good.license", "ana.identity", NULL, NULL, &access));
    HOLDS(same(keyed, map_of(model, access)));
    saligate_access_free(access);
    Bytes license = contents("good.license"), foreign = contents("other.license"), ana = contents("ana.identity");
    OK(saligate_access_with_license_bytes(model, license.data, license.length, ana.data, ana.length, NULL, NULL,
                                          &access));
    HOLDS(same(keyed, map_of(model, access)));
    NO(saligate_access_with_license_bytes(model, license.data, license.length - 9, ana.data, ana.length, NULL, NULL,
                                          &none),
       "changed or damaged");
    ERROR(saligate_access_with_license_bytes(model, ana.data, ana.length, ana.data, ana.length, NULL, NULL, &none),
          "no saligate license file");
    ERROR(saligate_access_with_license_bytes(model, license.data, license.length, key.data, key.length, NULL, NULL,
                                             &none),
          "identity: ");

    /* A panic: without a clock a licence cannot be checked. The model goes on. */
    float *map = malloc(cells * sizeof *map);
    no_clock = 1;
    ERROR(saligate_explain(model, picture, NULL, -1, access, map, cells, NULL), "an error inside libsaligate");
    ERROR(saligate_access_with_license(model, "good.license", "ana.identity", NULL, NULL, &none),
          "an error inside libsaligate");
    no_clock = 0;
    HOLDS(same(keyed, map_of(model, access)));

    /* Threads: too many, and more than the system gives. */
    SaligateModel *nothing = NULL;
    ERROR(saligate_open("model.edge", 0, &nothing), "1 to 256 threads, not 0");
    ERROR(saligate_open("model.edge", SALIGATE_MAX_THREADS + 1, &nothing), "1 to 256 threads, not 257");
    ERROR(saligate_open("model.edge", 5000, &nothing), "1 to 256 threads, not 5000");
    ERROR(saligate_open_bytes(file.data, file.length, SIZE_MAX, &nothing), "1 to 256 threads");
    for (threads_left = 0; threads_left < 3;) {
        int given = threads_left;
        ERROR(saligate_open("model.edge", 5, &nothing), "does not give 5 threads");
        ERROR(saligate_open_bytes(file.data, file.length, 5, &nothing), "does not give 5 threads");
        threads_left = given + 1;
    }
    threads_left = 1000000;
    struct rlimit before, little;
    HOLDS(getrlimit(RLIMIT_AS, &before) == 0);
    little = before;
    little.rlim_cur = address_space() + ((rlim_t)100 << 20);
    HOLDS(setrlimit(RLIMIT_AS, &little) == 0);
    ERROR(saligate_open("model.edge", SALIGATE_MAX_THREADS, &nothing), "does not give 256 threads");
    HOLDS(setrlimit(RLIMIT_AS, &before) == 0);
    saligate_free(other);
    OK(saligate_open("model.edge", SALIGATE_MAX_THREADS, &other));
    HOLDS(same(locked, map_of(other, NULL)));
    saligate_free(other);

    /* A vendor whose signature must stand. */
    char *vendor = (char *)contents("vendors").data, *stranger = strchr(vendor, '\n');
    *stranger++ = 0;
    stranger[strcspn(stranger, "\n")] = 0;
    Bytes signature = contents("model.edge.sig"), another = contents("another.sig"), changed = contents("changed.sig");
    NO(saligate_open_signed("unsigned.edge", NULL, vendor, 1, &nothing), "there is no unsigned.edge.sig");
    NO(saligate_open_signed("model.edge", "another.sig", vendor, 1, &nothing), "signed by");
    NO(saligate_open_signed("model.edge", NULL, stranger, 1, &nothing), "signed by");
    NO(saligate_open_signed("model.edge", "older.sig", vendor, 1, &nothing), "belongs to another file");
    NO(saligate_open_signed("model.edge", "changed.sig", vendor, 1, &nothing), "changed after it was signed");
    NO(saligate_open_signed_bytes(file.data, file.length, another.data, another.length, vendor, 1, &nothing),
       "signed by");
    NO(saligate_open_signed_bytes(file.data, file.length, changed.data, changed.length, vendor, 1, &nothing),
       "changed after it was signed");
    NO(saligate_open_signed_bytes(file.data, file.length - 1, signature.data, signature.length, vendor, 1, &nothing),
       "belongs to another file");
    ERROR(saligate_open_signed("model.edge", NULL, "sgvendor1", 1, &nothing), "vendor: ");
    ERROR(saligate_open_signed("model.edge", NULL, NULL, 1, &nothing), "vendor is null");
    ERROR(saligate_open_signed("nowhere.edge", NULL, vendor, 1, &nothing), "nowhere.edge: ");
    ERROR(saligate_open_signed("model.edge", "vendor.key", vendor, 1, &nothing), "no saligate signature file");
    ERROR(saligate_open_signed_bytes(file.data, file.length, NULL, 0, vendor, 1, &nothing), "signature is null");
    ERROR(saligate_open_signed("model.edge", NULL, vendor, 257, &nothing), "1 to 256 threads");
    OK(saligate_open_signed("unsigned.edge", "model.edge.sig", vendor, 1, &other));
    saligate_free(other);
    OK(saligate_open_signed("model.edge", NULL, vendor, 1, &other));
    HOLDS(same(locked, map_of(other, NULL)));
    saligate_free(other);
    OK(saligate_open_signed_bytes(file.data, file.length, signature.data, signature.length, vendor, 1, &other));

    /* Then licences must be that vendor's too, also where the access was made with a model of nobody's. */
    HOLDS(same(keyed, map_of(other, access)));
    saligate_access_free(access);
    OK(saligate_access_with_license(other, "good.license", "ana.identity", NULL, NULL, &access));
    HOLDS(same(keyed, map_of(other, access)));
    saligate_access_free(access);
    NO(saligate_access_with_license(other, "other.license", "ana.identity", NULL, NULL, &none), "signed by");
    NO(saligate_access_with_license_bytes(other, foreign.data, foreign.length, ana.data, ana.length, NULL, NULL, &none),
       "signed by");
    OK(saligate_access_with_license(model, "other.license", "ana.identity", NULL, NULL, &access));
    HOLDS(same(keyed, map_of(model, access)));
    int32_t found = 7;
    NO(saligate_explain(other, picture, NULL, -1, access, map, cells, NULL), "signed by");
    NO(saligate_key_found(other, picture, NULL, access, &found), "signed by");

    /* Nothing was given by a call that failed, and nothing is too little. */
    HOLDS(!none && !nothing && found == 7);
    ERROR(saligate_open(NULL, 1, &nothing), "file is null");
    ERROR(saligate_open("model.edge", 1, NULL), "model is null");
    ERROR(saligate_open_bytes(NULL, 1, 1, &nothing), "data is null");
    ERROR(saligate_open_bytes(file.data, 0, 1, &nothing), "");
    ERROR(saligate_open_bytes(file.data, SIZE_MAX, 1, &nothing), "data cannot have");
    for (size_t length = 1; length < file.length; length += file.length / 100)
        ERROR(saligate_open_bytes(file.data, length, 1, &nothing), "");
    ERROR(saligate_shape(NULL, &shape), "model is null");
    ERROR(saligate_shape(model, NULL), "shape is null");
    ERROR(saligate_label(model, shape.classes, (char *)map, 1), "no class");
    ERROR(saligate_label(model, 0, (char *)map, 0), "no room");
    float *logits = malloc(shape.classes * sizeof *logits);
    size_t class = 77;
    logits[0] = 42;
    ERROR(saligate_predict(model, picture, logits, shape.classes, NULL), "predicted is null");
    ERROR(saligate_predict(model, picture, logits, shape.classes - 1, &class), "logits has room");
    HOLDS(logits[0] == 42 && class == 77);
    ERROR(saligate_explain(model, picture, NULL, -1, NULL, NULL, cells, NULL), "map is null");
    ERROR(saligate_key_found(model, picture, NULL, NULL, NULL), "found is null");
    ERROR(saligate_device(NULL, 64), "no room");
    saligate_access_free(access);
    saligate_access_free(NULL);
    saligate_free(other);
    saligate_free(model);
    saligate_free(NULL);
    printf("all held, version %s\n", saligate_version());
    return 0;
}
