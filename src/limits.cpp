#include "limits.h"

namespace holdfast {

Limits::Queue& Limits::queue_at(std::uint32_t queue) {
  HOLDFAST_CHECK(queue < kMaxQueues);
  if (queue >= queues_.size()) queues_.resize(queue + 1);
  return queues_[queue];
}

Limits::Group& Limits::group_at(std::uint32_t group) {
  if (group >= groups_.size()) groups_.resize(group + 1);
  return groups_[group];
}

Limits::Share& Limits::share_of(const Node& node) {
  Group& group = group_at(node.group);
  for (Share& share : group.shares) {
    if (share.queue == node.queue) return share;
  }
  group.shares.emplace_back();
  group.shares.back().queue = node.queue;
  return group.shares.back();
}

void Limits::mark(std::uint32_t queue) {
  Queue& q = queues_[queue];
  if (q.marked || q.ready == 0) return;
  q.marked = true;
  marked_.push_back(queue);
}

void Limits::set_concurrency(std::uint32_t queue, std::uint32_t limit) {
  Queue& q = queue_at(queue);
  q.known = true;
  q.concurrency = limit;
  mark(queue);
}

void Limits::set_paused(std::uint32_t queue, bool paused) {
  Queue& q = queue_at(queue);
  q.known = true;
  q.paused = paused;
  mark(queue);
}

void Limits::set_group_concurrency(std::uint32_t group, std::uint32_t limit) {
  group_at(group).concurrency = limit;
  refill(group);
}

void Limits::enqueue(const Claim& claim, bool ahead) {
  nodes_.reach(claim.slot);
  Node& node = nodes_[claim.slot];
  HOLDFAST_CHECK(node.ticket == 0);
  node = Node{.ticket = ++tickets_,
              .group = claim.group,
              .priority = claim.priority,
              .queue = claim.queue,
              .ahead = ahead,
              .aside = false};
  Queue& queue = queues_[claim.queue];
  queue.ready++;
  if (claim.group != kNone) {
    Share& share = share_of(node);
    stand_aside(share, claim.slot);
    return promote(group_at(claim.group), share);
  }
  Lane& lane = queue.lanes.of(claim.priority);
  append(ahead ? lane.ahead : lane.usual, claim.slot);
  mark(claim.queue);
}

void Limits::dequeue(std::uint32_t slot) {
  Node& node = nodes_[slot];
  HOLDFAST_CHECK(node.ticket != 0);
  Queue& queue = queues_[node.queue];
  queue.ready--;
  if (node.group == kNone) {
    remove(queue.lanes, slot);
  } else {
    Share& share = share_of(node);
    remove(node.aside ? share.aside : queue.lanes, slot);
    if (!node.aside) share.front = kNone;
    promote(group_at(node.group), share);
  }
  node.ticket = 0;
}

void Limits::acquire(std::uint32_t queue, std::uint32_t group) {
  queues_[queue].running++;
  if (group != kNone) group_at(group).running++;
}

void Limits::release(std::uint32_t queue, std::uint32_t group) {
  HOLDFAST_CHECK(queues_[queue].running > 0);
  queues_[queue].running--;
  mark(queue);
  if (group == kNone) return;
  HOLDFAST_CHECK(group_at(group).running > 0);
  group_at(group).running--;
  refill(group);
}

std::uint32_t Limits::next() {
  while (!marked_.empty()) {
    Queue& queue = queues_[marked_.back()];
    const std::uint32_t slot = queue.open() ? first(queue.lanes) : kNone;
    if (slot == kNone) {
      queue.marked = false;
      marked_.pop_back();
      continue;
    }
    const std::uint32_t group = nodes_[slot].group;
    if (group == kNone || group_at(group).open()) return slot;
    set_aside(slot);
  }
  return kNone;
}

void Limits::set_aside(std::uint32_t slot) {
  Share& share = share_of(nodes_[slot]);
  remove(queues_[share.queue].lanes, slot);
  share.front = kNone;
  stand_aside(share, slot);
}

void Limits::stand_aside(Share& share, std::uint32_t slot) {
  nodes_[slot].aside = true;
  insert(share.aside, slot);
}

void Limits::refill(std::uint32_t group) {
  Group& g = group_at(group);
  for (Share& share : g.shares) promote(g, share);
}

// Where the group has room, the best of those aside comes into the lane, unless a better one is there.
void Limits::promote(const Group& group, Share& share) {
  const std::uint32_t best = group.open() ? first(share.aside) : kNone;
  if (best == kNone) return;
  Lanes& lanes = queues_[share.queue].lanes;
  if (share.front != kNone) {
    const std::uint32_t front = share.front;
    if (before(nodes_[front], nodes_[best])) return;
    remove(lanes, front);
    stand_aside(share, front);
  }
  remove(share.aside, best);
  nodes_[best].aside = false;
  share.front = best;
  insert(lanes, best);
  mark(share.queue);
}

bool Limits::before(const Node& x, const Node& y) const {
  if (x.priority != y.priority) return x.priority > y.priority;
  return x.ahead != y.ahead ? x.ahead : x.ticket < y.ticket;
}

Limits::Lane& Limits::Lanes::of(std::int32_t priority) {
  if (recent != nullptr && recent_priority == priority) return *recent;
  recent = &by_priority[priority];
  recent_priority = priority;
  return *recent;
}

void Limits::Lanes::drop(std::int32_t priority) {
  if (by_priority.size() == 1) return;
  by_priority.erase(priority);
  recent = nullptr;
}

std::uint32_t Limits::first(const Lanes& lanes) const {
  for (const auto& [priority, lane] : lanes.by_priority) {
    if (lane.ahead.head != kNone) return lane.ahead.head;
    if (lane.usual.head != kNone) return lane.usual.head;
  }
  return kNone;
}

void Limits::insert(Lanes& lanes, std::uint32_t slot) {
  const Node& node = nodes_[slot];
  Lane& lane = lanes.of(node.priority);
  insert_by_ticket(node.ahead ? lane.ahead : lane.usual, slot);
}

void Limits::append(List& list, std::uint32_t slot) { link_before(list, slot, kNone); }

// From both ends in turn: what comes back belongs near the front, what is set aside near the end.
void Limits::insert_by_ticket(List& list, std::uint32_t slot) {
  const std::uint64_t ticket = nodes_[slot].ticket;
  std::uint32_t front = list.head, back = list.tail;
  while (front != kNone) {
    if (nodes_[front].ticket > ticket) return link_before(list, slot, front);
    if (nodes_[back].ticket < ticket) return link_before(list, slot, nodes_[back].next);
    front = nodes_[front].next;
    back = nodes_[back].previous;
  }
  append(list, slot);
}

void Limits::link_before(List& list, std::uint32_t slot, std::uint32_t successor) {
  const std::uint32_t predecessor = successor == kNone ? list.tail : nodes_[successor].previous;
  nodes_[slot].next = successor;
  nodes_[slot].previous = predecessor;
  (predecessor == kNone ? list.head : nodes_[predecessor].next) = slot;
  (successor == kNone ? list.tail : nodes_[successor].previous) = slot;
}

void Limits::remove(Lanes& lanes, std::uint32_t slot) {
  const Node& node = nodes_[slot];
  Lane& lane = lanes.of(node.priority);
  List& list = node.ahead ? lane.ahead : lane.usual;
  HOLDFAST_CHECK(list.head != kNone);
  (node.previous == kNone ? list.head : nodes_[node.previous].next) = node.next;
  (node.next == kNone ? list.tail : nodes_[node.next].previous) = node.previous;
  if (lane.ahead.head == kNone && lane.usual.head == kNone) lanes.drop(node.priority);
}

}  // namespace holdfast
