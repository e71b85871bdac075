#include "snapshot.h"

#include <algorithm>
#include <cmath>

namespace holdfast {

namespace {

// Collects the records of one snapshot.
class Snapshot {
 public:
  Snapshot(const Core& core, const PayloadIndex* payloads) : core_(core), payloads_(payloads) {}

  std::vector<SnapshotRecord> take() {
    collect_tasks();
    write_queues();
    write_policies();
    write_groups();
    for (const std::uint32_t slot : slots_) write_task(slot);
    write_edges();
    write_states();
    for (const std::uint32_t slot : groups_) write_group_counts(core_.groups().table()[slot]);
    add(Event::SnapshotEnded, 0, 0, 0, core_.time());
    return std::move(records_);
  }

 private:
  void add(Event event, std::uint32_t task, std::uint32_t a, std::uint32_t b, double at,
           double offset = 0) {
    records_.push_back({{static_cast<std::uint32_t>(event), task, a, b, at}, offset});
  }
  template <class Field>
  void set(Event event, std::uint32_t number, Field field, double value) {
    add(event, number, static_cast<std::uint32_t>(field), 0, value);
  }
  void restore(std::uint32_t number, RestoredField field, std::uint32_t b) {
    if (b != 0) add(Event::Restored, number, static_cast<std::uint32_t>(field), b, 0);
  }
  void restore_at(std::uint32_t number, RestoredField field, double at) {
    if (at != 0) set(Event::Restored, number, field, at);
  }

  void collect_tasks();
  void write_queues();
  void write_policies();
  void write_policy(std::uint32_t number, const RetryPolicy& policy);
  void write_groups();
  void write_task(std::uint32_t slot);
  void write_options(const Task& task, const TaskExtra& more);
  void write_payloads(const Task& task);
  void write_fields(const Task& task, const TaskExtra& more);
  void write_edges();
  void write_states();
  void write_group_counts(const Groups::Group& group);

