#include "circuits.h"

#include <cmath>

namespace holdfast {

// Time does not go back; windows that are over are dropped.
void Window::add(double now, double window_ms, bool second) {
  const double passed = now - began_;
  if (passed >= 2 * window_ms || began_ == 0) {
    *this = Window{};
    began_ = now;
  } else if (passed >= window_ms) {
    std::copy(std::begin(current_), std::end(current_), std::begin(last_));
    current_[0] = current_[1] = 0;
    began_ += window_ms;
  }
  current_[0]++;
  current_[1] += second;
}

double Window::sum(double now, double window_ms, int which) const {
  const double passed = now - began_;
  if (began_ == 0 || passed >= 2 * window_ms) return 0;
  if (passed >= window_ms) return current_[which] * (2 - passed / window_ms);
  return current_[which] + last_[which] * (1 - passed / window_ms);
}

bool circuit_value_valid(CircuitField field, double value) {
  const bool whole = value == std::floor(value) && value >= 1 && value <= 0xffffff;
  switch (field) {
    case CircuitField::FailureRate:
    case CircuitField::RetryRatio:
      return value >= 0 && value <= 1;
    case CircuitField::MinCalls:
    case CircuitField::HalfOpenMax:
      return whole;
    case CircuitField::OpenForMs:
    case CircuitField::WindowMs:
    case CircuitField::RetryWindowMs:
      return value >= 1 && value <= 1e12;
  }
  return false;
}

void set_circuit_value(Circuit& circuit, CircuitField field, double value) {
  switch (field) {
    case CircuitField::FailureRate: circuit.failure_rate = value; break;
    case CircuitField::MinCalls: circuit.min_calls = static_cast<std::uint32_t>(value); break;
    case CircuitField::OpenForMs: circuit.open_for_ms = value; break;
    case CircuitField::HalfOpenMax: circuit.half_open_max = static_cast<std::uint32_t>(value); break;
    case CircuitField::WindowMs: circuit.window_ms = value; break;
    case CircuitField::RetryRatio: circuit.retry_ratio = value; break;
    case CircuitField::RetryWindowMs: circuit.retry_window_ms = value; break;
  }
  circuit.look = true;
}

// There are few: a page has tens of kinds of tasks.
std::uint32_t Circuits::find(std::uint32_t number) const {
  for (std::uint32_t index = 0; index < list_.size(); index++) {
    if (list_[index].number == number) return index;
  }
  return kNone;
}

std::uint32_t Circuits::know(std::uint32_t number) {
  const std::uint32_t known = find(number);
  if (known != kNone) return known;
  list_.emplace_back();
  list_.back().number = number;
  return static_cast<std::uint32_t>(list_.size() - 1);
}

double Circuits::next() const {
  double next = kNever;
  for (const Circuit& circuit : list_) {
    if (circuit.state == CircuitState::Open) next = std::min(next, circuit.until);
  }
  return next;
}

void count_start(Circuit& circuit, double now) {
  if (circuit.retry_ratio > 0) circuit.starts.add(now, circuit.retry_window_ms, false);
}

Verdict judge(Circuit& circuit, double now, bool failed) {
  switch (circuit.state) {
    case CircuitState::Open:
      return Verdict::Stay;  // it began before
    case CircuitState::HalfOpen:
      if (failed) return Verdict::Opens;
      return ++circuit.successes >= circuit.half_open_max ? Verdict::Closes : Verdict::Stay;
    case CircuitState::Closed:
      break;
  }
  if (circuit.failure_rate == 0) return Verdict::Stay;
  circuit.calls.add(now, circuit.window_ms, failed);
  const double calls = circuit.calls.first(now, circuit.window_ms);
  const double failures = circuit.calls.second(now, circuit.window_ms);
  const bool opens = failed && calls >= circuit.min_calls && failures >= circuit.failure_rate * calls;
  return opens ? Verdict::Opens : Verdict::Stay;
}

double reserve_retry(Circuit& circuit, double now) {
  if (circuit.retry_ratio == 0) return 0;
  const double attempts = circuit.starts.first(now, circuit.retry_window_ms);
  const double allowed = std::max(kFreeRetries, circuit.retry_ratio * attempts);
  const double at = std::max(circuit.next_retry_at, now);
  circuit.next_retry_at = at + circuit.retry_window_ms / allowed;
  return at - now;
}

}  // namespace holdfast
