/*
 * Streaming CSV, by libcsv over zlib's gzread (which reads plain files as they are).
 *
 * libcsv does not say where in the file it is. So it is fed pieces that end with a line end at
 * most: then every piece completes at most one row, and lines can be counted on the way.
 */
#include "io/csv_reader.h"

#include <csv.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#define BUFFER_BYTES (1 << 18)       /* decompressed at once */
#define PARSER_BLOCK_BYTES (1 << 16) /* by which libcsv grows its field */

struct csv_reader {
  char *path;
  gzFile file;
  struct csv_parser parser;
  bool parser_ready;

  unsigned char *buffer; /* decompressed bytes */
  int64_t buffer_begin, buffer_end;
  bool at_end;      /* of the file */
  bool after_cr;    /* the last byte fed was CR: an LF that follows ends no further line */
  int64_t line;     /* line of the next byte */
  int64_t row_line; /* line on which the row being read starts */
  bool row_started; /* a byte other than white space was fed since the last complete row */
  bool row_complete;
  int64_t row_bytes; /* fed since the last complete row */

  char *text; /* the row's fields, each with a NUL behind */
  int64_t text_capacity, text_used;
  struct csv_field *fields;
  int64_t *field_begins; /* in text, which may move while it grows */
  int64_t fields_capacity, begins_capacity, field_count;
  struct base *base; /* of the running call, for the callbacks */
  pcct_status callback_status;

  char *names_text; /* the header */
  struct csv_field *names;
  int64_t column_count; /* 0 until the header is read */
  int64_t rows;         /* data rows read */
};

/* libcsv's callback: a field is complete. */
static void take_field(void *text, size_t length, void *user) {
  struct csv_reader *reader = user;
  if (reader->callback_status != PCCT_OK) {
    return;
  }
  pcct_status status = base_grow(reader->base, (void **)&reader->text, &reader->text_capacity,
                                 reader->text_used, reader->text_used + (int64_t)length + 1, 1);
  if (status == PCCT_OK) {
    status = base_grow(reader->base, (void **)&reader->field_begins, &reader->begins_capacity,
                       reader->field_count, reader->field_count + 1, sizeof(int64_t));
  }
  if (status == PCCT_OK) {
    status = base_grow(reader->base, (void **)&reader->fields, &reader->fields_capacity,
                       reader->field_count, reader->field_count + 1, sizeof(struct csv_field));
  }
  if (status != PCCT_OK) {
    reader->callback_status = status;
    return;
  }
  char *begin = reader->text + reader->text_used;
  if (length > 0) {
    memcpy(begin, text, length);
  }
  begin[length] = '\0';
  reader->field_begins[reader->field_count] = reader->text_used;
  reader->fields[reader->field_count].length = (int64_t)length;
  reader->field_count++;
  reader->text_used += (int64_t)length + 1;
}

/* libcsv's callback: a row is complete. */
static void take_row(int end, void *user) {
  (void)end;
  ((struct csv_reader *)user)->row_complete = true;
}

static void clear_row(struct csv_reader *reader) {
  reader->text_used = 0;
  reader->field_count = 0;
  reader->row_started = false;
  reader->row_complete = false;
  reader->row_bytes = 0;
}

struct csv_excerpt csv_excerpt(const struct csv_field *field) {
  struct csv_excerpt excerpt = {0};
  int64_t length = field->length;
  if (length > CSV_EXCERPT_BYTES) {
    /* cut before a character, not inside one: continuation bytes are 10xxxxxx */
    length = CSV_EXCERPT_BYTES;
    while (length > 0 && ((unsigned char)field->text[length] & 0xC0) == 0x80) {
      length--;
    }
  }
  for (int64_t i = 0; i < length; i++) {
    unsigned char byte = (unsigned char)field->text[i];
    excerpt.text[i] = byte < ' ' || byte == 0x7F ? '?' : (char)byte;
  }
  if (length < field->length) {
    memcpy(excerpt.text + length, "...", 3);
  }
  return excerpt;
}

