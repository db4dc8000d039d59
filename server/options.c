/* SPDX-License-Identifier: Apache-2.0
 *
 * options.c: see options.h.  One table drives flags, environment, file, defaults and help. */
#include "server/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

enum option_type { OPTION_TEXT, OPTION_NUMBER, OPTION_BOOLEAN, OPTION_SWITCH };

struct option_row {
    const char *name;
    enum option_type type;
    size_t offset;
    const char *fallback; /* default as text; null: required */
    uint32_t minimum, maximum;
    const char *choices; /* "a|b": the only texts allowed; null: any */
    const char *argument;
    const char *help;
};

#define AT(member) offsetof(struct options, member)

/* clang-format off */
static const struct option_row rows[] = {
    { "config", OPTION_TEXT, AT(config), "", 0, 0, NULL, "FILE",
      "JSON file whose members are the options below" },
    { "listen", OPTION_TEXT, AT(listen), "127.0.0.1:8443", 0, 0, NULL, "ADDRESS:PORT",
      "where callers connect; [::]:8443 too; a socket given by systemd wins" },
    { "tls-cert", OPTION_TEXT, AT(tls_cert), NULL, 0, 0, NULL, "FILE",
      "server certificate and intermediates, PEM" },
    { "tls-key", OPTION_TEXT, AT(tls_key), NULL, 0, 0, NULL, "FILE", "its private key, PEM" },
    { "client-ca", OPTION_TEXT, AT(client_ca), NULL, 0, 0, NULL, "FILE",
      "CAs that client certificates must lead to, PEM" },
    { "client-crl", OPTION_TEXT, AT(client_crl), "", 0, 0, NULL, "FILE",
      "revocation lists of these CAs, PEM; once given, every CA needs a current one" },
    { "access", OPTION_TEXT, AT(access), NULL, 0, 0, NULL, "FILE",
      "access.json: who may do what" },
    { "store", OPTION_TEXT, AT(store), "sqlite:/var/lib/sa-contextd/state.db", 0, 0, NULL, "URI",
      "memory: or sqlite:PATH" },
    { "plane", OPTION_TEXT, AT(plane), "none", 0, 0, "none|xfrm", "NAME",
      "data plane: none touches no packets, xfrm is the kernel's IPsec (takes CAP_NET_ADMIN)" },
    { "netns", OPTION_TEXT, AT(netns), "", 0, 0, NULL, "NAME",
      "do the plane's work in this network namespace (as ip netns names it); callers connect here" },
    { "plane-instance", OPTION_NUMBER, AT(plane_instance), "0", 0, UINT32_MAX, NULL, "N",
      "tells what is this service's in the kernel; two in one network namespace need different ones" },
    { "on-shutdown", OPTION_TEXT, AT(on_shutdown), "keep", 0, 0, "keep|flush", "WHAT",
      "what SIGTERM does to the SAs and policies in the kernel; keep: the next start adopts them" },
    { "ops-listen", OPTION_TEXT, AT(ops_listen), "127.0.0.1:9180", 0, 0, NULL, "ADDRESS:PORT",
      "plain HTTP for /livez, /healthz, /readyz and /metrics; off" },
    { "workers", OPTION_NUMBER, AT(workers), "0", 0, 256, NULL, "N",
      "threads that serve connections; 0: one a core" },
    { "queue-depth", OPTION_NUMBER, AT(queue_depth), "16384", 1, 1048576, NULL, "N",
      "calls waiting for the engine; beyond it callers get 503 at once" },
    { "max-batch", OPTION_NUMBER, AT(max_batch), "4096", 1, 65536, NULL, "N",
      "calls a commit" },
    { "max-contexts", OPTION_NUMBER, AT(max_contexts), "0", 0, UINT32_MAX, NULL, "N",
      "SA contexts at most; 0: no limit but memory" },
    { "larval-timeout-seconds", OPTION_NUMBER, AT(larval_timeout_seconds), "120", 0, 2592000, NULL,
      "S", "an SA context that nobody keyed for so long is removed; 0: never" },
    { "spi-minimum", OPTION_NUMBER, AT(spi_minimum), "256", 256, UINT32_MAX, NULL, "SPI",
      "the lowest inbound SPI that is handed out" },
    { "spi-maximum", OPTION_NUMBER, AT(spi_maximum), "4294967295", 256, UINT32_MAX, NULL, "SPI",
      "the highest" },
    { "spi-quarantine-seconds", OPTION_NUMBER, AT(spi_quarantine_seconds), "300", 0, 2592000, NULL,
      "S", "the SPI of an SA context that ended is not handed out again for so long" },
    { "allow-weak-transforms", OPTION_BOOLEAN, AT(allow_weak_transforms), "false", 0, 0, NULL,
      "BOOLEAN", "allow MD5, DES, 3DES, and SAs that leave out encryption or integrity" },
    { "reset-security", OPTION_BOOLEAN, AT(reset_security), "false", 0, 0, NULL, "BOOLEAN",
      "forget security descriptors that callers have set: the access file holds again" },
    { "max-sessions", OPTION_NUMBER, AT(max_sessions), "1024", 0, 1000000, NULL, "N",
      "explicit sessions at once; 0: none may be opened" },
    { "max-sessions-per-principal", OPTION_NUMBER, AT(max_sessions_per_principal), "256", 0,
      1000000, NULL, "N", "explicit sessions at once of one principal; 0: no limit" },
    { "session-idle-seconds", OPTION_NUMBER, AT(session_idle_seconds), "600", 0, 4000000, NULL,
      "S", "an explicit session without a request is cancelled after that; 0: never" },
    { "txn-wait-ms", OPTION_NUMBER, AT(txn_wait_ms), "15000", 0, UINT32_MAX, NULL, "MS",
      "how long a request waits for another session's transaction, unless its session says" },
    { "txn-hold-seconds", OPTION_NUMBER, AT(txn_hold_seconds), "3600", 0, 4000000, NULL, "S",
      "a transaction that is open for longer is rolled back; 0: never" },
    { "max-replay-records", OPTION_NUMBER, AT(max_replay_records), "10000000", 1, 100000000, NULL,
      "N", "answers remembered for Idempotency-Key within 24 hours" },
    { "max-watchers", OPTION_NUMBER, AT(max_watchers), "1024", 1, 1000000, NULL, "N",
      "event streams at once; beyond it callers get 503" },
    { "kept-events", OPTION_NUMBER, AT(kept_events), "65536", 16, 16777216, NULL, "N",
      "changes that a watcher may go back or fall behind; 64 bytes each" },
    { "event-heartbeat-seconds", OPTION_NUMBER, AT(event_heartbeat_seconds), "15", 1, 3600, NULL,
      "S", "an event stream without a change gets a heartbeat after that" },
    { "max-connections", OPTION_NUMBER, AT(max_connections), "16384", 1, 1000000, NULL, "N",
      "connections at once" },
    { "max-connections-per-address", OPTION_NUMBER, AT(max_connections_per_address), "0", 0,
      1000000, NULL, "N", "connections at once from one address; 0: no limit" },
    { "max-connections-per-principal", OPTION_NUMBER, AT(max_connections_per_principal), "0", 0,
      1000000, NULL, "N", "connections at once of one principal; 0: no limit" },
    { "max-body-bytes", OPTION_NUMBER, AT(max_body_bytes), "65536", 256, 16777216, NULL, "BYTES",
      "request body at most" },
    { "max-batch-body-bytes", OPTION_NUMBER, AT(max_batch_body_bytes), "4194304", 256, 67108864, NULL, "BYTES", "longest body of a batch" },
    { "idle-timeout-seconds", OPTION_NUMBER, AT(idle_timeout_seconds), "75", 1, 86400, NULL, "S",
      "a kept-alive connection without a request is closed after that" },
    { "header-timeout-seconds", OPTION_NUMBER, AT(header_timeout_seconds), "10", 1, 3600, NULL,
      "S", "time for the TLS handshake, and for the whole header of a request" },
    { "body-timeout-seconds", OPTION_NUMBER, AT(body_timeout_seconds), "30", 1, 3600, NULL, "S",
      "time for a whole request body, and for taking a whole answer" },
    { "drain-seconds", OPTION_NUMBER, AT(drain_seconds), "10", 0, 3600, NULL, "S",
      "time for finishing what is in flight after SIGTERM" },
    { "log-level", OPTION_TEXT, AT(log_level), "info", 0, 0, "error|warning|info|debug", "LEVEL",
      "error, warning, info or debug" },
    { "log-format", OPTION_TEXT, AT(log_format), "json", 0, 0, "json|text", "FORMAT",
      "json or text, on standard error" },
    { "audit-log", OPTION_TEXT, AT(audit_log), "stderr", 0, 0, NULL, "FILE",
      "one line a decision: stderr, off or a file (opened anew on SIGHUP)" },
    { "user", OPTION_TEXT, AT(user), "", 0, 0, NULL, "NAME",
      "switch to this user after binding the sockets; it must be able to read all files" },
    { "check", OPTION_SWITCH, AT(check), "", 0, 0, NULL, "",
      "read everything, say what is wrong, exit" },
    { "healthcheck", OPTION_SWITCH, AT(healthcheck), "", 0, 0, NULL, "",
      "ask the running daemon's /readyz at ops-listen, exit 0 when it is ready" },
    { "help", OPTION_SWITCH, AT(help), "", 0, 0, NULL, "", "print this and exit" },
    { "version", OPTION_SWITCH, AT(version), "", 0, 0, NULL, "", "print the version and exit" },
};
/* clang-format on */
enum { ROW_COUNT = sizeof rows / sizeof *rows };
_Static_assert(sizeof rows / sizeof *rows <= OPTIONS_TEXTS, "a file may set them all");

