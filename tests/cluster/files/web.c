/* The demo web app: an HTTP/1.1 keep-alive server that says which version and colour it is.
 * Knows nothing of Kubernetes, except that its probes are not traffic.
 *
 *   /               text naming version and colour
 *   /health         {"status":"healthy","version":"v2","colour":"green"}
 *   /ready          {"ready":true}
 *   /metrics        requests answered, in Prometheus' text format
 *   /slow/MS        answers after MS milliseconds (at most 60000)
 *   /api/...        {"version":...,"colour":...,"path":...}
 *
 * Environment: PORT (8080), VERSION, COLOUR, SLOW_START (such as 5s: does not listen before), FAIL:
 *   crash   exits 1 after a second       unready   /ready and /health answer 503
 *   smoke   /ready is fine, /health answers 500 and "broken"
 *
 * SIGTERM: everything is still answered, with `Connection: close`, until nothing came for DRAIN_IDLE_MS (a proxy
 * learns late that an endpoint is gone) or DRAIN_MAX_MS are over; then it exits 0.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 16384, BODY_MAX = 4096, DRAIN_IDLE_MS = 2000, DRAIN_MAX_MS = 25000, SLOW_MAX_MS = 60000 };
enum failure { FAIL_NONE, FAIL_CRASH, FAIL_UNREADY, FAIL_SMOKE };

static const char *version, *colour;
static enum failure failure;
static atomic_bool draining;
static atomic_long answering, answered; /* requests in flight; requests done */
static atomic_long last_request_ms;     /* traffic only: a probe does not keep a draining server alive */

struct connection {
    int fd;
    size_t held; /* bytes in `head` */
    char head[HEAD_MAX + 1];
};

struct request {
    char method[16], path[1024];
    unsigned long body; /* Content-Length */
    bool close, probe;
};

struct answer {
    int status;
    const char *type;
    char body[BODY_MAX];
};

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;

    printf("web %s (%s): ", version, colour);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* Returns false when the peer is gone. */
static bool send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent <= 0)
            return false;
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

/* Appends what arrives; false at the end of the stream, on an error and when the head is too long. */
static bool receive(struct connection *c)
{
    ssize_t got;

    if (c->held >= HEAD_MAX)
        return false;
    do
        got = recv(c->fd, c->head + c->held, HEAD_MAX - c->held, 0);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        return false;
    c->held += (size_t)got;
    c->head[c->held] = 0;
    return true;
}

static void forget(struct connection *c, size_t count)
{
    memmove(c->head, c->head + count, c->held - count);
    c->held -= count;
    c->head[c->held] = 0;
}

/* Drops `count` bytes of a request's body, those held already first. */
static bool skip_body(struct connection *c, unsigned long count)
{
    for (;;) {
        size_t part = count < c->held ? count : c->held;

        forget(c, part);
        count -= part;
        if (count == 0)
            return true;
        if (!receive(c))
            return false;
    }
}

static const char *header(const char *line, const char *name)
{
    size_t length = strlen(name);

    if (strncasecmp(line, name, length) != 0 || line[length] != ':')
        return NULL;
    return line + length + 1 + strspn(line + length + 1, " \t");
}

/* Takes the head apart, which is cut into lines for it; false when this is not HTTP that the server speaks. */
static bool parse(char *head, struct request *r)
{
    char *rest = NULL, *line = strtok_r(head, "\r\n", &rest), minor = 0;
    const char *value;

    memset(r, 0, sizeof *r);
    if (!line || sscanf(line, "%15s %1023s HTTP/1.%c", r->method, r->path, &minor) != 3)
        return false;
    r->close = minor == '0';
    r->path[strcspn(r->path, "?")] = 0;
    while ((line = strtok_r(NULL, "\r\n", &rest))) {
        if ((value = header(line, "Content-Length")))
            r->body = strtoul(value, NULL, 10);
        else if ((value = header(line, "Connection")))
            r->close = r->close || strcasestr(value, "close");
        else if ((value = header(line, "User-Agent")))
            r->probe = strncmp(value, "kube-probe/", 11) == 0;
        else if (header(line, "Transfer-Encoding"))
            return false;
    }
    return true;
}

