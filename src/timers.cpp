#include "timers.h"

namespace holdfast {

void Timers::put_in(std::uint32_t slot, std::uint32_t number, double at) {
  const std::uint32_t place = slot < places_.size() ? places_[slot] : kNone;
  const Entry entry{at, number, slot};
  if (place == kNone) {
    if (slot >= places_.size()) places_.resize(slot + 1, kNone);
    heap_.push_back(entry);
    rise(heap_.size() - 1, entry);
  } else if (before(entry, heap_[place])) {
    rise(place, entry);
  } else {
    sink(place, entry);
  }
}

void Timers::put(std::size_t place, const Entry& entry) {
  heap_[place] = entry;
  places_[entry.slot] = static_cast<std::uint32_t>(place);
}

void Timers::rise(std::size_t place, const Entry& entry) {
  while (place > 0 && before(entry, heap_[(place - 1) / 2])) {
    put(place, heap_[(place - 1) / 2]);
    place = (place - 1) / 2;
  }
  put(place, entry);
}

void Timers::sink(std::size_t place, const Entry& entry) {
  for (std::size_t child; (child = 2 * place + 1) < heap_.size(); place = child) {
    if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) child++;
    if (!before(heap_[child], entry)) break;
    put(place, heap_[child]);
  }
  put(place, entry);
}

void Timers::remove(std::size_t place) {
  places_[heap_[place].slot] = kNone;
  const Entry last = heap_.back();
  heap_.pop_back();
  if (place == heap_.size()) return;
  if (place > 0 && before(last, heap_[(place - 1) / 2])) {
    rise(place, last);
  } else {
    sink(place, last);
  }
}

}  // namespace holdfast
