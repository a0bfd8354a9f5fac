/*
 * From user coordinates to search coordinates, and from kernel values to the user's distances.
 */
#include "points/metric.h"

#define DEGREE 0.017453292519943295769 /* radians */
#define EARTH_RADIUS_KM 6371.0088
#define LARGEST 0x1p500

double metric_wrap_longitude(double degrees) {
  double rest =
      fmod(degrees, 360.0); /* exact, and so are the differences: both terms are near 360 */
  if (rest > 180.0) {
    rest -= 360.0;
  } else if (rest <= -180.0) {
    rest += 360.0;
  }
  return rest + 0.0; /* -0 becomes 0 */
}

/* Whether a longitude and a latitude were fine. */
static int transform_lonlat(const double *user, double *search) {
  double longitude = user[0], latitude = user[1];
  if (!isfinite(longitude) || !(fabs(latitude) <= 90.0)) {
    return 0;
  }
  if (fabs(latitude) == 90.0) {
    search[0] = 0;
    search[1] = 0;
    search[2] = latitude / 90.0;
    return 1;
  }
  double east = metric_wrap_longitude(longitude) * DEGREE;
  double north = latitude * DEGREE;
  search[0] = cos(north) * cos(east) + 0.0;
  search[1] = cos(north) * sin(east) + 0.0;
  search[2] = sin(north) + 0.0;
  return 1;
}

/* Place and time: chords in km, and time, each in its own scale. */
static int transform_lonlat_time(const struct metric *metric, const double *user, double *search) {
  int fine = transform_lonlat(user, search);
  for (int j = 0; j < 3 && fine; j++) {
    search[j] = search[j] * EARTH_RADIUS_KM / metric->scale[0];
    fine &= fabs(search[j]) <= LARGEST;
  }
  search[3] = user[2] / metric->scale[2] + 0.0;
  return fine && fabs(search[3]) <= LARGEST;
}

static int transform_cartesian(const struct metric *metric, const double *user, double *search) {
  double scaled[METRIC_ROTATED_MAX];
  double *to = metric->rotated ? scaled : search;
  int fine = 1;
  for (int j = 0; j < metric->dimension; j++) {
    to[j] = user[j] / metric->scale[j] + 0.0;
    fine &= fabs(to[j]) <= LARGEST;
  }
  for (int j = 0; metric->rotated && j < metric->dimension; j++) {
    double sum = 0;
    for (int k = 0; k < metric->dimension; k++) {
      sum += metric->rotation[j * metric->dimension + k] * scaled[k];
    }
    search[j] = sum + 0.0;
    fine &= fabs(search[j]) <= LARGEST;
  }
  return fine;
}

static int transform(const struct metric *metric, const double *user, double *search) {
  return metric->lonlat        ? transform_lonlat(user, search)
         : metric->lonlat_time ? transform_lonlat_time(metric, user, search)
                               : transform_cartesian(metric, user, search);
}

int64_t metric_transform(const struct metric *metric, const double *user, int64_t count,
                         double *search, int threads) {
  int64_t first_bad = count;
  int team = count >= BASE_PARALLEL_MIN ? threads : 1;
#pragma omp parallel for num_threads(team) reduction(min : first_bad)
  for (int64_t i = 0; i < count; i++) {
    const double *from = user + i * metric->user_dimension;
    double *to = search + i * metric->dimension;
    if (!transform(metric, from, to) && i < first_bad) {
      first_bad = i;
    }
  }
  return first_bad < count ? first_bad : -1;
}

/* The largest value whose root is at most `radius`: several neighbouring values have one root. */
static double largest_square(double radius) {
  double value = radius * radius;
  while (sqrt(value) > radius) {
    value = nextafter(value, 0);
  }
  while (value < INFINITY && sqrt(nextafter(value, INFINITY)) <= radius) {
    value = nextafter(value, INFINITY);
  }
  return value;
}

double metric_radius_value(const struct metric *metric, double radius, int *exact) {
  *exact = !metric->lonlat;
  if (!metric->lonlat) {
    return metric->kind == METRIC_EUCLIDEAN ? largest_square(radius) : radius;
  }
  const double half_angle = radius / (2 * EARTH_RADIUS_KM);
  if (half_angle * (1 + METRIC_SLACK) >= 1.5707963267948966) {
    return INFINITY; /* the whole sphere */
  }
  const double half_chord = sin(half_angle) * (1 + METRIC_SLACK);
  return metric_power_up(METRIC_EUCLIDEAN, 2 * half_chord);
}

double metric_root_distance(const struct metric *metric, double root) {
  if (!metric->lonlat || isinf(root)) {
    return root;
  }
  return 2 * EARTH_RADIUS_KM * asin(fmin(root / 2, 1.0));
}

double metric_user_distance(const struct metric *metric, double value) {
  return metric_root_distance(metric, metric->kind == METRIC_EUCLIDEAN ? sqrt(value) : value);
}
