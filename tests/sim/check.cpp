// What must hold after every step.
#include "world.h"

namespace holdfast::simulation {

namespace {

bool is(const Record& event, Event kind) { return event.kind == static_cast<std::uint32_t>(kind); }

bool group_full(const Core& core, std::uint32_t slot) {
  const std::uint32_t group = core.groups().of(slot);
  if (group == kNone) return false;
  const std::uint32_t limit = core.limits().group_concurrency(group);
  return limit > 0 && core.limits().group_running(group) >= limit;
}

bool queue_full(const Core& core, std::uint32_t queue) {
  const std::uint32_t limit = core.limits().concurrency(queue);
  const std::uint32_t granted = core.limits().granted(queue), running = core.limits().running(queue);
  return core.limits().paused(queue) || core.limits().still(queue) || (limit > 0 && running >= limit) || (granted > 0 && running + 1 >= granted);
}

// Weights that run, of a limit's tasks and of each of its keys, counted anew.
using Use = std::map<std::pair<std::uint32_t, double>, double>;

Use use_of(const Core& core) {
  Use use;
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    if (core.tasks()[slot].state != State::Running) continue;
    core.limits().each_part(slot, [&](const Limits::Part& part) {
      use[{part.limit, 0}] += part.weight;
      use[{part.limit, part.key}] += part.weight;
    });
  }
  return use;
}

// Does a limit keep it back?
bool limited(const Core& core, std::uint32_t slot) {
  const Use use = use_of(core);
  bool any = core.limits().limited_until(slot) > core.time();
  core.limits().each_part(slot, [&](const Limits::Part& part) {
    const Limits::Rule& rule = core.limits().rule(part.limit);
    for (const double key : {0.0, part.key}) {
      const std::uint32_t most = key == 0 ? rule.concurrency : rule.key_concurrency;
      const auto found = use.find({part.limit, key});
      const double running = found == use.end() ? 0 : found->second;
      any = any || (most > 0 && running > 0 && running + part.weight > most);
    }
  });
  return any;
}

// Does it stand behind a heavier one that a limit of both keeps back? A lighter one does not slip past.
bool behind_limited(const Core& core, std::uint32_t slot) {
  const Task& task = core.tasks()[slot];
  for (std::uint32_t other = 0; other < core.tasks().slot_end(); other++) {
    const Task& ahead = core.tasks()[other];
    if (other == slot || ahead.queue != task.queue || !core.limits().queued(other)) continue;
    const QueueOrder order = core.limits().order(task.queue);
    // In a fair queue one of each key is in line.
    if (order == QueueOrder::Fair && core.extra(ahead).turn == core.extra(task).turn && (limited(core, other) || group_full(core, other))) return true;
    if (order == QueueOrder::Priority && ahead.priority < task.priority && !core.extra(ahead).promoted) continue;
    bool shared = false;
    core.limits().each_part(slot, [&](const Limits::Part& part) {
      core.limits().each_part(other, [&](const Limits::Part& theirs) { shared = shared || (theirs.limit == part.limit && theirs.weight > part.weight); });
    });
    if (shared && limited(core, other)) return true;
  }
  return false;
}

}  // namespace

void World::check_same(const Core& core, const StateList& expected, const std::string& what) const {
  const std::string found = difference(state_of(core), expected);
  check(found.empty(), what + found);
}

void World::check(bool condition, const std::string& what) const {
  if (!condition) throw Failure(what);
}

void World::check_step(const std::vector<Record>& commands) {
  const auto& outbox = session_->outbox();
  // These two may concern nobody.
  const bool may_be_silent = commands.size() == 1 && (is(commands[0], static_cast<Event>(Command::Recover)) ||
                                                      is(commands[0], static_cast<Event>(Command::Thaw)));
  if (commands.size() == 1 && !may_be_silent) {
    check(!outbox.empty(), "no command is silent");
  }
  check(session_->core().deadline() >= now_, "the deadline is not in the past");
  check_events();
  check_limits();
  check_reasons();
  check_circuits();
  check_named_limits();
  check_bounds();
  check_turns();
  check_flows(commands);
}