/* Where a value came from, for messages and for who wins. */
struct source {
    const char *texts[ROW_COUNT]; /* null: not set here */
    const char *name;
};
enum { SOURCE_COUNT = 3 };

static void read_flags(int argc, char *const *argv, struct source *flags, struct options *options);
static void read_environment(struct source *environment, struct options *options);
static void read_file(const char *file, struct source *members, struct options *options);
static bool has_type(enum option_type type, const json_t *value);
static const char *wanted_type(enum option_type type);
static const char *given_type(const json_t *value);
static char *write_value(const json_t *value);
static void
choose(struct options *options, const struct option_row *row, const struct source *const *sources);
static void require(struct options *options, const struct option_row *row);
static bool set_row(struct options *options,
                    const struct option_row *row,
                    const char *text,
                    const char *source);
static bool is_service_link(const char *name);
static const struct option_row *find_row(const char *name, size_t length);
static bool is_choice(const char *choices, const char *text);
static void
refuse(struct options *options, enum ipsec_status status, const char *name, const char *format, ...)
    PRINTF_FORMAT(4, 5);

bool
options_read(int argc, char *const *argv, struct options *options)
{
    struct source flags = { .name = "command line" };
    struct source environment = { .name = "environment" };
    struct source file = { .name = "" };
    const struct source *const sources[SOURCE_COUNT] = { &flags, &environment, &file };

    *options = (struct options){ 0 };
    read_flags(argc, argv, &flags, options);
    read_environment(&environment, options);

    size_t config_row = (size_t)(find_row("config", strlen("config")) - rows);
    const char *config =
        flags.texts[config_row] != NULL ? flags.texts[config_row] : environment.texts[config_row];
    if (config != NULL) {
        file.name = config;
        read_file(config, &file, options);
    }
    for (size_t row = 0; row < ROW_COUNT; row++)
        choose(options, &rows[row], sources);
    for (size_t row = 0; row < ROW_COUNT; row++)
        require(options, &rows[row]);
    if (options->help || options->version || options->healthcheck)
        options->check = false;
    return !options->is_bad;
}

