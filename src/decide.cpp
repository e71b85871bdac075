// What a command yields. Nothing here writes state: what is emitted does, by apply.
#include <algorithm>
#include <cmath>

#include "core.h"

namespace holdfast {

namespace {

// The part of the payloads that belongs to the command; taken off the front even when it is refused.
// False where the host gave fewer bytes than it announced.
bool take_payload(const Record& command, Bytes& payloads, Bytes& own) {
  if (!carries_payload(static_cast<Command>(command.kind))) return true;
  const std::size_t length = std::min<std::size_t>(command.b, payloads.size());
  own = payloads.first(length);
  payloads = payloads.subspan(length);
  return length == command.b;
}

std::uint32_t size_of(Bytes payload) { return static_cast<std::uint32_t>(payload.size()); }

}  // namespace

void Core::reject(const Record& command, Rejection why) {
  outbox_.push_back({static_cast<std::uint32_t>(Event::Rejected), command.task,
                     static_cast<std::uint32_t>(why), command.kind, time_});
}

void Core::decide(const Record& command, Bytes& payloads) {
  Ask ask{command, {}, kNone};
  if (!take_payload(command, payloads, ask.payload)) {
    return reject(command, Rejection::PayloadMismatch);
  }
  if (const CommandRule* rule = rule_of(command.kind)) return decide_task(*rule, ask);
  switch (static_cast<Command>(command.kind)) {
    case Command::SetQueue:
      return set_queue(command);
    case Command::SetPolicy:
      return set_policy(command);
    case Command::SetGroup:
      return set_group(command);
    case Command::SetLimit:
      return set_limit(command);
    case Command::UseLimit:
      return use_limit(command);
    case Command::SetCircuit:
      return set_circuit(command);
    case Command::DisableEdge:
    case Command::MeetEdge:
      return decide_flow(command);
    case Command::Revise:
      return revise(command);
    case Command::Recover:
      return recover(command.a == 1);
    case Command::Close:
      return close();
    case Command::Thaw:
      return thaw(command);
    default:
      return reject(command, Rejection::UnknownCommand);
  }
}

void Core::decide_task(const CommandRule& rule, Ask& ask) {
  ask.slot = tasks_.find(ask.command.task);
  const State state = ask.slot == kNone ? State::None : tasks_[ask.slot].state;
  if ((rule.states & bit(state)) == 0) {
    if (state == State::None) return reject(ask.command, Rejection::UnknownTask);
    const bool late = rule.refusal == Rejection::AlreadySubmitted && tasks_[ask.slot].ended();
    return reject(ask.command, late ? Rejection::WrongState : rule.refusal);
  }
  switch (rule.command) {
    case Command::Create: return create(ask);
    case Command::SetTask: return set_task(ask);
    case Command::DependOn: return depend_on(ask);
    case Command::JoinGroup: return join_group(ask);
    case Command::Submit: return submit(ask);
    case Command::Settle: return settle(ask);
    case Command::RecordStep: return record_step(ask);
    case Command::ReportProgress: return report_progress(ask);
    case Command::Wait: return wait(ask);
    case Command::Wake: return wake(ask);
    case Command::Cancel: return cancel(ask);
    case Command::Pause: return pause(ask);
    case Command::Resume: return resume(ask);
    case Command::Hold:
    case Command::Release: return hold(ask);
    case Command::Note: return note(ask);
    case Command::AttachBlob:
      return emit_at(rule.event, ask.slot, ask.command.a, ask.command.b, ask.command.at);
    case Command::Belong: return belong(ask);
    case Command::SetAlarm: return set_alarm(ask);
    case Command::DropSteps: return drop_steps(ask);
    case Command::Heartbeat: return heartbeat(ask);
    case Command::Forget: return forget(ask);
    default:  // Retry
      return emit(rule.event, ask.slot, ask.command.a == kRetryAsDraft ? kRetryAsDraft : 0);
  }
}

void Core::create(const Ask& ask) {
  const Record& command = ask.command;
  if (command.task > kMaxNumber) return reject(command, Rejection::TooMany);
  if (!limits_.has_queue(command.a & 0xffff)) return reject(command, Rejection::UnknownQueue);
  if (!has_policy((command.a >> 16) & 0x7fff)) return reject(command, Rejection::UnknownPolicy);
  const std::uint32_t queue = command.a & 0xffff;
  const bool bounded = bounds_.bounded(queue);
  if (bounded && bounds_.of(queue).overflow == Overflow::Reject && is_full(queue, 1)) return reject(command, Rejection::QueueFull);
  emit_record({static_cast<std::uint32_t>(Event::Created), command.task, command.a,
               size_of(ask.payload), time_},
              ask.payload);
  if (bounded && (command.a >> 31) != 0) make_room(tasks_.find(command.task));
}

void Core::set_task(const Ask& ask) {
  const Task& task = tasks_[ask.slot];
  const TaskField field = field_of(ask.command);
  if (task.ended() && field != TaskField::KeyUntilMs) return reject(ask.command, Rejection::WrongState);
  const bool any_time = field == TaskField::Priority || field == TaskField::Queue || field == TaskField::Policy ||
                        field == TaskField::KeyUntilMs || field == TaskField::Limit || field == TaskField::Promoted || field == TaskField::Handled || field == TaskField::Turn || field == TaskField::Height || (field == TaskField::NotBeforeMs && task.awaits_first_start());
  if (!any_time && task.has(kSubmitted)) return reject(ask.command, Rejection::AlreadySubmitted);
  if (field == TaskField::Queue && task.state == State::Running) {
    return reject(ask.command, Rejection::WrongState);
  }
  const bool part = field == TaskField::Limit;
  if (!task_value_valid(field, ask.command.at) || (part && !part_valid(ask.slot, ask.command))) {
    return reject(ask.command, Rejection::InvalidValue);
  }
  emit_at(Event::TaskSet, ask.slot, ask.command.a, part ? ask.command.b : 0, ask.command.at);
}

void Core::join_group(const Ask& ask) {
  const Record& command = ask.command;
  const Task& task = tasks_[ask.slot];
  if (task.has(kSubmitted) && !task.ended()) return reject(command, Rejection::AlreadySubmitted);
  const std::uint32_t group = groups_.table().find(command.a);
  if (group == kNone) return reject(command, Rejection::UnknownGroup);
  if (groups_.table()[group].closed) return reject(command, Rejection::GroupClosed);
  if (groups_.of(ask.slot) != kNone) return reject(command, Rejection::WrongState);
  emit(Event::Joined, ask.slot, command.a);
}

void Core::submit(const Ask& ask) {
  if (tasks_[ask.slot].has(kSubmitted)) return reject(ask.command, Rejection::AlreadySubmitted);
  if (ask.command.a == kSubmitDisabled) return disable(ask.slot, DisabledBy::Host);
  if (drops(ask.slot)) return;
  emit(Event::Submitted, ask.slot);
  make_room(ask.slot);
}

bool Core::attempt_matches(const Ask& ask) const {
  const Task& task = tasks_[ask.slot];
  return task.live() && task.attempt == (ask.command.a & kAttemptMask);
}

void Core::settle(const Ask& ask) {
  const Record& command = ask.command;
  if (!attempt_matches(ask)) return reject(command, Rejection::StaleAttempt);
  if (!(command.at >= 0) || command.at > kMaxTimeMs) return reject(command, Rejection::InvalidValue);
  const Task& task = tasks_[ask.slot];
  if (task.stopping_as_failed()) return fail_stopped(ask);
  if (task.stop != StopReason::None) return conclude_stop(ask.slot);
  const auto outcome = static_cast<Outcome>(command.a >> 24);
  switch (outcome) {
    case Outcome::Success:
      emit_of(ask.slot,
              {static_cast<std::uint32_t>(Event::Succeeded), task.number, task.attempt,
               size_of(ask.payload), time_},
              ask.payload);
      return note_call(ask.slot, false);
    case Outcome::Failure:
    case Outcome::Fatal:
    case Outcome::Timeout:
    case Outcome::Crashed:
    case Outcome::Stalled:
      return fail_attempt(ask.slot, outcome, ask.payload, command.at, outcome == Outcome::Fatal);
    case Outcome::Interrupted:
      return interrupt(ask.slot, task.recoveries);
  }
  reject(command, Rejection::InvalidValue);
}

// That it took too long is why it failed; what its code says to that is kept. A result comes too late.
void Core::fail_stopped(const Ask& ask) {
  const auto outcome = static_cast<Outcome>(ask.command.a >> 24);
  const bool says = outcome != Outcome::Success && outcome != Outcome::Interrupted && outcome <= Outcome::Stalled;
  const bool late = tasks_[ask.slot].stop == StopReason::Timeout;
  fail_attempt(ask.slot, late ? Outcome::Timeout : Outcome::Stalled, says ? ask.payload : Bytes{},
               says ? ask.command.at : 0, outcome == Outcome::Fatal);
}

void Core::record_step(const Ask& ask) {
  const Record& command = ask.command;
  if (!attempt_matches(ask)) return reject(command, Rejection::StaleAttempt);
  emit_of(ask.slot,
          {static_cast<std::uint32_t>(Event::StepRecorded), command.task, command.a,
           size_of(ask.payload), time_},
          ask.payload);
}

void Core::report_progress(const Ask& ask) {
  if (!attempt_matches(ask)) return reject(ask.command, Rejection::StaleAttempt);
  if (std::isnan(ask.command.at)) return reject(ask.command, Rejection::InvalidValue);
  const double value = std::clamp(ask.command.at, 0.0, 100.0);
  if (value <= extra(tasks_[ask.slot]).progress) return reject(ask.command, Rejection::InvalidValue);
  emit_at(Event::Progressed, ask.slot, tasks_[ask.slot].attempt, 0, value);
  // Progress says when it came by a sign of life of its own.
  if (extra(tasks_[ask.slot]).heartbeat_ms > 0) emit(Event::HeartbeatSeen, ask.slot, tasks_[ask.slot].attempt);
}

void Core::wait(const Ask& ask) {
  if (!attempt_matches(ask)) return reject(ask.command, Rejection::StaleAttempt);
  const Task& task = tasks_[ask.slot];
  if (task.stop != StopReason::None) return reject(ask.command, Rejection::WrongState);
  emit(Event::Waited, ask.slot, task.attempt, ask.command.b == 1);
  // Parked for a pause that is over by now.
  if (ask.command.b == 1 && !task.has(kPaused)) emit(Event::Woken, ask.slot);
}

void Core::wake(const Ask& ask) {
  if (tasks_[ask.slot].stop != StopReason::None) return reject(ask.command, Rejection::WrongState);
  emit(Event::Woken, ask.slot);
}

void Core::cancel(const Ask& ask) {
  if (tasks_[ask.slot].stopping_for_good()) return reject(ask.command, Rejection::WrongState);
  const std::uint32_t as = ask.command.b;
  const CancelCause cause = as == kCancelAsDisabled ? CancelCause::Disabled : as == kCancelAsDropped ? CancelCause::Overflow : CancelCause::Asked;
  cancel_task(ask.slot, cause, ask.command.a);
}

void Core::pause(const Ask& ask) {
  const Task& task = tasks_[ask.slot];
  if (ask.command.a > static_cast<std::uint32_t>(PauseKind::Interrupt)) {
    return reject(ask.command, Rejection::InvalidValue);
  }
  const bool hard = static_cast<PauseKind>(ask.command.a) == PauseKind::Interrupt;
  const bool already = task.has(kPaused) && (!hard || task.has(kInterruptPause));
  if (already || task.stopping_for_good()) return reject(ask.command, Rejection::WrongState);
  emit(Event::Paused, ask.slot, ask.command.a);
  if (hard && task.live() && task.stop == StopReason::None) {
    stop(ask.slot, StopReason::Interrupt, 0);
  }
}

void Core::resume(const Ask& ask) {
  const Task& task = tasks_[ask.slot];
  if (ask.command.a > static_cast<std::uint32_t>(ResumePolicy::Restart)) {
    return reject(ask.command, Rejection::InvalidValue);
  }
  if (!task.has(kPaused)) return reject(ask.command, Rejection::WrongState);
  emit(Event::Unpaused, ask.slot, ask.command.a);
  const bool parked = task.state == State::Waiting && task.has(kParked);
  if (parked && task.stop == StopReason::None) emit(Event::Woken, ask.slot);
}

void Core::hold(const Ask& ask) {
  const std::uint32_t holds = tasks_[ask.slot].holds;
  const bool adds = static_cast<Command>(ask.command.kind) == Command::Hold;
  const std::uint32_t bits = adds ? ask.command.a & ~holds : ask.command.a & holds;
  if (bits == 0) return reject(ask.command, Rejection::WrongState);
  emit(adds ? Event::Held : Event::Released, ask.slot, bits);
}

void Core::note(const Ask& ask) {
  if (ask.command.a > kMaxNoteKind) return reject(ask.command, Rejection::InvalidValue);
  emit_of(ask.slot,
          {static_cast<std::uint32_t>(Event::Noted), ask.command.task, ask.command.a,
           size_of(ask.payload), time_},
          ask.payload);
}

void Core::belong(const Ask& ask) {
  const Record& command = ask.command;
  const auto policy = static_cast<ChildPolicy>(command.b);
  if (policy > ChildPolicy::Release) return reject(command, Rejection::InvalidValue);
  const std::uint32_t parent = tasks_.find(command.a);
  if (parent == kNone) return reject(command, Rejection::UnknownTask);
  const std::uint32_t known = family_.parent(ask.slot);
  const bool detaches = policy != ChildPolicy::Cancel;
  if (policy == ChildPolicy::Release && known != parent) return reject(command, Rejection::WrongState);
  const bool over = tasks_[parent].ended() || tasks_[parent].stopping_for_good();
  if (over && !(known == parent && detaches)) return reject(command, Rejection::WrongState);
  if (known == parent) return emit(Event::Belonged, ask.slot, command.a, command.b);
  if (known != kNone || tasks_[ask.slot].ended()) return reject(command, Rejection::WrongState);
  if (tasks_[ask.slot].has(kSubmitted)) return reject(command, Rejection::AlreadySubmitted);
  switch (family_.fit(parent, ask.slot)) {
    case Family::Fit::Cycle: return reject(command, Rejection::Cycle);
    case Family::Fit::TooDeep: return reject(command, Rejection::TooMany);
    case Family::Fit::Fits: return emit(Event::Belonged, ask.slot, command.a, command.b);
  }
}

void Core::set_alarm(const Ask& ask) {
  const Record& command = ask.command;
  if (!attempt_matches(ask)) return reject(command, Rejection::StaleAttempt);
  if (!(command.at >= 0) || command.at > kMaxTimeMs) return reject(command, Rejection::InvalidValue);
  emit_at(Event::AlarmSet, ask.slot, command.a, 0, command.at);
}

void Core::drop_steps(const Ask& ask) {
  if (!attempt_matches(ask)) return reject(ask.command, Rejection::StaleAttempt);
  emit(Event::StepsDropped, ask.slot, ask.command.a, ask.command.b);
}

void Core::heartbeat(const Ask& ask) {
  if (!attempt_matches(ask)) return reject(ask.command, Rejection::StaleAttempt);
  emit(Event::HeartbeatSeen, ask.slot, tasks_[ask.slot].attempt);
}

// What an open parent may still ask for is kept.
void Core::forget(const Ask& ask) {
  // Whoever asks for what a child gave may ask for what its children gave.
  const bool taken = ask.command.a == kForgetTaken;
  for (std::uint32_t above = family_.parent(ask.slot); !taken && above != kNone; above = family_.parent(above)) {
    if (!tasks_[above].ended()) return reject(ask.command, Rejection::WrongState);
  }
  emit(Event::Forgotten, ask.slot);
}

// An attempt that began meanwhile can't have stood still for longer than it has lived.
void Core::thaw(const Record& command) {
  if (!(command.at > 0) || command.at > kMaxTimeMs) return reject(command, Rejection::InvalidValue);
  for (std::uint32_t slot = 0; slot < tasks_.slot_end(); slot++) {
    const Task& task = tasks_[slot];
    const TaskExtra& more = extra(task);
    if (!more.thawable) continue;
    double lived = command.at;
    if (more.attempt_timeout_ms > 0) lived = time_ - more.attempt_at;
    else if (task.stop == StopReason::None) lived = time_ - (more.budget_ms > 0 ? more.running_at : more.alive_at);
    const auto still = static_cast<std::uint32_t>(std::clamp(lived, 0.0, std::min(command.at, 4294967295.0)));
    if (still > 0) emit(Event::Thawed, slot, task.attempt, still);
  }
}

void Core::set_queue(const Record& command) {
  if (command.task >= kMaxQueues) return reject(command, Rejection::TooMany);
  if (!queue_value_valid(command)) {
    return reject(command, Rejection::InvalidValue);
  }
  emit_record({static_cast<std::uint32_t>(Event::QueueSet), command.task, command.a, 0, command.at});
}

void Core::set_policy(const Record& command) {
  if (command.task > 0x7fff) return reject(command, Rejection::TooMany);
  if (!policy_value_valid(static_cast<PolicyField>(command.a), command.b, command.at)) {
    return reject(command, Rejection::InvalidValue);
  }
  emit_record({static_cast<std::uint32_t>(Event::PolicySet), command.task, command.a, command.b,
               command.at});
}

void Core::set_limit(const Record& command) {
  if (!limits_.may_know(command.task)) return reject(command, Rejection::TooMany);
  if (command.task == 0 || !limit_value_valid(static_cast<LimitField>(command.a), command.at)) {
    return reject(command, Rejection::InvalidValue);
  }
  emit_record({static_cast<std::uint32_t>(Event::LimitSet), command.task, command.a, 0, command.at});
}

void Core::set_group(const Record& command) {
  if (command.task > kMaxNumber) return reject(command, Rejection::TooMany);
  const auto field = static_cast<GroupField>(command.a);
  if (!group_value_valid(field, command.at)) return reject(command, Rejection::InvalidValue);
  const std::uint32_t group = groups_.table().find(command.task);
  if (field == GroupField::Closed) {
    const bool closes = command.at == 1;
    if (group == kNone && !closes) return reject(command, Rejection::UnknownGroup);
    if (group != kNone && closes && groups_.table()[group].closed) return reject(command, Rejection::GroupClosed);
  }
  if (field == GroupField::Owner) {
    const std::uint32_t owner = tasks_.find(static_cast<std::uint32_t>(command.at));
    if (owner == kNone) return reject(command, Rejection::UnknownTask);
    if (tasks_[owner].ended()) return reject(command, Rejection::WrongState);
  }
  emit_record({static_cast<std::uint32_t>(Event::GroupSet), command.task, command.a, 0, command.at});
}

}  // namespace holdfast
