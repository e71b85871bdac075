#include "snapshot.h"

#include <algorithm>
#include <cmath>

#include "order.h"

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
    write_circuits();
    write_limits();
    for (const auto& [number, slot] : slots_) write_task(slot);
    write_edges();
    write_children();
    for (const auto& [number, slot] : slots_) write_fields(slot);
    write_states();
    for (const auto& [number, slot] : groups_) write_group_counts(core_.groups().table()[slot]);
    add(Event::SnapshotEnded, 0, 0, 0, core_.event_time());
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

  // An imported task may be older than time itself, or from a clock ahead of ours.
  double made_at(const Task& task) const { return std::min(task.created_at, core_.event_time()); }
  void collect_tasks();
  void write_queues();
  void write_queue(std::uint32_t queue);
  void write_policies();
  void write_policy(std::uint32_t number, const RetryPolicy& policy);
  void write_groups();
  void write_circuits();
  void write_limits();
  void write_task(std::uint32_t slot);
  void write_options(const Task& task, const TaskExtra& more);
  void write_parts(const Task& task);
  void write_payloads(const Task& task);
  void write_fields(std::uint32_t slot);
  void write_edges();
  void write_children();
  void write_states();
  void write_group_counts(const Groups::Group& group);

  const Core& core_;
  const PayloadIndex* payloads_;
  std::vector<Keyed> slots_;   // of the tasks, by number
  std::vector<Keyed> groups_;  // slots, by number
  std::vector<SnapshotRecord> records_;
};

void Snapshot::collect_tasks() {
  const auto& tasks = core_.tasks();
  for (std::uint32_t slot = 0; slot < tasks.slot_end(); slot++) {
    if (tasks[slot].state != State::None) slots_.push_back({tasks[slot].number, slot});
  }
  sort_by_key(slots_);
  const auto& groups = core_.groups().table();
  for (std::uint32_t slot = 0; slot < groups.slot_end(); slot++) {
    if (groups[slot].number != kNone) groups_.push_back({groups[slot].number, slot});
  }
  sort_by_key(groups_);
}

void Snapshot::write_queues() {
  const Limits& limits = core_.limits();
  for (std::uint32_t queue = 0; queue < limits.queue_end(); queue++) {
    if (!limits.has_queue(queue)) continue;
    if (queue != 0 || limits.concurrency(queue) != 0) {
      set(Event::QueueSet, queue, QueueField::Concurrency, limits.concurrency(queue));
    }
    write_queue(queue);
    if (limits.paused(queue)) set(Event::QueueSet, queue, QueueField::Paused, 1);
    if (limits.still(queue)) set(Event::QueueSet, queue, QueueField::Still, 1);
  }
}