void World::look_before_step() {
  promoted_.clear();
  const Core& core = session_->core();
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    const Task& task = core.tasks()[slot];
    if (task.state != State::None && core.extra(task).promoted) promoted_[task.number] = true;
  }
  waited_ = waiting();
}

// By queue. A queue that refuses counts drafts too; the others ask when they are submitted.
std::map<std::uint32_t, std::uint32_t> World::waiting() const {
  std::map<std::uint32_t, std::uint32_t> found;
  const Core& core = session_->core();
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    const Task& task = core.tasks()[slot];
    const bool counts = task.has(kSubmitted) || core.bounds().of(task.queue).overflow == Overflow::Reject;
    if (task.state != State::None && !task.ended() && counts && !task.has(kTried)) found[task.queue]++;
  }
  return found;
}

// Of a start: nothing but starts came after it, so what is true now was true then.
bool World::is_last_word(const Record& event) const {
  const auto& outbox = session_->outbox();
  for (std::size_t i = outbox.size(); i-- > 0;) {
    if (&outbox[i] == &event) return true;
    const auto kind = static_cast<Event>(outbox[i].kind);
    if (kind != Event::Started && kind != Event::Resumed && kind != Event::Held && kind != Event::Released && kind != Event::CircuitHalfOpened) return false;
  }
  return false;
}

bool World::was_set(std::uint32_t limit) const {
  for (const Record& event : session_->outbox()) {
    if (is(event, Event::LimitSet) && event.task == limit) return true;
  }
  return false;
}

// None has more that wait than it may, but for those that came back or were moved there.
void World::check_bounds() {
  const Core& core = session_->core();
  std::map<std::uint32_t, std::uint32_t> all, came;
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    const Task& task = core.tasks()[slot];
    all[task.queue] += task.state != State::None && !task.ended() && !task.has(kTried);
  }
  for (const Record& event : session_->outbox()) {
    const bool moved = is(event, Event::TaskSet) && event.a == static_cast<std::uint32_t>(TaskField::Queue);
    const std::uint32_t slot = core.tasks().find(event.task);
    if (is(event, Event::QueueSet)) came[event.task] += 1000;
    if (moved) came[static_cast<std::uint32_t>(event.at)]++;
    // Of one that was forgotten since, nobody knows where it came back.
    for (std::uint32_t queue = 0; queue < core.limits().queue_end() && is(event, Event::Retried); queue++) {
      came[queue] += slot == kNone || core.tasks()[slot].queue == queue;
    }
    if (is(event, Event::Cancelled) && event.a >> 24 == static_cast<std::uint32_t>(CancelCause::Overflow)) counts_["dropped"]++;
    if (is(event, Event::Cancelled) && event.a >> 24 == static_cast<std::uint32_t>(CancelCause::RateLimited)) counts_["rate-limited"]++;
    if (is(event, Event::Rejected) && event.a == static_cast<std::uint32_t>(Rejection::QueueFull)) counts_["queue full"]++;
  }
  const auto now = waiting();
  for (std::uint32_t queue = 0; queue < core.limits().queue_end(); queue++) {
    const auto& bound = core.bounds().of(queue);
    check(bound.waiting == all[queue], "a queue counts what has never begun");
    const auto found = now.find(queue);
    if (bound.max == 0 || found == now.end()) continue;
    check(found->second <= std::max(bound.max, waited_[queue]) + came[queue], "a queue holds no more than its bound");
    check(!bound.line || bound.line->size() == found->second, "whoever may be dropped is in line");
  }
}

bool World::was_interrupted(std::uint32_t task) const {
  for (const Record& event : session_->outbox()) {
    if (is(event, Event::Interrupted) && event.task == task) return true;
  }
  return false;
}

