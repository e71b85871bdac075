#include "limits.h"

#include <algorithm>
#include <cmath>


namespace holdfast {

bool limit_value_valid(LimitField field, double value) {
  const bool whole = value == std::floor(value);
  switch (field) {
    case LimitField::Concurrency:
    case LimitField::Leave:
    case LimitField::KeyConcurrency: return whole && value >= 0 && value <= 0xfffffffe;
    case LimitField::RateLimit: return whole && value >= 0 && value <= 1e9;
    case LimitField::RatePeriodMs: return value >= 1 && value <= kMaxTimeMs;
    case LimitField::RateKind: return whole && value >= 0 && value <= static_cast<double>(RateKind::TokenBucket);
    case LimitField::RateBurst: return whole && value >= 1 && value <= 1e9;
    case LimitField::SpacingMs:
    case LimitField::ClosedUntilMs: return value >= 0 && value <= kMaxTimeMs;
    case LimitField::RateKeyed:
    case LimitField::Drops: return value == 0 || value == 1;
  }
  return false;
}

Limits::Queue& Limits::queue_at(std::uint32_t queue) {
  HOLDFAST_CHECK(queue < kMaxQueues);
  if (queue >= queues_.size()) queues_.resize(queue + 1);
  return queues_[queue];
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

void Limits::set_still(std::uint32_t queue, bool still) {
  Queue& q = queue_at(queue);
  q.known = true;
  q.still = still;
  mark(queue);
}

void Limits::set_granted(std::uint32_t queue, std::uint32_t granted) {
  Queue& q = queue_at(queue);
  q.known = true;
  q.granted = granted;
  mark(queue);
}

void Limits::set_order(std::uint32_t queue, QueueOrder order) {
  Queue& q = queue_at(queue);
  q.known = true;
  HOLDFAST_CHECK(q.ready == 0);
  q.order = order;
  if (order == QueueOrder::Fair && !q.turns) q.turns = std::make_unique<Turns>();
}

void Limits::set_group_concurrency(std::uint32_t group, std::uint32_t limit) {
  const std::uint32_t bucket = group_bucket(group);
  buckets_[bucket].concurrency = limit;
  refill(bucket);
}

// No other rank is so low: the least is that of an age, and a ticket is a whole number.
double Limits::rank_of(const Claim& claim, QueueOrder order, std::uint64_t ticket) const {
  constexpr double kFirst = -1e15;
  if (claim.promoted) return kFirst - static_cast<double>(ticket);
  switch (order) {
    case QueueOrder::Fifo: return 0;
    case QueueOrder::Lifo: return -static_cast<double>(ticket);
    case QueueOrder::Offset: return claim.since - claim.priority * 1000.0;
    default: return -static_cast<double>(claim.priority);
  }
}

void Limits::enqueue(const Claim& claim, bool ahead) {
  nodes_.reach(claim.slot);
  Node& node = nodes_[claim.slot];
  HOLDFAST_CHECK(node.ticket == 0);
  Queue& queue = queues_[claim.queue];
  const std::uint64_t ticket = ++tickets_;
  node = Node{.ticket = ticket,
              .group = claim.group == kNone ? kNone : group_bucket(claim.group),
              .parts = node.parts,
              .rank = queue.order == QueueOrder::Priority && !claim.promoted ? -static_cast<double>(claim.priority) : rank_of(claim, queue.order, ticket),
              .queue = claim.queue,
              .ahead = ahead,
              .aside = false};
  queue.ready++;
  if (queue.order == QueueOrder::Fair) return line_up(claim);
  const bool lines = queue.order == QueueOrder::Priority || queue.order == QueueOrder::Fifo;
  if (claim.order != 0 && lines && !ahead && !claim.promoted && node.parts == kNone && claim.group != kNone) return join_line(claim.slot, claim.order);
  if (first_bucket(node) != kNone) return stand(claim.slot);
  Lane& lane = queue.lanes.of(node.rank);
  append(ahead ? lane.ahead : lane.usual, claim.slot);
  mark(claim.queue);
}

void Limits::stand(std::uint32_t slot) {
  const Node& node = nodes_[slot];
  const std::uint32_t bucket = first_bucket(node);
  if (bucket != kNone) {
    Share& share = share_of(bucket, node.queue);
    stand_aside(bucket, share, slot);
    return promote(bucket, share);
  }
  Lane& lane = queues_[node.queue].lanes.of(node.rank);
  insert_by_ticket(node.ahead ? lane.ahead : lane.usual, slot);
  mark(node.queue);
}

void Limits::dequeue(std::uint32_t slot) {
  Node& node = nodes_[slot];
  HOLDFAST_CHECK(node.ticket != 0);
  Queue& queue = queues_[node.queue];
  queue.ready--;
  if (queue.order == QueueOrder::Fair) step_out(slot);
  else if (node.lined) leave_line(slot);
  else withdraw(slot);
  node.ticket = 0;
}

void Limits::withdraw(std::uint32_t slot) {
  Node& node = nodes_[slot];
  Lanes& lanes = queues_[node.queue].lanes;
  const std::uint32_t with = node.with;
  node.with = kNone;
  if (with == kNone) return remove(lanes, slot);
  Share& share = share_of(with, node.queue);
  remove(node.aside ? share.aside : lanes, slot);
  if (!node.aside) share.front = kNone;
  node.aside = false;
  promote(with, share);
}

void Limits::acquire(std::uint32_t slot, std::uint32_t queue, std::uint32_t group) {
  Queue& q = queues_[queue];
  q.running++;
  if (q.order == QueueOrder::Fair) count_turn(*q.turns, slot);
  if (group != kNone) buckets_[group_bucket(group)].running++;
  if (slot >= nodes_.size()) return;
  if (nodes_[slot].lined) lines_[turn_places_[slot].turn].begins = true;
  for (std::uint32_t i = nodes_[slot].parts; i != kNone; i = links_[i].next) {
    Bucket& bucket = buckets_[links_[i].bucket];
    bucket.running += links_[i].weight;
    if (bucket.shares.size() > 1) share_of(links_[i].bucket, queue).served = ++served_;
  }
}

void Limits::release(std::uint32_t slot, std::uint32_t queue, std::uint32_t group) {
  HOLDFAST_CHECK(queues_[queue].running > 0);
  queues_[queue].running--;
  // What is granted is one turn: whoever has had it asks anew.
  if (queues_[queue].granted > 1) queues_[queue].granted--;
  mark(queue);
  if (group != kNone) {
    const std::uint32_t bucket = group_bucket(group);
    HOLDFAST_CHECK(buckets_[bucket].running > 0);
    buckets_[bucket].running--;
    refill(bucket);
  }
  if (slot >= nodes_.size()) return;
  for (std::uint32_t i = nodes_[slot].parts; i != kNone; i = links_[i].next) {
    HOLDFAST_CHECK(buckets_[links_[i].bucket].running >= links_[i].weight);
    buckets_[links_[i].bucket].running -= links_[i].weight;
    refill(links_[i].bucket);
  }
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
    const std::uint32_t closed = closed_bucket(nodes_[slot]);
    if (closed == kNone) return best_beside(slot);
    set_aside(slot, closed);
  }
  return kNone;
}

// Of several queues that share a bucket it is the turn of the best, or one of them would starve.
std::uint32_t Limits::best_beside(std::uint32_t slot) {
  std::uint32_t best = slot;
  const auto look = [&](std::uint32_t bucket) {
    if (buckets_[bucket].shares.size() < 2) return;
    for (const Share& share : buckets_[bucket].shares) {
      const std::uint32_t front = share.front;
      if (front == kNone || !is_turn_of(share, front, best)) continue;
      const Queue& queue = queues_[share.queue];
      if (queue.open() && first(queue.lanes) == front && closed_bucket(nodes_[front]) == kNone) best = front;
    }
  };
  const Node& node = nodes_[slot];
  if (node.group != kNone) look(node.group);
  for (std::uint32_t i = node.parts; i != kNone; i = links_[i].next) look(links_[i].bucket);
  return best;
}

// What ranks say in queues of different orders can't be compared: of those it is the turn of who waited longest for one.
bool Limits::is_turn_of(const Share& share, std::uint32_t slot, std::uint32_t best) const {
  const Node &node = nodes_[slot], &other = nodes_[best];
  if (node.queue == other.queue) return false;
  const auto by_priority = [&](std::uint16_t queue) { return queues_[queue].order == QueueOrder::Priority; };
  if (by_priority(node.queue) && by_priority(other.queue)) return before(node, other);
  const std::uint32_t bucket = node.with;
  for (const Share& theirs : buckets_[bucket].shares) {
    if (theirs.queue == other.queue) return share.served < theirs.served;
  }
  return false;
}

// Out of the lane, and aside with a bucket that is closed. Whoever it came from sends the next one.
void Limits::set_aside(std::uint32_t slot, std::uint32_t bucket) {
  Node& node = nodes_[slot];
  remove(queues_[node.queue].lanes, slot);
  const std::uint32_t from = node.with;
  if (from != kNone) share_of(from, node.queue).front = kNone;
  stand_aside(bucket, share_of(bucket, node.queue), slot);
  if (from != kNone && from != bucket) promote(from, share_of(from, node.queue));
  promote(bucket, share_of(bucket, node.queue));
}

void Limits::stand_aside(std::uint32_t bucket, Share& share, std::uint32_t slot) {
  nodes_[slot].aside = true;
  nodes_[slot].with = bucket;
  insert(share.aside, slot);
}

void Limits::refill(std::uint32_t bucket) {
  for (Share& share : buckets_[bucket].shares) promote(bucket, share);
}

// Where the bucket is open, the best of those aside comes into the lane, unless a better one is there.
void Limits::promote(std::uint32_t bucket, Share& share) {
  const std::uint32_t best = first(share.aside);
  if (best == kNone) return;
  Bucket& from = buckets_[bucket];
  const std::uint32_t weight = weight_in(nodes_[best], bucket);
  if (!has_room(from, weight)) return;
  const double at = opens_at(from, weight);
  if (at > now_) return arm(bucket, at);
  Lanes& lanes = queues_[share.queue].lanes;
  if (share.front != kNone) {
    const std::uint32_t front = share.front;
    if (before(nodes_[front], nodes_[best])) return;
    remove(lanes, front);
    stand_aside(bucket, share, front);
  }
  remove(share.aside, best);
  nodes_[best].aside = false;
  share.front = best;
  insert(lanes, best);
  mark(share.queue);
}

bool Limits::before(const Node& x, const Node& y) const {
  if (x.rank != y.rank) return x.rank < y.rank;
  return x.ahead != y.ahead ? x.ahead : x.ticket < y.ticket;
}

std::uint32_t Limits::position(std::uint32_t slot) const {
  if (!queued(slot)) return 0;
  const Node& node = nodes_[slot];
  const bool fair = queues_[node.queue].order == QueueOrder::Fair;
  // Who is behind another of the same key begins after it.
  const auto place = [&](std::uint32_t of) {
    Node seen = nodes_[of];
    if (seen.lined) seen.rank = lines_[turn_places_[of].turn].rank;
    if (!fair || turn_places_[of].turn == kNone) return seen;
    const Turn& turn = queues_[seen.queue].turns->list[turn_places_[of].turn];
    if (turn.first != of) seen.rank = nodes_[turn.first].rank + (1.0 + static_cast<double>(seen.ticket) / 1e9) / turn.weight;
    return seen;
  };
  const Node own = place(slot);
  std::uint32_t position = 1;
  for (std::uint32_t other = 0; other < nodes_.size(); other++) {
    if (queued(other) && nodes_[other].queue == node.queue && before(place(other), own)) position++;
  }
  return position;
}

Limits::Lane& Limits::Lanes::of(double rank) {
  if (rank == first_rank) return first;
  if (first.empty()) {
    first_rank = rank;
    return first;
  }
  if (rank < first_rank) {
    others.emplace_hint(others.begin(), first_rank, first);
    first = Lane{};
    first_rank = rank;
    return first;
  }
  if (recent != nullptr && recent_rank == rank) return *recent;
  recent = &others[rank];
  recent_rank = rank;
  return *recent;
}

void Limits::Lanes::drop(double rank) {
  if (others.empty()) return;
  if (rank != first_rank) {
    others.erase(rank);
    recent = nullptr;
    return;
  }
  const auto next = others.begin();
  first_rank = next->first;
  first = next->second;
  if (recent == &next->second) recent = nullptr;
  others.erase(next);
}

std::uint32_t Limits::first(const Lanes& lanes) const {
  return lanes.first.ahead.head != kNone ? lanes.first.ahead.head : lanes.first.usual.head;
}

void Limits::insert(Lanes& lanes, std::uint32_t slot) {
  const Node& node = nodes_[slot];
  Lane& lane = lanes.of(node.rank);
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
  Lane& lane = lanes.of(node.rank);
  List& list = node.ahead ? lane.ahead : lane.usual;
  HOLDFAST_CHECK(list.head != kNone);
  (node.previous == kNone ? list.head : nodes_[node.previous].next) = node.next;
  (node.next == kNone ? list.tail : nodes_[node.next].previous) = node.previous;
  if (lane.empty()) lanes.drop(node.rank);
}

}  // namespace holdfast