/* The column in which the row being read breaks off, for messages. */
static struct csv_excerpt current_column(const struct csv_reader *reader) {
  static const struct csv_field beyond = {"beyond the header", 17};
  return csv_excerpt(
      reader->field_count < reader->column_count ? &reader->names[reader->field_count] : &beyond);
}

static pcct_status fail_parse(struct base *base, struct csv_reader *reader) {
  if (csv_error(&reader->parser) != CSV_EPARSE) {
    return base_fail(base, PCCT_MEMORY, "%s: out of memory in line %lld", reader->path,
                     (long long)reader->line);
  }
  if (reader->column_count == 0) {
    return base_fail(base, PCCT_INPUT,
                     "%s: line %lld: a quote stands inside a field of the header; expected \"...\" "
                     "around whole fields with inner quotes doubled",
                     reader->path, (long long)reader->line);
  }
  return base_fail(base, PCCT_INPUT,
                   "%s: line %lld: a quote stands inside a field of column '%s' (the row starts in "
                   "line %lld); expected \"...\" around whole fields with inner quotes doubled",
                   reader->path, (long long)reader->line, current_column(reader).text,
                   (long long)reader->row_line);
}

static pcct_status fail_unterminated(struct base *base, struct csv_reader *reader) {
  if (reader->column_count == 0) {
    return base_fail(base, PCCT_INPUT, "%s: line %lld: a quote in the header is never closed",
                     reader->path, (long long)reader->row_line);
  }
  return base_fail(base, PCCT_INPUT,
                   "%s: line %lld: the quote that opens a field of column '%s' in the row of this "
                   "line is never closed",
                   reader->path, (long long)reader->row_line, current_column(reader).text);
}

/* Fills the empty buffer. */
static pcct_status fill(struct base *base, struct csv_reader *reader) {
  errno = 0;
  int bytes = gzread(reader->file, reader->buffer, BUFFER_BYTES);
  int code = Z_OK;
  (void)gzerror(reader->file, &code);
  if (bytes < 0 || (bytes == 0 && code != Z_OK && code != Z_STREAM_END)) {
    if (code == Z_ERRNO) {
      return base_fail(base, PCCT_FILE, "%s: cannot be read near line %lld: %s", reader->path,
                       (long long)reader->line, strerror(errno));
    }
    return base_fail(base, PCCT_INPUT, "%s: the gzip data is truncated or damaged near line %lld",
                     reader->path, (long long)reader->line);
  }
  reader->buffer_begin = 0;
  reader->buffer_end = bytes;
  reader->at_end = bytes == 0;
  return PCCT_OK;
}

/* The bytes up to and with the first line end, or all of them. */
static int64_t piece_length(const unsigned char *bytes, int64_t count) {
  const unsigned char *feed = memchr(bytes, '\n', (size_t)count);
  if (feed != NULL) {
    count = feed - bytes + 1;
  }
  const unsigned char *carriage = memchr(bytes, '\r', (size_t)count);
  return carriage != NULL ? carriage - bytes + 1 : count;
}

static bool is_blank(const unsigned char *bytes, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    if (bytes[i] != ' ' && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\n') {
      return false;
    }
  }
  return true;
}

/* Feeds one piece of the buffer, which is not empty, to libcsv and counts the line. */
static pcct_status feed_piece(struct base *base, struct csv_reader *reader) {
  const unsigned char *piece = reader->buffer + reader->buffer_begin;
  int64_t length = piece_length(piece, reader->buffer_end - reader->buffer_begin);
  if (!reader->row_started && !is_blank(piece, length)) {
    reader->row_started = true;
    reader->row_line = reader->line;
  }
  reader->base = base;
  size_t parsed = csv_parse(&reader->parser, piece, (size_t)length, take_field, take_row, reader);
  if (reader->callback_status != PCCT_OK) {
    return reader->callback_status;
  }
  if (parsed != (size_t)length) {
    return fail_parse(base, reader);
  }
  reader->buffer_begin += length;
  unsigned char last = piece[length - 1];
  bool ends_pair = last == '\n' && length == 1 && reader->after_cr;
  if ((last == '\n' && !ends_pair) || last == '\r') {
    reader->line++;
  }
  reader->after_cr = last == '\r';
  reader->row_bytes += reader->row_started ? length : 0;
  if (reader->row_bytes > CSV_ROW_BYTES_MAX) {
    return base_fail(base, PCCT_INPUT,
                     "%s: the row that starts in line %lld exceeds %lld MiB in column '%s': is a "
                     "quote not closed?",
                     reader->path, (long long)reader->row_line,
                     (long long)(CSV_ROW_BYTES_MAX >> 20), current_column(reader).text);
  }
  return PCCT_OK;
}

