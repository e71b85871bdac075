// RetryPolicy: (policy, failures, random) → delay.
//
//   exponential  base = minDelay * factor^(failures-1)      linear     base = minDelay * failures
//   fixed        base = minDelay                            fibonacci  base = minDelay * fib(failures)
//   list         base = listed[min(failures, size) - 1]
//
//   none       round(min(maxDelay, base))          full   uniform [0, d), d = min(maxDelay, base)
//   upToTwice  round(min(maxDelay, j * base)), j uniform [1, 2)    equal  uniform [d/2, d)
//   decorrelated  min(maxDelay, uniform [minDelay, 3 * previous))
//
// Invariant: a delay is finite and within [0, maxDelay]; what overflows or is no number is maxDelay.
// No delay exceeds maxDelay, listed ones included.
#pragma once

#include <cstdint>
#include <vector>

#include "random.h"
#include "record.h"

namespace holdfast {

inline constexpr std::uint32_t kMaxListedDelays = 1000;

struct RetryPolicy {
  std::uint32_t max_attempts = 3;  // the first try included; 0xffffffff: no limit
  Backoff backoff = Backoff::Exponential;
  Jitter jitter = Jitter::UpToTwice;
  double min_delay_ms = 1000;
  double factor = 2;
  double max_delay_ms = 60000;
  double max_elapsed_ms = 0;  // 0: no limit
  std::uint32_t crash_retries = 0;  // attempts beyond max_attempts for what fails by a crash
  std::vector<double> listed_ms;
};

// The delay before the next attempt, after `failures` (at least 1) failed ones. `previous_ms` is the
// delay before the last attempt, 0 if there was none; only decorrelated jitter reads it.
double retry_delay_ms(const RetryPolicy& policy, std::uint32_t failures, double previous_ms,
                      Random& random);

// False where the value makes no sense for the field; true if `policy` may take it.
bool policy_value_valid(PolicyField field, std::uint32_t index, double value);
// REQUIRES: policy_value_valid.
void set_policy_value(RetryPolicy& policy, PolicyField field, std::uint32_t index, double value);

}  // namespace holdfast
