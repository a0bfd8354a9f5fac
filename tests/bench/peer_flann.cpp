// FLANN's exact kd-tree (KDTreeSingleIndex without a limit of checks). It copies the points into tree order by
// itself; queries come in file order.
#include "peer.hpp"

#include <flann/flann.hpp>

int main(int count, char **values) {
  using Tree = flann::KDTreeSingleIndex<flann::L2_Simple<double>>;
  const peer::Options options = peer::parse(count, values);
  if (options.predecessors || options.dimension < 1) {
    peer::refuse("expected a dimension, and no predecessors");
  }
  const auto d = static_cast<std::size_t>(options.dimension);
  std::vector<double> points = peer::read_numbers(options.points);
  std::vector<double> queries =
      options.queries.empty() ? points : peer::read_numbers(options.queries);
  const std::size_t asked = queries.size() / d;
  peer::Output<std::size_t> output(asked, options.k);
  peer::Times times;
  output.touch();
  for (int r = 0; r < options.repeat; r++) {
    if (options.fresh_output) {
      output.release();
      output.allocate();
    }
    const flann::Matrix<double> given(points.data(), points.size() / d, d);
    const flann::Matrix<double> wanted(queries.data(), asked, d);
    flann::Matrix<std::size_t> index(output.index, asked, options.k);
    flann::Matrix<double> value(output.value, asked, options.k);
    const double start = peer::now();
    Tree tree(given, flann::KDTreeSingleIndexParams(options.leaf));
    tree.buildIndex();
    const double built = peer::now();
    flann::SearchParams parameters(flann::FLANN_CHECKS_UNLIMITED, 0.0F, true);
    parameters.cores = options.threads;
    tree.knnSearch(wanted, index, value, options.k, parameters);
    times.add(built - start, peer::now() - built);
  }
  peer::report("flann", options, points.size() / d, asked, times, output.sum_of_distances());
  return 0;
}
