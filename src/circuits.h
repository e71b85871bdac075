// Circuits: what the outcomes of attempts say about what they call, and what follows from it.
//
//   Closed ──failures / calls >= failure_rate, of at least min_calls──► Open ──open_for_ms──► HalfOpen
//      ▲                                                                 ▲                      │ │
//      └─────────────── half_open_max successes ─────────────────────────┼──────────────────────┘ │
//                                                                        └────── a failure ───────┘
//
// A retry budget spaces retries: they come retry_window_ms / allowed apart, where allowed is retry_ratio of
// the attempts that began in the window, and kFreeRetries at least.
//
// A circuit is known by a number of the host's, the same in every log. Its settings, and whether it is open
// and until when, follow from events; what was counted in its windows does not: it is this instance's.
// Counts slide: those of the last whole window count for the part of it that still lies in the window.
//
// Invariant: a circuit keeps its index. Nothing is counted for one without settings.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "record.h"
#include "timers.h"

namespace holdfast {

inline constexpr std::uint32_t kMaxCircuits = 4096;
inline constexpr double kFreeRetries = 10;

// How much of something happened lately.
class Window {
 public:
  void add(double now, double window_ms, bool second);
  // Of the two things counted.
  double first(double now, double window_ms) const { return sum(now, window_ms, 0); }
  double second(double now, double window_ms) const { return sum(now, window_ms, 1); }
  void clear() { *this = Window{}; }

 private:
  double sum(double now, double window_ms, int which) const;
  double began_ = 0;
  std::uint32_t current_[2] = {0, 0}, last_[2] = {0, 0};
};

enum class CircuitState : std::uint8_t { Closed, Open, HalfOpen };

struct Circuit {
  std::uint32_t number = 0;
  CircuitState state = CircuitState::Closed;
  bool look = false;  // a task that it holds may go on
  double failure_rate = 0;  // 0: never opens
  std::uint32_t min_calls = 10, half_open_max = 1;
  double open_for_ms = 30000, window_ms = 60000;
  double retry_ratio = 0;  // 0: no budget
  double retry_window_ms = 10000;
  double until = 0;  // of the last time it was opened
  // Follow from the tasks: attempts that began while it was half open and run still, and tasks that are in
  // line for a slot.
  std::uint32_t trials = 0, queued = 0;
  // This instance's.
  Window calls, starts;
  std::uint32_t successes = 0;  // while half open
  double next_retry_at = 0;

  bool admits() const {
    return state == CircuitState::Closed || (state == CircuitState::HalfOpen && trials < half_open_max);
  }
  bool has_room() const {
    return state == CircuitState::Closed || (state == CircuitState::HalfOpen && trials + queued < half_open_max);
  }
};

bool circuit_value_valid(CircuitField field, double value);
// REQUIRES: circuit_value_valid.
void set_circuit_value(Circuit& circuit, CircuitField field, double value);

class Circuits {
 public:
  // The index of a circuit, made here if need be. REQUIRES: may_know(number).
  std::uint32_t know(std::uint32_t number);
  bool may_know(std::uint32_t number) const { return list_.size() < kMaxCircuits || find(number) != kNone; }
  std::uint32_t find(std::uint32_t number) const;
  Circuit& operator[](std::uint32_t index) { return list_[index]; }
  const Circuit& operator[](std::uint32_t index) const { return list_[index]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(list_.size()); }
  // When the first open one becomes half open; kNever: none is open.
  double next() const;
  std::size_t bytes() const { return list_.capacity() * sizeof(Circuit); }

 private:
  std::vector<Circuit> list_;
};

// An attempt began, or ended: whether it failed says `failed`.
void count_start(Circuit& circuit, double now);
// What follows from it, the state being as it was.
enum class Verdict : std::uint8_t { Stay, Opens, Closes };
Verdict judge(Circuit& circuit, double now, bool failed);
// How much later than it would a retry comes.
double reserve_retry(Circuit& circuit, double now);

}  // namespace holdfast
