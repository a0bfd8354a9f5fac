// nanoflann, exact, OpenMP over the queries. Points are permuted into the order of a first tree, and a second
// tree is built on them: queries that follow that order are several times faster, and both steps count as build.
//
// --predecessors: trees on prefixes of the points that double in size; each answers for its second half, with a
// result set that lets no later point in.
#include "peer.hpp"

#include <memory>

#include <nanoflann.hpp>
#include <omp.h>

namespace {

using Index = std::uint32_t;

template <int D> struct Cloud {
  const double *x;
  std::size_t count;
  std::size_t kdtree_get_point_count() const {
    return count;
  }
  double kdtree_get_pt(std::size_t i, std::size_t axis) const {
    return x[i * D + axis];
  }
  template <class Box> bool kdtree_get_bbox(Box &) const {
    return false;
  }
};

template <int D>
using Tree = nanoflann::KDTreeSingleIndexAdaptor<nanoflann::L2_Simple_Adaptor<double, Cloud<D>>,
                                                 Cloud<D>, D, Index>;

// A tree on the first `count` points in an order of its own.
template <int D> struct Sorted {
  std::vector<double> x;
  std::vector<Index> row; // of each place
  Cloud<D> cloud;
  std::unique_ptr<Tree<D>> tree;

  Sorted(const double *points, std::size_t count, int leaf) : x(count * D) {
    const nanoflann::KDTreeSingleIndexAdaptorParams parameters(static_cast<std::size_t>(leaf));
    {
      const Cloud<D> given{points, count};
      Tree<D> first(D, given, parameters);
      first.buildIndex();
      row.assign(first.vAcc.begin(), first.vAcc.end());
    }
    for (std::size_t p = 0; p < count; p++) {
      std::copy_n(points + std::size_t(row[p]) * D, D, &x[p * D]);
    }
    cloud = Cloud<D>{x.data(), count};
    tree = std::make_unique<Tree<D>>(D, cloud, parameters);
    tree->buildIndex();
  }
};

// The k best among rows before `limit`, sorted as they come.
struct Earlier {
  using DistanceType = double;
  using IndexType = Index;
  Index *index;
  double *value;
  std::size_t k, count;
  Index limit;
  const Index *row;

  std::size_t size() const {
    return count;
  }
  bool full() const {
    return count == k;
  }
  double worstDist() const {
    return count < k ? std::numeric_limits<double>::max() : value[k - 1];
  }
  bool addPoint(double distance, Index place) {
    if (row[place] >= limit || !(distance < worstDist())) {
      return true;
    }
    std::size_t at = count < k ? count++ : k - 1;
    for (; at > 0 && value[at - 1] > distance; at--) {
      value[at] = value[at - 1];
      index[at] = index[at - 1];
    }
    value[at] = distance;
    index[at] = row[place];
    return true;
  }
};

// Seconds of build and query are added to the last two.
template <int D>
void nearest(const peer::Options &options, const std::vector<double> &points,
             const std::vector<double> &queries, peer::Output<Index> &output, double &build,
             double &query) {
  const bool self = options.queries.empty();
  const double start = peer::now();
  const Sorted<D> sorted(points.data(), points.size() / D, options.leaf);
  const double built = peer::now();
  const double *asked = self ? sorted.x.data() : queries.data();
  const long count = static_cast<long>(output.rows);
  const long chunk = std::clamp(count / (16L * options.threads), 1L, 1024L);
#pragma omp parallel for schedule(dynamic, chunk) num_threads(options.threads)
  for (long q = 0; q < count; q++) {
    const std::size_t at =
        (self ? sorted.row[static_cast<std::size_t>(q)] : std::size_t(q)) * options.k;
    nanoflann::KNNResultSet<double, Index> found(options.k);
    found.init(output.index + at, output.value + at);
    sorted.tree->findNeighbors(found, asked + q * D, nanoflann::SearchParams());
    for (std::size_t e = 0; e < options.k; e++) {
      output.index[at + e] = sorted.row[output.index[at + e]];
    }
  }
  build += built - start;
  query += peer::now() - built;
}

template <int D>
void predecessors(const peer::Options &options, const std::vector<double> &points,
                  peer::Output<Index> &output, double &build, double &query) {
  const std::size_t count = points.size() / D;
  std::size_t answered = 0;
  for (std::size_t prefix = std::min<std::size_t>(256, count); answered < count;
       prefix = std::min(2 * prefix, count)) {
    const double start = peer::now();
    const Sorted<D> sorted(points.data(), prefix, options.leaf);
    const double built = peer::now();
#pragma omp parallel for schedule(dynamic, 256) num_threads(options.threads)
    for (long place = 0; place < static_cast<long>(prefix); place++) {
      const Index row = sorted.row[static_cast<std::size_t>(place)];
      if (row < answered || row == 0) {
        continue;
      }
      const std::size_t at = std::size_t(row) * options.k;
      Earlier found{
          output.index + at, output.value + at, std::min<std::size_t>(options.k, row), 0, row,
          sorted.row.data()};
      sorted.tree->findNeighbors(found, &sorted.x[static_cast<std::size_t>(place) * D],
                                 nanoflann::SearchParams());
      for (std::size_t e = found.count; e < options.k; e++) {
        output.value[at + e] = std::numeric_limits<double>::infinity();
      }
    }
    answered = prefix;
    build += built - start;
    query += peer::now() - built;
  }
  std::fill_n(output.value, options.k, std::numeric_limits<double>::infinity());
}

template <int D> void run(const peer::Options &options) {
  const std::vector<double> points = peer::read_numbers(options.points);
  std::vector<double> queries;
  if (!options.queries.empty()) {
    queries = peer::read_numbers(options.queries);
  }
  const std::size_t asked = (options.queries.empty() ? points.size() : queries.size()) / D;
  peer::Output<Index> output(asked, options.k);
  peer::Times times;
  output.touch();
  for (int r = 0; r < options.repeat; r++) {
    double build = 0;
    double query = 0;
    if (options.fresh_output) {
      output.release();
      output.allocate();
    }
    if (options.predecessors) {
      predecessors<D>(options, points, output, build, query);
    } else {
      nearest<D>(options, points, queries, output, build, query);
    }
    times.add(build, query);
  }
  peer::report("nanoflann", options, points.size() / D, asked, times, output.sum_of_distances());
}

} // namespace

int main(int count, char **values) {
  const peer::Options options = peer::parse(count, values);
  switch (options.dimension) {
  case 2:
    run<2>(options);
    break;
  case 3:
    run<3>(options);
    break;
  case 8:
    run<8>(options);
    break;
  default:
    peer::refuse("compiled for 2, 3 and 8 dimensions only");
  }
  return 0;
}
