#include "retry.h"

#include <algorithm>
#include <cmath>

namespace holdfast {

namespace {

double fibonacci(std::uint32_t n) {
  double current = 1, previous = 0;
  // The 1500th no longer fits a double; what comes out then is infinite and clamped.
  for (std::uint32_t i = 1; i < std::min(n, 1500u); i++) {
    const double next = current + previous;
    previous = current;
    current = next;
  }
  return current;
}

double base_delay(const RetryPolicy& policy, std::uint32_t failures) {
  switch (policy.backoff) {
    case Backoff::Exponential:
      return policy.min_delay_ms * std::pow(policy.factor, static_cast<double>(failures - 1));
    case Backoff::Linear:
      return policy.min_delay_ms * failures;
    case Backoff::Fixed:
      return policy.min_delay_ms;
    case Backoff::Fibonacci:
      return policy.min_delay_ms * fibonacci(failures);
    case Backoff::List:
      if (policy.listed_ms.empty()) return policy.min_delay_ms;
      return policy.listed_ms[std::min<std::size_t>(failures, policy.listed_ms.size()) - 1];
  }
  return policy.min_delay_ms;
}

// Also turns what is no number into the maximum.
double capped(double delay, double max_delay) {
  return delay <= max_delay ? std::max(0.0, delay) : max_delay;
}

double jittered(const RetryPolicy& policy, double base, double max_delay, double previous,
                Random& random) {
  const double delay = capped(base, max_delay);
  switch (policy.jitter) {
    case Jitter::None:
      return delay;
    case Jitter::UpToTwice:  // before the cap
      return capped((1 + random.fraction()) * base, max_delay);
    case Jitter::Full:
      return random.fraction() * delay;
    case Jitter::Equal:
      return delay / 2 + random.fraction() * delay / 2;
    case Jitter::Decorrelated: {
      const double low = policy.min_delay_ms;
      const double high = std::max(low, 3 * (previous > 0 ? previous : low));
      return capped(low + random.fraction() * (high - low), max_delay);
    }
  }
  return delay;
}

bool duration_valid(double value) { return value >= 0; }

}  // namespace

double retry_delay_ms(const RetryPolicy& policy, std::uint32_t failures, double previous_ms,
                      Random& random) {
  const double max_delay = std::isnan(policy.max_delay_ms)
                               ? kMaxTimeMs
                               : std::clamp(policy.max_delay_ms, 0.0, kMaxTimeMs);
  const double base = base_delay(policy, std::max(failures, 1u));
  const double delay = jittered(policy, base, max_delay, previous_ms, random);
  return std::min(std::round(capped(delay, max_delay)), max_delay);
}

bool policy_value_valid(PolicyField field, std::uint32_t index, double value) {
  if (std::isnan(value)) return false;
  switch (field) {
    case PolicyField::MaxAttempts:
      return value >= 1;
    case PolicyField::MinDelayMs:
    case PolicyField::MaxDelayMs:
    case PolicyField::MaxElapsedMs:
    case PolicyField::Factor:
      return duration_valid(value);
    case PolicyField::Backoff:
      return value == std::floor(value) && value >= 0 && value <= 4;
    case PolicyField::Jitter:
      return value == std::floor(value) && value >= 0 && value <= 4;
    case PolicyField::CrashRetries:
      return value == std::floor(value) && value >= 0 && value <= 0xffff;
    case PolicyField::ListedDelayMs:
      return duration_valid(value) && index < kMaxListedDelays;
  }
  return false;
}

void set_policy_value(RetryPolicy& policy, PolicyField field, std::uint32_t index, double value) {
  switch (field) {
    case PolicyField::MaxAttempts:
      policy.max_attempts = value >= 4294967295.0 ? 0xffffffffu : static_cast<std::uint32_t>(value);
      break;
    case PolicyField::MinDelayMs:
      policy.min_delay_ms = std::min(value, kMaxTimeMs);
      break;
    case PolicyField::Factor:
      policy.factor = value;
      break;
    case PolicyField::MaxDelayMs:
      policy.max_delay_ms = std::min(value, kMaxTimeMs);
      break;
    case PolicyField::Backoff:
      policy.backoff = static_cast<Backoff>(static_cast<std::uint32_t>(value));
      break;
    case PolicyField::Jitter:
      policy.jitter = static_cast<Jitter>(static_cast<std::uint32_t>(value));
      break;
    case PolicyField::MaxElapsedMs:
      policy.max_elapsed_ms = value > kMaxTimeMs ? 0 : value;
      break;
    case PolicyField::CrashRetries:
      policy.crash_retries = static_cast<std::uint32_t>(value);
      break;
    case PolicyField::ListedDelayMs:
      if (policy.listed_ms.size() <= index) policy.listed_ms.resize(index + 1);
      policy.listed_ms[index] = std::min(value, kMaxTimeMs);
      break;
  }
}

}  // namespace holdfast
