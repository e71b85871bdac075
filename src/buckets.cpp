// The buckets of Limits: what tasks share, whether it is open, and which limits a task takes part in.
#include <algorithm>

#include "limits.h"
#include "order.h"

namespace holdfast {

std::uint32_t Limits::new_bucket(Scope scope, std::uint32_t limit, double key) {
  std::uint32_t index = static_cast<std::uint32_t>(buckets_.size());
  if (free_buckets_.empty()) {
    buckets_.emplace_back();
  } else {
    index = free_buckets_.back();
    free_buckets_.pop_back();
  }
  Bucket& bucket = buckets_[index];
  bucket = Bucket{};
  bucket.scope = scope;
  bucket.limit = limit;
  bucket.key = key;
  if (limit == kNone) return index;
  bucket.next = rules_[limit].buckets;
  if (bucket.next != kNone) buckets_[bucket.next].previous = index;
  rules_[limit].buckets = index;
  return index;
}

std::uint32_t Limits::group_bucket(std::uint32_t group) {
  if (group >= group_buckets_.size()) group_buckets_.resize(group + 1, kNone);
  if (group_buckets_[group] == kNone) {
    const std::uint32_t bucket = new_bucket(Scope::Group, kNone, 0);
    group_buckets_[group] = bucket;
  }
  return group_buckets_[group];
}

std::uint32_t Limits::group_concurrency(std::uint32_t group) const {
  return group < group_buckets_.size() && group_buckets_[group] != kNone ? buckets_[group_buckets_[group]].concurrency : 0;
}

std::uint32_t Limits::group_running(std::uint32_t group) const {
  if (group >= group_buckets_.size() || group_buckets_[group] == kNone) return 0;
  return static_cast<std::uint32_t>(buckets_[group_buckets_[group]].running);
}

// Limits

std::uint32_t Limits::find(std::uint32_t number) const {
  std::uint32_t found = kNone;
  by_number_.each(number, [&](std::uint32_t index) { found = index; });
  return found;
}

std::uint32_t Limits::know(std::uint32_t number) {
  const std::uint32_t known = find(number);
  if (known != kNone) return known;
  HOLDFAST_CHECK(rules_.size() < kMaxLimits);
  rules_.emplace_back();
  rules_.back().number = number;
  const auto index = static_cast<std::uint32_t>(rules_.size() - 1);
  by_number_.add(index, number);
  return index;
}

void Limits::set_limit(std::uint32_t number, LimitField field, double value, double event_time) {
  const std::uint32_t index = know(number);
  Rule& rule = rules_[index];
  const RateRule before = rule.rate;
  const bool keyed = rule.rate_keyed;
  switch (field) {
    case LimitField::Concurrency: rule.concurrency = static_cast<std::uint32_t>(value); break;
    case LimitField::KeyConcurrency: rule.key_concurrency = static_cast<std::uint32_t>(value); break;
    case LimitField::RateLimit: rule.rate.limit = value; break;
    case LimitField::RatePeriodMs: rule.rate.period_ms = value; break;
    case LimitField::RateKind: rule.rate.kind = static_cast<RateKind>(static_cast<std::uint32_t>(value)); break;
    case LimitField::RateBurst: rule.rate.burst = value; break;
    case LimitField::SpacingMs: rule.rate.spacing_ms = value; break;
    case LimitField::RateKeyed: rule.rate_keyed = value == 1; break;
    case LimitField::ClosedUntilMs: rule.closed_until = value; break;
    case LimitField::Drops: rule.drops = value == 1; break;
    case LimitField::Leave: rule.leave = static_cast<std::uint32_t>(value); break;
  }
  const bool same_rate = field == LimitField::Concurrency || field == LimitField::KeyConcurrency || field == LimitField::ClosedUntilMs || field == LimitField::Drops || field == LimitField::Leave;
  for (std::uint32_t i = rule.buckets; i != kNone && !same_rate; i = buckets_[i].next) {
    Bucket& bucket = buckets_[i];
    if (!bucket.rate) continue;
    if (rule.rate_keyed == keyed) bucket.rate->change(before, rule.rate, event_time);
    // Of whom a rate is: what others have used says nothing about it.
    else bucket.rate.reset();
  }
  refill_limit(index);
}

void Limits::refill_limit(std::uint32_t limit) {
  for (std::uint32_t bucket = rules_[limit].buckets; bucket != kNone; bucket = buckets_[bucket].next) refill(bucket);
}

// A bucket's own number among those of its key: 0 is that of all tasks of a limit.
std::uint32_t Limits::find_bucket(std::uint32_t limit, double key) const {
  std::uint32_t found = kNone;
  by_key_.each(key, [&](std::uint32_t bucket) {
    if (buckets_[bucket].limit == limit) found = bucket;
  });
  return found;
}

std::uint32_t Limits::bucket_of(std::uint32_t limit, double key) {
  const std::uint32_t known = find_bucket(limit, key);
  if (known != kNone) return known;
  const std::uint32_t bucket = new_bucket(key == 0 ? Scope::Limit : Scope::Key, limit, key);
  by_key_.add(bucket, key);
  unused_++;
  return bucket;
}

// A key that nobody uses and of which nothing is remembered is let go of, many at a time.
void Limits::sweep(double event_time) {
  for (std::uint32_t index = 0; index < buckets_.size(); index++) {
    Bucket& bucket = buckets_[index];
    if (bucket.scope != Scope::Key || bucket.members > 0) continue;
    if (remembered(bucket, event_time)) continue;
    by_key_.remove(index, bucket.key);
    openings_.set(index, index, kNever);
    (bucket.previous == kNone ? rules_[bucket.limit].buckets : buckets_[bucket.previous].next) = bucket.next;
    if (bucket.next != kNone) buckets_[bucket.next].previous = bucket.previous;
    bucket = Bucket{};
    free_buckets_.push_back(index);
    unused_--;
  }
  sweep_at_ = std::max(64u, unused_ * 2);
}

void Limits::join(std::uint32_t slot, std::uint32_t number, std::uint32_t weight, double key, bool runs, double event_time) {
  nodes_.reach(slot);
  if (unused_ >= sweep_at_) sweep(event_time);
  const std::uint32_t limit = know(number);
  // That of the key behind that of all: each_part reads them so.
  const std::uint32_t keyed = bucket_of(limit, key), all = bucket_of(limit, 0);
  link(slot, keyed, weight);
  link(slot, all, weight);
  if (!runs) return;
  for (const std::uint32_t bucket : {keyed, all}) buckets_[bucket].running += weight;
}

void Limits::link(std::uint32_t slot, std::uint32_t bucket, std::uint32_t weight) {
  std::uint32_t index = free_link_;
  if (index == kNone) {
    index = static_cast<std::uint32_t>(links_.size());
    links_.emplace_back();
  } else {
    free_link_ = links_[index].next;
  }
  links_[index] = {bucket, weight, nodes_[slot].parts};
  nodes_[slot].parts = index;
  if (buckets_[bucket].members++ == 0) unused_--;
}

void Limits::leave(std::uint32_t slot) {
  if (slot >= nodes_.size()) return;
  for (std::uint32_t i = nodes_[slot].parts; i != kNone;) {
    const std::uint32_t next = links_[i].next;
    if (--buckets_[links_[i].bucket].members == 0) unused_++;
    links_[i].next = free_link_;
    free_link_ = i;
    i = next;
  }
  nodes_[slot].parts = kNone;
}

void Limits::restore_use(std::uint32_t number, double key, LimitUse use, std::uint32_t weight, double at) {
  const std::uint32_t limit = know(number);
  Rate& rate = rate_of(buckets_[bucket_of(limit, key)]);
  switch (use) {
    case LimitUse::Taken: return rate.take(rules_[limit].rate, at, weight);
    case LimitUse::FullAt: return rate.set_full_at(at);
    case LimitUse::LastAt: return rate.set_last_at(at);
  }
}

std::vector<Record> Limits::uses(std::uint32_t limit, double now) const {
  std::vector<Record> list;
  std::vector<Keyed> order;
  for (std::uint32_t i = rules_[limit].buckets; i != kNone; i = buckets_[i].next) {
    if (remembered(buckets_[i], now)) order.push_back({static_cast<std::uint64_t>(buckets_[i].key), i});
  }
  sort_by_key(order);
  const RateRule& rule = rules_[limit].rate;
  for (const auto& [key, bucket] : order) {
    const auto tell = [&](LimitUse use, double weight, double at) {
      do {
        const auto part = static_cast<std::uint32_t>(std::min(weight, 16383.0));
        const Record used{static_cast<std::uint32_t>(Event::LimitUsed), rules_[limit].number, static_cast<std::uint32_t>(key),
                          static_cast<std::uint32_t>(key >> 32) | (static_cast<std::uint32_t>(use) << 16) | (part << 18), at};
        list.push_back(used);
        weight -= part;
      } while (weight > 0);
    };
    const Rate& rate = *buckets_[bucket].rate;
    rate.each_taken(rule, now, [&](const Rate::Taken& taken) { tell(LimitUse::Taken, taken.weight, taken.at); });
    if (!rule.windowed() && rule.limit > 0) tell(LimitUse::FullAt, 0, rate.full_at());
    // That of a window is its last start.
    if ((rule.spacing_ms > 0 || !rule.windowed()) && rate.last_at() >= 0) tell(LimitUse::LastAt, 0, rate.last_at());
  }
  return list;
}

// Open, or closed

const RateRule* Limits::rate_rule(const Bucket& bucket) const {
  if (bucket.limit == kNone) return nullptr;
  const Rule& rule = rules_[bucket.limit];
  return rule.rate.any() && rule.rate_keyed == (bucket.scope == Scope::Key) ? &rule.rate : nullptr;
}

bool Limits::remembered(const Bucket& bucket, double now) const {
  const RateRule* rule = bucket.rate ? rate_rule(bucket) : nullptr;
  return rule != nullptr && !bucket.rate->idle(*rule, now);
}

Rate& Limits::rate_of(Bucket& bucket) {
  if (!bucket.rate) bucket.rate = std::make_unique<Rate>();
  return *bucket.rate;
}

std::uint32_t Limits::concurrency_of(const Bucket& bucket) const {
  if (bucket.limit == kNone) return bucket.concurrency;
  const Rule& rule = rules_[bucket.limit];
  return bucket.scope == Scope::Key ? rule.key_concurrency : rule.concurrency;
}

double Limits::opens_at(const Bucket& bucket, std::uint32_t weight) const {
  const RateRule* rule = rate_rule(bucket);
  double at = rule == nullptr || !bucket.rate || rules_[bucket.limit].drops ? now_ : bucket.rate->opens_at(*rule, now_, weight);
  if (bucket.scope == Scope::Limit) at = std::max(at, rules_[bucket.limit].closed_until);
  return at;
}

// Who is heavier than the limit begins alone.
bool Limits::has_room(const Bucket& bucket, std::uint32_t weight) const {
  const std::uint32_t leave = bucket.limit == kNone ? 0 : rules_[bucket.limit].leave;
  if (leave != 0 && weight >= leave && rate_rule(bucket) != nullptr) return false;
  const std::uint32_t concurrency = concurrency_of(bucket);
  return concurrency == 0 || bucket.running == 0 || bucket.running + weight <= concurrency;
}

std::uint32_t Limits::weight_in(const Node& node, std::uint32_t bucket) const {
  for (std::uint32_t i = node.parts; i != kNone; i = links_[i].next) {
    if (links_[i].bucket == bucket) return links_[i].weight;
  }
  return 1;
}

bool Limits::bounded(const Bucket& bucket) const {
  return concurrency_of(bucket) != 0 || (rate_rule(bucket) != nullptr && !rules_[bucket.limit].drops) || (bucket.scope == Scope::Limit && rules_[bucket.limit].closed_until > now_);
}

// The first that may keep it back; those that allow anything keep no line.
std::uint32_t Limits::first_bucket(const Node& node) const {
  if (node.group != kNone) return node.group;
  std::uint32_t i = node.parts;
  while (i != kNone && !bounded(buckets_[links_[i].bucket])) i = links_[i].next;
  return i == kNone ? kNone : links_[i].bucket;
}

void Limits::arm(std::uint32_t bucket, double at) {
  if (at >= buckets_[bucket].armed_at) return;
  buckets_[bucket].armed_at = at;
  openings_.set(bucket, bucket, at);
}

std::uint32_t Limits::closed_bucket(const Node& node) const {
  if (node.group != kNone && !has_room(buckets_[node.group], 1)) return node.group;
  for (std::uint32_t i = node.parts; i != kNone; i = links_[i].next) {
    const Bucket& bucket = buckets_[links_[i].bucket];
    if (!has_room(bucket, links_[i].weight) || opens_at(bucket, links_[i].weight) > now_) return links_[i].bucket;
  }
  return kNone;
}

Limits::Share& Limits::share_of(std::uint32_t bucket, std::uint32_t queue) {
  std::vector<Share>& shares = buckets_[bucket].shares;
  for (Share& share : shares) {
    if (share.queue == queue) return share;
  }
  shares.emplace_back();
  shares.back().queue = static_cast<std::uint16_t>(queue);
  return shares.back();
}

void Limits::take(std::uint32_t slot, double at, bool submits) {
  if (slot >= nodes_.size()) return;
  for (std::uint32_t i = nodes_[slot].parts; i != kNone; i = links_[i].next) {
    Bucket& bucket = buckets_[links_[i].bucket];
    const RateRule* rule = rate_rule(bucket);
    if (rule == nullptr || rules_[bucket.limit].drops != submits) continue;
    rate_of(bucket).take(*rule, at, links_[i].weight);
    std::uint32_t& leave = rules_[bucket.limit].leave;
    if (leave != 0) leave -= std::min(links_[i].weight, leave - 1);
  }
}

double Limits::dropped_until(std::uint32_t slot, double now) {
  double until = 0;
  for (std::uint32_t i = slot < nodes_.size() ? nodes_[slot].parts : kNone; i != kNone; i = links_[i].next) {
    const Bucket& bucket = buckets_[links_[i].bucket];
    const RateRule* rule = rate_rule(bucket);
    if (rule == nullptr || !bucket.rate || !rules_[bucket.limit].drops) continue;
    const double opens = bucket.rate->opens_at(*rule, now, links_[i].weight);
    if (opens > now) until = std::max(until, opens);
  }
  return until;
}

void Limits::reach(double now) {
  now_ = now;
  while (openings_.next() <= now_) {
    const std::uint32_t bucket = openings_.first();
    openings_.set(bucket, bucket, kNever);
    buckets_[bucket].armed_at = kNever;
    refill(bucket);
  }
}

// Asked about

double Limits::limit_running(std::uint32_t number, double key) const {
  const std::uint32_t limit = find(number);
  const std::uint32_t bucket = limit == kNone ? kNone : find_bucket(limit, key);
  return bucket == kNone ? 0 : buckets_[bucket].running;
}

double Limits::limit_opens_at(std::uint32_t limit) const {
  double at = kNever;
  for (std::uint32_t i = rules_[limit].buckets; i != kNone; i = buckets_[i].next) {
    if (rate_rule(buckets_[i]) == nullptr) continue;
    for (const Share& share : buckets_[i].shares) {
      const std::uint32_t best = first(share.aside);
      if (best == kNone || share.front != kNone || !queues_[share.queue].open()) continue;
      at = std::min(at, opens_at(buckets_[i], weight_in(nodes_[best], i)));
    }
  }
  return at;
}

std::uint32_t Limits::limited_by(std::uint32_t slot) const {
  if (!queued(slot) || !nodes_[slot].aside) return 0;
  const std::uint32_t limit = buckets_[nodes_[slot].with].limit;
  return limit == kNone ? 0 : rules_[limit].number;
}

double Limits::limited_key(std::uint32_t slot) const {
  return limited_by(slot) == 0 ? 0 : buckets_[nodes_[slot].with].key;
}

double Limits::limited_until(std::uint32_t slot) const {
  if (limited_by(slot) == 0) return 0;
  const Node& node = nodes_[slot];
  const Bucket& bucket = buckets_[node.with];
  const double at = opens_at(bucket, weight_in(node, node.with));
  return at > now_ ? at : 0;
}

std::size_t Limits::bytes() const {
  return nodes_.bytes() + buckets_.capacity() * sizeof(Bucket) + links_.capacity() * sizeof(Link) + by_key_.bytes() + turn_places_.bytes();
}

}  // namespace holdfast