bool
options_is_stand_in(const struct options *options, const char *name)
{
    const struct option_row *row = find_row(name, strlen(name));

    return row != NULL && options->stand_in[row - rows];
}

void
options_clear(struct options *options)
{
    for (size_t i = 0; i < OPTIONS_TEXTS; i++)
        free(options->owned[i]);
    free(options->problems);
    *options = (struct options){ 0 };
}

void
options_print_help(FILE *stream)
{
    fputs("Usage: sa-contextd [--option VALUE ...]\n\n"
          "Creates and manages IPsec security-association contexts over HTTPS.\n\n",
          stream);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct option_row *row = &rows[i];
        fprintf(stream, "  --%s%s%s\n        %s", row->name, row->argument[0] ? " " : "",
                row->argument, row->help);
        if (row->fallback == NULL)
            fputs(" (required)", stream);
        else if (row->type == OPTION_NUMBER)
            fprintf(stream, " (default %s, from %u to %u)", row->fallback, row->minimum,
                    row->maximum);
        else if (row->fallback[0] != '\0')
            fprintf(stream, " (default %s)", row->fallback);
        fputc('\n', stream);
    }
    fputs("\nEach that takes a value is also a member of the file given with --config, and a\n"
          "variable of the environment: --queue-depth is SA_CONTEXTD_QUEUE_DEPTH.  A flag wins\n"
          "over the environment, the environment over the file.  What is no option is refused.\n\n"
          "Signals: SIGHUP reads certificates, CRL and access.json anew, not the options; SIGTERM\n"
          "drains.\n"
          "Exit codes: 0 success, 1 failure, 2 bad usage or configuration.\n",
          stream);
}