  const Core& core_;
  const PayloadIndex* payloads_;
  std::vector<std::uint32_t> slots_;   // by number
  std::vector<std::uint32_t> groups_;  // slots, by number
  std::vector<SnapshotRecord> records_;
};

void Snapshot::collect_tasks() {
  const auto& tasks = core_.tasks();
  for (std::uint32_t slot = 0; slot < tasks.slot_end(); slot++) {
    if (tasks[slot].state != State::None) slots_.push_back(slot);
  }
  std::sort(slots_.begin(), slots_.end(),
            [&](auto x, auto y) { return tasks[x].number < tasks[y].number; });
  const auto& groups = core_.groups().table();
  for (std::uint32_t slot = 0; slot < groups.slot_end(); slot++) {
    if (!groups[slot].settled) groups_.push_back(slot);
  }
  std::sort(groups_.begin(), groups_.end(),
            [&](auto x, auto y) { return groups[x].number < groups[y].number; });
}

void Snapshot::write_queues() {
  const Limits& limits = core_.limits();
  for (std::uint32_t queue = 0; queue < limits.queue_end(); queue++) {
    if (!limits.has_queue(queue)) continue;
    if (queue != 0 || limits.concurrency(queue) != 0) {
      set(Event::QueueSet, queue, QueueField::Concurrency, limits.concurrency(queue));
    }
    if (limits.paused(queue)) set(Event::QueueSet, queue, QueueField::Paused, 1);
  }
}

void Snapshot::write_policies() {
  for (std::uint32_t number = 0; number < core_.policies().size(); number++) {
    const auto& known = core_.policies()[number];
    if (known.known) write_policy(number, known.policy);
  }
}

void Snapshot::write_policy(std::uint32_t number, const RetryPolicy& policy) {
  const RetryPolicy usual;
  const auto differs = [&](PolicyField field, double value, double usual_value) {
    if (value != usual_value) set(Event::PolicySet, number, field, value);
  };
  // Always one, so that the policy is known.
  if (number != 0 || policy.max_attempts != usual.max_attempts) {
    set(Event::PolicySet, number, PolicyField::MaxAttempts, policy.max_attempts);
  }
  differs(PolicyField::MinDelayMs, policy.min_delay_ms, usual.min_delay_ms);
  differs(PolicyField::Factor, policy.factor, usual.factor);
  differs(PolicyField::MaxDelayMs, policy.max_delay_ms, usual.max_delay_ms);
  differs(PolicyField::Backoff, static_cast<double>(policy.backoff), 0);
  differs(PolicyField::Jitter, static_cast<double>(policy.jitter), static_cast<double>(usual.jitter));
  differs(PolicyField::MaxElapsedMs, policy.max_elapsed_ms, 0);
  for (std::uint32_t index = 0; index < policy.listed_ms.size(); index++) {
    add(Event::PolicySet, number, static_cast<std::uint32_t>(PolicyField::ListedDelayMs), index,
        policy.listed_ms[index]);
  }
}

void Snapshot::write_groups() {
  for (const std::uint32_t slot : groups_) {
    const Groups::Group& group = core_.groups().table()[slot];
    set(Event::GroupSet, group.number, GroupField::Concurrency,
        core_.limits().group_concurrency(slot));
    if (group.threshold != 0) {
      set(Event::GroupSet, group.number, GroupField::FailureThreshold, group.threshold);
    }
  }
}

void Snapshot::write_task(std::uint32_t slot) {
  const Task& task = core_.tasks()[slot];
  const TaskExtra& more = core_.extra(task);
  const std::uint32_t place = task.queue | (std::uint32_t{task.policy} << 16);
  double offset = 0;
  std::uint32_t length = 0;
  if (payloads_ != nullptr) {
    length = payloads_->input_bytes(task.number);
    bool first = true;  // the input comes first
    payloads_->each(task.number, [&](const Record& record) {
      if (first) offset = record.at;
      first = false;
    });
  }
  add(Event::Created, task.number, place, length, task.created_at, offset);
  write_options(task, more);
  const std::uint32_t group = core_.groups().of(slot);
  if (group != kNone && !core_.groups().table()[group].settled) {
    add(Event::Joined, task.number, core_.groups().table()[group].number, 0, task.created_at);
  }
  if (payloads_ != nullptr) write_payloads(task);
  if (task.holds != 0) add(Event::Held, task.number, task.holds, 0, task.created_at);
  write_fields(task, more);
}

void Snapshot::write_options(const Task& task, const TaskExtra& more) {
  const auto option = [&](TaskField field, double value, double usual) {
    if (value != usual) set(Event::TaskSet, task.number, field, value);
  };
  option(TaskField::Priority, task.priority, 0);
  option(TaskField::NotBeforeMs, more.not_before, 0);
  option(TaskField::TimeToLiveMs, more.time_to_live_ms, 0);
  option(TaskField::AttemptTimeoutMs, more.attempt_timeout_ms, 0);
  option(TaskField::DeadlineAtMs, more.deadline_at, 0);
  option(TaskField::GraceMs, more.grace_ms, kDefaultGraceMs);
}

void Snapshot::write_payloads(const Task& task) {
  payloads_->each(task.number, [&](const Record& record) {
    if (record.kind == static_cast<std::uint32_t>(Event::BlobAttached)) {
      return add(Event::BlobAttached, task.number, record.a, record.b, record.at);
    }
    const auto carry = [&](Event event, std::uint32_t a) {
      add(event, task.number, a, record.b, task.created_at, record.at);
    };
    switch (static_cast<PayloadKind>(record.a & 0xff)) {
      case PayloadKind::Input: return;
      case PayloadKind::Step: return carry(Event::StepRecorded, task.attempt);
      case PayloadKind::Result: return carry(Event::Succeeded, task.attempt);
      case PayloadKind::Error:
        return carry(Event::AttemptFailed,
                     task.attempt | (static_cast<std::uint32_t>(task.last_outcome) << 24));
      case PayloadKind::Note: return carry(Event::Noted, record.a >> 8);
    }
  });
}

void Snapshot::write_fields(const Task& task, const TaskExtra& more) {
  const std::uint32_t number = task.number;
  restore(number, RestoredField::Attempt, task.attempt);
  restore(number, RestoredField::Failures, task.failures);
  restore(number, RestoredField::Recoveries, task.recoveries);
  restore(number, RestoredField::End, task.end);
  restore(number, RestoredField::StopNote, more.stop_note);
  if (!std::isnan(task.progress)) set(Event::Restored, number, RestoredField::Progress, task.progress);
  restore_at(number, RestoredField::StartedAt, task.started_at);
  restore_at(number, RestoredField::UpdatedAt, task.updated_at);
  restore_at(number, RestoredField::DueAt, task.due_at);
  restore_at(number, RestoredField::DelayMs, task.delay_ms);
  restore_at(number, RestoredField::ExpiresAt, more.expires_at);
  restore_at(number, RestoredField::PausedAt, more.paused_at);
  restore_at(number, RestoredField::GraceEndsAt, more.grace_ends_at);
  restore_at(number, RestoredField::AttemptAt, more.attempt_at);
}

// In the order they were made: it decides in which order dependents become ready.
void Snapshot::write_edges() {
  std::vector<Graph::Edge> edges;
  for (const std::uint32_t slot : slots_) {
    core_.graph().each_incoming(slot, [&](const Graph::Edge& edge) { edges.push_back(edge); });
  }
  std::sort(edges.begin(), edges.end(), [](auto& x, auto& y) { return x.order < y.order; });
  const auto& tasks = core_.tasks();
  for (const Graph::Edge& edge : edges) {
    add(Event::Depended, tasks[edge.to].number, tasks[edge.from].number,
        static_cast<std::uint32_t>(edge.kind), tasks[edge.to].created_at);
  }
}

void Snapshot::write_states() {
  const Limits& limits = core_.limits();
  const auto& tasks = core_.tasks();
  std::sort(slots_.begin(), slots_.end(), [&](auto x, auto y) {
    const bool x_queued = limits.queued(x), y_queued = limits.queued(y);
    if (x_queued != y_queued) return y_queued;
    if (!x_queued) return tasks[x].number < tasks[y].number;
    return limits.ticket(x) < limits.ticket(y);
  });
  for (const std::uint32_t slot : slots_) {
    const Task& task = core_.tasks()[slot];
    const std::uint32_t packed = static_cast<std::uint32_t>(task.state) |
                                 (static_cast<std::uint32_t>(task.stop) << 4) |
                                 (static_cast<std::uint32_t>(task.last_outcome) << 8) |
                                 (static_cast<std::uint32_t>(task.flags & kTaskFlags) << 16);
    restore(task.number, RestoredField::State, packed);
  }
}

void Snapshot::write_group_counts(const Groups::Group& group) {
  add(Event::Restored, group.number, static_cast<std::uint32_t>(RestoredField::GroupSucceeded),
      group.succeeded, 0);
  add(Event::Restored, group.number, static_cast<std::uint32_t>(RestoredField::GroupEndedBadly),
      group.ended_badly, 0);
  add(Event::Restored, group.number, static_cast<std::uint32_t>(RestoredField::GroupFailures),
      group.failures, 0);
  if (group.closed) set(Event::GroupSet, group.number, GroupField::Closed, 1);
}

}  // namespace

std::vector<SnapshotRecord> make_snapshot(const Core& core, const PayloadIndex* payloads) {
  return Snapshot(core, payloads).take();
}

}  // namespace holdfast
