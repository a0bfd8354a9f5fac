/*
 * What an output file consists of. Rank 0 makes it all, serially; the other ranks only keep the list of
 * datasets.
 *
 * Dimension scales say which extents belong together: zeros, a byte an item, named as netCDF names
 * dimensions without a variable, so that its readers show dimensions and no zeros. They hold storage
 * because h5diff calls datasets without any, and all that refer to them, not comparable.
 */
#include "io/output_private.h"

#include <hdf5_hl.h>
#include <stdio.h>
#include <string.h>

#define CHUNK_BYTES (INT64_C(1) << 20)
#define METADATA_BYTES (INT64_C(512) << 10)        /* root, groups, and /provenance in the end */
#define METADATA_DATASET_BYTES (INT64_C(16) << 10) /* header, attributes, references to scales */
#define METADATA_CHUNK_BYTES INT64_C(256)          /* its entry in an index that is half full */

pcct_status output_fail_create(pcct_context *context, const struct output *output,
                               const char *object) {
  return base_fail(&context->base, PCCT_FILE, "%s: cannot create %s: %s", output->place.part,
                   object, output_get_reason().text);
}

static int64_t chunks_of(const struct output_dataset *dataset) {
  return dataset->chunk_rows > 0
             ? dataset->rows / dataset->chunk_rows + (dataset->rows % dataset->chunk_rows != 0)
             : 0;
}

int64_t output_metadata_bytes(const struct output *output) {
  int64_t bytes = METADATA_BYTES;
  for (int64_t i = 0; i < output->count; i++) {
    const struct output_dataset *dataset = &output->datasets[i];
    int64_t chunks = chunks_of(dataset);
    bytes += METADATA_DATASET_BYTES + chunks * METADATA_CHUNK_BYTES;
    if (output_is_filtered(output)) {
      /* HDF5 fills filtered datasets once with zeros, which, compressed, shrink to far less than this */
      const int64_t chunk = dataset->chunk_rows * dataset->width * dataset->size;
      bytes += chunks * (output->compress > 0 ? chunk / 64 + 512 : chunk + 64);
    }
  }
  return bytes;
}

hid_t output_serial_access(void) {
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  bool good = access >= 0 && H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0;
#if H5_VERSION_GE(1, 10, 7)
  /* not every cluster file system has locks, and the part file is nobody else's */
  good = good && H5Pset_file_locking(access, false, true) >= 0;
#endif
  if (!good && access >= 0) {
    H5Pclose(access);
    access = -1;
  }
  return access;
}

/* ---- dimension scales */

bool output_put_scale(hid_t file, const char *path, int64_t extent, const char *description) {
  const hsize_t size = (hsize_t)extent;
  char name[96];
  snprintf(name, sizeof name, "This is a netCDF dimension but not a netCDF variable.%10lld",
           (long long)extent);
  const hid_t space = H5Screate_simple(1, &size, NULL);
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  hid_t scale = -1;
  bool good = space >= 0 && list >= 0 && H5Pset_obj_track_times(list, false) >= 0 &&
              H5Pset_layout(list, H5D_CONTIGUOUS) >= 0 &&
              H5Pset_alloc_time(list, H5D_ALLOC_TIME_EARLY) >= 0 &&
              H5Pset_fill_time(list, H5D_FILL_TIME_ALLOC) >= 0;
  if (good) {
    scale = H5Dcreate2(file, path, H5T_NATIVE_INT8, space, H5P_DEFAULT, list, H5P_DEFAULT);
    good = scale >= 0 && H5DSset_scale(scale, name) >= 0 &&
           output_put_text(scale, "description", description) &&
           output_put_text(scale, "units", "1");
  }
  if (scale >= 0) {
    good &= H5Dclose(scale) >= 0;
  }
  if (list >= 0) {
    H5Pclose(list);
  }
  if (space >= 0) {
    H5Sclose(space);
  }
  return good;
}

static bool attach_scale(hid_t file, hid_t dataset, unsigned dimension, const char *path) {
  const hid_t scale = H5Dopen2(file, path, H5P_DEFAULT);
  if (scale < 0) {
    return false;
  }
  bool good = H5DSattach_scale(dataset, scale, dimension) >= 0 &&
              H5DSset_label(dataset, dimension, path + 1) >= 0;
  return H5Dclose(scale) >= 0 && good;
}

