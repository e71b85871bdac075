// What values make sense, and whether an event of a journal can be true. A journal is hostile input:
// nothing of it is applied that could break an invariant.
#include <cmath>

#include "core.h"

namespace holdfast {

namespace {

bool time_valid(double at) { return at >= 0 && at <= kMaxTimeMs; }
bool whole(double value) { return value == std::floor(value); }
bool is_limit(double value) { return whole(value) && value >= 0 && value <= 0xfffffffe; }

constexpr std::uint32_t high_byte(std::uint32_t value) { return value >> 24; }

}  // namespace

bool Core::task_value_valid(TaskField field, double value) const {
  switch (field) {
    case TaskField::Priority:
      return whole(value) && value >= -2147483648.0 && value <= 2147483647.0;
    case TaskField::NotBeforeMs:
    case TaskField::DeadlineAtMs:
    case TaskField::TimeToLiveMs:
    case TaskField::AttemptTimeoutMs:
    case TaskField::GraceMs:
    case TaskField::HeartbeatMs:
    case TaskField::ComputeBudgetMs:
      return time_valid(value);
    case TaskField::Queue:
      return is_limit(value) && limits_.has_queue(static_cast<std::uint32_t>(value));
    case TaskField::Policy:
      return is_limit(value) && has_policy(static_cast<std::uint32_t>(value));
    case TaskField::CountFrozen:
    case TaskField::Promoted:
    case TaskField::Handled:
      return value == 0 || value == 1;
    case TaskField::Key:
      return whole(value) && value >= 1 && value <= 9007199254740991.0;
    case TaskField::KeyUntilMs:
      return time_valid(value);
    case TaskField::Limit:
    case TaskField::Turn:
      return whole(value) && value >= 1 && value <= kMaxLimitKey;
    case TaskField::Height:
      return is_limit(value) && value <= kMaxHeight;
    case TaskField::Circuit:
    case TaskField::QueueCircuit:
      return is_limit(value) && value > 0 && circuits_.may_know(static_cast<std::uint32_t>(value));
  }
  return false;
}

// A task takes part in a limit once.
bool Core::part_valid(std::uint32_t slot, const Record& set) const {
  const bool known = limits_.find(set.b) != kNone;
  bool fits = set.b != 0 && weight_of(set) <= kMaxWeight && (known || limits_.may_know(set.b));
  std::uint32_t parts = 0;
  limits_.each_part(slot, [&](const Limits::Part& part) {
    parts++;
    fits = fits && limits_.rule(part.limit).number != set.b;
  });
  return fits && parts < kMaxParts;
}

bool Core::group_value_valid(GroupField field, double value) {
  switch (field) {
    case GroupField::Concurrency:
    case GroupField::FailureThreshold:
      return is_limit(value);
    case GroupField::Owner:
      return is_limit(value) && value <= kMaxNumber;
    case GroupField::Closed:
      return value == 0 || value == 1;
    case GroupField::LetsFinish:
      return value == 1;
  }
  return false;
}

bool Core::queue_value_valid(const Record& set) {
  const double value = set.at;
  switch (queue_field_of(set)) {
    case QueueField::Concurrency:
    case QueueField::MaxSize:
    case QueueField::Granted:
      return is_limit(value);
    case QueueField::Paused:
    case QueueField::Still:
      return value == 0 || value == 1;
    case QueueField::Order:
      return is_limit(value) && value <= static_cast<double>(QueueOrder::Fair);
    case QueueField::Overflow:
      return is_limit(value) && value <= static_cast<double>(Overflow::DropLowest);
    case QueueField::TurnWeight:
      return whole(value) && value >= 1 && value <= kMaxLimitKey && weight_of(set) <= kMaxWeight;
  }
  return false;
}

bool Core::admissible(const Record& event) const {
  const auto kind = static_cast<Event>(event.kind);
  if (tells_time(kind) && !time_valid(event.at)) return false;
  switch (kind) {
    case Event::QueueSet:
      return event.task < kMaxQueues && queue_value_valid(event);
    case Event::PolicySet:
      return event.task <= 0x7fff &&
             policy_value_valid(static_cast<PolicyField>(event.a), event.b, event.at);
    case Event::GroupSet:
      return event.task <= kMaxNumber &&
             group_value_valid(static_cast<GroupField>(event.a), event.at) &&
             (static_cast<GroupField>(event.a) != GroupField::Owner || tasks_.find(static_cast<std::uint32_t>(event.at)) != kNone);
    case Event::CircuitSet:
    case Event::CircuitOpened:
    case Event::CircuitHalfOpened:
    case Event::CircuitClosed:
      return admissible_circuit(event);
    case Event::GroupSettled: {
      const std::uint32_t group = groups_.table().find(event.task);
      return group != kNone && groups_.table()[group].open == 0;
    }
    case Event::LimitSet:
      return event.task != 0 && limits_.may_know(event.task) && limit_value_valid(static_cast<LimitField>(event.a), event.at);
    case Event::LimitUsed:
      return event.task != 0 && limits_.may_know(event.task) && time_valid(event.at) && used_as(event) <= LimitUse::LastAt;
    case Event::SnapshotEnded:
      return true;
    case Event::Created:
      return event.task <= kMaxNumber && tasks_.find(event.task) == kNone &&
             limits_.has_queue(event.a & 0xffff) && has_policy((event.a >> 16) & 0x7fff);
    case Event::Restored:
      return admissible_restored(event);
    default: {
      const std::uint32_t slot = tasks_.find(event.task);
      return slot != kNone && admissible_task_event(event, &tasks_[slot]);
    }
  }
}

bool Core::admissible_task_event(const Record& event, const Task* task) const {
  const auto kind = static_cast<Event>(event.kind);
  if ((states_before(kind) & bit(task->state)) == 0) return false;
  const std::uint32_t slot = tasks_.find(event.task);
  const bool draft = !task->has(kSubmitted);
  switch (kind) {
    case Event::TaskSet:
      if (field_of(event) == TaskField::Limit && !part_valid(slot, event)) return false;
      return task_value_valid(field_of(event), event.at) &&
             (!task->ended() || event.a == static_cast<std::uint32_t>(TaskField::KeyUntilMs)) &&
             !(event.a == static_cast<std::uint32_t>(TaskField::Queue) &&
               task->state == State::Running);
    case Event::Depended:
    case Event::EdgeDisabled:
    case Event::EdgeMet:
      return admissible_edge(event, slot);
    case Event::Retried:
      return event.a <= kRetryAsDraft;
    case Event::Joined:
      return (draft || task->ended()) && groups_.table().find(event.a) != kNone && groups_.of(slot) == kNone;
    case Event::Submitted:
      return draft;
    case Event::Revised:
      return !task->has(kTried);
    case Event::Started:
      return event.a <= kAttemptMask && !task->live() && task->startable();
    case Event::Resumed:
      return task->has(kWoken);
    case Event::StepRecorded:
      return task->live() || draft;
    case Event::Succeeded:
      return task->live() || draft;
    case Event::AttemptFailed:
      return (task->live() || draft) &&
             high_byte(event.a) <= static_cast<std::uint32_t>(Outcome::Stalled);
    case Event::Progressed:
      return task->live() && event.at >= 0 && event.at <= 100;
    case Event::Stopping:
      return task->live() && time_valid(event.at) && high_byte(event.a) >= 1 &&
             high_byte(event.a) <= static_cast<std::uint32_t>(StopReason::OverBudget) &&
             high_byte(event.b) <= static_cast<std::uint32_t>(CancelCause::Disabled);
    case Event::Interrupted:
      return task->live() && event.a <= 255;
    case Event::Abandoned:
    case Event::Thawed:
      return task->live();
    case Event::RetryScheduled:
      return time_valid(event.at);
    case Event::Paused:
      return event.a <= static_cast<std::uint32_t>(PauseKind::Interrupt);
    case Event::Unpaused:
      return event.a <= static_cast<std::uint32_t>(ResumePolicy::Restart);
    case Event::Failed:
      return event.a <= static_cast<std::uint32_t>(FailReason::OverBudget);
    case Event::Cancelled:
      return high_byte(event.a) <= static_cast<std::uint32_t>(CancelCause::Disabled);
    case Event::Noted:
      return event.a <= kMaxNoteKind;
    case Event::Belonged:
      return admissible_belonged(event, slot);
    case Event::AlarmSet:
      return task->live() && time_valid(event.at);
    case Event::AlarmRang:
    case Event::StepsDropped:
    case Event::HeartbeatSeen:
      return task->live();
    default:
      return true;
  }
}

bool Core::admissible_edge(const Record& event, std::uint32_t slot) const {
  const std::uint32_t prerequisite = tasks_.find(event.a);
  const auto edge = static_cast<EdgeKind>(event.b);
  if (prerequisite == kNone || edge > EdgeKind::ErrorFlow) return false;
  if (static_cast<Event>(event.kind) != Event::Depended) return is_flow(edge) && graph_.find(prerequisite, slot, edge) != kNone;
  return !tasks_[slot].has(kSubmitted) && !makes_cycle(slot, prerequisite);
}

bool Core::admissible_belonged(const Record& event, std::uint32_t slot) const {
  if (event.b > static_cast<std::uint32_t>(ChildPolicy::Release)) return false;
  const std::uint32_t parent = tasks_.find(event.a);
  const std::uint32_t known = family_.parent(slot);
  if (event.b == static_cast<std::uint32_t>(ChildPolicy::Release)) return parent != kNone && known == parent;
  if (parent == kNone || known == parent) return parent != kNone;
  return known == kNone && !tasks_[slot].has(kSubmitted) && !tasks_[slot].ended() && family_.fit(parent, slot) == Family::Fit::Fits;
}

bool Core::admissible_restored(const Record& event) const {
  const auto field = static_cast<RestoredField>(event.a);
  if (field >= RestoredField::GroupSucceeded) {
    return field <= RestoredField::GroupFailures && groups_.table().find(event.task) != kNone;
  }
  const std::uint32_t slot = tasks_.find(event.task);
  if (slot == kNone) return false;
  const Task& task = tasks_[slot];
  if (task.state != State::Blocked || task.has(kSubmitted)) return false;
  switch (field) {
    case RestoredField::State:
      return time_valid(event.at) && admissible_restored_state(event.b);
    case RestoredField::Attempt:
    case RestoredField::ClosedAttempt:
      return time_valid(event.at) && event.b <= kAttemptMask;
    case RestoredField::Recoveries:
      return event.b <= 255;
    case RestoredField::Failures:
    case RestoredField::ComputedMs:
    case RestoredField::RunningAt:
    case RestoredField::AliveAt:
      return time_valid(event.at);
    case RestoredField::End:
      return true;
    case RestoredField::Stop:
      return time_valid(event.at) && high_byte(event.b) <= static_cast<std::uint32_t>(CancelCause::Disabled);
    case RestoredField::Progress:
      return event.at >= 0 && event.at <= 100;
    default:
      return event.a >= 1 && field <= RestoredField::AlarmAt && time_valid(event.at);
  }
}

bool Core::admissible_restored_state(std::uint32_t packed) const {
  const auto state = static_cast<State>(packed & 15);
  const std::uint32_t stop = (packed >> 4) & 15, outcome = (packed >> 8) & 15;
  const std::uint32_t flags = packed >> 16;
  if (state < State::Blocked || state > State::Cancelled) return false;
  if (stop > static_cast<std::uint32_t>(StopReason::OverBudget)) return false;
  if (outcome > static_cast<std::uint32_t>(Outcome::Stalled)) return false;
  if ((flags & ~std::uint32_t{kTaskFlags}) != 0 || (packed & 0xf000) != 0) return false;
  const bool ended = state >= State::Succeeded;
  const bool live = state == State::Running || state == State::Waiting;
  if (stop != 0 && !live) return false;
  if ((flags & (kWoken | kAhead)) != 0 && state != State::Ready) return false;
  // Only drafts, and drafts that were cancelled, are not submitted.
  return (flags & kSubmitted) != 0 || state == State::Blocked || ended;
}

}  // namespace holdfast
