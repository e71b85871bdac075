// Graph: which task waits for which. An edge leads from a prerequisite to its dependent and lies in
// two lists, so that either end can leave at once. Met edges are removed; an edge that can no longer
// be met is removed too and its dependent reported as doomed, or as starved where it is a flow.
//
// Invariants: no cycle (`reaches` is asked before `add`); unmet(slot) is the number of edges into
// slot; nothing recurses, however deep the graph.
#pragma once

#include <cstdint>
#include <vector>

#include "record.h"
#include "table.h"

namespace holdfast {

enum class EdgeFate { Open, Met, Unmeetable, Active, Disabled };

constexpr bool is_flow(EdgeKind kind) { return kind == EdgeKind::Dataflow || kind == EdgeKind::ErrorFlow; }

// What an edge of `kind` becomes when its prerequisite is in `state`.
// `dropped`: it was cancelled because there was no room for it, which is a failure to flows.
constexpr EdgeFate edge_fate(EdgeKind kind, State state, bool dropped) {
  if (state < State::Succeeded) return EdgeFate::Open;
  if (kind == EdgeKind::OnSettled) return EdgeFate::Met;
  if (kind == EdgeKind::Dataflow) return state == State::Succeeded ? EdgeFate::Active : EdgeFate::Disabled;
  if (kind == EdgeKind::ErrorFlow) return state == State::Failed || dropped ? EdgeFate::Active : EdgeFate::Disabled;
  const State wanted = kind == EdgeKind::OnSuccess   ? State::Succeeded
                       : kind == EdgeKind::OnFailure ? State::Failed
                                                     : State::Cancelled;
  return state == wanted ? EdgeFate::Met : EdgeFate::Unmeetable;
}

class Graph {
 public:
  struct Edge {
    std::uint32_t from = kNone, to = kNone;
    std::uint32_t next_out = kNone, previous_out = kNone;
    std::uint32_t next_in = kNone, previous_in = kNone;
    EdgeKind kind : 31 = EdgeKind::OnSuccess;
    bool against : 1 = false;
    std::uint32_t order = 0;  // in which the edges were made
  };
  static_assert(sizeof(Edge) == 32);

  // `against`: the prerequisite was made after its dependent. REQUIRES: from != to and !reaches(to, from).
  void add(std::uint32_t from, std::uint32_t to, EdgeKind kind, bool against);
  // Every edge leads to what was made later: nothing leads from a later one to an earlier one, whatever is searched.
  bool goes_along() const { return against_ == 0; }
  // Is there a path from → to? Searches from both ends, so that chains may be told in any order.
  bool reaches(std::uint32_t from, std::uint32_t to) const;
  // An open edge of the kind, or kNone.
  std::uint32_t find(std::uint32_t from, std::uint32_t to, EdgeKind kind) const;
  // Removes those edges.
  void drop(std::uint32_t from, std::uint32_t to, EdgeKind kind) {
    for (std::uint32_t edge; (edge = find(from, to, kind)) != kNone;) remove(edge);
  }
  // Does an edge of the kind lead on from slot?
  bool leads_on(std::uint32_t slot, EdgeKind kind) const;
  std::uint32_t unmet(std::uint32_t slot) const {
    return slot < nodes_.size() ? nodes_[slot].unmet : 0;
  }
  // Removes the edges into slot: it waits for nothing any more.
  void drop_incoming(std::uint32_t slot) {
    while (slot < nodes_.size() && nodes_[slot].first_in != kNone) remove(nodes_[slot].first_in);
  }
  // slot ended in `state`: removes the edges out of it and calls visit(dependent, EdgeFate) for each.
  template <class Visit>
  void settle(std::uint32_t slot, State state, bool dropped, Visit visit) {
    while (slot < nodes_.size() && nodes_[slot].first_out != kNone) {
      const std::uint32_t edge = nodes_[slot].first_out;
      const std::uint32_t dependent = edges_[edge].to;
      const EdgeFate fate = edge_fate(edges_[edge].kind, state, dropped);
      remove(edge);
      visit(dependent, fate);
    }
  }
  // Calls visit(edge) for the edges into slot, oldest first.
  template <class Visit>
  void each_incoming(std::uint32_t slot, Visit visit) const {
    if (slot >= nodes_.size()) return;
    for (std::uint32_t edge = nodes_[slot].first_in; edge != kNone; edge = edges_[edge].next_in) {
      visit(edges_[edge]);
    }
  }
  std::size_t bytes() const {
    return nodes_.capacity() * sizeof(Node) + edges_.capacity() * sizeof(Edge);
  }

 private:
  struct Node {
    std::uint32_t first_out = kNone, last_out = kNone;
    std::uint32_t first_in = kNone, last_in = kNone;
    std::uint32_t unmet = 0;
    mutable std::uint32_t seen = 0;  // by which search
  };

  template <bool Forward>
  bool advance(std::vector<std::uint32_t>& edges, std::uint32_t own, std::uint32_t other) const;
  void remove(std::uint32_t edge);
  void link(std::uint32_t edge);

  std::vector<Node> nodes_;  // by slot, only as far as tasks with edges go
  std::vector<Edge> edges_;
  std::uint32_t free_edge_ = kNone;
  std::uint32_t order_ = 0;
  std::uint32_t against_ = 0;  // edges
  mutable std::uint32_t search_ = 0;
};

}  // namespace holdfast
