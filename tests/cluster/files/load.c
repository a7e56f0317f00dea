/* A load generator that counts every failure: keep-alive HTTP/1.1 connections, one thread each. Knows nothing of what
 * answers, except that X-Version and X-Colour name it.
 *
 *   load ADDRESS PORT HOST PATH [CONNECTIONS [PAUSE_MS]]
 *
 * Prints `running` when the first answer is there, and at the end of stdin (or on SIGTERM) one line of JSON:
 *   {"requests":N,"failed":N,"slowest_ms":N,"answered_by":{"v1 blue":N},"first_failures":["1.234 s: status 502"]}
 * A request has failed when its answer is not 2xx, is incomplete, or did not come within TIMEOUT_S. Requests whose
 * connection was closed before an answer count as failed too: nothing is sent twice.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 65536, FAILURES_KEPT = 20, NAMES_KEPT = 16, CONNECTIONS_MAX = 256, TIMEOUT_S = 10, NAME_MAX_LENGTH = 64 };

static struct sockaddr_in target;
static char request[2048];
static long pause_ms, start_ms;
static atomic_bool ending;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static long requests, failed, slowest_ms;
static char failures[FAILURES_KEPT][128];
static struct {
    char name[2 * NAME_MAX_LENGTH + 2];
    long count;
} answered_by[NAMES_KEPT];

struct answer {
    size_t held;
    char bytes[ANSWER_MAX + 1];
};

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

/* Copies a header's value, made harmless for a JSON string; empty when it is not there. */
static void header(const char *head, const char *name, char *value, size_t room)
{
    const char *found = strcasestr(head, name);
    size_t length = 0;

    if (found)
        for (found += strlen(name); *found && *found != '\r' && length + 1 < room; found++)
            value[length++] = *found == '"' || *found == '\\' || (unsigned char)*found < 0x20 ? '_' : *found;
    value[length] = 0;
}

static void count_name(const char *head)
{
    char version[NAME_MAX_LENGTH], colour[NAME_MAX_LENGTH], name[sizeof answered_by[0].name];

    header(head, "\r\nX-Version: ", version, sizeof version);
    header(head, "\r\nX-Colour: ", colour, sizeof colour);
    snprintf(name, sizeof name, "%s%s%s", version, *colour ? " " : "", colour);
    for (int i = 0; *name && i < NAMES_KEPT; i++)
        if (!*answered_by[i].name || strcmp(answered_by[i].name, name) == 0) {
            memcpy(answered_by[i].name, name, sizeof name);
            answered_by[i].count++;
            return;
        }
}

/* Books one request; `problem` is NULL when it was answered as it should. */
static void book(const char *problem, const struct answer *a, long took_ms)
{
    pthread_mutex_lock(&lock);
    if (requests++ == 0) {
        puts("running");
        fflush(stdout);
    }
    if (took_ms > slowest_ms)
        slowest_ms = took_ms;
    if (problem) {
        if (failed < FAILURES_KEPT)
            snprintf(failures[failed], sizeof failures[0], "%.3f s: %s", (double)(now_ms() - start_ms) / 1000.0, problem);
        failed++;
    } else
        count_name(a->bytes);
    pthread_mutex_unlock(&lock);
}

static int dial(void)
{
    struct timeval limit = {TIMEOUT_S, 0};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (struct sockaddr *)&target, sizeof target) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* How long the whole answer is, 0 while that is not known, SIZE_MAX when only the end of the stream tells. */
static size_t length_of(const struct answer *a)
{
    const char *end = strstr(a->bytes, "\r\n\r\n"), *length = strcasestr(a->bytes, "\r\nContent-Length: ");

    if (!end)
        return 0;
    if (length && length < end)
        return (size_t)(end - a->bytes) + 4 + strtoul(length + 18, NULL, 10);
    if (strncmp(a->bytes + 8, " 204", 4) == 0)
        return (size_t)(end - a->bytes) + 4;
    return SIZE_MAX;
}

