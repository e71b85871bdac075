// Limits: queues and groups as limits on how many tasks run, and the order in which ready tasks start.
//
// A ready task stands in its queue's lane: higher priority first, woken ones before new ones, then
// first come first served (by ticket). Of the tasks of one group in one queue only the best stands in
// the lane, and only while the group has room; the others stand aside, so that a full group never
// holds up others.
//
// Invariants: a queue or group never starts more than its limit; where a group has room, the best of
// its tasks of each queue stands in that queue's lane. The lanes are an index over the state: `next`
// rearranges them, but only enqueue, dequeue, acquire and release change what may run.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "table.h"

namespace holdfast {

inline constexpr std::uint32_t kMaxQueues = 1u << 16;

class Limits {
 public:
  struct Claim {
    std::uint32_t slot;
    std::uint32_t group;  // slot of the group, or kNone
    std::int32_t priority;
    std::uint16_t queue;
  };

  Limits() { set_concurrency(0, 0); }

  bool has_queue(std::uint32_t queue) const {
    return queue < queues_.size() && queues_[queue].known;
  }
  // Makes the queue known. 0: no limit.
  void set_concurrency(std::uint32_t queue, std::uint32_t limit);
  void set_paused(std::uint32_t queue, bool paused);
  void set_group_concurrency(std::uint32_t group, std::uint32_t limit);

  // `ahead`: before new ones of its priority. REQUIRES: not queued.
  void enqueue(const Claim& claim, bool ahead);
  // REQUIRES: queued(slot).
  void dequeue(std::uint32_t slot);
  bool queued(std::uint32_t slot) const { return slot < nodes_.size() && nodes_[slot].ticket != 0; }
  // Orders queued tasks of one queue and priority.
  std::uint64_t ticket(std::uint32_t slot) const { return nodes_[slot].ticket; }
  void acquire(std::uint32_t queue, std::uint32_t group);
  void release(std::uint32_t queue, std::uint32_t group);
  // The next task that may start, or kNone. The caller then dequeues it and acquires.
  std::uint32_t next();

  std::uint32_t running(std::uint32_t queue) const { return queues_[queue].running; }
  std::uint32_t ready(std::uint32_t queue) const { return queues_[queue].ready; }
  std::uint32_t concurrency(std::uint32_t queue) const { return queues_[queue].concurrency; }
  bool paused(std::uint32_t queue) const { return queues_[queue].paused; }
  std::uint32_t queue_end() const { return static_cast<std::uint32_t>(queues_.size()); }
  std::uint32_t group_concurrency(std::uint32_t group) const {
    return group < groups_.size() ? groups_[group].concurrency : 0;
  }
  std::uint32_t group_running(std::uint32_t group) const {
    return group < groups_.size() ? groups_[group].running : 0;
  }
  std::size_t bytes() const { return nodes_.bytes(); }

 private:
  struct Node {
    std::uint64_t ticket = 0;  // 0: not queued
    std::uint32_t next = kNone, previous = kNone;
    std::uint32_t group = kNone;
    std::int32_t priority = 0;
    std::uint16_t queue = 0;
    bool ahead = false;
    bool aside = false;  // with its group
  };
  struct List {
    std::uint32_t head = kNone, tail = kNone;
  };
  struct Lane {
    List ahead, usual;
  };
  // Higher priority first. The lane of a priority goes when it is empty, but the last one stays.
  struct Lanes {
    std::map<std::int32_t, Lane, std::greater<std::int32_t>> by_priority;
    Lane* recent = nullptr;  // the one looked for last: mostly it is the next one too
    std::int32_t recent_priority = 0;
    Lanes() = default;
    Lanes(Lanes&&) = default;  // and no copy: `recent` would point into the other
    Lanes& operator=(Lanes&&) = default;
    // Made here if need be.
    Lane& of(std::int32_t priority);
    // It is empty.
    void drop(std::int32_t priority);
  };

  struct Queue {
    Lanes lanes;
    std::uint32_t concurrency = 0, running = 0, ready = 0;
    bool known = false, paused = false, marked = false;
    bool open() const { return !paused && (concurrency == 0 || running < concurrency); }
  };
  // The tasks of one group in one queue.
  struct Share {
    std::uint16_t queue = 0;
    std::uint32_t front = kNone;  // the one in the lane
    Lanes aside;
  };
  struct Group {
    std::uint32_t concurrency = 0, running = 0;
    std::vector<Share> shares;
    bool open() const { return concurrency == 0 || running < concurrency; }
  };

  Queue& queue_at(std::uint32_t queue);
  Group& group_at(std::uint32_t group);
  Share& share_of(const Node& node);
  void mark(std::uint32_t queue);
  void set_aside(std::uint32_t slot);
  void refill(std::uint32_t group);
  void promote(const Group& group, Share& share);
  bool before(const Node& x, const Node& y) const;
  void stand_aside(Share& share, std::uint32_t slot);
  std::uint32_t first(const Lanes& lanes) const;
  void insert(Lanes& lanes, std::uint32_t slot);
  void append(List& list, std::uint32_t slot);
  void insert_by_ticket(List& list, std::uint32_t slot);
  void link_before(List& list, std::uint32_t slot, std::uint32_t successor);
  void remove(Lanes& lanes, std::uint32_t slot);

  std::vector<Queue> queues_;          // by number
  std::vector<Group> groups_;          // by the group's slot
  Blocks<Node> nodes_;                 // by the task's slot
  std::vector<std::uint32_t> marked_;  // queues in which something may start
  std::uint64_t tickets_ = 0;
};

}  // namespace holdfast
