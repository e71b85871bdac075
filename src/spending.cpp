// What an attempt uses up: the time of its timeout, the time since its last sign of life, its compute
// budget; and what it is given back when its host stood still.
//
// Invariant: one that does not run (it waits, or its task is delayed) uses up neither heartbeat nor budget.
#include <algorithm>

#include "core.h"

namespace holdfast {

void Core::apply_alive(std::uint32_t slot, double at) {
  Task& task = tasks_[slot];
  if (extra(task).heartbeat_ms == 0) return;
  extras_[task.extra].alive_at = at;
  arm(slot);
}

void Core::apply_slot_taken(std::uint32_t slot, double at) {
  Task& task = tasks_[slot];
  if (task.extra == kNone) return;
  extras_[task.extra].alive_at = extras_[task.extra].running_at = at;
  extras_[task.extra].promoted = false;
}

// When a live task has used up what it has. REQUIRES: task.extra != kNone.
double Core::next_overrun(const Task& task) const {
  const TaskExtra& more = extras_[task.extra];
  double due = more.attempt_timeout_ms > 0 ? more.attempt_at + more.attempt_timeout_ms : kNever;
  if (task.state != State::Running) return due;
  if (more.heartbeat_ms > 0) due = std::min(due, more.alive_at + more.heartbeat_ms);
  if (more.budget_ms > 0) due = std::min(due, more.running_at + more.budget_ms - more.computed_ms);
  return due;
}

// What a live task has used up. What ends it for good comes first.
StopReason Core::overrun(const Task& task) const {
  const TaskExtra& more = extra(task);
  const bool runs = task.state == State::Running;
  if (runs && more.budget_ms > 0 && more.running_at + more.budget_ms - more.computed_ms <= time_) {
    return StopReason::OverBudget;
  }
  const bool late = more.attempt_timeout_ms > 0 && more.attempt_at + more.attempt_timeout_ms <= time_;
  return late ? StopReason::Timeout : StopReason::Stalled;
}

// Since it has its slot. Nobody knows how long code ran on after the last word of its page.
std::uint32_t Core::ran_ms(const Task& task) const {
  const TaskExtra& more = extra(task);
  if (task.state != State::Running || more.budget_ms == 0) return 0;
  const double until = task.has(kOrphan) ? lost_at_ : time_;
  return static_cast<std::uint32_t>(std::clamp(until - more.running_at, 0.0, 4294967295.0));
}

void Core::apply_thawed(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  TaskExtra& more = own_extra(task);
  const auto moved = [&](double at) { return std::min(at + event.b, kMaxTimeMs); };
  // It has been alive, and has its slot, since now at the latest.
  const auto moved_to_now = [&](double at) { return std::max(at, std::min(at + event.b, event.at)); };
  if (more.attempt_timeout_ms > 0) more.attempt_at = moved(more.attempt_at);
  if (more.heartbeat_ms > 0) more.alive_at = moved_to_now(more.alive_at);
  if (more.budget_ms > 0) more.running_at = moved_to_now(more.running_at);
  if (task.stop != StopReason::None) more.grace_ends_at = moved(more.grace_ends_at);
  arm(slot);
}

}  // namespace holdfast
