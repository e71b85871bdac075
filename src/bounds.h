// Bounds: how many tasks of a queue may wait to begin, and who goes when one is too many.
//
// A task waits from when it is created until it begins for the first time, ends, or goes into another queue. A queue whose
// overflow drops somebody knows who that would be, in O(log n); others only count.
//
// Invariant: `waiting` of a queue is the number of its tasks that are counted; whoever stands in the line of those that may
// be dropped is counted and submitted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "record.h"
#include "table.h"

namespace holdfast {

class Bounds {
 public:
  struct Bound {
    std::uint32_t max = 0;  // 0: none
    std::uint32_t waiting = 0;
    Overflow overflow = Overflow::Reject;
    std::unique_ptr<std::map<std::uint64_t, std::uint32_t>> line;  // slots; the first is dropped first
    std::uint32_t sequence = 0;
    bool drops_waiting() const { return max != 0 && overflow >= Overflow::DropOldest; }
  };

  const Bound& of(std::uint32_t queue) const { return queue < bounds_.size() ? bounds_[queue] : nothing_; }
  bool bounded(std::uint32_t queue) const { return queue < bounds_.size() && bounds_[queue].max != 0; }
  bool over(std::uint32_t queue, std::uint32_t more) const {
    return bounded(queue) && bounds_[queue].waiting + more > bounds_[queue].max;
  }
  // True where a line has to be formed anew: of all that are counted and submitted.
  bool set_max(std::uint32_t queue, std::uint32_t max);
  bool set_overflow(std::uint32_t queue, Overflow overflow);

  // True where it has to be lined up, too, once it is submitted.
  bool add(std::uint32_t queue) {
    if (queue >= bounds_.size()) bounds_.resize(queue + 1);
    bounds_[queue].waiting++;
    return bounds_[queue].line != nullptr;
  }
  void remove(std::uint32_t slot, std::uint32_t queue) {
    Bound& bound = bounds_[queue];
    bound.waiting--;
    if (bound.line) leave_line(bound, slot);
  }
  // It may be dropped from now on. REQUIRES: of(queue).line.
  void line_up(std::uint32_t slot, std::uint32_t queue, std::int32_t priority, double created_at);
  // Who goes first, or kNone.
  std::uint32_t first(std::uint32_t queue) const {
    const Bound& bound = of(queue);
    return bound.line && !bound.line->empty() ? bound.line->begin()->second : kNone;
  }
  std::size_t bytes() const { return bounds_.capacity() * sizeof(Bound) + places_.bytes(); }

 private:
  bool form(Bound& bound);
  void leave_line(Bound& bound, std::uint32_t slot);

  std::vector<Bound> bounds_;       // by queue
  Bound nothing_;
  Blocks<std::uint64_t> places_;    // by slot: where it stands in the line, + 1; 0: nowhere. As far as they are needed
};

}  // namespace holdfast