// A key that could begin all the time is passed by another one as often as weights say, and no more.
void World::check_turns() {
  const Core& core = session_->core();
  std::map<QueueKey, bool> could;
  const auto weight = [&](std::uint32_t queue, double key) {
    std::uint32_t found = 1;
    core.limits().each_turn_weight(queue, [&](double of, std::uint32_t value) { found = of == key ? value : found; });
    return found;
  };
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    const Task& task = core.tasks()[slot];
    if (!core.limits().queued(slot) || core.limits().order(task.queue) != QueueOrder::Fair) continue;
    const QueueKey key{task.queue, core.extra(task).turn};
    const bool open = !core.extra(task).promoted && !limited(core, slot) && !group_full(core, slot) && !behind_limited(core, slot);
    could[key] = could.contains(key) ? could[key] && open : open;
  }
  for (const Record& event : session_->outbox()) {
    const std::uint32_t slot = core.tasks().find(event.task);
    // Whoever is touched begins to wait anew, and so do all whose queue is.
    if (is(event, Event::QueueSet)) std::erase_if(passed_, [&](const auto& of) { return of.first.first == event.task; });
    if (event.kind >= 96 || slot == kNone) continue;
    const Task& task = core.tasks()[slot];
    const QueueKey key{task.queue, core.extra(task).turn};
    const bool begins = is(event, Event::Started) || is(event, Event::Resumed);
    if (!begins) {
      if (!is(event, Event::Created) && !is(event, Event::Submitted)) passed_.erase(key);
      continue;
    }
    if (core.limits().order(task.queue) != QueueOrder::Fair || promoted_.contains(event.task)) continue;
    passed_.erase(key);
    // What had its turn before the host died goes on first.
    if (was_interrupted(event.task)) continue;
    for (auto& [waits, by] : passed_) {
      if (waits.first != task.queue) continue;
      const std::uint32_t times = ++by[key.second];
      most_passed_ = std::max<std::uint64_t>(most_passed_, times);
      const std::uint32_t own = weight(task.queue, waits.second), theirs = weight(task.queue, key.second);
      check(times <= (theirs + own - 1) / own + 1, "a key that can begin is passed over no more often than weights say");
    }
  }
  std::erase_if(passed_, [&](const auto& of) { return !could.contains(of.first) || !could[of.first]; });
  for (const auto& [key, can] : could) {
    if (can) passed_[key];
  }

}

void World::check_events() {
  for (const Record& event : session_->outbox()) {
    if (is(event, Event::TaskSet) && event.a == static_cast<std::uint32_t>(TaskField::Promoted)) promoted_[event.task] = true;
  }
  for (const Record& event : session_->outbox()) {
    if (!is(event, Event::Rejected)) events_++;
    kinds_[event.kind]++;
    check_event(event);
    if (is(event, Event::Started) || is(event, Event::Resumed)) check_order(event);
    if (is(event, Event::Started)) check_height(event);
  }
}

// An end is final but for Retry and Forget, and comes once.
void World::check_event(const Record& event) {
  if (is(event, Event::Rejected) || event.kind >= 96) return;
  const bool ends = is(event, Event::Succeeded) || is(event, Event::Failed) || is(event, Event::Cancelled);
  bool& ended = ended_[event.task];
  if (ended) {
    check(is(event, Event::Retried) || is(event, Event::Forgotten) || is(event, Event::Noted) ||
              is(event, Event::BlobAttached) || is(event, Event::Belonged) || is(event, Event::Joined) || is(event, Event::Created) || is(event, Event::TaskSet),
          "nothing happens to an ended task, but event " + std::to_string(event.kind));
  }
  if (is(event, Event::Retried) || is(event, Event::Forgotten) || is(event, Event::Created)) ended = false;
  if (ends) ended = true;
}

