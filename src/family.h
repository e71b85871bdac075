// Family: which task is whose child. A child is taken along when its parent ends, unless its policy
// says otherwise, and is remembered as long as any parent above it may ask for it.
//
// Invariants: no cycle and at most kMaxDepth parents above a child (`fit` is asked before `add`);
// children lie in the order in which they came; nothing recurses.
#pragma once

#include <cstdint>
#include <vector>

#include "record.h"
#include "table.h"

namespace holdfast {

class Family {
 public:
  std::uint32_t parent(std::uint32_t slot) const { return slot < nodes_.size() ? nodes_[slot].parent : kNone; }
  ChildPolicy policy(std::uint32_t child) const { return nodes_[child].policy; }
  bool has_children(std::uint32_t slot) const {
    return slot < nodes_.size() && nodes_[slot].first_child != kNone;
  }
  // What keeps child from becoming one of parent's: a cycle, or too many parents above it.
  enum class Fit { Fits, Cycle, TooDeep };
  Fit fit(std::uint32_t parent, std::uint32_t child) const;
  // REQUIRES: child has no parent, and fits.
  void add(std::uint32_t parent, std::uint32_t child, ChildPolicy policy);
  // REQUIRES: child has a parent.
  void set_policy(std::uint32_t child, ChildPolicy policy) { nodes_[child].policy = policy; }
  // REQUIRES: child has a parent. It has none any more.
  void leave(std::uint32_t child);
  // The slot is given up: its children have no parent any more, its parent one child less.
  void forget(std::uint32_t slot);
  // Calls visit(child) for each, oldest first. REQUIRES: visit adds and forgets nobody.
  template <class Visit>
  void each_child(std::uint32_t slot, Visit visit) const {
    if (slot >= nodes_.size()) return;
    for (std::uint32_t child = nodes_[slot].first_child; child != kNone; child = nodes_[child].next) {
      visit(child);
    }
  }
  std::size_t bytes() const { return nodes_.capacity() * sizeof(Node); }

 private:
  struct Node {
    std::uint32_t parent = kNone;
    std::uint32_t first_child = kNone, last_child = kNone;
    std::uint32_t next = kNone, previous = kNone;  // among its parent's children
    ChildPolicy policy = ChildPolicy::Cancel;
  };

  std::vector<Node> nodes_;  // by slot, only as far as tasks with a parent or children go
};

}  // namespace holdfast
