// What is set on a task: options before it is submitted, and the few that may change later.
//
// Invariant: what is set is an event's, so a journal that is read again sets the same.
#include <algorithm>

#include "core.h"

namespace holdfast {

void Core::apply_task_set(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  const TaskField field = field_of(event);
  const double value = event.at;
  if (field == TaskField::Key || field == TaskField::KeyUntilMs) return apply_key_set(slot, field, value);
  // Who has it already keeps its place among its equals.
  if (field == TaskField::Priority && task.priority == static_cast<std::int32_t>(value)) return;
  leave_lane(slot);
  const bool counts_anew = field == TaskField::Priority || field == TaskField::Queue;
  if (counts_anew) uncount(slot);
  switch (field) {
    case TaskField::Priority: task.priority = static_cast<std::int32_t>(value); break;
    case TaskField::Queue: task.queue = static_cast<std::uint16_t>(value); break;
    case TaskField::Policy: task.policy = static_cast<std::uint16_t>(value); break;
    case TaskField::NotBeforeMs: apply_not_before(task, value); break;
    case TaskField::TimeToLiveMs: own_extra(task).time_to_live_ms = value; break;
    case TaskField::AttemptTimeoutMs: own_extra(task).attempt_timeout_ms = value; break;
    case TaskField::DeadlineAtMs: own_extra(task).deadline_at = value; break;
    case TaskField::GraceMs: own_extra(task).grace_ms = value; break;
    case TaskField::CountFrozen: own_extra(task).count_frozen = value == 1; break;
    case TaskField::HeartbeatMs: own_extra(task).heartbeat_ms = value; break;
    case TaskField::ComputeBudgetMs: own_extra(task).budget_ms = value; break;
    case TaskField::Limit: limits_.join(slot, event.b, weight_of(event), value, task.state == State::Running, event_time_); break;
    case TaskField::Promoted: own_extra(task).promoted = value == 1; break;
    case TaskField::Turn: own_extra(task).turn = value; break;
    case TaskField::Handled: task.flags = static_cast<std::uint16_t>((task.flags & ~kHandled) | (value == 1 ? kHandled : 0)); break;
    case TaskField::Height: own_extra(task).height = static_cast<std::uint32_t>(value); break;
    case TaskField::Circuit:
    case TaskField::QueueCircuit: {
      const std::uint32_t index = circuits_.know(static_cast<std::uint32_t>(value));
      auto& circuits = own_extra(task).circuits;
      const bool queues = field == TaskField::QueueCircuit;
      // One circuit counts once.
      if (circuits[!queues] != index + 1) circuits[queues] = static_cast<std::uint16_t>(index + 1);
      break;
    }
    default: break;
  }
  if (counts_anew) count(slot);
  place(slot);
}

void Core::apply_not_before(Task& task, double value) {
  TaskExtra& more = own_extra(task);
  more.not_before = value;
  if (task.state != State::Delayed) return;
  // 0 would say that nothing is due.
  more.due_at = std::max(value, 1.0);
  more.delay_ms = std::max(value - time_, 0.0);
}

void Core::apply_key_set(std::uint32_t slot, TaskField field, double value) {
  TaskExtra& more = own_extra(tasks_[slot]);
  if (field == TaskField::KeyUntilMs) {
    more.key_until = value;
    return;
  }
  if (more.key != 0) keys_.remove(slot, more.key);
  more.key = value;
  keys_.add(slot, value);
}

}  // namespace holdfast