/* ---- datasets */

/* How a dataset is stored; -1 on failure. */
static hid_t storage_list(const struct output *output, const struct output_dataset *dataset) {
  const hsize_t chunk[2] = {(hsize_t)dataset->chunk_rows, (hsize_t)dataset->width};
  const bool filtered = output_is_filtered(output) && dataset->chunk_rows > 0;
  const hid_t list = H5Pcreate(H5P_DATASET_CREATE);
  if (list < 0) {
    return -1;
  }
  bool good =
      H5Pset_obj_track_times(list, false) >= 0 && H5Pset_fill_time(list, H5D_FILL_TIME_NEVER) >= 0;
  if (good && dataset->chunk_rows > 0) {
    good = H5Pset_chunk(list, dataset->rank, chunk) >= 0;
  }
  if (good && filtered && output->compress > 0) {
    good = H5Pset_shuffle(list) >= 0 && H5Pset_deflate(list, (unsigned)output->compress) >= 0;
  }
  if (good && filtered && output->checksums) {
    good = H5Pset_fletcher32(list) >= 0;
  }
  if (good) { /* filtered ones are allocated when all ranks open them */
    good = H5Pset_alloc_time(list, filtered ? H5D_ALLOC_TIME_INCR : H5D_ALLOC_TIME_EARLY) >= 0;
  }
  if (!good) {
    H5Pclose(list);
    return -1;
  }
  return list;
}

/* Creates a dataset in the file, with its attributes and scales. Rank 0. */
static bool put_dataset(const struct output *output, const struct output_dataset *dataset,
                        const struct output_plan *plan) {
  const hsize_t extent[2] = {(hsize_t)dataset->rows, (hsize_t)dataset->width};
  const hid_t space = H5Screate_simple(dataset->rank, extent, NULL);
  const hid_t list = storage_list(output, dataset);
  hid_t id = -1;
  bool good = space >= 0 && list >= 0;
  if (good) {
    id = H5Dcreate2(output->file, plan->path, dataset->type, space, H5P_DEFAULT, list, H5P_DEFAULT);
    good = id >= 0 && output_put_text(id, "description", plan->description) &&
           output_put_text(id, "units", plan->units);
  }
  for (int i = 0; good && i < dataset->rank && plan->scales[i]; i++) {
    good = attach_scale(output->file, id, (unsigned)i, plan->scales[i]);
  }
  if (id >= 0) {
    good &= H5Dclose(id) >= 0;
  }
  if (list >= 0) {
    H5Pclose(list);
  }
  if (space >= 0) {
    H5Sclose(space);
  }
  return good;
}

/* Reserves what the file has now and what its metadata may come to. Rank 0. */
static pcct_status reserve(pcct_context *context, const struct output *output) {
  hsize_t bytes;
  if (H5Fget_filesize(output->file, &bytes) < 0) {
    return output_fail_create(context, output, "the file");
  }
  return output_place_reserve(&context->base, &output->place,
                              (int64_t)bytes + output_metadata_bytes(output));
}

pcct_status output_schema_add(pcct_context *context, struct output *output,
                              const struct output_plan *plan) {
  struct base *base = &context->base;
  pcct_status status = base_grow(base, (void **)&output->datasets, &output->capacity, output->count,
                                 output->count + 1, sizeof *output->datasets);
  if (status != PCCT_OK) {
    return status;
  }
  size_t length = strlen(plan->path) + 1;
  struct output_dataset *dataset = &output->datasets[output->count];
  *dataset = (struct output_dataset){.path = base_allocate(base, (int64_t)length, 1),
                                     .type = H5Tcopy(plan->type),
                                     .id = -1,
                                     .rank = plan->rank,
                                     .rows = plan->rows,
                                     .width = plan->width};
  output->count++; /* from here on output_close_file frees it */
  if (!dataset->path) {
    return PCCT_MEMORY;
  }
  memcpy(dataset->path, plan->path, length);
  if (dataset->type < 0) {
    return output_fail_create(context, output, plan->path);
  }
  dataset->size = (int64_t)H5Tget_size(dataset->type);
  if (dataset->rows > 0) {
    int64_t rows = CHUNK_BYTES / dataset->size / dataset->width;
    rows = rows > 1 ? rows : 1;
    dataset->chunk_rows = rows < dataset->rows ? rows : dataset->rows;
  }
  if (context->rank != 0 || output->place.reopen) {
    return PCCT_OK;
  }
  /* before, since an index too large for HDF5's cache is written while it grows; and after */
  status = reserve(context, output);
  if (status == PCCT_OK && !put_dataset(output, dataset, plan)) {
    status = output_fail_create(context, output, plan->path);
  }
  return status == PCCT_OK ? reserve(context, output) : status;
}

