/* suqiu corrections: what supervisors decided, as labelled rows. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "server/cli/cli.h"
#include "server/ledger/reader.h"
#include "server/serve/mask.h"
#include "server/serve/query.h"

enum {
    OUT_BYTES_MAX = 64 * 1024 * 1024,
    PIECE_TICKETS = 500,
    MASK_BYTES_MAX = 1024 * 1024,
    READ_OF_TEN = 6 /* tests/corpus: crc32 of the id, modulo 10, below this */
};

static const char *flag_from;
static const char *flag_to;
static const char *flag_part;
static bool flag_changed;
static bool flag_unmasked;

static const struct config_flag corrections_flags[] = {
    {"from", "DATE", &flag_from, NULL, "tickets accepted from this day on"},
    {"to", "DATE", &flag_to, NULL, "and up to this day, included"},
    {"changed", NULL, NULL, &flag_changed,
     "only where the supervisor decided otherwise than the tables"},
    {"part", "read|held", &flag_part, NULL,
     "six of ten rows to train on, or the other four to measure with"},
    {"unmasked", NULL, NULL, &flag_unmasked,
     "with phone numbers and whole addresses"},
};

const struct cli_help cmd_corrections_help = {
    .usage = "suqiu corrections --data DIR [--from DATE] [--to DATE] "
             "[--changed]\n"
             "                  [--part read|held] [--unmasked]",
    .text = "Prints the tickets that supervisors reviewed (corrected events), "
            "one a line,\ntab-separated, with the category, subcategory and "
            "region that hold: rows for\nsuqiu train --corpus and suqiu check "
            "--corpus. Numbers in texts and the ends of\naddresses are masked. "
            "The part of a row follows from its id, so it stays.\n",
    .flags = corrections_flags,
    .flag_count = sizeof(corrections_flags) / sizeof(corrections_flags[0]),
    .groups = CONFIG_STORE,
};

enum part { PART_ALL, PART_READ, PART_HELD };

struct run {
    struct reader reader;
    enum part part;
    struct buf out;
    struct buf masked;
    int64_t at_us;
    uint64_t number;
    size_t piece;
    uint64_t rows;
    struct err *err;
};

/* A cell: no tab, no line end; `-` for nothing. */
static void
put_cell(struct buf *out, struct span text)
{
    if (text.bytes == 0) {
        buf_put_char(out, '-');
    }
    for (size_t i = 0; i < text.bytes; i++) {
        char c = text.data[i];

        buf_put_char(out, (unsigned char)c < 0x20 || c == 0x7F ? ' ' : c);
    }
}

static struct span
shown(struct run *run, enum mask_field field, struct span text)
{
    return mask_field(flag_unmasked ? MASK_ROLE_SUPERVISOR : MASK_ROLE_VIEWER,
                      field, text, &run->masked);
}

static bool
in_part(enum part part, struct span id)
{
    bool read =
        crc32(0, (const Bytef *)id.data, (uInt)id.bytes) % 10 < READ_OF_TEN;

    return part == PART_ALL || (part == PART_READ) == read;
}

static void
put_row(struct run *run,
        const struct ticket_state *state,
        const struct ticket *ticket)
{
    struct buf *out = &run->out;

    put_cell(out, ticket->id);
    buf_printf(out, "\t%s\t%s\t", ticket_type_wire(state->type),
               ticket_category_wire(state->category));
    put_cell(out, state->category == TICKET_CATEGORY_NONE
                      ? (struct span){NULL, 0}
                      : reader_name(&run->reader, state->subcategory_id));
    buf_put_char(out, '\t');
    put_cell(out, state->category == TICKET_CATEGORY_NONE
                      ? (struct span){NULL, 0}
                      : reader_name(&run->reader, state->topic_id));
    buf_printf(out, "\t-\t%s\t",
               state->region == TICKET_REGION_UNKNOWN
                   ? "-"
                   : ticket_region_wire(state->region));
    put_cell(out, shown(run, MASK_ADDRESS, ticket->address));
    buf_put_char(out, '\t');
    put_cell(out, shown(run, MASK_TEXT, ticket->text));
    buf_put_char(out, '\n');
    run->rows++;
}

static bool
differs(const struct ticket_state *state)
{
    return state->category != state->judged_category ||
           state->subcategory_id != state->judged_subcategory_id ||
           state->region != state->judged_region;
}