static void
read_flags(int argc, char *const *argv, struct source *flags, struct options *options)
{
    for (int i = 1; i < argc; i++) {
        const char *argument = argv[i];

        if (strcmp(argument, "-h") == 0)
            argument = "--help";
        if (strncmp(argument, "--", 2) != 0) {
            refuse(options, IPSEC_INVALID_PARAMETER, NULL, "'%s' is no option; see --help",
                   argument);
            continue;
        }
        const char *name = argument + 2;
        const char *equals = strchr(name, '=');
        size_t length = equals != NULL ? (size_t)(equals - name) : strlen(name);
        bool has_next = i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0;
        const struct option_row *row = find_row(name, length);
        if (row == NULL) {
            refuse(options, IPSEC_INVALID_PARAMETER, NULL, "unknown option '--%.*s'; see --help",
                   (int)length, name);
            if (equals == NULL && has_next) /* its value, for all we know */
                i++;
            continue;
        }
        const char *value = "true";
        if (row->type == OPTION_SWITCH && equals != NULL) {
            refuse(options, IPSEC_INVALID_PARAMETER, row->name, "option '--%s' takes no value",
                   row->name);
            continue;
        }
        if (row->type != OPTION_SWITCH && equals == NULL && i + 1 == argc) {
            refuse(options, IPSEC_INVALID_PARAMETER, row->name, "option '--%s' needs a value",
                   row->name);
            continue;
        }
        if (row->type != OPTION_SWITCH)
            value = equals != NULL ? equals + 1 : argv[++i];
        const char **slot = &flags->texts[row - rows];
        if (*slot == NULL)
            *slot = value;
        else
            refuse(options, IPSEC_INVALID_PARAMETER, row->name, "option '--%s' is given twice",
                   row->name);
    }
}

/* Reads the variable of each row, and refuses SA_CONTEXTD_* variables that are no row's: a
 * misspelt one would be ignored otherwise. */
