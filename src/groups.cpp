#include "groups.h"

namespace holdfast {

std::uint32_t Groups::know(std::uint32_t number) {
  std::uint32_t slot = groups_.find(number);
  if (slot == kNone) {
    slot = groups_.add(number);
    groups_[slot].number = number;
    groups_[slot].serial = ++serials_;
  }
  return slot;
}

void Groups::join(std::uint32_t task, std::uint32_t group) {
  if (task >= members_.size()) members_.resize(task + 1);
  HOLDFAST_CHECK(of(task) == kNone);
  members_[task].group = group;
  members_[task].serial = groups_[group].serial;
  link(task);
}

void Groups::join_ended(std::uint32_t task, std::uint32_t group, bool excused) {
  join(task, group);
  count_end(task, State::Failed, excused);
}

void Groups::set_owner(std::uint32_t group, std::uint32_t owner) {
  disown(owner);
  if (groups_[group].owner != kNone) disown(groups_[group].owner);
  groups_[group].owner = owner;
  owned_[owned_.add(owner)] = group;
}

void Groups::close_owned(std::uint32_t owner) {
  const std::uint32_t group = owned_by(owner);
  if (group == kNone || groups_[group].closed) return;
  groups_[group].closed = true;
  mark(group);
}

void Groups::disown(std::uint32_t owner) {
  const std::uint32_t group = owned_by(owner);
  if (group == kNone) return;
  groups_[group].owner = kNone;
  owned_.remove(owner);
}

void Groups::link(std::uint32_t task) {
  Member& member = members_[task];
  Group& group = groups_[member.group];
  member.open = true;
  member.next = kNone;
  member.previous = group.last;
  (group.last == kNone ? group.first : members_[group.last].next) = task;
  group.last = task;
  group.open++;
  if (!group.tripped()) return;
  group.swept = false;
  mark(member.group);
}

void Groups::unlink(std::uint32_t task) {
  Member& member = members_[task];
  Group& group = groups_[member.group];
  (member.previous == kNone ? group.first : members_[member.previous].next) = member.next;
  (member.next == kNone ? group.last : members_[member.next].previous) = member.previous;
  member.open = false;
  group.open--;
}

void Groups::count_end(std::uint32_t task, State state, bool excused) {
  Group& group = groups_[members_[task].group];
  unlink(task);
  group.succeeded += state == State::Succeeded;
  group.ended_badly += state != State::Succeeded;
  group.failures += state != State::Succeeded && !excused;
  mark(members_[task].group);
}

void Groups::reopened(std::uint32_t task, State state, bool excused) {
  if (of(task) == kNone) return;
  Group& group = groups_[members_[task].group];
  if (group.tripped() || group.ended_badly == 0) {
    members_[task].group = kNone;
    return;
  }
  group.ended_badly--;
  if (state != State::Succeeded && !excused && group.failures > 0) group.failures--;
  link(task);
}

void Groups::forget(std::uint32_t task) {
  if (of(task) == kNone) return;
  if (members_[task].open) unlink(task);
  members_[task].group = kNone;
}

void Groups::settle(std::uint32_t group) {
  HOLDFAST_CHECK(groups_[group].open == 0);
  const std::uint32_t number = groups_[group].number;
  if (groups_[group].owner != kNone) owned_.remove(groups_[group].owner);
  groups_[group] = Group{};
  groups_.remove(number);
}

void Groups::mark(std::uint32_t group) {
  if (groups_[group].marked) return;
  groups_[group].marked = true;
  changed_.push_back(group);
}

std::uint32_t Groups::take_changed() {
  if (changed_.empty()) return kNone;
  const std::uint32_t group = changed_.back();
  changed_.pop_back();
  groups_[group].marked = false;
  return group;
}

std::vector<std::uint32_t> Groups::members(std::uint32_t group) const {
  std::vector<std::uint32_t> found;
  found.reserve(groups_[group].open);
  for (std::uint32_t task = groups_[group].first; task != kNone; task = members_[task].next) {
    found.push_back(task);
  }
  return found;
}

}  // namespace holdfast