static bool
look_at(void *data, int64_t accepted_at_us, uint64_t number)
{
    struct run *run = data;
    struct ticket_state state;
    struct record record;

    run->at_us = accepted_at_us;
    run->number = number;
    run->piece++;
    if (!reader_state(&run->reader, number, &state, run->err)) {
        (void)err_set(run->err, ERR_CORRUPT, "ticket %llu has no state",
                      (unsigned long long)number);
        return false;
    }
    if (!state.reviewed || (flag_changed && !differs(&state))) {
        return run->piece < PIECE_TICKETS;
    }
    if (reader_record(&run->reader, state.record_seq, &record, run->err) !=
        ERR_OK) {
        return false;
    }
    /* A row needs a text, and `#` would make it a comment. */
    if (record.ticket.text.bytes > 0 && record.ticket.id.data[0] != '#' &&
        in_part(run->part, record.ticket.id)) {
        put_row(run, &state, &record.ticket);
    }
    return run->piece < PIECE_TICKETS;
}

/* Print what is there and begin anew. */
static enum err_code
flush(struct run *run)
{
    if (cli_put_out(&run->out) != CLI_FINE) {
        return err_set(run->err, ERR_IO, "the rows could not be written");
    }
    buf_reset(&run->out);
    return ERR_OK;
}

static enum err_code
put_all(struct run *run, int64_t from_us, int64_t to_us)
{
    buf_put_text(&run->out, "id\ttype\tcategory\tsubcategory\ttopic\t"
                            "secondary\tregion\taddress\ttext\n");
    do {
        run->piece = 0;
        if (reader_tickets(&run->reader, from_us, to_us, run->at_us,
                           run->number, false, look_at, run,
                           run->err) != ERR_OK ||
            run->err->code != ERR_OK || flush(run) != ERR_OK) {
            break;
        }
    } while (run->piece == PIECE_TICKETS &&
             reader_renew(&run->reader, run->err) == ERR_OK);
    return run->err->code;
}

static enum err_code
read_flags(const struct config *config,
           int argc,
           struct run *run,
           int64_t *from_us,
           int64_t *to_us,
           struct err *err)
{
    if (argc > 0) {
        return err_set(err, ERR_USAGE,
                       "corrections takes no arguments besides its flags");
    }
    if (config->data[0] == '\0') {
        return err_set(err, ERR_USAGE, "say which store: --data DIR");
    }
    if (flag_part != NULL) {
        run->part = strcmp(flag_part, "read") == 0   ? PART_READ
                    : strcmp(flag_part, "held") == 0 ? PART_HELD
                                                     : PART_ALL;
        if (run->part == PART_ALL) {
            return err_set(err, ERR_USAGE,
                           "--part \"%.40s\": give read or held", flag_part);
        }
    }
    if ((flag_from != NULL &&
         query_time_parse(span_of(flag_from), false, "--from", from_us, err)) ||
        (flag_to != NULL &&
         query_time_parse(span_of(flag_to), true, "--to", to_us, err))) {
        err->code = ERR_USAGE;
    }
    return err->code;
}

int
cmd_corrections(int argc, char **argv)
{
    const struct store_options store_options = {0};
    struct err err = {0};
    struct run run = {.err = &err};
    int64_t from_us = INT64_MIN;
    int64_t to_us = INT64_MAX;
    struct store *store = NULL;
    struct config config;
    int exit_code = CLI_FINE;

    if (!cli_begin(&cmd_corrections_help, &argc, argv, &config, &exit_code)) {
        return exit_code;
    }
    if (read_flags(&config, argc, &run, &from_us, &to_us, &err) != ERR_OK) {
        return cli_fail(&err);
    }
    buf_init(&run.out, OUT_BYTES_MAX);
    buf_init(&run.masked, MASK_BYTES_MAX);
    if (store_open(config.data, STORE_READ, &store_options, &store, &err) ==
            ERR_OK &&
        reader_begin(store, &run.reader, &err) == ERR_OK) {
        (void)!put_all(&run, from_us, to_us);
        reader_end(&run.reader);
    }
    if (err.code != ERR_OK) {
        exit_code = cli_fail(&err);
    }
    store_close(&store);
    buf_release(&run.out);
    buf_release(&run.masked);
    return cli_end_out(exit_code);
}
