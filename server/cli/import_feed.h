/*
 * import_feed: suqiu import --to tcp://HOST:PORT or tls://HOST:PORT, lines over
 * the feed.
 *
 * The files go as they stand: JSON lines in UTF-8, as a call centre's system
 * would send them.
 */
#ifndef CLI_IMPORT_FEED_H
#define CLI_IMPORT_FEED_H

#include <stdbool.h>
#include <stdint.h>

#include "analyzers/err.h"

/* Is it such a URL? */
bool import_feed_url(const char *url);

/*
 * Send the files one after the other and print a summary.
 *
 *   token        to show first; may be NULL
 *   ca_path      of tls://, as in tls_trust_new
 *   errors_max   of the refused lines are printed
 *   refused      lines refused, counted
 *
 * Errors  USAGE (the URL), NOT_FOUND, IO; those of tls_trust_new and feed_send
 */
enum err_code import_feed_run(const char *url,
                              const char *token,
                              const char *ca_path,
                              char **paths,
                              int path_count,
                              uint64_t errors_max,
                              uint64_t *refused,
                              struct err *err) MUST_CHECK;

#endif /* CLI_IMPORT_FEED_H */