/* Reads up to the end of the next row, header or data; row_complete tells whether there was one. */
static pcct_status read_row(struct base *base, struct csv_reader *reader) {
  clear_row(reader);
  while (!reader->row_complete && !reader->at_end) {
    pcct_status status = PCCT_OK;
    if (reader->buffer_begin == reader->buffer_end) {
      status = fill(base, reader);
    }
    if (status == PCCT_OK && reader->buffer_begin < reader->buffer_end) {
      status = feed_piece(base, reader);
    }
    if (status != PCCT_OK) {
      return status;
    }
  }
  if (!reader->row_complete && reader->row_started) {
    /* the last line of the file may lack its line end */
    reader->base = base;
    int code = csv_fini(&reader->parser, take_field, take_row, reader);
    if (reader->callback_status != PCCT_OK) {
      return reader->callback_status;
    }
    if (code != 0) {
      return fail_unterminated(base, reader);
    }
  }
  for (int64_t i = 0; i < reader->field_count; i++) {
    reader->fields[i].text = reader->text + reader->field_begins[i];
  }
  return PCCT_OK;
}

/* Reads the header into `names`, or over it. */
static pcct_status read_header(struct base *base, struct csv_reader *reader) {
  static const unsigned char byte_order_mark[] = {0xEF, 0xBB, 0xBF};
  reader->line = 1;
  reader->rows = 0;
  reader->after_cr = false;
  reader->at_end = false;
  pcct_status status = fill(base, reader);
  if (status != PCCT_OK) {
    return status;
  }
  if (reader->buffer_end >= 3 && memcmp(reader->buffer, byte_order_mark, 3) == 0) {
    reader->buffer_begin = 3;
  }
  status = read_row(base, reader);
  if (status != PCCT_OK) {
    return status;
  }
  if (!reader->row_complete) {
    return base_fail(base, PCCT_INPUT,
                     "%s: is empty; expected a header line that names the columns", reader->path);
  }
  for (int64_t i = 0; i < reader->field_count; i++) {
    if ((int64_t)strlen(reader->fields[i].text) != reader->fields[i].length) {
      return base_fail(base, PCCT_INPUT,
                       "%s: line %lld: the header contains NUL bytes; expected CSV text in UTF-8",
                       reader->path, (long long)reader->row_line);
    }
  }
  return PCCT_OK;
}

/* Keeps the row just read as the column names. */
static pcct_status keep_header(struct base *base, struct csv_reader *reader) {
  reader->names_text = base_allocate(base, reader->text_used, 1);
  reader->names = base_allocate(base, reader->field_count, sizeof(struct csv_field));
  if (reader->names_text == NULL || reader->names == NULL) {
    return PCCT_MEMORY;
  }
  memcpy(reader->names_text, reader->text, (size_t)reader->text_used);
  for (int64_t i = 0; i < reader->field_count; i++) {
    reader->names[i].text = reader->names_text + reader->field_begins[i];
    reader->names[i].length = reader->fields[i].length;
  }
  reader->column_count = reader->field_count;
  return PCCT_OK;
}

static pcct_status start_parser(struct base *base, struct csv_reader *reader) {
  if (csv_init(&reader->parser, CSV_STRICT | CSV_STRICT_FINI) != 0) {
    return base_fail(base, PCCT_INTERNAL, "the CSV parser cannot be initialised");
  }
  csv_set_blk_size(&reader->parser, PARSER_BLOCK_BYTES);
  reader->parser_ready = true;
  return PCCT_OK;
}