/* Reads one answer; returns what is wrong with it, or NULL. */
static const char *receive(int fd, struct answer *a)
{
    size_t wanted = 0;

    a->held = 0;
    while (wanted == 0 || a->held < wanted) {
        ssize_t got = recv(fd, a->bytes + a->held, ANSWER_MAX - a->held, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno == EAGAIN ? "no answer in time" : strerror(errno);
        if (got == 0 && wanted == SIZE_MAX)
            return NULL;
        if (got == 0)
            return a->held ? "the connection was closed in the middle of an answer" : "the connection was closed instead of an answer";
        a->held += (size_t)got;
        a->bytes[a->held] = 0;
        if (wanted == 0)
            wanted = length_of(a);
        if (a->held == ANSWER_MAX)
            return "the answer is too long";
    }
    return NULL;
}

/* Sends one request and books it; returns the connection to go on with, or -1. */
static int ask(int fd, struct answer *a)
{
    long started = now_ms();
    const char *problem = NULL;
    char status[64], text[128], closing[8];

    if (fd < 0)
        fd = dial();
    if (fd < 0)
        problem = strerror(errno);
    else if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        problem = strerror(errno);
    else
        problem = receive(fd, a);
    if (!problem && strncmp(a->bytes, "HTTP/1.1 2", 10) != 0) {
        header(a->bytes, "HTTP/1.1 ", status, sizeof status);
        snprintf(text, sizeof text, "status %s", status);
        book(text, a, now_ms() - started);
    } else
        book(problem, a, now_ms() - started);
    if (!problem)
        header(a->bytes, "\r\nConnection: ", closing, sizeof closing);
    if (fd >= 0 && (problem || strcasecmp(closing, "close") == 0 || length_of(a) == SIZE_MAX)) {
        close(fd);
        return -1;
    }
    return fd;
}

static void *load(void *unused)
{
    struct answer *a = calloc(1, sizeof *a);
    int fd = -1;

    (void)unused;
    while (a && !atomic_load(&ending)) {
        fd = ask(fd, a);
        poll(NULL, 0, fd < 0 && pause_ms == 0 ? 1 : (int)pause_ms);
    }
    if (fd >= 0)
        close(fd);
    free(a);
    return NULL;
}

static void report(void)
{
    printf("{\"requests\":%ld,\"failed\":%ld,\"slowest_ms\":%ld,\"answered_by\":{", requests, failed, slowest_ms);
    for (int i = 0; i < NAMES_KEPT && *answered_by[i].name; i++)
        printf("%s\"%s\":%ld", i ? "," : "", answered_by[i].name, answered_by[i].count);
    printf("},\"first_failures\":[");
    for (int i = 0; i < FAILURES_KEPT && i < failed; i++)
        printf("%s\"%s\"", i ? "," : "", failures[i]);
    puts("]}");
}

static void wait_for_the_end(void)
{
    struct signalfd_siginfo info;
    char ignored[256];
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    struct pollfd ready[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = signalfd(-1, &set, SFD_CLOEXEC), .events = POLLIN}};
    for (;;) {
        if (poll(ready, 2, -1) <= 0)
            continue;
        if (ready[1].revents && read(ready[1].fd, &info, sizeof info) > 0)
            return;
        if (ready[0].revents && read(STDIN_FILENO, ignored, sizeof ignored) <= 0)
            return;
    }
}

int main(int count, char **arguments)
{
    pthread_t threads[CONNECTIONS_MAX];
    long connections = count > 5 ? strtol(arguments[5], NULL, 10) : 8, started = 0;
    sigset_t set;

    if (count < 5 || connections < 1 || connections > CONNECTIONS_MAX || inet_pton(AF_INET, arguments[1], &target.sin_addr) != 1) {
        fprintf(stderr, "usage: load ADDRESS PORT HOST PATH [CONNECTIONS (1-%d) [PAUSE_MS]]\n", CONNECTIONS_MAX);
        return 2;
    }
    target.sin_family = AF_INET;
    target.sin_port = htons((unsigned short)strtoul(arguments[2], NULL, 10));
    pause_ms = count > 6 ? strtol(arguments[6], NULL, 10) : 5;
    start_ms = now_ms();
    if (snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bowline-load\r\n\r\n", arguments[4], arguments[3]) >= (int)sizeof request)
        return 2;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    while (started < connections && pthread_create(&threads[started], NULL, load, NULL) == 0)
        started++;
    wait_for_the_end();
    atomic_store(&ending, true);
    while (started-- > 0)
        pthread_join(threads[started], NULL);
    report();
    return 0;
}
