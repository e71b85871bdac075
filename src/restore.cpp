// Restored events: what a snapshot says of a task (or group) beyond the ordinary events.
#include "core.h"

namespace holdfast {

void Core::apply_restored(const Record& event) {
  const auto field = static_cast<RestoredField>(event.a);
  if (field >= RestoredField::GroupSucceeded) {
    Groups::Group& group = groups_.table()[groups_.table().find(event.task)];
    (field == RestoredField::GroupSucceeded    ? group.succeeded
     : field == RestoredField::GroupEndedBadly ? group.ended_badly
                                               : group.failures) = event.b;
    return;
  }
  const std::uint32_t slot = tasks_.find(event.task);
  Task& task = tasks_[slot];
  switch (field) {
    case RestoredField::State:
      task.updated_at = event.at;
      return apply_restored_state(slot, event.b);
    case RestoredField::Attempt:
      task.attempt = event.b;
      task.started_at = event.at;
      return;
    case RestoredField::Failures:
      task.failures = event.b;
      if (event.at != 0) own_extra(task).delay_ms = event.at;
      return;
    case RestoredField::Recoveries: task.recoveries = static_cast<std::uint8_t>(event.b); return;
    case RestoredField::End: task.end = event.b; return;
    case RestoredField::Stop:
      own_extra(task).stop_note = event.b;
      own_extra(task).grace_ends_at = event.at;
      return;
    case RestoredField::Progress: own_extra(task).progress = event.at; return;
    case RestoredField::CreatedAt: task.created_at = event.at; return;
    case RestoredField::DueAt: own_extra(task).due_at = event.at; return;
    case RestoredField::ExpiresAt: own_extra(task).expires_at = event.at; return;
    case RestoredField::PausedAt: own_extra(task).paused_at = event.at; return;
    case RestoredField::AttemptAt: own_extra(task).attempt_at = event.at; return;
    case RestoredField::AlarmAt: own_extra(task).alarm_at = event.at; return;
    case RestoredField::ClosedAttempt: own_extra(task).closed_attempt = event.b; return;
    case RestoredField::ComputedMs: own_extra(task).computed_ms = event.at; return;
    case RestoredField::RunningAt: own_extra(task).running_at = event.at; return;
    case RestoredField::AliveAt: own_extra(task).alive_at = event.at; return;
    default: return;
  }
}

// The last word about a task: it takes its place.
void Core::apply_restored_state(std::uint32_t slot, std::uint32_t packed) {
  Task& task = tasks_[slot];
  const auto state = static_cast<State>(packed & 15);
  const auto outcome = static_cast<Outcome>((packed >> 8) & 15);
  if (outcome != Outcome::Success) own_extra(task).last_outcome = outcome;
  task.flags = static_cast<std::uint16_t>((task.flags & (kDoomed | kCounted)) | (packed >> 16));
  if (task.has(kTried)) uncount(slot);
  else count(slot);
  if (state >= State::Succeeded) {
    const auto flags = task.flags;
    end_task(slot, state, task.end, (flags & kExcused) != 0);
    task.flags = flags & static_cast<std::uint16_t>(~(kDoomed | kCounted));
    return;
  }
  task.stop = static_cast<StopReason>((packed >> 4) & 15);
  // A journal that leaves it waiting for nothing, or without hope, is set right by the next step.
  if (state == State::Blocked && task.has(kSubmitted)) return unblock(slot, DisabledBy::Before);
  move(slot, state);
}

}  // namespace holdfast