static pcct_status open_file(struct base *base, struct csv_reader *reader, const char *path) {
  struct stat information;
  if (stat(path, &information) != 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
  }
  if (S_ISDIR(information.st_mode)) {
    return base_fail(base, PCCT_FILE, "%s: is a directory; expected a CSV file", path);
  }
  reader->path = base_allocate(base, (int64_t)strlen(path) + 1, 1);
  reader->buffer = base_allocate(base, BUFFER_BYTES, 1);
  if (reader->path == NULL || reader->buffer == NULL) {
    return PCCT_MEMORY;
  }
  memcpy(reader->path, path, strlen(path) + 1);
  errno = 0;
  reader->file = gzopen(path, "rb");
  if (reader->file == NULL) {
    return errno == 0 || errno == ENOMEM
               ? base_fail(base, PCCT_MEMORY, "%s: out of memory while opening it", path)
               : base_fail(base, PCCT_FILE, "%s: cannot be opened: %s", path, strerror(errno));
  }
  return start_parser(base, reader);
}

pcct_status csv_open(struct base *base, const char *path, struct csv_reader **result) {
  *result = NULL;
  struct csv_reader *reader = base_allocate_zero(base, 1, sizeof *reader);
  if (reader == NULL) {
    return PCCT_MEMORY;
  }
  pcct_status status = open_file(base, reader, path);
  if (status == PCCT_OK) {
    status = read_header(base, reader);
  }
  if (status == PCCT_OK) {
    status = keep_header(base, reader);
  }
  if (status != PCCT_OK) {
    csv_close(&reader);
  }
  *result = reader;
  return status;
}

void csv_close(struct csv_reader **pointer) {
  if (pointer == NULL || *pointer == NULL) {
    return;
  }
  struct csv_reader *reader = *pointer;
  if (reader->parser_ready) {
    csv_free(&reader->parser);
  }
  if (reader->file != NULL) {
    (void)gzclose(reader->file);
  }
  base_free(reader->names);
  base_free(reader->names_text);
  base_free(reader->field_begins);
  base_free(reader->fields);
  base_free(reader->text);
  base_free(reader->buffer);
  base_free(reader->path);
  base_free(reader);
  *pointer = NULL;
}

int64_t csv_column_count(const struct csv_reader *reader) {
  return reader->column_count;
}

const struct csv_field *csv_column_name(const struct csv_reader *reader, int64_t column) {
  return &reader->names[column];
}

const char *csv_path(const struct csv_reader *reader) {
  return reader->path;
}

pcct_status csv_next_row(struct base *base, struct csv_reader *reader, struct csv_row *row) {
  *row = (struct csv_row){0};
  pcct_status status = read_row(base, reader);
  if (status != PCCT_OK || !reader->row_complete) {
    return status;
  }
  if (reader->field_count != reader->column_count) {
    return base_fail(base, PCCT_INPUT,
                     "%s: line %lld has %lld field(s), but the header has %lld%s%s%s", reader->path,
                     (long long)reader->row_line, (long long)reader->field_count,
                     (long long)reader->column_count,
                     reader->field_count < reader->column_count ? " (column '" : "",
                     reader->field_count < reader->column_count ? current_column(reader).text : "",
                     reader->field_count < reader->column_count ? "' is missing)" : "");
  }
  row->fields = reader->fields;
  row->index = reader->rows++;
  row->line = reader->row_line;
  return PCCT_OK;
}

pcct_status csv_rewind(struct base *base, struct csv_reader *reader) {
  if (gzrewind(reader->file) != 0) {
    return base_fail(base, PCCT_FILE, "%s: cannot be read a second time; expected a regular file",
                     reader->path);
  }
  csv_free(&reader->parser);
  reader->parser_ready = false;
  pcct_status status = start_parser(base, reader);
  if (status == PCCT_OK) {
    status = read_header(base, reader);
  }
  if (status == PCCT_OK && reader->field_count != reader->column_count) {
    status = base_fail(base, PCCT_FILE, "%s: changed while it was read", reader->path);
  }
  return status;
}