// None that could have started was passed over by one of lower priority.
void World::check_order(const Record& started) {
  const Core& core = session_->core();
  const std::uint32_t slot = core.tasks().find(started.task);
  check(slot != kNone, "a started task is known");
  const Task& task = core.tasks()[slot];
  if (core.limits().order(task.queue) != QueueOrder::Priority || promoted_.contains(started.task) || !is_last_word(started)) return;
  for (std::uint32_t other = 0; other < core.tasks().slot_end(); other++) {
    const Task& waiting = core.tasks()[other];
    if (waiting.state != State::Ready || !waiting.startable() || waiting.queue != task.queue) continue;
    check(waiting.priority <= task.priority || group_full(core, other) || limited(core, other) || behind_limited(core, other), "higher priorities start first");
  }
}

// Of its group none that waits for the same turn is higher.
void World::check_height(const Record& started) const {
  const Core& core = session_->core();
  const std::uint32_t slot = core.tasks().find(started.task), group = core.groups().of(slot);
  if (slot == kNone || group == kNone || !is_last_word(started) || was_interrupted(started.task) || promoted_.contains(started.task)) return;
  const Task& task = core.tasks()[slot];
  const auto lines = [&](std::uint32_t of) {
    bool limits = false;
    core.limits().each_part(of, [&](const Limits::Part&) { limits = true; });
    return core.extra(core.tasks()[of]).height > 0 && !limits;
  };
  const QueueOrder order = core.limits().order(task.queue);
  if (!lines(slot) || (order != QueueOrder::Priority && order != QueueOrder::Fifo)) return;
  for (std::uint32_t other = 0; other < core.tasks().slot_end(); other++) {
    const Task& waits = core.tasks()[other];
    const bool same = other != slot && core.groups().of(other) == group && waits.queue == task.queue && (order == QueueOrder::Fifo || waits.priority == task.priority);
    if (!same || waits.state != State::Ready || !waits.startable() || waits.has(kAhead) || core.extra(waits).promoted || !lines(other)) continue;
    check(core.extra(waits).height <= core.extra(task).height, "the highest of a group begins first");
  }
}

void World::check_limits() {
  const Core& core = session_->core();
  std::map<std::uint32_t, std::uint32_t> queues, groups, ready;
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    const Task& task = core.tasks()[slot];
    ready[task.queue] += task.state == State::Ready && task.startable();
    if (task.state != State::Running) continue;
    queues[task.queue]++;
    if (core.groups().of(slot) != kNone) groups[core.groups().of(slot)]++;
  }
  for (std::uint32_t queue = 0; queue < core.limits().queue_end(); queue++) {
    check(core.limits().running(queue) == queues[queue], "a queue counts what runs");
    check(core.limits().ready(queue) == ready[queue], "a queue counts what is ready");
  }
  for (const auto& [group, running] : groups) {
    check(core.limits().group_running(group) == running, "a group counts what runs");
  }
  for (const Record& event : session_->outbox()) {
    if ((!is(event, Event::Started) && !is(event, Event::Resumed)) || !is_last_word(event)) continue;
    const std::uint32_t slot = core.tasks().find(event.task);
    const std::uint32_t granted = core.limits().granted(core.tasks()[slot].queue);
    check(granted == 0 || core.limits().running(core.tasks()[slot].queue) < granted, "no queue runs more than it was granted");
    const std::uint32_t queue = core.tasks()[slot].queue, group = core.groups().of(slot);
    const std::uint32_t limit = core.limits().concurrency(queue);
    check(limit == 0 || core.limits().running(queue) <= limit, "no queue runs more than its limit");
    const std::uint32_t group_limit = group == kNone ? 0 : core.limits().group_concurrency(group);
    check(group_limit == 0 || groups[group] <= group_limit, "no group runs more than its limit");
  }
}

