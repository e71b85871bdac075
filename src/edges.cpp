// Who waits for whom, and what comes of it when a prerequisite ends: met edges let their dependent go, one that
// can't be met any more takes it along, and flows say whether anything leads to it at all.
//
// A disabled flow takes nobody along by itself. What waits goes on once all edges into it are settled, if one of its
// flows was active (kFed); where all were disabled (kStarved alone) it is cancelled as disabled, which disables the
// flows out of it in turn. The host may say of an open flow that it is disabled, or active before its prerequisite has
// ended: what begins then goes on whatever comes of that, and it is for the host to say what that means.
//
// Invariant: after a step no submitted task is Blocked without an open edge.
#include "core.h"

namespace holdfast {

namespace {

DisabledBy disabled_by(State state, std::uint32_t end) {
  if (state == State::Succeeded) return DisabledBy::Success;
  if (state == State::Failed) return DisabledBy::Failure;
  return static_cast<CancelCause>(end >> 24) == CancelCause::Disabled ? DisabledBy::Disabled : DisabledBy::Cancel;
}

// Its queue, or a rate, had no room for it.
bool is_dropped(const Task& task) {
  return task.state == State::Cancelled && is_drop(static_cast<CancelCause>(task.end >> 24));
}

}  // namespace

void Core::depend_on(const Ask& ask) {
  const Record& command = ask.command;
  if (tasks_[ask.slot].has(kSubmitted)) return reject(command, Rejection::AlreadySubmitted);
  if (command.b > static_cast<std::uint32_t>(EdgeKind::ErrorFlow)) {
    return reject(command, Rejection::InvalidValue);
  }
  const std::uint32_t prerequisite = tasks_.find(command.a);
  if (prerequisite == kNone) return reject(command, Rejection::UnknownTask);
  if (makes_cycle(ask.slot, prerequisite)) return reject(command, Rejection::Cycle);
  emit(Event::Depended, ask.slot, command.a, command.b);
}

bool Core::is_against(std::uint32_t slot, std::uint32_t prerequisite) const { return tasks_[prerequisite].number > tasks_[slot].number; }

// Where all edges go along with the numbers of tasks, as those of a graph told in its order do, nothing is searched.
bool Core::makes_cycle(std::uint32_t slot, std::uint32_t prerequisite) const {
  if (slot == prerequisite) return true;
  if (graph_.goes_along() && !is_against(slot, prerequisite)) return false;
  return graph_.reaches(slot, prerequisite);
}

void Core::decide_flow(const Record& command) {
  const std::uint32_t slot = tasks_.find(command.task), prerequisite = tasks_.find(command.a);
  if (slot == kNone || prerequisite == kNone) return reject(command, Rejection::UnknownTask);
  const auto kind = static_cast<EdgeKind>(command.b);
  if (!is_flow(kind)) return reject(command, Rejection::InvalidValue);
  if (graph_.find(prerequisite, slot, kind) == kNone) return reject(command, Rejection::WrongState);
  emit(static_cast<Command>(command.kind) == Command::MeetEdge ? Event::EdgeMet : Event::EdgeDisabled, slot, command.a, command.b);
}

void Core::revise(const Record& command) {
  const std::uint32_t slot = tasks_.find(command.task);
  if (slot == kNone) return reject(command, Rejection::UnknownTask);
  const Task& task = tasks_[slot];
  if ((states_before(Event::Revised) & bit(task.state)) == 0 || task.has(kTried)) return reject(command, Rejection::WrongState);
  emit(Event::Revised, slot);
}

void Core::apply_revised(std::uint32_t slot) {
  graph_.drop_incoming(slot);
  // Out of the line of its queue too: what does not wait there is not dropped from it.
  uncount(slot);
  tasks_[slot].flags &= static_cast<std::uint16_t>(~(kSubmitted | kFed | kStarved | kDoomed));
  move(slot, State::Blocked);
  count(slot);
}

void Core::apply_depended(std::uint32_t slot, const Record& event) {
  const std::uint32_t prerequisite = tasks_.find(event.a);
  const auto kind = static_cast<EdgeKind>(event.b);
  const EdgeFate fate = edge_fate(kind, tasks_[prerequisite].state, is_dropped(tasks_[prerequisite]));
  if (fate == EdgeFate::Open) return graph_.add(prerequisite, slot, kind, is_against(slot, prerequisite));
  note_fate(slot, fate);
}

void Core::apply_flow_decided(std::uint32_t slot, const Record& event) {
  graph_.drop(tasks_.find(event.a), slot, static_cast<EdgeKind>(event.b));
  note_fate(slot, static_cast<Event>(event.kind) == Event::EdgeMet ? EdgeFate::Active : EdgeFate::Disabled);
  if (tasks_[slot].has(kSubmitted)) unblock(slot, DisabledBy::Host);
}

// The task in slot ended in `state`.
void Core::settle_edges(std::uint32_t slot, State state) {
  const DisabledBy by = disabled_by(state, tasks_[slot].end);
  graph_.settle(slot, state, is_dropped(tasks_[slot]), [&](std::uint32_t dependent, EdgeFate fate) {
    note_fate(dependent, fate);
    if (fate != EdgeFate::Unmeetable && tasks_[dependent].has(kSubmitted)) unblock(dependent, by);
  });
}

void Core::note_fate(std::uint32_t dependent, EdgeFate fate) {
  Task& task = tasks_[dependent];
  if (fate == EdgeFate::Active) task.flags |= kFed;
  if (fate == EdgeFate::Disabled) task.flags |= kStarved;
  if (fate != EdgeFate::Unmeetable || task.has(kDoomed)) return;
  task.flags |= kDoomed;
  if (task.has(kSubmitted)) doomed_.push_back({dependent, DisabledBy::Before});
}

// A submitted task that waits for nothing more leaves Blocked. `by`: what became of the last it waited for.
void Core::unblock(std::uint32_t slot, DisabledBy by) {
  Task& task = tasks_[slot];
  if (task.state != State::Blocked) return;
  if (task.has(kDoomed)) return doomed_.push_back({slot, by});
  if (graph_.unmet(slot) > 0) return arm(slot);
  if (task.disabled()) return doomed_.push_back({slot, by});
  const double not_before = extra(task).not_before;
  if (not_before <= time_) return move(slot, State::Ready);
  TaskExtra& more = own_extra(task);
  more.due_at = not_before;
  more.delay_ms = not_before - time_;
  move(slot, State::Delayed);
}

void Core::cancel_doomed() {
  const auto [slot, by] = doomed_.back();
  doomed_.pop_back();
  const Task& task = tasks_[slot];
  if (task.state != State::Blocked || !task.has(kSubmitted)) return;
  if (task.has(kDoomed)) return cancel_task(slot, CancelCause::Cascade, 0);
  const bool disabled = task.disabled() && graph_.unmet(slot) == 0;
  if (disabled) disable(slot, by);
}

void Core::disable(std::uint32_t slot, DisabledBy by) { cancel_task(slot, CancelCause::Disabled, static_cast<std::uint32_t>(by)); }

}  // namespace holdfast
