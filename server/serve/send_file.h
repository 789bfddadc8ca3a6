/*
 * send_file: a file as an answer, block by block as the client takes it.
 */
#ifndef SERVE_SEND_FILE_H
#define SERVE_SEND_FILE_H

struct http_request; /* server/serve/http.h */

/* `fd` is taken and closed. `file_name` is plain ASCII, for the download. Gives
 * the request back, now or later. */
void send_file(struct http_request *http,
               int fd,
               const char *content_type,
               const char *file_name);

#endif /* SERVE_SEND_FILE_H */
