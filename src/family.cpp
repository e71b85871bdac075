#include "family.h"

#include <algorithm>

namespace holdfast {

Family::Fit Family::fit(std::uint32_t parent, std::uint32_t child) const {
  std::uint32_t depth = 0;
  for (std::uint32_t above = parent; above != kNone; above = this->parent(above)) {
    if (above == child) return Fit::Cycle;
    if (++depth > kMaxDepth) return Fit::TooDeep;
  }
  return Fit::Fits;
}

void Family::add(std::uint32_t parent, std::uint32_t child, ChildPolicy policy) {
  const std::uint32_t end = std::max(parent, child) + 1;
  if (nodes_.size() < end) nodes_.resize(end);
  Node& node = nodes_[child];
  Node& above = nodes_[parent];
  node.parent = parent;
  node.policy = policy;
  node.previous = above.last_child;
  node.next = kNone;
  (above.last_child == kNone ? above.first_child : nodes_[above.last_child].next) = child;
  above.last_child = child;
}

void Family::leave(std::uint32_t child) {
  Node& node = nodes_[child];
  Node& above = nodes_[node.parent];
  (node.previous == kNone ? above.first_child : nodes_[node.previous].next) = node.next;
  (node.next == kNone ? above.last_child : nodes_[node.next].previous) = node.previous;
  node.parent = node.next = node.previous = kNone;
}

void Family::forget(std::uint32_t slot) {
  if (slot >= nodes_.size()) return;
  if (nodes_[slot].parent != kNone) leave(slot);
  for (std::uint32_t child = nodes_[slot].first_child; child != kNone;) {
    const std::uint32_t next = nodes_[child].next;
    nodes_[child].parent = nodes_[child].next = nodes_[child].previous = kNone;
    child = next;
  }
  nodes_[slot] = Node{};
}

}  // namespace holdfast
