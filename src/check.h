// HOLDFAST_CHECK: an invariant of ours, checked in every build. A broken one ends the program: the
// host drops the instance and rebuilds it from the journal, which is safer than writing on.
// It never depends on what a host or a journal says; those are refused by data.
#pragma once

namespace holdfast {

[[noreturn]] inline void broken_invariant() { __builtin_trap(); }

}  // namespace holdfast

#define HOLDFAST_CHECK(condition) \
  (__builtin_expect(static_cast<bool>(condition), 1) ? void() : ::holdfast::broken_invariant())
