// Edges, followed from the events alone: what begins had all edges into it settled and met, and one of its flows
// active; what is disabled had none.
#include "world.h"

namespace holdfast::simulation {

namespace {

bool is(const Record& event, Event kind) { return event.kind == static_cast<std::uint32_t>(kind); }

State end_of(const Record& event) {
  if (is(event, Event::Succeeded)) return State::Succeeded;
  if (is(event, Event::Failed)) return State::Failed;
  return is(event, Event::Cancelled) ? State::Cancelled : State::None;
}

bool dropped(const Record& event) { return is(event, Event::Cancelled) && is_drop(static_cast<CancelCause>(event.a >> 24)); }

}  // namespace

void World::check_flows(const std::vector<Record>& commands) {
  for (const Record& command : commands) {
    const auto kind = static_cast<Command>(command.kind);
    // A draft that is not to begin has edges of any fate.
    const bool disables = (kind == Command::Cancel && command.b == kCancelAsDisabled) || (kind == Command::Submit && command.a == kSubmitDisabled);
    if (disables) disabled_by_host_.insert(command.task);
  }
  const auto& outbox = session_->outbox();
  for (std::size_t place = 0; place < outbox.size(); place++) {
    const Record& event = outbox[place];
    if (is(event, Event::Rejected)) continue;
    if (is(event, Event::Started)) check_begin(event);
    if (is(event, Event::Cancelled) && event.a >> 24 == static_cast<std::uint32_t>(CancelCause::Disabled)) check_disabled(event);
    follow_edges(event, place);
  }
  const Core& core = session_->core();
  for (std::uint32_t slot = 0; slot < core.tasks().slot_end(); slot++) {
    const Task& task = core.tasks()[slot];
    const bool waits = task.state == State::Blocked && task.has(kSubmitted);
    check(!waits || core.graph().unmet(slot) > 0, "a submitted task that is blocked waits for something");
  }
}

void World::follow_edges(const Record& event, std::size_t place) {
  if (is(event, Event::Forgotten)) {
    edges_.erase(event.task);
    ends_.erase(event.task);
  }
  if (is(event, Event::Created) || is(event, Event::Retried) || is(event, Event::Revised)) {
    edges_[event.task].clear();
    ends_.erase(event.task);
  }
  const auto found = edges_.find(event.task);
  if (is(event, Event::Depended) && found != edges_.end()) {
    const auto kind = static_cast<EdgeKind>(event.b);
    const Ended ended = ends_.contains(event.a) ? ends_[event.a] : state_at(event.a, place);
    if (ended.state == State::None) edges_.erase(found);
    else found->second.push_back({event.a, kind, edge_fate(kind, ended.state, ended.dropped)});
    return;
  }
  const bool met = is(event, Event::EdgeMet);
  if ((met || is(event, Event::EdgeDisabled)) && found != edges_.end()) {
    for (Followed& edge : found->second) {
      const bool same = edge.prerequisite == event.a && static_cast<std::uint32_t>(edge.kind) == event.b;
      if (same && edge.fate == EdgeFate::Open) edge.fate = met ? EdgeFate::Active : EdgeFate::Disabled;
    }
  }
  if (const State state = end_of(event); state != State::None) end_flows(event.task, {state, dropped(event)});
}

// Of one that has not ended in this life of the core. None: it had before, and how is not known any more.
World::Ended World::state_at(std::uint32_t task, std::size_t place) const {
  const auto& outbox = session_->outbox();
  for (; place < outbox.size(); place++) {
    const Record& event = outbox[place];
    if (event.task != task) continue;
    if (is(event, Event::Retried) || is(event, Event::Forgotten)) return {State::None, false};
    if (end_of(event) != State::None) return {State::Ready, false};
  }
  const Core& core = session_->core();
  const auto cause = static_cast<CancelCause>(static_cast<std::uint32_t>(core.value(task, Field::CancelReason)) >> 24);
  const auto state = static_cast<State>(core.state(task) & 15);
  return {state, state == State::Cancelled && is_drop(cause)};
}

void World::end_flows(std::uint32_t task, Ended ended) {
  ends_[task] = ended;
  for (auto& [dependent, edges] : edges_) {
    for (Followed& edge : edges) {
      if (edge.prerequisite == task && edge.fate == EdgeFate::Open) edge.fate = edge_fate(edge.kind, ended.state, ended.dropped);
    }
  }
}

void World::check_begin(const Record& event) {
  const auto found = edges_.find(event.task);
  if (found == edges_.end()) return;
  bool flows = false, active = false;
  for (const Followed& edge : found->second) {
    check(edge.fate != EdgeFate::Open && edge.fate != EdgeFate::Unmeetable, "what begins had all it waits for");
    flows = flows || is_flow(edge.kind);
    active = active || edge.fate == EdgeFate::Active;
  }
  check(!flows || active, "what begins had a flow into it that is active");
  if (flows) counts_["fed by a flow"]++;
}

void World::check_disabled(const Record& event) {
  if (disabled_by_host_.contains(event.task)) return;
  const auto found = edges_.find(event.task);
  if (found == edges_.end()) return;
  bool flows = false;
  for (const Followed& edge : found->second) {
    check(edge.fate == EdgeFate::Disabled || edge.fate == EdgeFate::Met, "what is disabled had no flow into it that is active, or open");
    flows = flows || edge.fate == EdgeFate::Disabled;
  }
  check(flows, "what is disabled had flows into it");
  counts_["disabled"]++;
}

}  // namespace holdfast::simulation
