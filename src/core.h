// Core: commands and a time go in, events come out. Events are the only thing that changes state.
//
// One step: each command is decided (`decide` reads state and may not write it), what it yields is
// emitted and applied (`apply` writes state and may not decide); then what time has brought; then
// whatever may start does. Replaying a journal is `apply` alone, so recovery is not a second program.
//
// Time. The core's time never goes back. While the host's clock stands before it (it was set back),
// the core's time moves on by what passes on the host's; when the host's clock has caught up, it is
// followed again. So a timer is early or late by no more than the jump, and backoffs go on.
//
//     time = now >= time ? now : time + max(0, now - previous now)
//
// Invariants: deterministic but for the seed, and what chance decides is in the events; after a step
// nothing is due; no command is silent (Recover with nothing to recover, Thaw that concerns no attempt, and
// Wake of a task parked by a pause that is over, say so by their events or not at all).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "bounds.h"
#include "circuits.h"
#include "family.h"
#include "graph.h"
#include "groups.h"
#include "keys.h"
#include "limits.h"
#include "record.h"
#include "retry.h"
#include "task.h"
#include "timers.h"

namespace holdfast {

using Bytes = std::span<const std::byte>;

// What was emitted and not yet sealed into a frame.
struct Unsealed {
  std::vector<Record> events;
  std::vector<std::byte> payloads;
};

class Core {
 public:
  explicit Core(std::uint64_t seed);

  // Carries out the commands, then timers, then starts. The payloads of the commands that carry one
  // lie one after the other in `payloads`.
  void step(std::span<const Record> commands, Bytes payloads, double now);
  // What the last step said, refusals included.
  const std::vector<Record>& outbox() const { return outbox_; }
  Unsealed& unsealed() { return unsealed_; }
  // From now on nothing is gathered for a frame.
  void keep_nothing() { keeps_ = false; }
  // When the host should step again, in the host's time; never in the past; kNever: not at all.
  double deadline() const;
  // The core's time, and that of the last event; only the second is part of the state.
  double time() const { return time_; }
  double event_time() const { return event_time_; }

  // Applies an event of a journal. False, and nothing changed, where it cannot be true.
  bool replay(const Record& event);
  // The live tasks with these numbers have lost their host: Recover is about them.
  void mark_orphans(std::uint32_t first, std::uint32_t last);
  // Adds an event that was made elsewhere (an import). False where it cannot be true.
  bool adopt(const Record& event, Bytes payload);
  void clear_outbox() { outbox_.clear(); }
  // Out of line: a log that is taken over says much, and each place would bring the growing of the outbox along.
  [[gnu::noinline]] void say(const Record& record) { outbox_.push_back(record); }
  // The outbox holds what is remembered of a limit's rate, and nothing else.
  [[gnu::noinline]] void list_uses(std::uint32_t number);

  const Table<Task>& tasks() const { return tasks_; }
  const Groups& groups() const { return groups_; }
  const Graph& graph() const { return graph_; }
  const Family& family() const { return family_; }
  const Limits& limits() const { return limits_; }
  const Circuits& circuits() const { return circuits_; }
  const Bounds& bounds() const { return bounds_; }
  const TaskExtra& extra(const Task& task) const;
  struct KnownPolicy {
    bool known = false;
    RetryPolicy policy;
  };
  const std::vector<KnownPolicy>& policies() const { return policies_; }
  bool has_policy(std::uint32_t policy) const {
    return policy < policies_.size() && policies_[policy].known;
  }

  // The door's accessors; see record.h.
  std::uint32_t state(std::uint32_t number) const;
  double value(std::uint32_t number, Field field) const;
  double queue_value(std::uint32_t queue, QueueValue field) const;
  // The task that holds the key: it has not failed, and its key still counts at this time of the host's.
  // Of several an open one, and of those the youngest. 0: nobody.
  std::uint32_t key_holder(double key, double now) const;
  // What the policy says after so many failures: the delay before the next try, kNever where there is
  // none, NaN for a policy nobody knows. For tries the host makes by itself, inside one attempt; it
  // keeps what it was told. Draws a number, and changes nothing that is kept.
  double retry_delay(std::uint32_t policy, std::uint32_t failures, double last_delay_ms);
  // How many attempts a Thaw would concern; while there are any, the host watches for standing still.
  std::uint32_t thawable_attempts() const { return thawable_attempts_; }
  std::size_t bytes() const;

 private:
  double task_value(std::uint32_t number, Field field) const;
  std::uint32_t group_number(std::uint32_t slot) const;
  [[gnu::noinline]] double limit_value(std::uint32_t number, Field field) const;
  double part_key(std::uint32_t slot, std::uint32_t limit) const;
  std::uint32_t policy_end() const;
  std::uint32_t next_held(std::uint32_t number) const;