void Snapshot::write_queue(std::uint32_t queue) {
  const Limits& limits = core_.limits();
  const Bounds::Bound& bound = core_.bounds().of(queue);
  if (limits.order(queue) != QueueOrder::Priority) set(Event::QueueSet, queue, QueueField::Order, static_cast<double>(limits.order(queue)));
  if (bound.max != 0) set(Event::QueueSet, queue, QueueField::MaxSize, bound.max);
  if (bound.overflow != Overflow::Reject) set(Event::QueueSet, queue, QueueField::Overflow, static_cast<double>(bound.overflow));
  if (limits.granted(queue) != 0) set(Event::QueueSet, queue, QueueField::Granted, limits.granted(queue));
  std::vector<Keyed> weights;
  limits.each_turn_weight(queue, [&](double key, std::uint32_t weight) { weights.push_back({static_cast<std::uint64_t>(key), weight}); });
  sort_by_key(weights);
  for (const auto& [key, weight] : weights) {
    add(Event::QueueSet, queue, static_cast<std::uint32_t>(QueueField::TurnWeight) | (weight << 8), 0, static_cast<double>(key));
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
  differs(PolicyField::CrashRetries, policy.crash_retries, 0);
  for (std::uint32_t index = 0; index < policy.listed_ms.size(); index++) {
    add(Event::PolicySet, number, static_cast<std::uint32_t>(PolicyField::ListedDelayMs), index,
        policy.listed_ms[index]);
  }
}

void Snapshot::write_groups() {
  for (const auto& [number, slot] : groups_) {
    const Groups::Group& group = core_.groups().table()[slot];
    set(Event::GroupSet, group.number, GroupField::Concurrency,
        core_.limits().group_concurrency(slot));
    if (group.threshold != 0) {
      set(Event::GroupSet, group.number, GroupField::FailureThreshold, group.threshold);
    }
    if (group.lets_finish) set(Event::GroupSet, group.number, GroupField::LetsFinish, 1);
  }
}

// By number: the order in which they came to be known is nobody's concern.
void Snapshot::write_circuits() {
  std::vector<Keyed> order;
  for (std::uint32_t index = 0; index < core_.circuits().size(); index++) order.push_back({core_.circuits()[index].number, index});
  sort_by_key(order);
  const Circuit usual;
  for (const auto& [number, index] : order) {
    const Circuit& circuit = core_.circuits()[index];
    const auto differs = [&](CircuitField field, double value, double usual_value) {
      if (value != usual_value) set(Event::CircuitSet, circuit.number, field, value);
    };
    differs(CircuitField::FailureRate, circuit.failure_rate, usual.failure_rate);
    differs(CircuitField::MinCalls, circuit.min_calls, usual.min_calls);
    differs(CircuitField::OpenForMs, circuit.open_for_ms, usual.open_for_ms);
    differs(CircuitField::HalfOpenMax, circuit.half_open_max, usual.half_open_max);
    differs(CircuitField::WindowMs, circuit.window_ms, usual.window_ms);
    differs(CircuitField::RetryRatio, circuit.retry_ratio, usual.retry_ratio);
    differs(CircuitField::RetryWindowMs, circuit.retry_window_ms, usual.retry_window_ms);
    if (circuit.state == CircuitState::Closed) continue;
    add(Event::CircuitOpened, circuit.number, 0, 0, circuit.until);
    if (circuit.state == CircuitState::HalfOpen) add(Event::CircuitHalfOpened, circuit.number, 0, 0, core_.event_time());
  }
}

// By number, and of each limit what was used by key: the order in which they came to be known is nobody's concern.
void Snapshot::write_limits() {
  const Limits& limits = core_.limits();
  std::vector<Keyed> order;
  for (std::uint32_t index = 0; index < limits.limit_end(); index++) order.push_back({limits.rule(index).number, index});
  sort_by_key(order);
  const Limits::Rule usual;
  for (const auto& [number, index] : order) {
    const Limits::Rule& rule = limits.rule(index);
    const auto differs = [&](LimitField field, double value, double usual_value) {
      if (value != usual_value) set(Event::LimitSet, rule.number, field, value);
    };
    differs(LimitField::Concurrency, rule.concurrency, usual.concurrency);
    differs(LimitField::KeyConcurrency, rule.key_concurrency, usual.key_concurrency);
    differs(LimitField::RateLimit, rule.rate.limit, usual.rate.limit);
    differs(LimitField::RatePeriodMs, rule.rate.period_ms, usual.rate.period_ms);
    differs(LimitField::RateKind, static_cast<double>(rule.rate.kind), 0);
    differs(LimitField::RateBurst, rule.rate.burst, usual.rate.burst);
    differs(LimitField::SpacingMs, rule.rate.spacing_ms, usual.rate.spacing_ms);
    differs(LimitField::RateKeyed, rule.rate_keyed, usual.rate_keyed);
    differs(LimitField::Drops, rule.drops, usual.drops);
    // What was left of it was for the host that is gone.
    differs(LimitField::Leave, rule.leave != 0, 0);
    differs(LimitField::ClosedUntilMs, rule.closed_until, usual.closed_until);
  }
  for (const auto& [number, index] : order) {
    for (const Record& use : limits.uses(index, core_.event_time())) records_.push_back({use, 0});
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
  add(Event::Created, task.number, place, length, made_at(task), offset);
  write_options(task, more);
  const std::uint32_t group = core_.groups().of(slot);
  if (group != kNone) {
    add(Event::Joined, task.number, core_.groups().table()[group].number, 0, made_at(task));
  }
  if (payloads_ != nullptr) write_payloads(task);
  if (task.holds != 0) add(Event::Held, task.number, task.holds, 0, made_at(task));
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
  option(TaskField::CountFrozen, more.count_frozen ? 1 : 0, 0);
  option(TaskField::HeartbeatMs, more.heartbeat_ms, 0);
  option(TaskField::ComputeBudgetMs, more.budget_ms, 0);
  option(TaskField::Key, more.key, 0);
  option(TaskField::KeyUntilMs, more.key_until, 0);
  option(TaskField::Promoted, more.promoted ? 1 : 0, 0);
  option(TaskField::Turn, more.turn, 1);
  option(TaskField::Height, more.height, 0);
  write_parts(task);
  for (const TaskField field : {TaskField::Circuit, TaskField::QueueCircuit}) {
    const std::uint16_t place = more.circuits[field == TaskField::QueueCircuit];
    if (place != 0) set(Event::TaskSet, task.number, field, core_.circuits()[place - 1u].number);
  }
}

// In the order in which they were joined.
void Snapshot::write_parts(const Task& task) {
  std::vector<Limits::Part> parts;
  core_.limits().each_part(core_.tasks().find(task.number), [&](const Limits::Part& part) { parts.push_back(part); });
  for (std::size_t i = parts.size(); i-- > 0;) {
    const std::uint32_t packed = static_cast<std::uint32_t>(TaskField::Limit) | (parts[i].weight << 8);
    add(Event::TaskSet, task.number, packed, core_.limits().rule(parts[i].limit).number, parts[i].key);
  }
}

void Snapshot::write_payloads(const Task& task) {
  payloads_->each(task.number, [&](const Record& record) {
    if (record.kind == static_cast<std::uint32_t>(Event::BlobAttached)) {
      return add(Event::BlobAttached, task.number, record.a, record.b, record.at);
    }
    const auto carry = [&](Event event, std::uint32_t a) {
      add(event, task.number, a, record.b, made_at(task), record.at);
    };
    switch (static_cast<PayloadKind>(record.a & 0xff)) {
      case PayloadKind::Input: return;
      case PayloadKind::Step: return carry(Event::StepRecorded, task.attempt);
      case PayloadKind::Result: return carry(Event::Succeeded, task.attempt);
      case PayloadKind::Error:
        return carry(Event::AttemptFailed,
                     task.attempt | (static_cast<std::uint32_t>(core_.extra(task).last_outcome) << 24));
      case PayloadKind::Note: return carry(Event::Noted, record.a >> 8);
    }
  });
}

void Snapshot::write_fields(std::uint32_t slot) {
  const Task& task = core_.tasks()[slot];
  const TaskExtra& more = core_.extra(task);
  const std::uint32_t number = task.number;
  if (made_at(task) != task.created_at) restore_at(number, RestoredField::CreatedAt, task.created_at);
  const auto both = [&](RestoredField field, std::uint32_t b, double at) {
    if (b != 0 || at != 0) add(Event::Restored, number, static_cast<std::uint32_t>(field), b, at);
  };
  both(RestoredField::Attempt, task.attempt, task.started_at);
  both(RestoredField::Failures, task.failures, more.delay_ms);
  restore(number, RestoredField::Recoveries, task.recoveries);
  restore(number, RestoredField::ClosedAttempt, more.closed_attempt);
  restore(number, RestoredField::End, task.end);
  if (!std::isnan(more.progress)) set(Event::Restored, number, RestoredField::Progress, more.progress);
  restore_at(number, RestoredField::DueAt, more.due_at);
  // What is left over from earlier is no longer looked at.
  if (!task.has(kTried)) restore_at(number, RestoredField::ExpiresAt, more.expires_at);
  if (task.has(kPaused)) restore_at(number, RestoredField::PausedAt, more.paused_at);
  if (task.live()) restore_at(number, RestoredField::AttemptAt, more.attempt_at);
  if (task.live()) restore_at(number, RestoredField::AlarmAt, more.alarm_at);
  restore_at(number, RestoredField::ComputedMs, more.computed_ms);
  const bool runs = task.state == State::Running;
  if (runs && more.budget_ms > 0) restore_at(number, RestoredField::RunningAt, more.running_at);
  if (runs && more.heartbeat_ms > 0) restore_at(number, RestoredField::AliveAt, more.alive_at);
  if (task.stop != StopReason::None) both(RestoredField::Stop, more.stop_note, more.grace_ends_at);
}

// In the order they were made: it decides in which order dependents become ready.
void Snapshot::write_edges() {
  std::vector<Graph::Edge> edges;
  std::vector<Keyed> order;
  for (const auto& [number, slot] : slots_) {
    core_.graph().each_incoming(slot, [&](const Graph::Edge& edge) {
      order.push_back({edge.order, static_cast<std::uint32_t>(edges.size())});
      edges.push_back(edge);
    });
  }
  sort_by_key(order);
  const auto& tasks = core_.tasks();
  for (const auto& [made, index] : order) {
    const Graph::Edge& edge = edges[index];
    add(Event::Depended, tasks[edge.to].number, tasks[edge.from].number,
        static_cast<std::uint32_t>(edge.kind), made_at(tasks[edge.to]));
  }
}

// Of each parent in the order they came.
void Snapshot::write_children() {
  const auto& tasks = core_.tasks();
  for (const auto& [number, slot] : slots_) {
    core_.family().each_child(slot, [&](std::uint32_t child) {
      add(Event::Belonged, tasks[child].number, tasks[slot].number,
          static_cast<std::uint32_t>(core_.family().policy(child)), made_at(tasks[child]));
    });
  }
}

void Snapshot::write_states() {
  constexpr std::uint64_t kQueued = std::uint64_t{1} << 63;
  const std::vector<std::uint64_t> tickets = core_.limits().tickets();
  for (auto& [key, slot] : slots_) {
    if (core_.limits().queued(slot)) key = tickets[slot] | kQueued;
  }
  sort_by_key(slots_);
  for (const auto& [key, slot] : slots_) {
    const Task& task = core_.tasks()[slot];
    const std::uint32_t packed = static_cast<std::uint32_t>(task.state) |
                                 (static_cast<std::uint32_t>(task.stop) << 4) |
                                 (static_cast<std::uint32_t>(core_.extra(task).last_outcome) << 8) |
                                 (static_cast<std::uint32_t>(task.flags & kTaskFlags) << 16);
    add(Event::Restored, task.number, static_cast<std::uint32_t>(RestoredField::State), packed,
        task.updated_at);
  }
}

void Snapshot::write_group_counts(const Groups::Group& group) {
  add(Event::Restored, group.number, static_cast<std::uint32_t>(RestoredField::GroupSucceeded),
      group.succeeded, 0);
  add(Event::Restored, group.number, static_cast<std::uint32_t>(RestoredField::GroupEndedBadly),
      group.ended_badly, 0);
  add(Event::Restored, group.number, static_cast<std::uint32_t>(RestoredField::GroupFailures),
      group.failures, 0);
  if (group.owner != kNone) set(Event::GroupSet, group.number, GroupField::Owner, group.owner);
  if (group.closed) set(Event::GroupSet, group.number, GroupField::Closed, 1);
}

}  // namespace

std::vector<SnapshotRecord> make_snapshot(const Core& core, const PayloadIndex* payloads) {
  return Snapshot(core, payloads).take();
}

}  // namespace holdfast
