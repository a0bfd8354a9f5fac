/*
 * The life of an output file: checked, created, committed or discarded.
 */
#include "io/output_private.h"

#include <stdio.h>
#include <string.h>

pcct_status output_check_path(pcct_context *context, const char *path, bool overwrite,
                              bool resume) {
  pcct_status status = PCCT_OK;
  if (context->rank == 0) {
    status = output_place_check(&context->base, path, overwrite, resume);
  }
  return comm_agree(context, status);
}

static pcct_status allocate(struct base *base, const char *path,
                            const struct output_options *options,
                            const struct output_header *header, struct output **output) {
  const int64_t size = (int64_t)(strlen(path) + sizeof ".part");
  struct output *created = base_allocate_zero(base, 1, sizeof *created);
  *output = created;
  if (!created) {
    return PCCT_MEMORY;
  }
  created->place.overwrite = options->overwrite;
  created->place.resume = options->resume;
  created->place.reopen = options->reopen;
  created->place.keep = options->reopen; /* until more is done */
  created->place.descriptor = -1;
  created->file = -1;
  created->transfer = -1;
  created->compress = options->compress;
  created->checksums = header->kind == OUTPUT_INDEX;
  created->wide = header->n > INT32_MAX;
  created->rows = header->rows;
  created->place.path = base_allocate(base, size, 1);
  created->place.part = base_allocate(base, size, 1);
  if (!created->place.path || !created->place.part) {
    return PCCT_MEMORY;
  }
  snprintf(created->place.path, (size_t)size, "%s", path);
  snprintf(created->place.part, (size_t)size, "%s.part", path);
  return PCCT_OK;
}

/* Closes, removes and frees. Collective only if all ranks have the file open. */
static void discard(struct output **output) {
  struct output *doomed = *output;
  *output = NULL;
  if (!doomed) {
    return;
  }
  if (doomed->place.owned) {
    output_place_empty(&doomed->place);
  }
  H5E_BEGIN_TRY {
    output_close_file(doomed);
  }
  H5E_END_TRY
  output_place_close(&doomed->place);
  base_free(doomed->datasets);
  base_free(doomed);
}

/* Gives a new output to the caller, or ends it. */
static pcct_status hand_over(pcct_context *context, pcct_status status, struct output *created,
                             struct output **output) {
  if (status != PCCT_OK) {
    discard(&created);
    comm_max(context, 0); /* nobody returns before the file is gone */
  }
  *output = created;
  return status;
}

pcct_status output_create(pcct_context *context, const char *path,
                          const struct output_options *options, const struct output_header *header,
                          struct output **output) {
  *output = NULL;
  struct output *created = NULL;
  pcct_status status = allocate(&context->base, path, options, header, &created);
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    H5E_BEGIN_TRY {
      status = output_schema_create(context, created, header, options->distances);
    }
    H5E_END_TRY
    status = comm_agree(context, status);
  }
  return hand_over(context, status, created, output);
}

pcct_status output_extend(pcct_context *context, const char *path, const char *source,
                          const struct output_options *options, int64_t n, struct output **output) {
  const struct output_header header = {.kind = OUTPUT_CONDITIONING_SETS, .n = n, .rows = n};
  *output = NULL;
  struct output *created = NULL;
  pcct_status status = allocate(&context->base, path, options, &header, &created);
  status = comm_agree(context, status);
  if (status == PCCT_OK) {
    H5E_BEGIN_TRY {
      status = context->rank == 0 ? output_schema_copy(context, created, source) : PCCT_OK;
    }
    H5E_END_TRY
    status = comm_agree(context, status);
  }
  return hand_over(context, status, created, output);
}

pcct_status output_flush(pcct_context *context, struct output *output) {
  pcct_status status = output_begin_writing(context, output);
  if (status == PCCT_OK) {
    bool good;
    H5E_BEGIN_TRY {
      good = output_flush_file(output);
    }
    H5E_END_TRY
    if (!good) {
      status = base_fail(&context->base, PCCT_FILE, "%s: cannot be brought to the disk: %s",
                         output->place.part, output_get_reason().text);
    } else if (context->rank == 0) {
      status = output_place_sync_data(&context->base, &output->place);
    }
    status = comm_agree(context, status);
  }
  return status;
}

void output_keep(struct output *output) {
  if (output) {
    output->place.keep = true;
  }
}

static pcct_status fail_close(pcct_context *context, const struct output *output) {
  return base_fail(&context->base, PCCT_FILE, "%s: cannot be closed (is the disk full?): %s",
                   output->place.part, output_get_reason().text);
}

/* Everything of output_commit but the clean-up. */
static pcct_status commit(pcct_context *context, struct output *output,
                          const struct provenance *provenance) {
  struct base *base = &context->base;
  pcct_status status =
      comm_agree(context, output_flush_file(output) ? PCCT_OK : fail_close(context, output));
  if (status == PCCT_OK) {
    status = comm_agree(context, output_close_file(output) ? PCCT_OK : fail_close(context, output));
  }
  if (status == PCCT_OK && context->rank == 0) {
    status = output_provenance_write(context, output, provenance);
    if (status == PCCT_OK) {
      status = output_place_sync(base, &output->place);
    }
  }
  status = comm_agree(context, status);
  if (status == PCCT_OK && context->rank == 0) {
    status = output_place_rename(base, &output->place);
  }
  return comm_agree(context, status);
}

pcct_status output_commit(pcct_context *context, struct output **output,
                          const struct provenance *provenance) {
  pcct_status status;
  H5E_BEGIN_TRY {
    status = commit(context, *output, provenance);
  }
  H5E_END_TRY
  output_discard(context, output); /* of a committed file nothing is left to remove */
  return status;
}

void output_discard(pcct_context *context, struct output **output) {
  if (output && *output) {
    if ((*output)->place.owned) {
      output_place_empty(&(*output)->place);
    }
    comm_max(context, 0); /* nobody closes before there is room */
    discard(output);
    comm_max(context, 0); /* nobody returns before the file is gone */
  }
}
