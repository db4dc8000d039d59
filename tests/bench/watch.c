/* SPDX-License-Identifier: Apache-2.0
 *
 * watch.c: how long after a create its event is with many watchers.
 *
 *   watch ADDRESS PORT CA CERTIFICATE KEY FILTER WATCHERS EVENTS
 *
 * One thread: it opens the watchers, creates one SA context after the other over a connection of
 * its own, and looks at them all until each has got the event.  Prints one JSON line: percentiles
 * in microseconds from sending the request to its answer, to each watcher and to the last one.  All
 * decryption is in these times. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "tests/bench/histogram.h"

enum { INPUT_SIZE = 16384, TIMEOUT_MS = 30000, WARM_UP = 20 };

struct line {
    SSL *ssl;
    size_t size;
    bool seen;
    char input[INPUT_SIZE + 1];
};

static SSL_CTX *tls;
static struct sockaddr_in address;

static _Noreturn void die(const char *what);
static uint64_t now_ns(void);
static void open_line(struct line *line);
static void send_text(struct line *line, const char *text);
static void take(struct line *line);
static void wait_for_start(struct line *line);
static uint64_t create(struct line *line, const char *filter, uint64_t number);
static void print(const char *name, const struct histogram *histogram);

int
main(int count, char **arguments)
{
    static struct histogram answered;
    static struct histogram each;
    static struct histogram last;

    if (count != 9) {
        fprintf(stderr, "usage: watch ADDRESS PORT CA CERTIFICATE KEY FILTER WATCHERS EVENTS\n");
        return 2;
    }
    size_t watchers = strtoul(arguments[7], NULL, 10);
    size_t events = strtoul(arguments[8], NULL, 10);
    struct line creator = { .size = 0 };
    struct line *lines = calloc(watchers, sizeof *lines);
    struct pollfd *descriptors = calloc(watchers, sizeof *descriptors);

    tls = SSL_CTX_new(TLS_client_method());
    address.sin_family = AF_INET;
    address.sin_port = htons((uint16_t)strtoul(arguments[2], NULL, 10));
    if (lines == NULL || descriptors == NULL || tls == NULL ||
        inet_pton(AF_INET, arguments[1], &address.sin_addr) != 1 ||
        SSL_CTX_load_verify_locations(tls, arguments[3], NULL) != 1 ||
        SSL_CTX_use_certificate_chain_file(tls, arguments[4]) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, arguments[5], SSL_FILETYPE_PEM) != 1)
        die("arguments");
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);

    open_line(&creator);
    for (size_t i = 0; i < watchers; i++) {
        open_line(&lines[i]);
        send_text(&lines[i], "GET /sa-contexts/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
        wait_for_start(&lines[i]);
        descriptors[i] = (struct pollfd){ .fd = SSL_get_fd(lines[i].ssl), .events = POLLIN };
    }
    for (size_t event = 0; event < events + WARM_UP; event++) {
        char needle[64];
        size_t left = watchers;
        uint64_t begin = now_ns();
        uint64_t id = create(&creator, arguments[6], event);
        uint64_t end = now_ns();

        if (event >= WARM_UP)
            histogram_record(&answered, end - begin);
        (void)snprintf(needle, sizeof needle, "\"id\":%llu,", (unsigned long long)id);
        for (size_t i = 0; i < watchers; i++)
            lines[i].seen = false;
        while (left > 0) {
            if (poll(descriptors, watchers, TIMEOUT_MS) <= 0)
                die("an event did not come");
            for (size_t i = 0; i < watchers; i++) {
                struct line *line = &lines[i];

                if (descriptors[i].revents == 0)
                    continue;
                take(line);
                if (line->seen || strstr(line->input, needle) == NULL)
                    continue;
                line->seen = true;
                line->size = 0;
                end = now_ns();
                left--;
                if (event >= WARM_UP)
                    histogram_record(&each, end - begin);
            }
        }
        if (event >= WARM_UP)
            histogram_record(&last, end - begin);
    }
    printf("{\"watchers\":%zu,\"events\":%zu", watchers, events);
    print("answer", &answered);
    print("watcher", &each);
    print("lastWatcher", &last);
    printf("}\n");
    return 0;
}

static _Noreturn void
die(const char *what)
{
    perror(what);
    ERR_print_errors_fp(stderr);
    exit(1);
}

static uint64_t
now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void
open_line(struct line *line)
{
    const int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0)
        die("connect");
    line->ssl = SSL_new(tls);
    if (line->ssl == NULL || SSL_set_fd(line->ssl, fd) != 1 || SSL_connect(line->ssl) != 1)
        die("handshake");
}

static void
send_text(struct line *line, const char *text)
{
    if (SSL_write(line->ssl, text, (int)strlen(text)) != (int)strlen(text))
        die("send");
}

/* What one record has, behind what is there. */
static void
take(struct line *line)
{
    if (line->size == INPUT_SIZE)
        line->size = 0;
    int count = SSL_read(line->ssl, line->input + line->size, (int)(INPUT_SIZE - line->size));
    if (count <= 0)
        die("the service closed a connection");
    line->size += (size_t)count;
    line->input[line->size] = '\0';
}

static void
wait_for_start(struct line *line)
{
    while (strstr(line->input, "heartbeat") == NULL)
        take(line);
    if (strstr(line->input, "HTTP/1.1 200") == NULL)
        die(line->input);
    line->size = 0;
}

/* Returns the id of the context. */
static uint64_t
create(struct line *line, const char *filter, uint64_t number)
{
    char body[256];
    char request[512];
    int size = snprintf(body, sizeof body,
                        "{\"localAddress\":\"192.0.2.1\",\"remoteAddress\":\"10.0.%u.%u\","
                        "\"trafficType\":\"transport\",\"ipsecFilterId\":%s}",
                        (unsigned)(number >> 8 & 255), (unsigned)(number & 255), filter);
    const char *id = NULL;

    (void)snprintf(request, sizeof request,
                   "POST /sa-contexts HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                   "application/json\r\nContent-Length: %d\r\n\r\n%s",
                   size, body);
    line->size = 0;
    line->input[0] = '\0';
    send_text(line, request);
    while (id == NULL || strchr(id, '}') == NULL) {
        take(line);
        id = strstr(line->input, "{\"id\":");
    }
    return strtoull(id + strlen("{\"id\":"), NULL, 10);
}

static void
print(const char *name, const struct histogram *histogram)
{
    printf(",\"%sUs\":{\"p50\":%.0f,\"p99\":%.0f,\"max\":%.0f}", name,
           (double)histogram_percentile_ns(histogram, 50) / 1000,
           (double)histogram_percentile_ns(histogram, 99) / 1000, (double)histogram->max_ns / 1000);
}