  // What a command has to go on: itself, its payload, and its task's slot (kNone: no such task).
  struct Ask {
    Record command;
    Bytes payload;
    std::uint32_t slot = kNone;
  };

  // decide.cpp: what a command yields.
  void decide(const Record& command, Bytes& payloads);
  void decide_task(const CommandRule& rule, Ask& ask);
  void create(const Ask& ask);
  void set_task(const Ask& ask);
  void join_group(const Ask& ask);
  void submit(const Ask& ask);
  void settle(const Ask& ask);
  void record_step(const Ask& ask);
  void report_progress(const Ask& ask);
  void wait(const Ask& ask);
  void wake(const Ask& ask);
  void cancel(const Ask& ask);
  void pause(const Ask& ask);
  void resume(const Ask& ask);
  void hold(const Ask& ask);
  void note(const Ask& ask);
  void belong(const Ask& ask);
  void set_alarm(const Ask& ask);
  void drop_steps(const Ask& ask);
  void heartbeat(const Ask& ask);
  void forget(const Ask& ask);
  void set_queue(const Record& command);
  void set_policy(const Record& command);
  void set_group(const Record& command);
  bool is_full(std::uint32_t queue, std::uint32_t more);
  void make_room(std::uint32_t slot);
  bool drops(std::uint32_t slot);
  void set_limit(const Record& command);
  [[gnu::noinline]] void use_limit(Record command);
  void reject(const Record& command, Rejection why);

  // edges.cpp: who waits for whom.
  void depend_on(const Ask& ask);
  bool is_against(std::uint32_t slot, std::uint32_t prerequisite) const;
  bool makes_cycle(std::uint32_t slot, std::uint32_t prerequisite) const;
  void decide_flow(const Record& command);
  void revise(const Record& command);
  void apply_revised(std::uint32_t slot);
  void apply_depended(std::uint32_t slot, const Record& event);
  void apply_flow_decided(std::uint32_t slot, const Record& event);
  void settle_edges(std::uint32_t slot, State state);
  void note_fate(std::uint32_t dependent, EdgeFate fate);
  void unblock(std::uint32_t slot, DisabledBy by);
  void cancel_doomed();
  void disable(std::uint32_t slot, DisabledBy by);

  // calls.cpp: circuits, and what the ends of attempts say about them.
  void set_circuit(const Record& command);
  bool admissible_circuit(const Record& event) const;
  void apply_circuit(const Record& event);
  template <class Visit>
  void each_circuit(const Task& task, Visit&& visit);
  void count_in_circuits(const Task& task, std::int32_t queued, std::int32_t trials);
  void begin_trial(const Task& task);
  void end_trial(const Task& task);
  bool circuits_admit(const Task& task);
  void note_start(std::uint32_t slot);
  void note_call(std::uint32_t slot, bool failed);
  void emit_circuit(Event event, const Circuit& circuit, double at);
  double retry_backlog(const Task& task);
  void half_open_circuits();
  bool let_through();
  bool let_through(std::uint32_t index);
  std::uint64_t age_key(const Task& task) const;
  bool has_room(const Task& task);
  double open_until(const Task& task) const;

  bool attempt_matches(const Ask& ask) const;

  // core.cpp: what time, limits and consequences yield.
  void advance_time(double now);
  void fire_timers();
  void fire(std::uint32_t slot);
  void ring(std::uint32_t slot);
  void start_ready();
  void start(std::uint32_t slot);
  void fail_attempt(std::uint32_t slot, Outcome outcome, Bytes payload, double retry_at, bool final);
  void fail_stopped(const Ask& ask);
  StopReason overrun(const Task& task) const;
  std::uint32_t ran_ms(const Task& task) const;
  double next_attempt_at(const Task& task, double asked_at);
  void fail(std::uint32_t slot, FailReason reason);
  void stop(std::uint32_t slot, StopReason reason, std::uint32_t note);
  void conclude_stop(std::uint32_t slot);
  void cancel_task(std::uint32_t slot, CancelCause cause, std::uint32_t reason);
  void interrupt(std::uint32_t slot, std::uint32_t recoveries);
  void recover(bool orderly);
  void close();
  void recover_task(std::uint32_t slot, bool orderly);
  void thaw(const Record& command);
  void draw_consequences();
  void cancel_children();
  void look_at_group(std::uint32_t group);
  // Emits an event about a task: outbox, journal, state.
  void emit(Event event, std::uint32_t slot, std::uint32_t a = 0, std::uint32_t b = 0);
  void emit_at(Event event, std::uint32_t slot, std::uint32_t a, std::uint32_t b, double at);
  void emit_of(std::uint32_t slot, const Record& event, Bytes payload = {});
  // Any event, of a task that may not be known yet too.
  void emit_record(const Record& event, Bytes payload = {});
  void write(const Record& event, Bytes payload);

