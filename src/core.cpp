#include "core.h"

#include <algorithm>
#include <cmath>

#include "order.h"

namespace holdfast {

namespace {

std::uint32_t pack(std::uint32_t low, std::uint32_t high) {
  return (low & kAttemptMask) | (high << 24);
}

}  // namespace

Core::Core(std::uint64_t seed)
    : policies_(1), random_(seed), host_time_(std::numeric_limits<double>::quiet_NaN()) {
  policies_[0].known = true;
}

void Core::step(std::span<const Record> commands, Bytes payloads, double now) {
  outbox_.clear();
  advance_time(now);
  for (const Record& command : commands) {
    decide(command, payloads);
    draw_consequences();
  }
  draw_consequences();
  fire_timers();
  start_ready();
}

void Core::advance_time(double now) {
  if (!(now >= 0)) now = std::isnan(host_time_) ? time_ : host_time_;
  now = std::min(now, kMaxTimeMs);
  const double passed = std::isnan(host_time_) ? 0 : std::max(0.0, now - host_time_);
  time_ = now >= time_ ? now : std::min(time_ + passed, kMaxTimeMs);
  host_time_ = now;
}

double Core::deadline() const {
  const double next = std::min({timers_.next(), circuits_.next(), limits_.opens_next()});
  if (next == kNever || std::isnan(host_time_)) return next;
  return std::max(host_time_, next - (time_ - host_time_));
}

void Core::fire_timers() {
  while (timers_.next() <= time_) {
    fire(timers_.first());
    draw_consequences();
  }
  if (circuits_.next() <= time_) half_open_circuits();
}

// One of the task's moments has come. Each case changes what the task waits for, so this ends.
void Core::fire(std::uint32_t slot) {
  const Task& task = tasks_[slot];
  const TaskExtra& more = extra(task);
  const bool overdue = more.deadline_at > 0 && more.deadline_at <= time_;
  const StopReason reason = task.stop;
  if (reason == StopReason::None && overdue) {
    if (task.live()) return stop(slot, StopReason::Deadline, 0);
    return fail(slot, FailReason::TimedOut);
  }
  if (reason != StopReason::None) {
    if (more.grace_ends_at > time_) return stop(slot, StopReason::Deadline, 0);
    emit(Event::Abandoned, slot, task.attempt);
    return conclude_stop(slot);
  }
  if (task.state == State::Delayed) return emit(Event::TimeReached, slot);
  if (task.live() && more.alarm_at > 0 && more.alarm_at <= time_) return ring(slot);
  if (task.live()) return stop(slot, overrun(task), 0);
  fail(slot, FailReason::Expired);
}

void Core::ring(std::uint32_t slot) {
  const Task& task = tasks_[slot];
  emit(Event::AlarmRang, slot, task.attempt);
  // Parked for a pause it waits for the person.
  if (task.state == State::Waiting && !task.has(kParked)) emit(Event::Woken, slot);
}

void Core::start_ready() {
  if (closed_) return;
  limits_.reach(time_);
  // Who was held back comes first: whoever is behind him would take his slot.
  let_through();
  do {
    for (std::uint32_t slot; (slot = limits_.next()) != kNone;) start(slot);
  } while (let_through());
}

void Core::start(std::uint32_t slot) {
  const Task& task = tasks_[slot];
  if (task.has(kWoken)) return emit(Event::Resumed, slot, task.attempt);
  if (!circuits_admit(task)) return emit(Event::Held, slot, kHoldCircuit);
  note_start(slot);
  // Numbered on for ever; after 16 million attempts from 1 again.
  emit(Event::Started, slot, task.attempt % kAttemptMask + 1);
}

void Core::fail_attempt(std::uint32_t slot, Outcome outcome, Bytes payload, double retry_at, bool final) {
  const Task& task = tasks_[slot];
  emit_of(slot,
          {static_cast<std::uint32_t>(Event::AttemptFailed), task.number,
           pack(task.attempt, static_cast<std::uint32_t>(outcome)),
           static_cast<std::uint32_t>(payload.size()), time_},
          payload);
  if (outcome != Outcome::Fatal) note_call(slot, true);
  if (final) return fail(slot, FailReason::Fatal);
  const RetryPolicy& policy = policies_[task.policy].policy;
  const std::uint64_t crashes = outcome == Outcome::Crashed ? policy.crash_retries : 0;
  // No limit is no limit, even for what has failed four thousand million times.
  const bool again = task.failures < policy.max_attempts + crashes || policy.max_attempts == 0xffffffff;
  const double at = again ? next_attempt_at(task, retry_at) : kNever;
  const double latest = policy.max_elapsed_ms > 0 ? task.started_at + policy.max_elapsed_ms : kMaxTimeMs;
  if (at > latest) return fail(slot, FailReason::Exhausted);
  emit_at(Event::RetryScheduled, slot, task.failures, 0, at);
}

double Core::next_attempt_at(const Task& task, double asked_at) {
  const double backlog = retry_backlog(task);
  if (asked_at > 0) return std::clamp(asked_at + backlog, time_, kMaxTimeMs);
  const RetryPolicy& policy = policies_[task.policy].policy;
  const double delay = retry_delay_ms(policy, task.failures, extra(task).delay_ms, random_);
  return std::min(time_ + delay + backlog, kMaxTimeMs);
}

void Core::fail(std::uint32_t slot, FailReason reason) {
  emit(Event::Failed, slot, static_cast<std::uint32_t>(reason));
}

// Asks the host to abort. A second reason does not lengthen grace.
void Core::stop(std::uint32_t slot, StopReason reason, std::uint32_t note) {
  const Task& task = tasks_[slot];
  const TaskExtra& more = extra(task);
  const double ends = std::min(time_ + more.grace_ms, kMaxTimeMs);
  const double grace_ends_at = task.stop == StopReason::None ? ends : more.grace_ends_at;
  emit_at(Event::Stopping, slot, pack(task.attempt, static_cast<std::uint32_t>(reason)), note,
          grace_ends_at);
}

// The handler is gone, or given up: what the stop was for now happens.
void Core::conclude_stop(std::uint32_t slot) {
  const Task& task = tasks_[slot];
  switch (task.stop) {
    case StopReason::None:
      return;
    case StopReason::Cancel:
    case StopReason::Cascade:
      return emit(Event::Cancelled, slot, extra(task).stop_note);
    case StopReason::Timeout:
      return fail_attempt(slot, Outcome::Timeout, {}, 0, false);
    case StopReason::Stalled:
      return fail_attempt(slot, Outcome::Stalled, {}, 0, false);
    case StopReason::Deadline:
      return fail(slot, FailReason::TimedOut);
    case StopReason::OverBudget:
      return fail(slot, FailReason::OverBudget);
    case StopReason::Interrupt:
      return interrupt(slot, task.recoveries);
  }
}

void Core::cancel_task(std::uint32_t slot, CancelCause cause, std::uint32_t reason) {
  const std::uint32_t end = pack(reason, static_cast<std::uint32_t>(cause));
  if (!tasks_[slot].live()) return emit(Event::Cancelled, slot, end);
  stop(slot, cause == CancelCause::Asked ? StopReason::Cancel : StopReason::Cascade, end);
}

void Core::interrupt(std::uint32_t slot, std::uint32_t recoveries) {
  emit(Event::Interrupted, slot, recoveries, ran_ms(tasks_[slot]));
}

void Core::recover(bool orderly) {
  std::vector<Keyed> lost;
  for (std::uint32_t slot = 0; slot < tasks_.slot_end(); slot++) {
    const Task& task = tasks_[slot];
    if (task.has(kOrphan) && task.live()) lost.push_back({task.number, slot});
  }
  sort_by_key(lost);
  for (const auto& [number, slot] : lost) {
    // A group's threshold, tripped by one of them, may have ended another.
    if (tasks_[slot].live()) recover_task(slot, orderly);
    draw_consequences();
  }
}

void Core::close() {
  closed_ = true;
  mark_orphans(0, kMaxNumber);
  recover(true);
}

void Core::recover_task(std::uint32_t slot, bool orderly) {
  const Task& task = tasks_[slot];
  const StopReason reason = task.stop;
  if (reason != StopReason::None && !task.stopping_as_failed()) return conclude_stop(slot);
  // Only what was running can have brought the page down.
  const bool suspect = !orderly && task.state == State::Running && reason == StopReason::None;
  const std::uint32_t recoveries = std::min(task.recoveries + suspect, 255);
  interrupt(slot, recoveries);
  if (suspect && recoveries >= kMaxRecoveries) fail(slot, FailReason::Quarantined);
}

// An end can make edges unmeetable and groups settle, which ends further tasks: a list, not recursion.
void Core::draw_consequences() {
  while (!doomed_.empty() || !bereft_.empty() || groups_.any_changed()) {
    if (!doomed_.empty()) {
      cancel_doomed();
    } else if (!bereft_.empty()) {
      cancel_children();
    } else {
      look_at_group(groups_.take_changed());
    }
  }
}

void Core::cancel_children() {
  const std::uint32_t parent = bereft_.back();
  bereft_.pop_back();
  const Task& task = tasks_[parent];
  if (!task.ended() && !task.stopping_for_good()) return;
  family_.each_child(parent, [&](std::uint32_t slot) {
    const Task& child = tasks_[slot];
    const bool goes = family_.policy(slot) == ChildPolicy::Cancel;
    if (goes && !child.ended() && !child.stopping_for_good()) cancel_task(slot, CancelCause::Cascade, 0);
  });
}

void Core::look_at_group(std::uint32_t slot) {
  const Groups::Group& group = groups_.table()[slot];
  if (group.to_sweep()) {
    for (const std::uint32_t member : groups_.members(slot)) {
      const Task& task = tasks_[member];
      if (group.lets_finish && task.attempt > 0) continue;
      if (!task.ended() && !task.stopping_for_good()) cancel_task(member, CancelCause::Group, 0);
    }
    groups_.table()[slot].swept = true;
  }
  if (group.to_settle()) {
    emit_record({static_cast<std::uint32_t>(Event::GroupSettled), group.number, group.succeeded,
                 group.ended_badly, time_});
  }
}

void Core::emit(Event event, std::uint32_t slot, std::uint32_t a, std::uint32_t b) {
  emit_at(event, slot, a, b, time_);
}

void Core::emit_at(Event event, std::uint32_t slot, std::uint32_t a, std::uint32_t b, double at) {
  emit_of(slot, {static_cast<std::uint32_t>(event), tasks_[slot].number, a, b, at});
}

void Core::emit_of(std::uint32_t slot, const Record& event, Bytes payload) {
  write(event, payload);
  apply_of(slot, event);
}

void Core::emit_record(const Record& event, Bytes payload) {
  write(event, payload);
  apply(event);
}

void Core::write(const Record& event, Bytes payload) {
  outbox_.push_back(event);
  if (!keeps_) return;
  unsealed_.events.push_back(event);
  if (!payload.empty()) unsealed_.payloads.insert(unsealed_.payloads.end(), payload.begin(), payload.end());
}

bool Core::replay(const Record& event) {
  if (!admissible(event)) return false;
  apply(event);
  return true;
}

bool Core::adopt(const Record& event, Bytes payload) {
  if (!admissible(event)) return false;
  unsealed_.events.push_back(event);
  unsealed_.payloads.insert(unsealed_.payloads.end(), payload.begin(), payload.end());
  apply(event);
  return true;
}

void Core::mark_orphans(std::uint32_t first, std::uint32_t last) {
  lost_at_ = time_;
  for (std::uint32_t slot = 0; slot < tasks_.slot_end(); slot++) {
    Task& task = tasks_[slot];
    if (task.live() && task.number >= first && task.number <= last) task.flags |= kOrphan;
  }
}

const TaskExtra& Core::extra(const Task& task) const {
  static constexpr TaskExtra kDefaults;
  return task.extra == kNone ? kDefaults : extras_[task.extra];
}

}  // namespace holdfast