__attribute__((format(printf, 4, 5))) static void fill(struct answer *a, int status, const char *type, const char *format, ...)
{
    va_list arguments;

    a->status = status;
    a->type = type;
    va_start(arguments, format);
    vsnprintf(a->body, sizeof a->body, format, arguments);
    va_end(arguments);
}

static void wait_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000L};

    while (nanosleep(&t, &t) < 0 && errno == EINTR)
        ;
}

/* Keeps a path that is echoed inside a JSON string from ending it. */
static void harmless(char *text)
{
    for (; *text; text++)
        if (*text == '"' || *text == '\\' || (unsigned char)*text < 0x20)
            *text = '_';
}

static void route(struct request *r, struct answer *a)
{
    static const char json[] = "application/json", text[] = "text/plain; charset=utf-8";
    bool healthy = failure != FAIL_UNREADY && failure != FAIL_SMOKE;
    int status = failure == FAIL_UNREADY ? 503 : failure == FAIL_SMOKE ? 500 : 200;

    harmless(r->path);
    if (strcmp(r->path, "/") == 0)
        fill(a, 200, text, "bowline web %s (%s)\n", version, colour);
    else if (strcmp(r->path, "/health") == 0)
        fill(a, status, json, "{\"status\":\"%s\",\"version\":\"%s\",\"colour\":\"%s\"}\n", healthy ? "healthy" : "broken", version, colour);
    else if (strcmp(r->path, "/ready") == 0)
        fill(a, failure == FAIL_UNREADY ? 503 : 200, json, "{\"ready\":%s}\n", failure == FAIL_UNREADY ? "false" : "true");
    else if (strcmp(r->path, "/metrics") == 0)
        fill(a, 200, "text/plain; version=0.0.4", "# TYPE http_requests_total counter\nhttp_requests_total{version=\"%s\",colour=\"%s\"} %ld\n", version, colour,
             atomic_load(&answered));
    else if (strncmp(r->path, "/api/", 5) == 0)
        fill(a, 200, json, "{\"version\":\"%s\",\"colour\":\"%s\",\"path\":\"%s\"}\n", version, colour, r->path);
    else if (strncmp(r->path, "/slow/", 6) == 0) {
        unsigned long ms = strtoul(r->path + 6, NULL, 10);

        wait_ms(ms < SLOW_MAX_MS ? (long)ms : SLOW_MAX_MS);
        fill(a, 200, text, "answered after %lu ms\n", ms);
    } else
        fill(a, 404, text, "nothing here: %s\n", r->path);
}

static const char *reason(int status)
{
    return status == 200 ? "OK" : status == 400 ? "Bad Request" : status == 404 ? "Not Found" : status == 503 ? "Service Unavailable" : "Internal Server Error";
}

/* Sends head and body in one piece; whether the connection closes is decided last, when draining is known best. */
static bool reply(struct connection *c, struct request *r, const struct answer *a)
{
    char bytes[BODY_MAX + 1024];
    size_t body = strlen(a->body);
    int length;

    r->close = r->close || atomic_load(&draining);
    length = snprintf(bytes, sizeof bytes,
                      "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nX-Version: %s\r\nX-Colour: %s\r\n%s\r\n%s", a->status,
                      reason(a->status), a->type, body, version, colour, r->close ? "Connection: close\r\n" : "",
                      strcmp(r->method, "HEAD") == 0 ? "" : a->body);
    return length > 0 && (size_t)length < sizeof bytes && send_all(c->fd, bytes, (size_t)length) && !r->close;
}

