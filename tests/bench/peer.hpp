// What the drivers of other libraries share: options, points, clock, and one line of JSON.
//
//   peer-NAME --points FILE --dimension D --k K [--queries FILE | --predecessors] [--threads T]
//             [--leaf L] [--repeat R] [--fresh-output]
//
// FILE holds raw float64 rows, as pcct-bench --data writes them. Without --queries every point asks, and finds
// itself among its k. The checksum is the sum of all distances.
#ifndef PEER_HPP
#define PEER_HPP

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

namespace peer {

struct Options {
  std::string points, queries;
  int dimension = 0, threads = 1, leaf = 10, repeat = 1;
  std::size_t k = 0;
  bool predecessors = false, fresh_output = false;
};

[[noreturn]] inline void refuse(const std::string &why) {
  std::fprintf(stderr, "peer: %s\n", why.c_str());
  std::exit(2);
}

inline Options parse(int count, char **values) {
  Options options;
  for (int i = 1; i < count; i++) {
    const std::string name = values[i];
    if (name == "--predecessors") {
      options.predecessors = true;
      continue;
    }
    if (name == "--fresh-output") {
      options.fresh_output = true;
      continue;
    }
    if (++i == count) {
      refuse("no value behind " + name);
    }
    const char *value = values[i];
    if (name == "--points") {
      options.points = value;
    } else if (name == "--queries") {
      options.queries = value;
    } else if (name == "--dimension") {
      options.dimension = std::atoi(value);
    } else if (name == "--k") {
      options.k = std::strtoul(value, nullptr, 10);
    } else if (name == "--threads") {
      options.threads = std::atoi(value);
    } else if (name == "--leaf") {
      options.leaf = std::atoi(value);
    } else if (name == "--repeat") {
      options.repeat = std::atoi(value);
    } else {
      refuse("unknown option " + name);
    }
  }
  if (options.points.empty() || options.k == 0 || options.threads < 1 || options.repeat < 1) {
    refuse("expected at least --points, --dimension and --k");
  }
  return options;
}

inline std::vector<double> read_numbers(const std::string &path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    refuse("cannot open " + path);
  }
  std::vector<double> numbers(static_cast<std::size_t>(file.tellg()) / sizeof(double));
  file.seekg(0);
  file.read(reinterpret_cast<char *>(numbers.data()),
            static_cast<std::streamsize>(numbers.size() * sizeof(double)));
  if (!file) {
    refuse("cannot read " + path);
  }
  return numbers;
}

inline double now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(since).count();
}

// k indices and squared distances a row. Memory that was touched before, as a caller has it who asks again, or fresh.
template <class Index> struct Output {
  Index *index = nullptr;
  double *value = nullptr;
  std::size_t rows, k;

  Output(std::size_t row_count, std::size_t k_) : rows(row_count), k(k_) {
    allocate();
  }
  ~Output() {
    release();
  }
  Output(const Output &) = delete;
  Output &operator=(const Output &) = delete;
  void allocate() {
    index = static_cast<Index *>(std::malloc(rows * k * sizeof(Index)));
    value = static_cast<double *>(std::malloc(rows * k * sizeof(double)));
    if (!index || !value) {
      refuse("no memory for the output");
    }
  }
  void release() {
    std::free(index);
    std::free(value);
  }
  void touch() {
    std::fill(index, index + rows * k, Index(0));
    std::fill(value, value + rows * k, std::numeric_limits<double>::infinity());
  }
  double sum_of_distances() const {
    long double sum = 0;
    for (std::size_t r = 0; r < rows; r++) {
      double row = 0;
      for (std::size_t e = 0; e < k; e++) {
        row += std::isfinite(value[r * k + e]) ? std::sqrt(value[r * k + e]) : 0;
      }
      sum += row;
    }
    return static_cast<double>(sum);
  }
};

inline double median(std::vector<double> numbers) {
  std::sort(numbers.begin(), numbers.end());
  const std::size_t half = numbers.size() / 2;
  return numbers.size() % 2 ? numbers[half] : (numbers[half - 1] + numbers[half]) / 2;
}

struct Times {
  std::vector<double> build, query, total;
  void add(double b, double q) {
    build.push_back(b);
    query.push_back(q);
    total.push_back(b + q);
  }
};

inline void report(const char *name, const Options &options, std::size_t points,
                   std::size_t queries, const Times &times, double checksum) {
  std::printf(
      "{\"peer\": \"%s\", \"points\": %zu, \"queries\": %zu, \"dimension\": %d, \"k\": %zu, "
      "\"threads\": %d, \"leaf\": %d, \"repeat\": %d, \"fresh_output\": %s, "
      "\"build\": %.6f, \"query\": %.6f, \"total\": %.6f, \"checksum\": %.17g}\n",
      name, points, queries, options.dimension, options.k, options.threads, options.leaf,
      options.repeat, options.fresh_output ? "true" : "false", median(times.build),
      median(times.query), median(times.total), checksum);
}

} // namespace peer

#endif
