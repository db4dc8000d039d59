/* SPDX-License-Identifier: Apache-2.0
 *
 * option_table.c: see option_table.h. */
#include "server/option_table.h"

#include <string.h>

#include "server/options.h"

#define AT(member) offsetof(struct options, member)

/* clang-format off */
const struct option_row option_rows[] = {
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
      "changes that a watcher may go back or fall behind; 88 bytes each, and their labels" },
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
    { "flush", OPTION_SWITCH, AT(flush), "", 0, 0, NULL, "",
      "no service running: take its SAs and policies out of the kernel, exit" },
    { "healthcheck", OPTION_SWITCH, AT(healthcheck), "", 0, 0, NULL, "",
      "ask the running daemon's /readyz at ops-listen, exit 0 when it is ready" },
    { "help", OPTION_SWITCH, AT(help), "", 0, 0, NULL, "", "print this and exit" },
    { "version", OPTION_SWITCH, AT(version), "", 0, 0, NULL, "", "print the version and exit" },
};
/* clang-format on */
const size_t option_row_count = sizeof option_rows / sizeof *option_rows;
_Static_assert(sizeof option_rows / sizeof *option_rows <= OPTIONS_TEXTS,
               "a file may set them all");

void
options_print_help(FILE *stream)
{
    fputs("Usage: sa-contextd [--option VALUE ...]\n\n"
          "Creates and manages IPsec security-association contexts over HTTPS.\n\n",
          stream);
    for (size_t i = 0; i < option_row_count; i++) {
        const struct option_row *row = &option_rows[i];
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

const struct option_row *
option_row_find(const char *name, size_t length)
{
    for (size_t i = 0; i < option_row_count; i++) {
        if (strlen(option_rows[i].name) == length &&
            strncmp(option_rows[i].name, name, length) == 0)
            return &option_rows[i];
    }
    return NULL;
}

bool
option_row_has_choice(const char *choices, const char *text)
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