/* ---- the whole file */

static bool put_root(hid_t file, const struct output_header *header) {
  static const char *const kinds[] = {"conditioning-sets", "neighbors", "points", "ranges", "index",
                                      "block-sets"};
  static const int32_t version[2] = {1, 0};
  static const int64_t index_fill = -1;
  double scale[PCCT_DIMENSION_MAX];
  const int64_t dimension = header->dimension;
  for (int i = 0; i < header->dimension; i++) {
    scale[i] = header->scale ? header->scale[i] : 1;
  }
  const struct {
    const char *name, *text;
  } texts[] = {{"format", "pcct"},
               {"kind", kinds[header->kind]},
               {"ordering", header->ordering},
               {"metric", header->metric},
               {"coordinates", header->coordinates},
               {"dataset", header->dataset},
               {"columns", header->columns}};
  const struct {
    const char *name;
    const int64_t *value;
  } integers[] = {
      {"n", &header->n}, {"d", &dimension}, {"m", &header->width}, {"index_fill", &index_fill}};
  bool good = output_put_integers(file, "format_version", H5T_NATIVE_INT32, 2, version) &&
              output_put_integers(file, "seed", H5T_NATIVE_UINT64, 0, &header->seed) &&
              output_put_doubles(file, "scale", header->dimension, scale);
  for (size_t i = 0; good && i < sizeof texts / sizeof texts[0]; i++) {
    good = output_put_text(file, texts[i].name, texts[i].text);
  }
  if (good && (header->kind == OUTPUT_NEIGHBORS || header->kind == OUTPUT_RANGES)) {
    good = output_put_text(file, "queries", header->queries);
  }
  if (good && header->kind == OUTPUT_RANGES) {
    good = output_put_doubles(file, "radius", 0, &header->radius);
  }
  if (good && header->rotation) {
    good = output_put_doubles(file, "rotation", header->dimension * header->dimension,
                              header->rotation);
  }
  if (good && header->kind == OUTPUT_CONDITIONING_SETS) {
    good = output_put_shape(file, header);
  }
  if (good && header->batches) {
    good = output_put_integers(file, "batches", H5T_NATIVE_INT64, header->batch_count,
                               header->batches);
  }
  if (good && header->kind != OUTPUT_POINTS) { /* nobody counts those of points files */
    good = output_put_integers(file, "duplicates", H5T_NATIVE_INT64, 0, &header->duplicates);
  }
  for (size_t i = 0; good && i < sizeof integers / sizeof integers[0]; i++) {
    good = output_put_integers(file, integers[i].name, H5T_NATIVE_INT64, 0, integers[i].value);
  }
  return good;
}