// Takes part in the limit only since it began: its start is none of the limit's.
bool World::joins_after(const Record& event, std::uint32_t number) const {
  for (const Record& later : session_->outbox()) {
    if (&later > &event && is(later, Event::TaskSet) && later.task == event.task && field_of(later) == TaskField::Limit && later.b == number) return true;
  }
  return false;
}

// Whatever has begun had room in all its limits, and a rate counts it.
void World::check_named_limits() {
  const Core& core = session_->core();
  const Use use = use_of(core);
  for (const auto& [of, running] : use) {
    check(core.limits().limit_running(core.limits().rule(of.first).number, of.second) == running, "a limit counts what runs");
  }
  for (const Record& event : session_->outbox()) {
    const bool starts = is(event, Event::Started), submits = is(event, Event::Submitted);
    if (!starts && !submits && !is(event, Event::Resumed)) continue;
    const std::uint32_t slot = core.tasks().find(event.task);
    if (slot == kNone) continue;
    const bool last = is_last_word(event);
    core.limits().each_part(slot, [&](const Limits::Part& part) {
      const Limits::Rule& rule = core.limits().rule(part.limit);
      if (last && !submits) check_part(rule, part, use.at({part.limit, 0}), use.at({part.limit, part.key}));
      if (!last && joins_after(event, rule.number)) return;
      // Whether it counted, and under which rule, can't be seen any more.
      if (!last && was_set(rule.number)) return void(starts_.erase({rule.number, rule.rate_keyed ? part.key : 0}));
      if (rule.drops ? submits : starts) check_rate(rule, part, core.time());
    });
  }
}

void World::check_part(const Limits::Rule& rule, const Limits::Part& part, double all, double own) const {
  check(rule.closed_until <= session_->core().time(), "a closed limit lets nothing begin");
  check(rule.concurrency == 0 || all <= rule.concurrency || all == part.weight, "a limit runs no more than it allows");
  check(rule.key_concurrency == 0 || own <= rule.key_concurrency || own == part.weight, "a key runs no more than it is allowed");
}

// Counted by the checker itself, as long as the rule is the same.
void World::check_rate(const Limits::Rule& rule, const Limits::Part& part, double now) {
  Starts& starts = starts_[{rule.number, rule.rate_keyed ? part.key : 0}];
  const RateRule& rate = rule.rate;
  const bool same = starts.rule.limit == rate.limit && starts.rule.period_ms == rate.period_ms && starts.rule.kind == rate.kind && starts.rule.burst == rate.burst && starts.keyed == rule.rate_keyed && starts.drops == rule.drops;
  if (!same) starts = {rate, rule.rate_keyed, rule.drops, {}};
  if (rate.limit <= 0) return;
  const bool bucket = rate.kind == RateKind::TokenBucket;
  // Who is heavier than all there is takes all there is.
  starts.taken.push_back({now, std::min<double>(part.weight, bucket ? rate.burst : rate.limit)});
  std::erase_if(starts.taken, [&](const Rate::Taken& taken) { return taken.at <= now - rate.period_ms; });
  double used = 0, first = now;
  for (const auto& taken : starts.taken) {
    used += taken.weight;
    first = std::min(first, taken.at);
  }
  if (rate.kind == RateKind::Sliding) check(used <= rate.limit, "no window has more than its rate");
  if (rate.kind == RateKind::Fixed) check(used <= 2 * rate.limit, "two fixed windows have no more than twice their rate");
  if (bucket) check(used <= rate.burst + rate.limit * (now - first) / rate.period_ms + 1e-6, "a bucket gives no more than is in it");
}