  // admit.cpp: can this event of a journal be true?
  bool admissible(const Record& event) const;
  bool admissible_task_event(const Record& event, const Task* task) const;
  bool admissible_edge(const Record& event, std::uint32_t slot) const;
  bool admissible_belonged(const Record& event, std::uint32_t slot) const;
  bool admissible_restored(const Record& event) const;
  bool admissible_restored_state(std::uint32_t packed) const;
  bool task_value_valid(TaskField field, double value) const;
  bool part_valid(std::uint32_t slot, const Record& set) const;
  static bool group_value_valid(GroupField field, double value);
  static bool queue_value_valid(const Record& set);

  // apply.cpp: what an event changes.
  void apply(const Record& event);
  void apply_of(std::uint32_t slot, const Record& event);
  void pass_time(double at);
  void apply_to_task(Event kind, const Record& event, std::uint32_t slot);
  void apply_created(const Record& event);
  void apply_belonged(std::uint32_t slot, const Record& event);
  void apply_alarm_set(std::uint32_t slot, double at);
  void apply_alive(std::uint32_t slot, double at);
  void apply_slot_taken(std::uint32_t slot, double at);
  void apply_task_set(std::uint32_t slot, const Record& event);
  void apply_not_before(Task& task, double value);
  void apply_key_set(std::uint32_t slot, TaskField field, double value);
  void apply_started(std::uint32_t slot, const Record& event);
  void apply_stopping(std::uint32_t slot, const Record& event);
  void apply_attempt_failed(std::uint32_t slot, const Record& event);
  void apply_retry_scheduled(std::uint32_t slot, const Record& event);
  void apply_interrupted(std::uint32_t slot, const Record& event);
  void apply_thawed(std::uint32_t slot, const Record& event);
  void apply_paused(std::uint32_t slot, const Record& event);
  void apply_unpaused(std::uint32_t slot, const Record& event);
  void apply_retried(std::uint32_t slot, bool as_draft);
  void apply_forgotten(std::uint32_t slot);
  void apply_queue_set(const Record& event);
  void apply_policy_set(const Record& event);
  void apply_joined(std::uint32_t slot, std::uint32_t group);
  void apply_group_set(const Record& event);
  void apply_group_settled(std::uint32_t slot);
  void apply_restored(const Record& event);
  void apply_restored_state(std::uint32_t slot, std::uint32_t packed);
  bool leads_on_failure(std::uint32_t slot) const;
  void end_task(std::uint32_t slot, State state, std::uint32_t end, bool excused);
  void bereave(std::uint32_t slot);
  void clear_alarm(const Task& task);
  void move(std::uint32_t slot, State state);
  void place(std::uint32_t slot);
  void count(std::uint32_t slot);
  void uncount(std::uint32_t slot);
  void set_order(std::uint32_t queue, QueueOrder order);
  void line_up_to_drop(std::uint32_t queue);
  void join_lane(std::uint32_t slot, std::uint32_t group);
  void leave_lane(std::uint32_t slot);
  void arm(std::uint32_t slot);
  double next_due(const Task& task) const;
  double next_overrun(const Task& task) const;
  TaskExtra& own_extra(Task& task);
  void free_extra(Task& task);

  Table<Task> tasks_;
  std::vector<TaskExtra> extras_;
  std::vector<std::uint32_t> free_extras_;
  std::vector<KnownPolicy> policies_;
  Graph graph_;
  Family family_;
  Groups groups_;
  Keys keys_;
  Limits limits_;
  Circuits circuits_;
  Bounds bounds_;
  Timers timers_;
  Random random_;
  struct Doomed {
    std::uint32_t slot;
    DisabledBy by;  // where no flow leads to it
  };
  std::vector<Doomed> doomed_;  // tasks to cancel because of edges
  std::vector<std::uint32_t> bereft_;  // slots of tasks whose end takes children along
  double time_ = 0;
  double event_time_ = 0;
  std::uint32_t thawable_attempts_ = 0;
  bool keeps_ = true;
  double lost_at_ = 0;  // when the hosts of the orphans were heard of last
  bool closed_ = false;  // the host is going: a wish of this instance, no part of what is kept
  double host_time_;  // as of the last step; NaN before the first
  std::vector<Record> outbox_;
  Unsealed unsealed_;
};

}  // namespace holdfast
