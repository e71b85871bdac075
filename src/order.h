// One sort for all: by a key, in place. It is cold everywhere, and each instance of std::sort would
// cost 3-10 KB of the module.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace holdfast {

struct Keyed {
  std::uint64_t key;
  std::uint32_t value;
};

[[gnu::noinline]] inline void sort_by_key(std::vector<Keyed>& items) {
  const auto before = [](const Keyed& x, const Keyed& y) { return x.key < y.key; };
  if (std::is_sorted(items.begin(), items.end(), before)) return;
  std::make_heap(items.begin(), items.end(), before);
  std::sort_heap(items.begin(), items.end(), before);
}

}  // namespace holdfast
