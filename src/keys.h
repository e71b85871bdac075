// Keys: which tasks bear a key. A key is a number of the host's, from 1 to 2^53 - 1; several tasks may
// bear one. What a key means, and whether one that a task bears still counts, is not known here.
//
// Invariant: a task stands in at most one chain, that of its key. Nothing is kept for tasks without one.
#pragma once

#include <cstdint>
#include <vector>

#include "table.h"

namespace holdfast {

class Keys {
 public:
  // REQUIRES: the task bears none.
  void add(std::uint32_t slot, double key);
  // REQUIRES: the task bears this one.
  void remove(std::uint32_t slot, double key);

  template <class Visit>
  void each(double key, Visit&& visit) const {
    if (heads_.empty()) return;
    for (std::uint32_t i = heads_[bucket(key)]; i != kNone; i = links_[i].next) {
      if (links_[i].key == key) visit(links_[i].slot);
    }
  }
  std::size_t bytes() const {
    return links_.capacity() * sizeof(Link) + heads_.capacity() * sizeof(std::uint32_t);
  }

 private:
  struct Link {
    double key;
    std::uint32_t slot;
    std::uint32_t next;
  };
  std::uint32_t bucket(double key) const;
  void grow();

  std::vector<Link> links_;           // those in use and the free ones
  std::vector<std::uint32_t> heads_;  // a power of two of them
  std::uint32_t free_ = kNone;
  std::uint32_t used_ = 0;
};

}  // namespace holdfast
