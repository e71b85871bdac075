#include "layout.h"

#include <algorithm>
#include <cmath>

namespace holdfast::json {

namespace {

constexpr double kPassing = 16;  // of an edge that passes a layer
constexpr int kSweeps = 4;
constexpr std::uint32_t kNoTask = 0xffffffff;
// Edges that pass more layers than these in all are drawn across.
constexpr std::size_t kMostPassing = 100'000;

// What stands in a layer: a task, or the place where an edge passes by on its way to a later one.
struct Spot {
  std::uint32_t task;
  double width, height;
  double order = 0, y = 0;
  std::vector<std::uint32_t> before, after;
  double centre() const { return y + height / 2; }
};

double number_of(const Json* value, double otherwise) {
  const double number = value != nullptr && value->is_number() ? value->get<double>() : otherwise;
  return number >= 0 && number < 1e6 ? number : otherwise;
}

class Layers {
 public:
  Layers(const Json& document, const Plan& plan, const Json& options)
      : tasks_(*list_of(find(document, "tasks"))), row_gap_(number_of(find(options, "rowGap"), 28)), column_gap_(number_of(find(options, "columnGap"), 64)) {
    const Json* sizes = find(options, "sizes");
    for (std::uint32_t task = 0; task < tasks_.size(); task++) {
      const Json* size = find(sizes, id_of(task));
      spots_.push_back({task, number_of(find(size, "width"), number_of(find(options, "width"), 200)), number_of(find(size, "height"), number_of(find(options, "height"), 120)), 0, 0, {}, {}});
    }
    column_.assign(tasks_.size(), 0);
    for (const Plan::Pair& pair : plan.pairs) column_[pair.target] = std::max(column_[pair.target], column_[pair.source] + 1);
    for (std::uint32_t task = 0; task < tasks_.size(); task++) put(task, column_[task]);
    for (const Plan::Pair& pair : plan.pairs) connect(pair.source, pair.target);
  }

  std::string take() {
    untangle();
    settle();
    double top = 0;
    for (const Spot& spot : spots_) top = std::min(top, spot.y);
    std::vector<double> x(tasks_.size(), 0);
    std::vector<std::uint32_t> row(tasks_.size(), 0);
    double left = 0;
    for (const auto& layer : layers_) {
      double width = 0;
      std::uint32_t place = 0;
      for (const std::uint32_t spot : layer) {
        if (spots_[spot].task == kNoTask) continue;
        row[spot] = place++;
        x[spot] = left;
        width = std::max(width, spots_[spot].width);
      }
      left += width + column_gap_;
    }
    Json places = Json::array();
    for (std::uint32_t task = 0; task < tasks_.size(); task++) {
      Json place = Json::object();
      place.push_back({"id", id_of(task)});
      place.push_back({"column", column_[task]});
      place.push_back({"row", row[task]});
      place.push_back({"x", static_cast<std::int64_t>(std::lround(x[task]))});
      place.push_back({"y", static_cast<std::int64_t>(std::lround(spots_[task].y - top))});
      places.push_back(std::move(place));
    }
    return places.dump(-1, ' ', false, Json::error_handler_t::replace);
  }

 private:
  const std::string& id_of(std::uint32_t task) const { return *text_of(find(tasks_[task], "id")); }

  void put(std::uint32_t spot, std::uint32_t layer) {
    if (layers_.size() <= layer) layers_.resize(layer + std::size_t{1});
    spots_[spot].order = static_cast<double>(layers_[layer].size());
    layers_[layer].push_back(spot);
  }

  void connect(std::uint32_t from, std::uint32_t to) {
    const std::uint32_t last = column_[to];
    for (std::uint32_t layer = column_[from] + 1; layer < last && passing_ < kMostPassing; layer++, passing_++) {
      const auto next = static_cast<std::uint32_t>(spots_.size());
      spots_.push_back({kNoTask, 0, kPassing, 0, 0, {}, {}});
      put(next, layer);
      join(from, next);
      from = next;
    }
    join(from, to);
  }
  void join(std::uint32_t from, std::uint32_t to) {
    spots_[from].after.push_back(to);
    spots_[to].before.push_back(from);
  }

  template <class What>
  double mean(const std::vector<std::uint32_t>& spots, double otherwise, What what) const {
    double sum = 0;
    for (const std::uint32_t spot : spots) sum += what(spots_[spot]);
    return spots.empty() ? otherwise : sum / static_cast<double>(spots.size());
  }

  // Layer after layer, to the right and back again.
  template <class Work>
  void sweep(int times, Work work) {
    for (int i = 0; i < times; i++) {
      const bool forward = i % 2 == 0;
      for (std::size_t j = 1; j < layers_.size(); j++) work(layers_[forward ? j : layers_.size() - 1 - j], forward);
    }
  }

  // Spots of a layer in the order of what they hang on, so that edges cross less.
  void untangle() {
    std::vector<std::pair<double, std::uint32_t>> weighed;
    sweep(kSweeps, [&](std::vector<std::uint32_t>& layer, bool forward) {
      weighed.clear();
      for (const std::uint32_t spot : layer) weighed.emplace_back(mean(forward ? spots_[spot].before : spots_[spot].after, spots_[spot].order, [](const Spot& one) { return one.order; }), spot);
      std::sort(weighed.begin(), weighed.end(), [&](const auto& one, const auto& other) { return one.first != other.first ? one.first < other.first : spots_[one.second].order < spots_[other.second].order; });
      for (std::size_t i = 0; i < layer.size(); i++) {
        layer[i] = weighed[i].second;
        spots_[layer[i]].order = static_cast<double>(i);
      }
    });
  }

  // Spots come to stand beside what they hang on, as far as there is room.
  void settle() {
    for (const auto& layer : layers_) {
      double y = 0;
      for (const std::uint32_t spot : layer) {
        spots_[spot].y = y;
        y += spots_[spot].height + row_gap_;
      }
      for (const std::uint32_t spot : layer) spots_[spot].y -= y / 2;
    }
    std::vector<double> down, up;
    sweep(kSweeps * 2, [&](const std::vector<std::uint32_t>& layer, bool forward) {
      down.clear();
      for (const std::uint32_t spot : layer) {
        const Spot& one = spots_[spot];
        down.push_back(mean(forward ? one.before : one.after, one.centre(), [](const Spot& other) { return other.centre(); }) - one.height / 2);
      }
      up = down;
      for (std::size_t i = 1; i < layer.size(); i++) down[i] = std::max(down[i], down[i - 1] + spots_[layer[i - 1]].height + row_gap_);
      for (std::size_t i = layer.size(); i-- > 1;) up[i - 1] = std::min(up[i - 1], up[i] - spots_[layer[i - 1]].height - row_gap_);
      for (std::size_t i = 0; i < layer.size(); i++) spots_[layer[i]].y = (down[i] + up[i]) / 2;
    });
  }

  const Json::array_t& tasks_;
  const double row_gap_, column_gap_;
  std::vector<Spot> spots_;  // tasks first
  std::vector<std::uint32_t> column_;
  std::vector<std::vector<std::uint32_t>> layers_;
  std::size_t passing_ = 0;
};

}  // namespace

std::string layout(const Json& document, const Plan& plan, const Json& options) { return Layers(document, plan, options).take(); }

}  // namespace holdfast::json
