// Groups: tasks settled together (a batch, a swarm, a chain, the children of a task).
// A group may have an owner, the task they are settled for, with which it ends.
//
// A group counts its members' ends; it is settled once, when it is closed and no member is open.
// When as many members have failed as its threshold says, the open ones are to be stopped: the core
// does so and announces both, this class only keeps the counts and tells that something is due.
//
// A settled group is gone: its number may be used for another.
//
// Invariant: open == length of the member list.
#pragma once

#include <cstdint>
#include <vector>

#include "record.h"
#include "table.h"

namespace holdfast {

class Groups {
 public:
  struct Group {
    std::uint32_t number = kNone;  // kNone: the slot is free
    std::uint32_t first = kNone, last = kNone;
    std::uint32_t open = 0, succeeded = 0;
    std::uint32_t ended_badly = 0;  // failed and cancelled
    std::uint32_t failures = 0;     // of these, what counts for the threshold: not what is excused
    std::uint32_t threshold = 0;    // 0: none
    std::uint32_t serial = 0;     // tells it from an earlier group in the same slot
    std::uint32_t owner = kNone;  // the number of a task
    bool closed = false;
    bool lets_finish = false;
    bool swept = false;   // its members were told to stop; only saves looking again
    bool marked = false;  // in changed()
    bool tripped() const { return threshold > 0 && failures >= threshold; }
    bool to_sweep() const { return tripped() && !swept && open > 0; }
    bool to_settle() const { return closed && open == 0; }
  };

  Table<Group>& table() { return groups_; }
  const Table<Group>& table() const { return groups_; }
  // The slot of a known group, made known here if need be.
  std::uint32_t know(std::uint32_t number);

  // The group of a task (its slot), or kNone; kept after the task's end, for a retry.
  std::uint32_t of(std::uint32_t task) const {
    if (task >= members_.size() || members_[task].group == kNone) return kNone;
    const Member& member = members_[task];
    return groups_[member.group].serial == member.serial ? member.group : kNone;
  }
  // REQUIRES: of(task) == kNone.
  void join(std::uint32_t task, std::uint32_t group);
  // One that has failed or was cancelled. REQUIRES: of(task) == kNone.
  void join_ended(std::uint32_t task, std::uint32_t group, bool excused);
  // The slot of the group that this task (its number) owns, or kNone.
  std::uint32_t owned_by(std::uint32_t owner) const {
    const std::uint32_t entry = owned_.find(owner);
    return entry == kNone ? kNone : owned_[entry];
  }
  void set_owner(std::uint32_t group, std::uint32_t owner);
  // The owner has ended: nobody joins its group any more.
  void close_owned(std::uint32_t owner);
  void disown(std::uint32_t owner);
  // Every number of a group is below it.
  std::uint32_t number_end() const { return groups_.number_end(); }
  // The task ended in `state`; `excused`: its end is no failure to a group. Nothing happens if it is in no group.
  void ended(std::uint32_t task, State state, bool excused) {
    if (of(task) != kNone && members_[task].open) count_end(task, state, excused);
  }
  // The group is over. REQUIRES: open == 0.
  void settle(std::uint32_t group);
  // An ended task goes on: it is open again, or leaves the group where that has failed.
  void reopened(std::uint32_t task, State state, bool excused);
  // The task's slot is to be used for another.
  void forget(std::uint32_t task);
  // Something may be due: to_sweep or to_settle.
  void mark(std::uint32_t group);
  bool any_changed() const { return !changed_.empty(); }
  // Takes a marked group, or kNone.
  std::uint32_t take_changed();
  std::vector<std::uint32_t> members(std::uint32_t group) const;

 private:
  struct Member {
    std::uint32_t group = kNone;
    std::uint32_t serial = 0;
    std::uint32_t next = kNone, previous = kNone;
    bool open = false;
  };
  void count_end(std::uint32_t task, State state, bool excused);
  void link(std::uint32_t task);
  void unlink(std::uint32_t task);

  Table<Group> groups_;
  Table<std::uint32_t> owned_;  // number of the owner → slot of its group
  std::vector<Member> members_;  // by the task's slot, only as far as members go
  std::vector<std::uint32_t> changed_;
  std::uint32_t serials_ = 0;
};

}  // namespace holdfast
