// A trap on demand, for tests of what a host does when the core ends under it. Only builds with
// HOLDFAST_TRAP (preset wasm-trap) have it; in all others, the one that ships among them, the macro is nothing.
//
// Two points lie half way: an event is written down and its time taken, but its task is as before; and
// a task holds its new slot while its state is still the old one.
#pragma once

#ifdef HOLDFAST_TRAP
#include <cstdint>

namespace holdfast {

// The point, counted from now on, at which the instance ends; 0: none.
inline std::uint32_t points_until_trap = 0;

inline void half_way() {
  if (points_until_trap > 0 && --points_until_trap == 0) __builtin_trap();
}

}  // namespace holdfast

#define HOLDFAST_HALF_WAY() ::holdfast::half_way()
#else
#define HOLDFAST_HALF_WAY() void()
#endif
