// Timers: for each slot at most one moment, in a heap; the earliest comes first, equal ones in the
// order of the tasks' numbers. A task with several reasons to be looked at arms the earliest and is
// asked again when it fires.
//
// Invariant: places_[heap_[i].slot] == i for every i.
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "table.h"

namespace holdfast {

inline constexpr double kNever = std::numeric_limits<double>::infinity();

class Timers {
 public:
  // Replaces the slot's moment; kNever clears it.
  void set(std::uint32_t slot, std::uint32_t number, double at) {
    if (at != kNever) return put_in(slot, number, at);
    if (slot < places_.size() && places_[slot] != kNone) remove(places_[slot]);
  }
  double next() const { return heap_.empty() ? kNever : heap_[0].at; }
  // REQUIRES: next() != kNever.
  std::uint32_t first() const { return heap_[0].slot; }
  std::size_t bytes() const { return heap_.capacity() * sizeof(Entry) + places_.capacity() * 4; }

 private:
  struct Entry {
    double at;
    std::uint32_t number;
    std::uint32_t slot;
  };

  static bool before(const Entry& x, const Entry& y) {
    return x.at != y.at ? x.at < y.at : x.number < y.number;
  }
  void put_in(std::uint32_t slot, std::uint32_t number, double at);
  void put(std::size_t place, const Entry& entry);
  void rise(std::size_t place, const Entry& entry);
  void sink(std::size_t place, const Entry& entry);
  void remove(std::size_t place);

  std::vector<Entry> heap_;
  std::vector<std::uint32_t> places_;  // by slot; kNone: not in the heap
};

}  // namespace holdfast
