#include "keys.h"

#include <utility>

#include "check.h"

namespace holdfast {

// The host's numbers are hashes, but a journal may hold any.
std::uint32_t Keys::bucket(double key) const {
  const auto mixed = static_cast<std::uint64_t>(key) * 0x9e3779b97f4a7c15ull;
  return static_cast<std::uint32_t>(mixed >> 32) & (static_cast<std::uint32_t>(heads_.size()) - 1);
}

void Keys::add(std::uint32_t slot, double key) {
  if (used_ >= heads_.size()) grow();
  std::uint32_t link = free_;
  if (link == kNone) {
    link = static_cast<std::uint32_t>(links_.size());
    links_.emplace_back();
  } else {
    free_ = links_[link].next;
  }
  std::uint32_t& head = heads_[bucket(key)];
  links_[link] = {key, slot, head};
  head = link;
  used_++;
}

void Keys::remove(std::uint32_t slot, double key) {
  std::uint32_t* from = &heads_[bucket(key)];
  while (*from != kNone && links_[*from].slot != slot) from = &links_[*from].next;
  HOLDFAST_CHECK(*from != kNone);
  const std::uint32_t link = *from;
  *from = links_[link].next;
  links_[link].next = free_;
  free_ = link;
  used_--;
}

void Keys::grow() {
  const std::vector<std::uint32_t> old = std::move(heads_);
  heads_.assign(old.empty() ? 16 : old.size() * 2, kNone);
  for (std::uint32_t link : old) {
    while (link != kNone) {
      const std::uint32_t next = links_[link].next;
      std::uint32_t& head = heads_[bucket(links_[link].key)];
      links_[link].next = head;
      head = link;
      link = next;
    }
  }
}

}  // namespace holdfast
