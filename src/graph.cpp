#include "graph.h"

#include <algorithm>

namespace holdfast {

void Graph::add(std::uint32_t from, std::uint32_t to, EdgeKind kind, bool against) {
  HOLDFAST_CHECK(from != to);
  const std::size_t needed = std::max(from, to) + std::size_t{1};
  if (nodes_.size() < needed) nodes_.resize(needed);
  std::uint32_t edge = free_edge_;
  if (edge != kNone) {
    free_edge_ = edges_[edge].next_out;
  } else {
    edge = static_cast<std::uint32_t>(edges_.size());
    edges_.emplace_back();
  }
  edges_[edge] = Edge{.from = from, .to = to, .kind = kind, .against = against, .order = order_++};
  against_ += against;
  link(edge);
}

// Along both lists at once: the shorter one decides.
std::uint32_t Graph::find(std::uint32_t from, std::uint32_t to, EdgeKind kind) const {
  if (std::max(from, to) >= nodes_.size()) return kNone;
  std::uint32_t out = nodes_[from].first_out, in = nodes_[to].first_in;
  while (out != kNone && in != kNone) {
    if (edges_[out].to == to && edges_[out].kind == kind) return out;
    if (edges_[in].from == from && edges_[in].kind == kind) return in;
    out = edges_[out].next_out;
    in = edges_[in].next_in;
  }
  return kNone;
}

bool Graph::leads_on(std::uint32_t slot, EdgeKind kind) const {
  if (slot >= nodes_.size()) return false;
  std::uint32_t edge = nodes_[slot].first_out;
  while (edge != kNone && edges_[edge].kind != kind) edge = edges_[edge].next_out;
  return edge != kNone;
}

void Graph::link(std::uint32_t edge) {
  Edge& e = edges_[edge];
  Node& from = nodes_[e.from];
  e.previous_out = from.last_out;
  (from.last_out == kNone ? from.first_out : edges_[from.last_out].next_out) = edge;
  from.last_out = edge;
  Node& to = nodes_[e.to];
  e.previous_in = to.last_in;
  (to.last_in == kNone ? to.first_in : edges_[to.last_in].next_in) = edge;
  to.last_in = edge;
  to.unmet++;
}

void Graph::remove(std::uint32_t edge) {
  Edge& e = edges_[edge];
  Node& from = nodes_[e.from];
  (e.previous_out == kNone ? from.first_out : edges_[e.previous_out].next_out) = e.next_out;
  (e.next_out == kNone ? from.last_out : edges_[e.next_out].previous_out) = e.previous_out;
  Node& to = nodes_[e.to];
  (e.previous_in == kNone ? to.first_in : edges_[e.previous_in].next_in) = e.next_in;
  (e.next_in == kNone ? to.last_in : edges_[e.next_in].previous_in) = e.previous_in;
  HOLDFAST_CHECK(to.unmet > 0);
  against_ -= e.against;
  to.unmet--;
  e.next_out = free_edge_;
  free_edge_ = edge;
}

// One edge of one side: returns true when it meets what the other side has seen.
template <bool Forward>
bool Graph::advance(std::vector<std::uint32_t>& edges, std::uint32_t own, std::uint32_t other) const {
  const std::uint32_t edge = edges.back();
  const std::uint32_t sibling = Forward ? edges_[edge].next_out : edges_[edge].next_in;
  edges.back() = sibling;
  if (sibling == kNone) edges.pop_back();
  const Node& node = nodes_[Forward ? edges_[edge].to : edges_[edge].from];
  if (node.seen == other) return true;
  if (node.seen == own) return false;
  node.seen = own;
  const std::uint32_t first = Forward ? node.first_out : node.first_in;
  if (first != kNone) edges.push_back(first);
  return false;
}

bool Graph::reaches(std::uint32_t from, std::uint32_t to) const {
  if (from == to) return true;
  if (std::max(from, to) >= nodes_.size()) return false;
  std::vector<std::uint32_t> ahead, behind;
  if (nodes_[from].first_out != kNone) ahead.push_back(nodes_[from].first_out);
  if (nodes_[to].first_in != kNone) behind.push_back(nodes_[to].first_in);
  const std::uint32_t forward = ++search_, backward = ++search_;
  nodes_[from].seen = forward;
  nodes_[to].seen = backward;
  // One edge of each side in turn: the cost is twice the smaller side, whichever that is.
  while (!ahead.empty() && !behind.empty()) {
    if (advance<true>(ahead, forward, backward)) return true;
    if (advance<false>(behind, backward, forward)) return true;
  }
  return false;
}

}  // namespace holdfast