bool output_put_group(hid_t file, const char *path) {
  const hid_t group = H5Gcreate2(file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  return group >= 0 && H5Gclose(group) >= 0;
}

/* The group of an index's tree, and what its datasets extend over. */
static bool put_tree(hid_t file, const struct output_header *header) {
  const struct output_tree *tree = header->tree;
  const hid_t group = H5Gcreate2(file, "/tree", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  bool good =
      group >= 0 &&
      output_put_text(group, "description",
                      "cover trees of pieces of the points; depends on the ranks that built "
                      "them, unlike everything outside of this group") &&
      output_put_integers(group, "leaf_size", H5T_NATIVE_INT32, 0, &tree->leaf_size) &&
      output_put_integers(group, "ranks", H5T_NATIVE_INT, 0, &tree->ranks);
  if (group >= 0) {
    good &= H5Gclose(group) >= 0;
  }
  return good && output_put_scale(file, "/place", header->n, "points, piece after piece") &&
         output_put_scale(file, "/bound", tree->pieces + 1,
                          "where pieces begin, and the last one ends") &&
         output_put_scale(file, "/search_axis", tree->dimension, "search coordinates of a point");
}

/* Everything but datasets. Rank 0. */
static bool put_frame(hid_t file, const struct output_header *header, const char *row_scale) {
  const bool blocks = header->kind == OUTPUT_BLOCK_SETS;
  const bool sets = header->kind == OUTPUT_CONDITIONING_SETS || blocks;
  bool good = put_root(file, header) && output_put_group(file, "/points") &&
              output_put_group(file, "/data") &&
              output_put_scale(file, row_scale, header->rows,
                               sets ? "places in the ordering" : "rows of this file") &&
              output_put_scale(file, "/axis", header->dimension, "coordinates of a point");
  const bool index = header->kind == OUTPUT_INDEX;
  if (good && blocks) {
    good = output_put_scale(file, "/block", header->blocks, "blocks of positions");
  }
  if (good && header->kind != OUTPUT_POINTS && !index) {
    good = output_put_group(file, "/neighbors");
  }
  if (good && index) {
    good = put_tree(file, header);
  }
  if (good && (sets || header->kind == OUTPUT_NEIGHBORS)) {
    good = output_put_scale(file, "/neighbor", header->width, "neighbours, nearest first");
  } else if (good && header->kind == OUTPUT_RANGES && !header->count_only) {
    good = output_put_scale(file, "/neighbor", header->entries,
                            "neighbours of all rows, row after row") &&
           output_put_scale(file, "/bound", header->rows + 1,
                            "where rows begin, and the last one ends");
  }
  if (good && header->has_ordering) {
    good = output_put_group(file, "/ordering");
  }
  if (good && header->has_ordering) {
    good = sets ? output_put_scale(file, "/row", header->n, "rows of the input")
                : output_put_scale(file, "/position", header->n, "places in the ordering");
  }
  return good;
}

/* Units of the coordinates and of distances. */
static const char *coordinate_units(const struct output_header *header) {
  if (header->units && header->units[0] != '\0') {
    return header->units;
  }
  return strcmp(header->coordinates, "lonlat") == 0        ? "degrees"
         : strcmp(header->coordinates, "lonlat-time") == 0 ? "degrees, degrees, time"
                                                           : "1";
}
static const char *distance_units(const struct output_header *header) {
  if (strcmp(header->coordinates, "lonlat") == 0) {
    return "km";
  }
  return header->scale || header->rotation ? "1" : coordinate_units(header);
}

static pcct_status add_neighbors(pcct_context *context, struct output *output,
                                 const struct output_header *header,
                                 enum output_distances distances) {
  const bool blocks = header->kind == OUTPUT_BLOCK_SETS;
  const bool sets = header->kind == OUTPUT_CONDITIONING_SETS || blocks;
  const int64_t rows = blocks ? header->blocks : header->rows;
  const char *scale = blocks ? "/block" : output->row_scale;
  struct output_plan plan = {.path = "/neighbors/index",
                             .type = output->wide ? H5T_NATIVE_INT64 : H5T_NATIVE_INT32,
                             .rank = 2,
                             .rows = rows,
                             .width = header->width,
                             .scales = {scale, "/neighbor"},
                             .description =
                                 sets ? "positions of the nearest predecessors, nearest first; -1 "
                                        "where there are no more"
                                      : "rows of the nearest points, nearest first; -1 where there "
                                        "are no more",
                             .units = "1"};
  pcct_status status = output_schema_add(context, output, &plan);
  if (status == PCCT_OK && distances != OUTPUT_NONE) {
    plan.path = "/neighbors/distance";
    plan.type = distances == OUTPUT_F4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
    plan.description = "distances to /neighbors/index; +inf where there are no more";
    plan.units = distance_units(header);
    status = output_schema_add(context, output, &plan);
  }
  if (status == PCCT_OK) {
    plan = (struct output_plan){.path = "/neighbors/count",
                                .type = output->wide ? H5T_NATIVE_INT64 : H5T_NATIVE_INT32,
                                .rank = 1,
                                .rows = rows,
                                .width = 1,
                                .scales = {scale},
                                .description = "neighbours of each row of /neighbors/index",
                                .units = "1"};
    status = output_schema_add(context, output, &plan);
  }
  return status;
}

/* Compressed rows, or counts. */
static pcct_status add_ranges(pcct_context *context, struct output *output,
                              const struct output_header *header, enum output_distances distances) {
  struct output_plan plan = {.path = "/neighbors/count",
                             .type = output->wide ? H5T_NATIVE_INT64 : H5T_NATIVE_INT32,
                             .rank = 1,
                             .rows = header->rows,
                             .width = 1,
                             .scales = {output->row_scale},
                             .description = "points within the radius of each row",
                             .units = "1"};
  if (header->count_only) {
    return output_schema_add(context, output, &plan);
  }
  plan.path = "/neighbors/offset";
  plan.type = H5T_NATIVE_INT64;
  plan.rows = header->rows + 1;
  plan.scales[0] = "/bound";
  plan.description = "row i has the entries offset[i] to offset[i+1]-1 of /neighbors/index";
  pcct_status status = output_schema_add(context, output, &plan);
  if (status == PCCT_OK) {
    plan.path = "/neighbors/index";
    plan.type = output->wide ? H5T_NATIVE_INT64 : H5T_NATIVE_INT32;
    plan.rows = header->entries;
    plan.scales[0] = "/neighbor";
    plan.description = "rows of the points within the radius, row after row, nearest first";
    status = output_schema_add(context, output, &plan);
  }
  if (status == PCCT_OK && distances != OUTPUT_NONE) {
    plan.path = "/neighbors/distance";
    plan.type = distances == OUTPUT_F4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
    plan.description = "distances to /neighbors/index";
    plan.units = distance_units(header);
    status = output_schema_add(context, output, &plan);
  }
  return status;
}

static pcct_status add_ordering(pcct_context *context, struct output *output,
                                const struct output_header *header) {
  struct output_plan plan = {.path = "/ordering/permutation",
                             .type = output->wide ? H5T_NATIVE_INT64 : H5T_NATIVE_INT32,
                             .rank = 1,
                             .rows = header->n,
                             .width = 1,
                             .scales = {"/position"},
                             .description = "row of the input at each position",
                             .units = "1"};
  pcct_status status = output_schema_add(context, output, &plan);
  if (status == PCCT_OK) {
    plan.path = "/ordering/position";
    plan.scales[0] = "/row";
    plan.description = "position of each row of the input";
    status = output_schema_add(context, output, &plan);
  }
  if (status == PCCT_OK && header->has_length_scale) {
    plan.path = "/ordering/length_scale";
    plan.type = H5T_NATIVE_DOUBLE;
    plan.scales[0] = "/position";
    plan.description = "distance to the nearest of the points before, or the scale of the net, "
                       "when the ordering chose the point";
    plan.units = distance_units(header);
    status = output_schema_add(context, output, &plan);
  }
  return status;
}

static pcct_status add_tree(pcct_context *context, struct output *output,
                            const struct output_header *header) {
  const struct output_plan plans[] = {
      {.path = "/tree/first",
       .type = H5T_NATIVE_INT64,
       .rank = 1,
       .rows = header->tree->pieces + 1,
       .width = 1,
       .scales = {"/bound"},
       .description = "first point of each piece, its root; and the number of points",
       .units = "1"},
      {.path = "/tree/coordinates",
       .type = H5T_NATIVE_DOUBLE,
       .rank = 2,
       .rows = header->n,
       .width = header->tree->dimension,
       .scales = {"/place", "/search_axis"},
       .description = "search coordinates",
       .units = "1"},
      {.path = "/tree/position",
       .type = output->wide ? H5T_NATIVE_INT64 : H5T_NATIVE_INT32,
       .rank = 1,
       .rows = header->n,
       .width = 1,
       .scales = {"/place"},
       .description = "position in the ordering",
       .units = "1"},
      {.path = "/tree/parent",
       .type = H5T_NATIVE_INT32,
       .rank = 1,
       .rows = header->n,
       .width = 1,
       .scales = {"/place"},
       .description = "place of the parent within the piece; -1 for its root",
       .units = "1"},
      {.path = "/tree/level",
       .type = H5T_NATIVE_INT16,
       .rank = 1,
       .rows = header->n,
       .width = 1,
       .scales = {"/place"},
       .description = "level of a node; -32768: at its parent's location; -32767: in its parent's "
                      "bucket",
       .units = "1"}};
  pcct_status status = PCCT_OK;
  for (size_t i = 0; i < sizeof plans / sizeof plans[0] && status == PCCT_OK; i++) {
    status = output_schema_add(context, output, &plans[i]);
  }
  return status;
}

static pcct_status add_points(pcct_context *context, struct output *output,
                              const struct output_header *header) {
  struct output_plan plan = {.path = "/points/coordinates",
                             .type = H5T_NATIVE_DOUBLE,
                             .rank = 2,
                             .rows = header->rows,
                             .width = header->dimension,
                             .scales = {output->row_scale, "/axis"},
                             .description = "coordinates as given",
                             .units = coordinate_units(header)};
  pcct_status status = output_schema_add(context, output, &plan);
  if (status == PCCT_OK && header->has_source_row) {
    plan = (struct output_plan){.path = "/points/source_row",
                                .type = H5T_NATIVE_INT64,
                                .rank = 1,
                                .rows = header->rows,
                                .width = 1,
                                .scales = {output->row_scale},
                                .description = "row of the imported table, without its header",
                                .units = "1"};
    status = output_schema_add(context, output, &plan);
  }
  return status;
}

/* Storage of the dimension scales that put_frame makes. */
static int64_t scale_bytes(const struct output_header *header) {
  const int64_t neighbors =
      header->kind == OUTPUT_RANGES ? header->rows + 1 + header->entries : header->width;
  const int64_t tree =
      header->tree ? header->n + header->tree->pieces + 1 + header->tree->dimension : 0;
  return header->rows + header->dimension + neighbors + tree +
         (header->has_ordering ? header->n : 0);
}

/* Creates the file itself and its frame. Rank 0. */
static pcct_status create_frame(pcct_context *context, struct output *output,
                                const struct output_header *header) {
  struct base *base = &context->base;
  const int64_t bytes = METADATA_BYTES + scale_bytes(header);
  pcct_status status = output_place_open(base, &output->place);
  if (output->place.reopen) {
    return status;
  }
  if (status == PCCT_OK) {
    status = output_place_reserve(base, &output->place, bytes);
  }
  if (status != PCCT_OK) {
    return status;
  }
  const hid_t access = output_serial_access();
  if (access >= 0) {
    output->file = H5Fcreate(output->place.part, H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
  }
  if (output->file < 0) {
    return output_fail_create(context, output, "the file");
  }
  status = output_place_reserve(base, &output->place, bytes); /* truncated by HDF5 */
  if (status == PCCT_OK && !put_frame(output->file, header, output->row_scale)) {
    status = output_fail_create(context, output, "the groups");
  }
  return status;
}

pcct_status output_schema_create(pcct_context *context, struct output *output,
                                 const struct output_header *header,
                                 enum output_distances distances) {
  pcct_status status = PCCT_OK;
  output->row_scale = header->kind == OUTPUT_CONDITIONING_SETS || header->kind == OUTPUT_BLOCK_SETS
                          ? "/position"
                          : "/row";
  if (context->rank == 0) {
    status = create_frame(context, output, header);
  }
  if (status == PCCT_OK && header->has_ordering) {
    status = add_ordering(context, output, header);
  }
  if (status == PCCT_OK) {
    status = add_points(context, output, header);
  }
  if (status == PCCT_OK && header->kind == OUTPUT_RANGES) {
    status = add_ranges(context, output, header, distances);
  } else if (status == PCCT_OK && header->kind == OUTPUT_INDEX) {
    status = add_tree(context, output, header);
  } else if (status == PCCT_OK && header->kind != OUTPUT_POINTS) {
    status = add_neighbors(context, output, header, distances);
  }
  return status;
}
