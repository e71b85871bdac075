#include "bounds.h"

#include <algorithm>

namespace holdfast {

bool Bounds::form(Bound& bound) {
  if (bound.line) {
    for (const auto& [place, slot] : *bound.line) places_[slot] = 0;
  }
  bound.line.reset();
  if (!bound.drops_waiting()) return false;
  bound.line = std::make_unique<std::map<std::uint64_t, std::uint32_t>>();
  return true;
}

bool Bounds::set_max(std::uint32_t queue, std::uint32_t max) {
  if (queue >= bounds_.size()) bounds_.resize(queue + 1);
  Bound& bound = bounds_[queue];
  const bool had = bound.drops_waiting();
  bound.max = max;
  return had != bound.drops_waiting() && form(bound);
}

bool Bounds::set_overflow(std::uint32_t queue, Overflow overflow) {
  if (queue >= bounds_.size()) bounds_.resize(queue + 1);
  Bound& bound = bounds_[queue];
  const bool same = bound.overflow == overflow;
  bound.overflow = overflow;
  return !same && form(bound);
}

// The oldest by when it was created; of the lowest priority the one that came last.
void Bounds::line_up(std::uint32_t slot, std::uint32_t queue, std::int32_t priority, double created_at) {
  Bound& bound = bounds_[queue];
  places_.reach(slot);
  leave_line(bound, slot);
  const std::uint32_t came = bound.sequence++;
  std::uint64_t place = 0;
  if (bound.overflow == Overflow::DropOldest) {
    place = (static_cast<std::uint64_t>(std::clamp(created_at, 0.0, 8.7e12)) << 20) | (came & 0xfffff);
  } else {
    place = (std::uint64_t{static_cast<std::uint32_t>(priority) ^ 0x80000000u} << 32) | (0xfffffffeu - came);
  }
  while (bound.line->contains(place)) place++;
  (*bound.line)[place] = slot;
  places_[slot] = place + 1;
}

void Bounds::leave_line(Bound& bound, std::uint32_t slot) {
  if (slot >= places_.size() || places_[slot] == 0) return;
  bound.line->erase(places_[slot] - 1);
  places_[slot] = 0;
}

}  // namespace holdfast
