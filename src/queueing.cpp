// What queues and limits are told, who of them has never begun, and what is done when those are too many.
#include <algorithm>
#include <cmath>

#include "core.h"
#include "order.h"

namespace holdfast {

// Whoever may begin does so first: it does not wait any more.
bool Core::is_full(std::uint32_t queue, std::uint32_t more) {
  if (!bounds_.over(queue, more)) return false;
  draw_consequences();
  fire_timers();
  start_ready();
  return bounds_.over(queue, more);
}

// One has come to a queue that is full.
void Core::make_room(std::uint32_t slot) {
  const std::uint32_t queue = tasks_[slot].queue;
  const Overflow overflow = bounds_.of(queue).overflow;
  if (overflow == Overflow::Reject || !is_full(queue, 0) || !tasks_[slot].has(kCounted)) return;
  const std::uint32_t dropped = overflow == Overflow::DropNew ? slot : bounds_.first(queue);
  if (dropped != kNone) cancel_task(dropped, CancelCause::Overflow, 0);
}

// What comes beyond a rate that drops is over before it is submitted, and takes nothing of it.
bool Core::drops(std::uint32_t slot) {
  const double until = limits_.dropped_until(slot, time_);
  if (until == 0) return false;
  const double tenths = std::min(std::ceil((until - time_) / 100), static_cast<double>(kAttemptMask));
  cancel_task(slot, CancelCause::RateLimited, static_cast<std::uint32_t>(tenths));
  return true;
}

void Core::use_limit(Record command) {
  command.kind = static_cast<std::uint32_t>(Event::LimitUsed);
  if (admissible(command)) return emit_record(command);
  command.kind = static_cast<std::uint32_t>(Command::UseLimit);
  reject(command, Rejection::InvalidValue);
}

void Core::apply_queue_set(const Record& event) {
  const std::uint32_t queue = event.task;
  switch (queue_field_of(event)) {
    case QueueField::Paused: return limits_.set_paused(queue, event.at == 1);
    case QueueField::Still: return limits_.set_still(queue, event.at == 1);
    case QueueField::TurnWeight: return limits_.set_turn_weight(queue, event.at, weight_of(event));
    default: break;
  }
  const auto value = static_cast<std::uint32_t>(event.at);
  limits_.know_queue(queue);
  switch (static_cast<QueueField>(event.a)) {
    case QueueField::Granted: return limits_.set_granted(queue, value);
    case QueueField::Order: return set_order(queue, static_cast<QueueOrder>(value));
    case QueueField::MaxSize:
      if (bounds_.set_max(queue, value)) line_up_to_drop(queue);
      return;
    case QueueField::Overflow:
      if (bounds_.set_overflow(queue, static_cast<Overflow>(value))) line_up_to_drop(queue);
      return;
    default: return limits_.set_concurrency(queue, value);
  }
}

// Whoever stands in the queue takes the place that the new order gives.
void Core::set_order(std::uint32_t queue, QueueOrder order) {
  const std::vector<std::uint64_t> tickets = limits_.tickets();
  std::vector<Keyed> standing;
  for (std::uint32_t slot = 0; slot < tasks_.slot_end(); slot++) {
    if (tasks_[slot].queue == queue && tasks_[slot].has(kQueued)) standing.push_back({tickets[slot], slot});
  }
  sort_by_key(standing);
  for (const auto& [ticket, slot] : standing) leave_lane(slot);
  limits_.set_order(queue, order);
  for (const auto& [ticket, slot] : standing) join_lane(slot, groups_.of(slot));
}

// A task that has never begun counts for the bound of its queue.
void Core::count(std::uint32_t slot) {
  Task& task = tasks_[slot];
  if (task.ended() || task.has(kTried)) return;
  const bool lines_up = task.has(kCounted) ? bounds_.of(task.queue).line != nullptr : bounds_.add(task.queue);
  task.flags |= kCounted;
  if (lines_up && task.has(kSubmitted)) bounds_.line_up(slot, task.queue, task.priority, task.created_at);
}

void Core::uncount(std::uint32_t slot) {
  Task& task = tasks_[slot];
  if (!task.has(kCounted)) return;
  task.flags &= static_cast<std::uint16_t>(~kCounted);
  bounds_.remove(slot, task.queue);
}

void Core::line_up_to_drop(std::uint32_t queue) {
  std::vector<Keyed> waiting;
  for (std::uint32_t slot = 0; slot < tasks_.slot_end(); slot++) {
    const Task& task = tasks_[slot];
    if (task.queue == queue && task.has(kCounted) && task.has(kSubmitted)) waiting.push_back({static_cast<std::uint64_t>(task.created_at), slot});
  }
  sort_by_key(waiting);
  for (const auto& [at, slot] : waiting) count(slot);
}

}  // namespace holdfast
