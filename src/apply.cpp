// What an event changes. Nothing here decides, asks the time or draws a number: live running and
// replay come through the same lines.
#include <algorithm>

#include "core.h"
#include "trap.h"

namespace holdfast {

void Core::apply(const Record& event) {
  const auto kind = static_cast<Event>(event.kind);
  if (tells_time(kind)) pass_time(event.at);
  HOLDFAST_HALF_WAY();
  switch (kind) {
    case Event::Created:
      return apply_created(event);
    case Event::QueueSet:
      return apply_queue_set(event);
    case Event::PolicySet:
      return apply_policy_set(event);
    case Event::GroupSet:
      return apply_group_set(event);
    case Event::GroupSettled:
      return apply_group_settled(groups_.table().find(event.task));
    case Event::Restored:
      return apply_restored(event);
    case Event::CircuitSet:
    case Event::CircuitOpened:
    case Event::CircuitHalfOpened:
    case Event::CircuitClosed:
      return apply_circuit(event);
    case Event::LimitSet:
      return limits_.set_limit(event.task, static_cast<LimitField>(event.a), event.at, event_time_);
    case Event::LimitUsed:
      return limits_.restore_use(event.task, used_key(event), used_as(event), event.b >> 18, event.at);
    case Event::SnapshotEnded:
      return;
    default:
      break;
  }
  apply_of(tasks_.find(event.task), event);
}

// An event of the task in this slot.
void Core::apply_of(std::uint32_t slot, const Record& event) {
  const auto kind = static_cast<Event>(event.kind);
  HOLDFAST_CHECK(slot != kNone && (states_before(kind) & bit(tasks_[slot].state)) != 0);
  if (tells_time(kind)) {
    pass_time(event.at);
    tasks_[slot].updated_at = event.at;
  }
  HOLDFAST_HALF_WAY();
  apply_to_task(kind, event, slot);
}

void Core::pass_time(double at) {
  event_time_ = std::max(event_time_, at);
  time_ = std::max(time_, at);
}

void Core::apply_to_task(Event kind, const Record& event, std::uint32_t slot) {
  Task& task = tasks_[slot];
  switch (kind) {
    case Event::TaskSet: return apply_task_set(slot, event);
    case Event::Depended: return apply_depended(slot, event);
    case Event::EdgeDisabled:
    case Event::EdgeMet: return apply_flow_decided(slot, event);
    case Event::Revised: return apply_revised(slot);
    case Event::Joined: return apply_joined(slot, groups_.table().find(event.a));
    case Event::Submitted:
      task.flags |= kSubmitted;
      count(slot);
      limits_.take(slot, event.at, true);
      return unblock(slot, DisabledBy::Before);
    case Event::Started: return apply_started(slot, event);
    case Event::StepRecorded:
      task.steps++;
      task.recoveries = 0;
      return apply_alive(slot, event.at);
    case Event::Progressed:
      own_extra(task).progress = event.at;
      return;
    case Event::Stopping: return apply_stopping(slot, event);
    case Event::AttemptFailed: return apply_attempt_failed(slot, event);
    case Event::RetryScheduled: return apply_retry_scheduled(slot, event);
    case Event::Interrupted: return apply_interrupted(slot, event);
    case Event::Thawed: return apply_thawed(slot, event);
    case Event::Waited:
      if (event.b == 1) task.flags |= kParked;
      return move(slot, State::Waiting);
    case Event::Woken:
      task.flags = static_cast<std::uint16_t>((task.flags & ~kParked) | kWoken | kAhead);
      return move(slot, State::Ready);
    case Event::Resumed:
      apply_slot_taken(slot, event.at);
      return move(slot, State::Running);
    case Event::Paused: return apply_paused(slot, event);
    case Event::Unpaused: return apply_unpaused(slot, event);
    case Event::Succeeded:
      // In a snapshot it only brings the result; the state is restored afterwards.
      if (task.has(kSubmitted)) end_task(slot, State::Succeeded, 0, false);
      return;
    case Event::Failed: return end_task(slot, State::Failed, event.a, leads_on_failure(slot));
    case Event::Cancelled: {
      const auto cause = static_cast<CancelCause>(event.a >> 24);
      const bool handled = is_drop(cause) && leads_on_failure(slot);
      return end_task(slot, State::Cancelled, event.a, handled || cause == CancelCause::Asked || cause == CancelCause::Disabled);
    }
    case Event::Retried: return apply_retried(slot, event.a == kRetryAsDraft);
    case Event::Forgotten: return apply_forgotten(slot);
    case Event::Held:
      task.holds |= event.a;
      return place(slot);
    case Event::Released:
      task.holds &= ~event.a;
      return place(slot);
    case Event::TimeReached: return move(slot, State::Ready);
    case Event::Belonged: return apply_belonged(slot, event);
    case Event::AlarmSet: return apply_alarm_set(slot, event.at);
    case Event::AlarmRang: return apply_alarm_set(slot, 0);
    case Event::StepsDropped:
      task.steps = std::min(task.steps, event.b);
      return;
    case Event::HeartbeatSeen: return apply_alive(slot, event.at);
    default:  // BlobAttached, Noted, Abandoned: for the host and the log alone
      return;
  }
}

void Core::apply_created(const Record& event) {
  const std::uint32_t slot = tasks_.add(event.task);
  Task& task = tasks_[slot];
  task.number = event.task;
  task.queue = static_cast<std::uint16_t>(event.a & 0xffff);
  task.policy = static_cast<std::uint16_t>((event.a >> 16) & 0x7fff);
  task.created_at = task.updated_at = event.at;
  task.state = State::Blocked;
  if ((event.a >> 31) != 0) task.flags = kSubmitted;
  count(slot);
  if ((event.a >> 31) != 0) move(slot, State::Ready);
}

void Core::apply_belonged(std::uint32_t slot, const Record& event) {
  const auto policy = static_cast<ChildPolicy>(event.b);
  if (policy == ChildPolicy::Release) return family_.leave(slot);
  if (family_.parent(slot) != kNone) return family_.set_policy(slot, policy);
  family_.add(tasks_.find(event.a), slot, policy);
}

void Core::apply_alarm_set(std::uint32_t slot, double at) {
  Task& task = tasks_[slot];
  if (at == 0 && task.extra == kNone) return;
  own_extra(task).alarm_at = at;
  arm(slot);
}

// An alarm is of the handler that set it.
void Core::clear_alarm(const Task& task) {
  if (task.extra != kNone) extras_[task.extra].alarm_at = 0;
}

void Core::apply_started(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  task.attempt = event.a;
  if (task.started_at == 0) task.started_at = event.at;
  task.flags |= kTried;
  uncount(slot);
  if (task.extra != kNone) {
    TaskExtra& more = extras_[task.extra];
    more.progress = std::numeric_limits<double>::quiet_NaN();
    if (more.attempt_timeout_ms > 0) more.attempt_at = event.at;
  }
  apply_slot_taken(slot, event.at);
  limits_.take(slot, event.at, false);
  move(slot, State::Running);
  begin_trial(task);
}

void Core::apply_stopping(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  task.stop = static_cast<StopReason>(event.a >> 24);
  TaskExtra& more = own_extra(task);
  more.grace_ends_at = event.at;
  more.stop_note = event.b;
  if (task.stopping_for_good()) bereave(slot);
  // A woken task gives up its place: its parked handler has to go first.
  if (task.state == State::Ready) return move(slot, State::Waiting);
  arm(slot);
}

void Core::apply_attempt_failed(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  if (!task.has(kSubmitted)) return;  // a snapshot: it only brings the error
  task.failures += task.failures < 0xffffffff;
  task.stop = StopReason::None;
  task.flags &= static_cast<std::uint16_t>(~kParked);
  TaskExtra& more = own_extra(task);
  more.last_outcome = static_cast<Outcome>(event.a >> 24);
  more.closed_attempt = task.attempt;
  more.alarm_at = 0;
  more.due_at = 0;
  move(slot, State::Delayed);  // RetryScheduled says until when, or Failed follows
}

void Core::apply_retry_scheduled(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  TaskExtra& more = own_extra(task);
  more.due_at = event.at;
  more.delay_ms = std::max(0.0, event.at - task.updated_at);
  arm(slot);
}

void Core::apply_interrupted(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  task.recoveries = static_cast<std::uint8_t>(event.a);
  task.stop = StopReason::None;
  clear_alarm(task);
  if (task.state == State::Running && task.extra != kNone) {
    // The event says how much of the time since counts.
    extras_[task.extra].computed_ms += event.b;
    extras_[task.extra].running_at = task.updated_at;
  }
  // It had its turn already: it goes on before new ones.
  task.flags = static_cast<std::uint16_t>((task.flags & ~(kParked | kWoken | kOrphan)) | kAhead);
  leave_lane(slot);
  move(slot, State::Ready);
}

void Core::apply_paused(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  if (!task.has(kPaused)) own_extra(task).paused_at = event.at;
  task.flags |= kPaused;
  if (event.a == static_cast<std::uint32_t>(PauseKind::Interrupt)) task.flags |= kInterruptPause;
  place(slot);
}

void Core::apply_unpaused(std::uint32_t slot, const Record& event) {
  Task& task = tasks_[slot];
  const auto policy = static_cast<ResumePolicy>(event.a);
  task.flags &= static_cast<std::uint16_t>(~(kPaused | kInterruptPause));
  if (task.extra != kNone) {
    TaskExtra& more = extras_[task.extra];
    const double passed = std::max(0.0, event.at - more.paused_at);
    const auto moved = [&](double at, double whole) {
      if (at == 0 || policy == ResumePolicy::KeepDeadline) return at;
      return std::min(policy == ResumePolicy::Remaining ? at + passed : event.at + whole, kMaxTimeMs);
    };
    if (task.state == State::Delayed) more.due_at = moved(more.due_at, more.delay_ms);
    more.expires_at = moved(more.expires_at, more.time_to_live_ms);
    more.paused_at = 0;
  }
  place(slot);
}

void Core::apply_retried(std::uint32_t slot, bool as_draft) {
  Task& task = tasks_[slot];
  groups_.reopened(slot, task.state, task.has(kExcused));
  task.flags = static_cast<std::uint16_t>((task.flags & kHandled) | (as_draft ? 0 : kSubmitted));
  task.failures = 0;
  task.recoveries = 0;
  task.end = 0;
  task.started_at = 0;
  TaskExtra& more = own_extra(task);
  more.closed_attempt = task.attempt;
  more.progress = std::numeric_limits<double>::quiet_NaN();
  more.due_at = more.delay_ms = 0;
  more.deadline_at = more.expires_at = more.not_before = 0;
  more.grace_ends_at = 0;
  more.computed_ms = 0;
  more.stop_note = 0;
  const std::uint32_t parent = family_.parent(slot);
  if (parent != kNone) {
    // Whoever is tried again after the parent's end goes on alone; while it is ending, not at all.
    if (tasks_[parent].ended()) family_.set_policy(slot, ChildPolicy::Detach);
    if (tasks_[parent].stopping_for_good()) bereave(parent);
  }
  move(slot, as_draft ? State::Blocked : State::Ready);
  count(slot);
}

void Core::apply_forgotten(std::uint32_t slot) {
  Task& task = tasks_[slot];
  HOLDFAST_CHECK(!task.has(kQueued) && graph_.unmet(slot) == 0);
  limits_.leave(slot);
  uncount(slot);
  if (extra(task).key != 0) keys_.remove(slot, extra(task).key);
  free_extra(task);
  groups_.forget(slot);
  family_.forget(slot);
  const std::uint32_t number = task.number;
  groups_.disown(number);
  task = Task{};
  tasks_.remove(number);
}

void Core::apply_policy_set(const Record& event) {
  if (event.task >= policies_.size()) policies_.resize(event.task + 1);
  KnownPolicy& known = policies_[event.task];
  known.known = true;
  set_policy_value(known.policy, static_cast<PolicyField>(event.a), event.b, event.at);
}

void Core::apply_joined(std::uint32_t slot, std::uint32_t group) {
  if (!tasks_[slot].ended()) return groups_.join(slot, group);
  groups_.join_ended(slot, group, tasks_[slot].has(kExcused));
}

void Core::apply_group_set(const Record& event) {
  const std::uint32_t slot = groups_.know(event.task);
  Groups::Group& group = groups_.table()[slot];
  const auto value = static_cast<std::uint32_t>(event.at);
  switch (static_cast<GroupField>(event.a)) {
    case GroupField::Concurrency: return limits_.set_group_concurrency(slot, value);
    case GroupField::FailureThreshold:
      group.threshold = value;
      group.swept = false;
      break;
    case GroupField::Closed: group.closed = value == 1; break;
    case GroupField::LetsFinish: group.lets_finish = true; break;
    case GroupField::Owner: return groups_.set_owner(slot, value);
  }
  groups_.mark(slot);
}

void Core::apply_group_settled(std::uint32_t slot) {
  limits_.set_group_concurrency(slot, 0);
  groups_.settle(slot);
}

bool Core::leads_on_failure(std::uint32_t slot) const { return tasks_[slot].has(kHandled) || graph_.leads_on(slot, EdgeKind::ErrorFlow); }

void Core::end_task(std::uint32_t slot, State state, std::uint32_t end, bool excused) {
  Task& task = tasks_[slot];
  constexpr auto kGone = kWoken | kAhead | kParked | kPaused | kInterruptPause | kDoomed | kFed | kStarved | kOrphan;
  task.flags = static_cast<std::uint16_t>((task.flags & ~kGone) | (excused ? kExcused : 0));
  task.stop = StopReason::None;
  task.end = end;
  uncount(slot);
  clear_alarm(task);
  bereave(slot);
  move(slot, state);
  graph_.drop_incoming(slot);
  groups_.ended(slot, state, excused);
  groups_.close_owned(task.number);
  settle_edges(slot, state);
}

void Core::bereave(std::uint32_t slot) {
  if (family_.has_children(slot)) bereft_.push_back(slot);
}

void Core::move(std::uint32_t slot, State state) {
  Task& task = tasks_[slot];
  const std::uint32_t group = groups_.of(slot);
  const bool ran = task.state == State::Running;
  if (state == State::Running) limits_.acquire(slot, task.queue, group);
  leave_lane(slot);
  if (ran) limits_.release(slot, task.queue, group);
  if (ran) end_trial(task);
  if (ran && state != State::Running && extra(task).budget_ms > 0) {
    TaskExtra& more = extras_[task.extra];
    more.computed_ms += std::max(0.0, task.updated_at - more.running_at);
  }
  HOLDFAST_HALF_WAY();
  task.state = state;
  if (state != State::Delayed && task.extra != kNone) extras_[task.extra].due_at = 0;
  if (state != State::Ready) {
    task.flags &= static_cast<std::uint16_t>(~(kWoken | kAhead));
  } else if (task.startable()) {
    join_lane(slot, group);
  } else {
    // Whoever holds it may have let go of all others by now.
    count_in_circuits(task, 0, 0);
  }
  arm(slot);
}

// Puts the task where its state and holds say: into its lane or out of it, and its timer right.
void Core::place(std::uint32_t slot) {
  const Task& task = tasks_[slot];
  const bool wanted = task.state == State::Ready && task.startable();
  if (!wanted) {
    leave_lane(slot);
  } else if (!task.has(kQueued)) {
    join_lane(slot, groups_.of(slot));
  }
  // Held or not, paused or not: it may be its turn.
  count_in_circuits(task, 0, 0);
  arm(slot);
}

void Core::join_lane(std::uint32_t slot, std::uint32_t group) {
  Task& task = tasks_[slot];
  task.flags |= kQueued;
  count_in_circuits(task, 1, 0);
  Limits::Claim claim{slot, group, task.priority, task.queue};
  if (limits_.order(task.queue) == QueueOrder::Offset) claim.since = std::max(task.created_at, extra(task).not_before);
  if (task.extra != kNone) {
    claim.turn = extras_[task.extra].turn;
    claim.promoted = extras_[task.extra].promoted;
    const std::uint32_t height = extras_[task.extra].height;
    // Exact, and of no two tasks the same: by height, then by number.
    if (height > 0) claim.order = static_cast<double>(kMaxHeight - height) * (kMaxNumber + 1.0) + task.number;
  }
  limits_.enqueue(claim, task.has(kAhead));
}

void Core::leave_lane(std::uint32_t slot) {
  Task& task = tasks_[slot];
  if (!task.has(kQueued)) return;
  task.flags &= static_cast<std::uint16_t>(~kQueued);
  count_in_circuits(task, -1, 0);
  limits_.dequeue(slot);
}

void Core::arm(std::uint32_t slot) {
  const Task& task = tasks_[slot];
  if (task.extra == kNone) return timers_.set(slot, task.number, kNever);
  TaskExtra& more = extras_[task.extra];
  if (more.time_to_live_ms > 0 && more.expires_at == 0 && task.may_expire()) {
    more.expires_at = std::min(time_ + more.time_to_live_ms, kMaxTimeMs);
  }
  timers_.set(slot, task.number, next_due(task));
  const bool runs = task.state == State::Running;
  const bool timed = more.attempt_timeout_ms > 0 || task.stop != StopReason::None ||
                     (runs && (more.heartbeat_ms > 0 || more.budget_ms > 0));
  const bool thawable = timed && task.live() && !more.count_frozen;
  thawable_attempts_ += static_cast<std::uint32_t>(thawable - more.thawable);
  more.thawable = thawable;
}

// The earliest moment at which `fire` has something to do for the task.
double Core::next_due(const Task& task) const {
  if (task.extra == kNone || task.ended() || !task.has(kSubmitted)) return kNever;
  const TaskExtra& more = extras_[task.extra];
  double due = kNever;
  if (task.state == State::Delayed && more.due_at > 0 && !task.has(kPaused)) due = more.due_at;
  const bool may_overrun = task.stop == StopReason::None || task.stopping_as_failed() ||
                           task.stop == StopReason::Interrupt;
  if (more.deadline_at > 0 && may_overrun) due = std::min(due, more.deadline_at);
  if (task.stop != StopReason::None) return std::min(due, more.grace_ends_at);
  if (task.live()) {
    due = std::min(due, next_overrun(task));
    return more.alarm_at > 0 ? std::min(due, more.alarm_at) : due;
  }
  if (more.expires_at > 0 && task.may_expire()) due = std::min(due, more.expires_at);
  return due;
}

TaskExtra& Core::own_extra(Task& task) {
  if (task.extra != kNone) return extras_[task.extra];
  if (free_extras_.empty()) {
    task.extra = static_cast<std::uint32_t>(extras_.size());
    extras_.emplace_back();
  } else {
    task.extra = free_extras_.back();
    free_extras_.pop_back();
    extras_[task.extra] = TaskExtra{};
  }
  return extras_[task.extra];
}

void Core::free_extra(Task& task) {
  if (task.extra == kNone) return;
  free_extras_.push_back(task.extra);
  task.extra = kNone;
}

}  // namespace holdfast
