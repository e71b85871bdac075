// How fast the core schedules a graph: 100,000 nodes in layers, three flows into each, in batches of 512 as a host
// hands them over. Prints what telling it costs, by the order in which it is told, and nodes scheduled per second.
//
//     npm run bench:core
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <numeric>
#include <vector>

#include "session.h"

using namespace holdfast;

namespace {

constexpr std::uint32_t kNodes = 100'000, kWidth = 1000, kInto = 3, kGroup = 1;

// Of the processor, not of the wall: other work on the machine does not count.
double seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

struct Edge {
  std::uint32_t from, to;
};

// Nodes are numbered from 1, layer by layer.
std::vector<Edge> layered(Random& random) {
  std::vector<Edge> edges;
  for (std::uint32_t node = kWidth; node < kNodes; node++) {
    const std::uint32_t layer = (node / kWidth - 1) * kWidth;
    for (std::uint32_t i = 0; i < kInto; i++) edges.push_back({layer + static_cast<std::uint32_t>(random.next() % kWidth) + 1, node + 1});
  }
  return edges;
}

std::vector<Edge> chain() {
  std::vector<Edge> edges;
  for (std::uint32_t node = 1; node < kNodes; node++) edges.push_back({node, node + 1});
  return edges;
}

// Gives commands in batches and keeps what the core says.
class Host {
 public:
  Host() : session_(1, 1) { session_.reserve(0); }
  void give(Command command, std::uint32_t task, std::uint32_t a = 0, std::uint32_t b = 0, double at = 0) {
    session_.inbox()[count_++] = {static_cast<std::uint32_t>(command), task, a, b, at};
    if (count_ == kBatch) flush();
  }
  void flush() {
    session_.step(count_, 0, 1000);
    count_ = 0;
    for (const Record& event : session_.outbox()) {
      if (event.kind == static_cast<std::uint32_t>(Event::Started)) running_.push_back(event.task);
      if (event.kind == static_cast<std::uint32_t>(Event::Rejected)) std::abort();
    }
    session_.seal();
  }
  // Settles whatever runs until nothing does; how many began.
  std::uint32_t run() {
    std::uint32_t begun = 0;
    for (std::vector<std::uint32_t> batch; flush(), !running_.empty(); batch.clear()) {
      std::swap(batch, running_);
      begun += static_cast<std::uint32_t>(batch.size());
      for (const std::uint32_t task : batch) give(Command::Settle, task, 1);
    }
    return begun;
  }

 private:
  static constexpr std::uint32_t kBatch = 512;
  Session session_;
  std::uint32_t count_ = 0;
  std::vector<std::uint32_t> running_;
};

void tell(Host& host, const std::vector<Edge>& edges) {
  host.give(Command::SetGroup, kGroup, static_cast<std::uint32_t>(GroupField::FailureThreshold), 0, 1);
  for (std::uint32_t node = 1; node <= kNodes; node++) {
    host.give(Command::Create, node);
    host.give(Command::JoinGroup, node, kGroup);
  }
  for (const Edge& edge : edges) host.give(Command::DependOn, edge.to, edge.from, static_cast<std::uint32_t>(EdgeKind::Dataflow));
  for (std::uint32_t node = 1; node <= kNodes; node++) host.give(Command::Submit, node);
  host.flush();
}

void measure(const char* name, const std::vector<Edge>& edges) {
  Host host;
  const double begin = seconds();
  tell(host, edges);
  const double told = seconds();
  const std::uint32_t begun = host.run();
  const double ended = seconds();
  if (begun != kNodes) std::abort();
  std::printf("%-34s told %6.1f ms · ran %6.1f ms · %.2f M nodes/s scheduled, %.2f M/s in all\n", name, (told - begin) * 1e3,
              (ended - told) * 1e3, kNodes / (ended - told) / 1e6, kNodes / (ended - begin) / 1e6);
}

}  // namespace

int main() {
  Random random(7);
  auto edges = layered(random), line = chain();
  measure("layers, in order", edges);
  std::reverse(edges.begin(), edges.end());
  measure("layers, last edge first", edges);
  const auto shuffle = [&](std::vector<Edge>& list) {
    for (std::size_t i = list.size(); i-- > 1;) std::swap(list[i], list[random.next() % (i + 1)]);
  };
  shuffle(edges);
  measure("layers, edges in any order", edges);
  measure("chain, in order", line);
  std::reverse(line.begin(), line.end());
  measure("chain, last edge first", line);
  shuffle(line);
  measure("chain, edges in any order", line);
  // Numbers go the other way: what waits was created before what it waits for.
  for (Edge& edge : line) edge = {kNodes + 1 - edge.from, kNodes + 1 - edge.to};
  measure("chain, any order, numbers against", line);
  return 0;
}
