// The core's accessors: what the door answers about a task or a queue.
#include <algorithm>

#include "core.h"

namespace holdfast {

std::uint32_t Core::state(std::uint32_t number) const {
  const std::uint32_t slot = tasks_.find(number);
  if (slot == kNone) return 0;
  const Task& task = tasks_[slot];
  return static_cast<std::uint32_t>(task.state) | (task.has(kPaused) ? 1u << 4 : 0) |
         (task.has(kInterruptPause) ? 1u << 5 : 0) | (static_cast<std::uint32_t>(task.stop) << 8) |
         ((task.holds & 0xffff) << 16);
}

double Core::value(std::uint32_t number, Field field) const {
  switch (field) {
    case Field::HasLimit:
    case Field::LimitOpensAt:
    case Field::LimitLeave: return limit_value(number, field);
    case Field::TaskEnd: return tasks_.number_end();
    case Field::PolicyEnd: return policy_end();
    case Field::NextHeld: return next_held(number);
    case Field::GroupEnd: return groups_.number_end();
    default: return task_value(number, field);
  }
}

double Core::limit_value(std::uint32_t number, Field field) const {
  const std::uint32_t limit = limits_.find(number);
  if (limit == kNone) return field == Field::LimitOpensAt ? kNever : 0;
  if (field == Field::LimitOpensAt) return limits_.limit_opens_at(limit);
  return field == Field::LimitLeave ? limits_.rule(limit).leave : 1;
}

void Core::list_uses(std::uint32_t number) {
  outbox_.clear();
  const std::uint32_t limit = limits_.find(number);
  if (limit != kNone) outbox_ = limits_.uses(limit, event_time_);
}

std::uint32_t Core::next_held(std::uint32_t number) const {
  while (++number < tasks_.number_end()) {
    const std::uint32_t slot = tasks_.find(number);
    if (slot != kNone && tasks_[slot].holds != 0) return number;
  }
  return 0;
}

std::uint32_t Core::group_number(std::uint32_t slot) const { return slot == kNone ? 0 : groups_.table()[slot].number; }

double Core::task_value(std::uint32_t number, Field field) const {
  const std::uint32_t slot = tasks_.find(number);
  if (slot == kNone) return 0;
  const Task& task = tasks_[slot];
  if (static_cast<std::uint32_t>(field) >= kFirstLimit) return part_key(slot, static_cast<std::uint32_t>(field));
  switch (field) {
    case Field::Attempt: return task.attempt;
    case Field::Failures: return task.failures;
    case Field::Recoveries: return task.recoveries;
    case Field::Progress: return extra(task).progress;
    case Field::CreatedAt: return task.created_at;
    case Field::StartedAt: return task.started_at;
    case Field::UpdatedAt: return task.updated_at;
    case Field::DueAt: return task.state == State::Delayed ? extra(task).due_at : 0;
    case Field::Priority: return task.priority;
    case Field::FailReason: return task.state == State::Failed ? task.end : 0;
    case Field::Queue: return task.queue;
    case Field::Policy: return task.policy;
    case Field::UnmetEdges: return graph_.unmet(slot);
    case Field::Submitted: return task.has(kSubmitted);
    case Field::CancelReason: return task.state == State::Cancelled ? task.end : 0;
    case Field::Steps: return task.steps;
    case Field::ClosedAttempt: return extra(task).closed_attempt;
    case Field::Parent: {
      const std::uint32_t parent = family_.parent(slot);
      return parent == kNone ? -1.0 : tasks_[parent].number;
    }
    case Field::ComputedMs: {
      const TaskExtra& more = extra(task);
      const bool counts = task.state == State::Running && more.budget_ms > 0;
      return more.computed_ms + (counts ? std::max(0.0, time_ - more.running_at) : 0);
    }
    case Field::HeartbeatMs: return extra(task).heartbeat_ms;
    case Field::ComputeBudgetMs: return extra(task).budget_ms;
    case Field::Height: return extra(task).height;
    case Field::OwnedGroup: return group_number(groups_.owned_by(number));
    case Field::Group: return group_number(groups_.of(slot));
    case Field::Key: return extra(task).key;
    case Field::KeyUntilMs: return extra(task).key_until;
    case Field::OpenUntilMs: return open_until(task);
    case Field::LimitedBy: return limits_.limited_by(slot);
    case Field::LimitedUntilMs: return limits_.limited_until(slot);
    case Field::LimitedKey: return limits_.limited_key(slot);
    case Field::Position: return limits_.position(slot);
    case Field::MaxAttempts: return policies_[task.policy].policy.max_attempts;
    default: return 0;
  }
}

double Core::part_key(std::uint32_t slot, std::uint32_t limit) const {
  double key = 0;
  limits_.each_part(slot, [&](const Limits::Part& part) {
    if (limits_.rule(part.limit).number == limit) key = part.key;
  });
  return key;
}

double Core::queue_value(std::uint32_t queue, QueueValue field) const {
  if (!limits_.has_queue(queue)) return 0;
  switch (field) {
    case QueueValue::Running: return limits_.running(queue);
    case QueueValue::Ready: return limits_.ready(queue);
    case QueueValue::Concurrency: return limits_.concurrency(queue);
    case QueueValue::Paused: return limits_.paused(queue);
    case QueueValue::Still: return limits_.still(queue);
    case QueueValue::Waiting: return bounds_.of(queue).waiting;
    case QueueValue::MaxSize: return bounds_.of(queue).max;
    case QueueValue::Granted: return limits_.granted(queue);
  }
  return 0;
}

namespace {

bool holds_rather(const Task& task, const Task& other) {
  if (task.ended() != other.ended()) return !task.ended();
  if (task.created_at != other.created_at) return task.created_at > other.created_at;
  return task.number > other.number;
}

}  // namespace

std::uint32_t Core::key_holder(double key, double now) const {
  const Task* holder = nullptr;
  keys_.each(key, [&](std::uint32_t slot) {
    const Task& task = tasks_[slot];
    if (task.state == State::Failed || extra(task).key_until <= now) return;
    if (holder == nullptr || holds_rather(task, *holder)) holder = &task;
  });
  return holder == nullptr ? 0 : holder->number;
}

double Core::retry_delay(std::uint32_t policy, std::uint32_t failures, double last_delay_ms) {
  if (!has_policy(policy)) return std::numeric_limits<double>::quiet_NaN();
  const RetryPolicy& rule = policies_[policy].policy;
  if (failures >= rule.max_attempts) return kNever;
  return retry_delay_ms(rule, failures, last_delay_ms, random_);
}

std::uint32_t Core::policy_end() const {
  std::uint32_t end = 1;
  for (std::uint32_t slot = 0; slot < tasks_.slot_end(); slot++) {
    end = std::max(end, tasks_[slot].policy + 1u);
  }
  return end;
}

std::size_t Core::bytes() const {
  return tasks_.bytes() + extras_.capacity() * sizeof(TaskExtra) + graph_.bytes() +
         family_.bytes() + limits_.bytes() + timers_.bytes() + keys_.bytes() + circuits_.bytes() + bounds_.bytes();
}

}  // namespace holdfast