static void
read_environment(struct source *environment, struct options *options)
{
    static const char prefix[] = "SA_CONTEXTD_";

    for (char **entry = environ; *entry != NULL; entry++) {
        const char *equals = strchr(*entry, '=');
        char name[64];
        size_t length = 0;

        if (equals == NULL || strncmp(*entry, prefix, sizeof prefix - 1) != 0 ||
            is_service_link(*entry + sizeof prefix - 1))
            continue;
        for (const char *c = *entry + sizeof prefix - 1; c < equals && length < sizeof name; c++)
            name[length++] = *c == '_' ? '-' : (char)tolower((unsigned char)*c);
        const struct option_row *row = find_row(name, length);
        if (row == NULL || row->type == OPTION_SWITCH)
            refuse(options, IPSEC_INVALID_PARAMETER, NULL, "environment: %.*s is no option",
                   (int)(equals - *entry), *entry);
        else
            environment->texts[row - rows] = equals + 1;
    }
}

static void
read_file(const char *file, struct source *members, struct options *options)
{
    json_error_t error;
    json_t *root = json_load_file(file, JSON_REJECT_DUPLICATES, &error);
    size_t owned = 0;
    const char *name;
    json_t *value;

    options->has_unread_file = !json_is_object(root);
    if (root == NULL && error.line < 1) /* it was not read at all */
        refuse(options, IPSEC_INVALID_PARAMETER, "config", "config: %s", error.text);
    else if (root == NULL)
        refuse(options, IPSEC_INVALID_PARAMETER, "config", "config %s:%d: %s", file, error.line,
               error.text);
    else if (!json_is_object(root))
        refuse(options, IPSEC_INVALID_PARAMETER, "config", "%s: the top level must be an object",
               file);
    json_object_foreach(root, name, value)
    {
        const struct option_row *row = find_row(name, strlen(name));
        if (row == NULL || row->type == OPTION_SWITCH || strcmp(name, "config") == 0) {
            refuse(options, IPSEC_INVALID_PARAMETER, NULL, "%s: '%s' is no option", file, name);
        } else if (!has_type(row->type, value)) {
            refuse(options, IPSEC_TYPE_MISMATCH, name, "%s: '%s' must be %s, not %s", file, name,
                   wanted_type(row->type), given_type(value));
        } else {
            char *text = write_value(value);
            if (text == NULL)
                refuse(options, IPSEC_RPC_OUT_OF_RESOURCES, name, "no memory");
            else /* once a row: the file has no member twice */
                members->texts[row - rows] = options->owned[owned++] = text;
        }
    }
    json_decref(root);
}

static bool
has_type(enum option_type type, const json_t *value)
{
    switch (type) {
    case OPTION_TEXT:
        return json_is_string(value);
    case OPTION_NUMBER:
        return json_is_integer(value);
    case OPTION_BOOLEAN:
        return json_is_boolean(value);
    case OPTION_SWITCH:
        break;
    }
    return false;
}

static const char *
wanted_type(enum option_type type)
{
    return type == OPTION_TEXT     ? "a string"
           : type == OPTION_NUMBER ? "an integer"
                                   : "true or false";
}

static const char *
given_type(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a fraction";
    case JSON_TRUE:
    case JSON_FALSE:
        return "a boolean";
    case JSON_NULL:
        break;
    }
    return "null";
}

/* As the same option reads on the command line; the caller's.  Null: no memory. */
static char *
write_value(const json_t *value)
{
    char *text = NULL;

    if (json_is_string(value))
        return strdup(json_string_value(value));
    if (json_is_boolean(value))
        return strdup(json_is_true(value) ? "true" : "false");
    return asprintf(&text, "%lld", (long long)json_integer_value(value)) < 0 ? NULL : text;
}

/* Sets a row from the first source that has it; where that is no good, to its default. */
static void
choose(struct options *options, const struct option_row *row, const struct source *const *sources)
{
    bool *is_stand_in = &options->stand_in[row - rows];

    for (size_t i = 0; i < SOURCE_COUNT; i++) {
        const char *text = sources[i]->texts[row - rows];

        if (text == NULL)
            continue;
        *is_stand_in = !set_row(options, row, text, sources[i]->name);
        if (!*is_stand_in)
            return;
        break;
    }
    if (row->type != OPTION_SWITCH)
        (void)set_row(options, row, row->fallback != NULL ? row->fallback : "", "default");
}