// What is open lets nothing begin, and who is held is held by one without room.
void World::check_circuits() {
  const Core& core = session_->core();
  std::map<std::uint32_t, std::uint32_t> trials, queued;
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    const Task& task = core.tasks()[slot];
    bool has_any = false, room = true;
    for (const std::uint16_t place : core.extra(task).circuits) {
      if (place == 0) continue;
      const Circuit& circuit = core.circuits()[place - 1u];
      check(!core.extra(task).trial || task.state == State::Running, "a trial runs");
      trials[place] += core.extra(task).trial;
      queued[place] += task.state == State::Ready && task.startable();
      const bool usable = task.state == State::Ready && !task.has(kPaused) && task.holds == kHoldCircuit;
      has_any = true;
      room = room && circuit.has_room() && (usable || circuit.state == CircuitState::Closed);
    }
    check(!has_any || !room || task.ended() || (task.holds & kHoldCircuit) == 0, "nobody is held by a circuit that has room");
  }
  for (std::uint32_t index = 0; index < core.circuits().size(); index++) {
    const Circuit& circuit = core.circuits()[index];
    check(circuit.trials == trials[index + 1] && circuit.queued == queued[index + 1], "a circuit counts who tries and who is in line");
    check(circuit.state != CircuitState::Open || circuit.until > core.time(), "an open circuit has a time");
  }
  for (const Record& event : session_->outbox()) {
    if (!is(event, Event::Started)) continue;
    for (const std::uint16_t place : core.extra(core.tasks()[core.tasks().find(event.task)]).circuits) {
      if (place == 0) continue;
      const Circuit& circuit = core.circuits()[place - 1u];
      check(circuit.state != CircuitState::Open, "nothing begins while its circuit is open");
      check(circuit.state == CircuitState::Closed || circuit.trials <= circuit.half_open_max, "a few may try");
    }
  }
}

// No limbo: a task that has not ended waits for something that will come.
void World::check_reasons() {
  const Core& core = session_->core();
  std::uint32_t thawable = 0;
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    const Task& task = core.tasks()[slot];
    check_reason(task, slot);
    check_family(slot);
    const TaskExtra& more = core.extra(task);
    const bool runs = task.state == State::Running;
    const bool timed = more.attempt_timeout_ms > 0 || task.stop != StopReason::None ||
                       (runs && (more.heartbeat_ms > 0 || more.budget_ms > 0));
    thawable += timed && task.live() && !more.count_frozen;
  }
  check(core.thawable_attempts() == thawable, "the core counts the attempts that standing still concerns");
  for (std::uint32_t slot = 0; slot < core.groups().table().slot_end(); slot++) {
    const auto& group = core.groups().table()[slot];
    check(!group.to_settle() && !group.to_sweep(), "a group that is over is settled");
  }
}

// Nobody outlives a parent unless it was let go.
void World::check_family(std::uint32_t slot) {
  const Core& core = session_->core();
  const std::uint32_t parent = core.family().parent(slot);
  if (parent == kNone || core.family().policy(slot) == ChildPolicy::Detach) return;
  const Task &task = core.tasks()[slot], &above = core.tasks()[parent];
  if (!above.ended() && !above.stopping_for_good()) return;
  check(task.ended() || task.stopping_for_good(), "a child goes with its parent");
}

void World::check_reason(const Task& task, std::uint32_t slot) {
  const Core& core = session_->core();
  switch (task.state) {
    case State::Blocked:
      return check(!task.has(kSubmitted) || core.graph().unmet(slot) > 0, "a blocked task waits for an edge");
    case State::Delayed:
      check(core.extra(task).due_at > 0, "a delayed task has a time");
      return check(task.has(kPaused) || core.deadline() < kNever, "a delayed task has a timer");
    case State::Ready:
      return check(!task.startable() || queue_full(core, task.queue) || group_full(core, slot) || limited(core, slot) || behind_limited(core, slot),
                   "a ready task that does not start is held or limited: task " +
                       std::to_string(task.number));
    case State::Running:
    case State::Waiting:
      return check(task.stop == StopReason::None || core.deadline() < kNever, "grace ends");
    default:
      return check(core.graph().unmet(slot) == 0, "an ended task waits for nothing");
  }
}

}  // namespace holdfast::simulation