/* Answers one request; false when the connection is to be closed. */
static bool serve_one(struct connection *c)
{
    struct request r;
    struct answer a;
    char *end;
    size_t length;
    bool keep, valid;

    while (!(end = strstr(c->head, "\r\n\r\n")))
        if (!receive(c))
            return false;
    atomic_fetch_add(&answering, 1);
    length = (size_t)(end - c->head) + 4;
    *end = 0;
    valid = parse(c->head, &r);
    if (!r.probe)
        atomic_store(&last_request_ms, now_ms());
    forget(c, length);
    if (valid && skip_body(c, r.body))
        route(&r, &a);
    else {
        fill(&a, 400, "text/plain", "not understood\n");
        r.close = true;
    }
    keep = reply(c, &r, &a);
    atomic_fetch_add(&answered, 1);
    atomic_fetch_sub(&answering, 1);
    return keep;
}

/* One thread a connection. The peer is given a moment to read the last answer before the socket goes. */
static void *serve(void *argument)
{
    struct connection *c = argument;
    struct pollfd closing = {.fd = c->fd, .events = POLLIN};

    while (serve_one(c))
        ;
    shutdown(c->fd, SHUT_WR);
    while (poll(&closing, 1, 1000) > 0 && recv(c->fd, c->head, HEAD_MAX, 0) > 0)
        ;
    close(c->fd);
    free(c);
    return NULL;
}

static void accept_one(int listener)
{
    struct connection *c;
    pthread_attr_t detached;
    pthread_t thread;
    int on = 1, fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    c = calloc(1, sizeof *c);
    if (!c) {
        close(fd);
        return;
    }
    c->fd = fd;
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&detached, 128 * 1024);
    if (pthread_create(&thread, &detached, serve, c) != 0) {
        close(fd);
        free(c);
    }
    pthread_attr_destroy(&detached);
}

static int listen_on(unsigned short port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1024) < 0) {
        say("cannot listen on port %u: %s", port, strerror(errno));
        exit(1);
    }
    return fd;
}

static const char *setting(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value && *value ? value : otherwise;
}

static enum failure failure_named(const char *name)
{
    static const char *const names[] = {"", "crash", "unready", "smoke"};

    for (int i = 0; i < 4; i++)
        if (strcmp(name, names[i]) == 0)
            return (enum failure)i;
    say("FAIL=%s is unknown: use crash, unready or smoke", name);
    exit(2);
}

/* Waits for `ms`, or for ever when negative; true when a signal told the server to end. */
static bool told_to_end(int signals, int listener, int ms)
{
    struct pollfd ready[] = {{.fd = signals, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    struct signalfd_siginfo info;

    if (poll(ready, 2, ms) <= 0)
        return false;
    if (ready[1].revents)
        accept_one(listener);
    return ready[0].revents && read(signals, &info, sizeof info) == sizeof info;
}

static void drain(int signals, int listener)
{
    long start = now_ms(), now = start, last;

    atomic_store(&draining, true);
    say("told to end: finishing what is in flight");
    do {
        told_to_end(signals, listener, 50);
        now = now_ms();
        last = atomic_load(&last_request_ms);
        last = last > start ? last : start;
    } while (now - start < DRAIN_MAX_MS && (atomic_load(&answering) > 0 || now - last < DRAIN_IDLE_MS));
    say("ends after %ld requests", atomic_load(&answered));
}

int main(void)
{
    unsigned long port = strtoul(setting("PORT", "8080"), NULL, 10);
    long slow = strtol(setting("SLOW_START", "0"), NULL, 10);
    sigset_t set;
    int signals, listener;

    version = setting("VERSION", "v0");
    colour = setting("COLOUR", "none");
    failure = failure_named(setting("FAIL", ""));
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (failure == FAIL_CRASH) {
        if (told_to_end(signals, -1, 1000))
            return 0;
        say("fatal: cannot reach the database (asked for with FAIL=crash)");
        return 1;
    }
    if (slow > 0 && told_to_end(signals, -1, (int)slow * 1000))
        return 0;
    listener = listen_on((unsigned short)port);
    say("listens on port %lu", port);
    while (!told_to_end(signals, listener, -1))
        ;
    drain(signals, listener);
    return 0;
}