static void
require(struct options *options, const struct option_row *row)
{
    const char *const *text =
        (const char *const *)(const void *)((const char *)options + row->offset);

    /* What else would be in a file that could not be read, nobody knows. */
    if (row->fallback != NULL || (*text)[0] != '\0' || options->stand_in[row - rows] ||
        options->has_unread_file || options->help || options->version || options->healthcheck)
        return;
    refuse(options, IPSEC_INVALID_PARAMETER, row->name, "option '%s' is required", row->name);
}

static bool
set_row(struct options *options, const struct option_row *row, const char *text, const char *source)
{
    void *member = (char *)options + row->offset;

    if (row->type == OPTION_SWITCH) {
        *(bool *)member = true;
        return true;
    }
    if (row->type == OPTION_TEXT) {
        if (row->choices != NULL && !is_choice(row->choices, text)) {
            refuse(options, IPSEC_INVALID_ENUMERATOR, row->name, "%s: '%s' is '%s' but must be %s",
                   source, row->name, text, row->choices);
            return false;
        }
        *(const char **)member = text;
        return true;
    }
    if (row->type == OPTION_BOOLEAN) {
        *(bool *)member = strcmp(text, "true") == 0;
        if (*(bool *)member || strcmp(text, "false") == 0)
            return true;
        refuse(options, IPSEC_INVALID_ENUMERATOR, row->name,
               "%s: '%s' is '%s' but must be true or false", source, row->name, text);
        return false;
    }

    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || !isdigit((unsigned char)text[0]) ||
        number < row->minimum || number > row->maximum) {
        refuse(options, IPSEC_OUT_OF_BOUNDS, row->name,
               "%s: '%s' is '%s' but must be a number from %u to %u", source, row->name, text,
               row->minimum, row->maximum);
        return false;
    }
    *(uint32_t *)member = (uint32_t)number;
    return true;
}

/* A Kubernetes service named sa-contextd puts SA_CONTEXTD_SERVICE_HOST, SA_CONTEXTD_PORT,
 * SA_CONTEXTD_PORT_8443_TCP_ADDR and the like into every container beside it. */
static bool
is_service_link(const char *name)
{
    return strncmp(name, "SERVICE_HOST=", 13) == 0 || strncmp(name, "SERVICE_PORT", 12) == 0 ||
           strncmp(name, "PORT=", 5) == 0 ||
           (strncmp(name, "PORT_", 5) == 0 && isdigit((unsigned char)name[5]));
}

static const struct option_row *
find_row(const char *name, size_t length)
{
    for (size_t i = 0; i < ROW_COUNT; i++) {
        if (strlen(rows[i].name) == length && strncmp(rows[i].name, name, length) == 0)
            return &rows[i];
    }
    return NULL;
}

static bool
is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);

    while (true) {
        size_t choice_length = strcspn(choices, "|");
        if (choice_length == length && strncmp(choices, text, length) == 0)
            return true;
        if (choices[choice_length] == '\0')
            return false;
        choices += choice_length + 1;
    }
}

/* Notes a problem of the option 'name' (null: of none).  Reading goes on. */
static void
refuse(struct options *options, enum ipsec_status status, const char *name, const char *format, ...)
{
    const struct option_row *row = name == NULL ? NULL : find_row(name, strlen(name));
    struct ipsec_fault *problems =
        reallocarray(options->problems, options->problem_count + 1, sizeof *problems);
    char detail[sizeof problems->detail];
    va_list arguments;

    options->is_bad = true;
    if (row != NULL)
        options->stand_in[row - rows] = true;
    if (problems == NULL)
        return;
    options->problems = problems;
    problems += options->problem_count++;
    *problems = (struct ipsec_fault){ 0 };
    va_start(arguments, format);
    (void)vsnprintf(detail, sizeof detail, format, arguments);
    va_end(arguments);
    (void)!ipsec_fault_set(problems, status, IPSEC_FAULT_SERVICE, name, "%s", detail);
}
