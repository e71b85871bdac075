// Limits: on how many tasks run and how fast they begin, and the order in which ready tasks start.
//
// A ready task stands in its queue's lane, by its rank there: what that is, the order of the queue says (priority, first come,
// last come, age less priority, or turns of keys). Of one rank woken ones stand before new ones, then it goes by tickets.
// In a queue of fair order (turns.cpp) one of each key is in line, and the others of the key wait behind it.
// Beside its queue's own concurrency it may be bound by buckets:
// that of its group, and two of each named limit it takes part in (all of the limit's tasks together,
// and those of one key). A bucket has a concurrency and a rate. Whoever meets a closed bucket stands
// aside with it; of those aside in one queue only the best stands in the lane, and only while the
// bucket is open, so that a closed bucket never holds up others.
//
// Invariants: a queue, group or limit never starts more than it allows; what one start takes of all its
// buckets it takes at once, or nothing; where a bucket is open, the best of those aside with it in each
// queue stands in that queue's lane. The lanes are an index over the state: `next` rearranges them, but only
// enqueue, dequeue, acquire, take and release change what may run.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <vector>

#include "keys.h"
#include "rates.h"
#include "record.h"
#include "table.h"
#include "timers.h"

namespace holdfast {

inline constexpr std::uint32_t kMaxQueues = 1u << 16;
inline constexpr std::uint32_t kMaxLimits = 1u << 14;
inline constexpr double kMaxLimitKey = 281474976710655.0;  // 2^48 - 1
inline constexpr std::uint32_t kMaxWeight = 0xffff;

bool limit_value_valid(LimitField field, double value);

class Limits {
 public:
  struct Claim {
    std::uint32_t slot;
    std::uint32_t group;  // slot of the group, or kNone
    std::int32_t priority;
    std::uint16_t queue;
    bool promoted = false;
    double since = 0;  // its age counts from then
    double turn = 1;   // its key
    double order = 0;  // in the line of its group; 0: it stands alone
  };
  // What all tasks of a limit share, and what each of its keys allows.
  struct Rule {
    std::uint32_t number = 0;
    std::uint32_t concurrency = 0, key_concurrency = 0;  // 0: no limit
    RateRule rate;
    bool rate_keyed = false;
    bool drops = false;
    std::uint32_t leave = 0;  // one more than may begin; 0: it was not asked
    double closed_until = 0;
    std::uint32_t buckets = kNone;  // the first of them
  };
  // A limit that a task takes part in.
  struct Part {
    std::uint32_t limit;  // index
    std::uint32_t weight;
    double key;
  };

  Limits() { set_concurrency(0, 0); }

  bool has_queue(std::uint32_t queue) const {
    return queue < queues_.size() && queues_[queue].known;
  }
  void know_queue(std::uint32_t queue) { queue_at(queue).known = true; }
  // Each of these makes the queue known. 0: no limit.
  void set_concurrency(std::uint32_t queue, std::uint32_t limit);
  void set_paused(std::uint32_t queue, bool paused);
  void set_still(std::uint32_t queue, bool still);
  void set_granted(std::uint32_t queue, std::uint32_t granted);
  // REQUIRES: nobody stands in the queue.
  void set_order(std::uint32_t queue, QueueOrder order);
  void set_turn_weight(std::uint32_t queue, double key, std::uint32_t weight);
  void set_group_concurrency(std::uint32_t group, std::uint32_t limit);

  // Named limits, by a number of the host's that is the same everywhere.
  bool may_know(std::uint32_t number) const { return rules_.size() < kMaxLimits || find(number) != kNone; }
  std::uint32_t find(std::uint32_t number) const;
  // REQUIRES: limit_value_valid, may_know(number).
  void set_limit(std::uint32_t number, LimitField field, double value, double event_time);
  std::uint32_t limit_end() const { return static_cast<std::uint32_t>(rules_.size()); }
  const Rule& rule(std::uint32_t index) const { return rules_[index]; }
  // A task takes part in a limit until `leave`. REQUIRES: not queued, may_know(number).
  void join(std::uint32_t slot, std::uint32_t number, std::uint32_t weight, double key, bool runs, double event_time);
  void leave(std::uint32_t slot);
  template <class Visit>
  void each_part(std::uint32_t slot, Visit&& visit) const {
    if (slot >= nodes_.size()) return;
    for (std::uint32_t i = nodes_[slot].parts; i != kNone; i = links_[i].next) {
      // Two buckets of one limit lie one after the other: that of all, that of the key.
      const Link& all = links_[i];
      i = all.next;
      const Bucket& keyed = buckets_[links_[i].bucket];
      visit(Part{keyed.limit, all.weight, keyed.key});
    }
  }
  // What of a limit's rate is remembered, as LimitUsed, by key: each start that still counts, when a bucket of tokens is full
  // again, the last start.
  [[gnu::noinline]] std::vector<Record> uses(std::uint32_t limit, double now) const;
  // REQUIRES: may_know(number).
  void restore_use(std::uint32_t number, double key, LimitUse use, std::uint32_t weight, double at);

  // `ahead`: before new ones of its priority. REQUIRES: not queued.
  void enqueue(const Claim& claim, bool ahead);
  // REQUIRES: queued(slot).
  void dequeue(std::uint32_t slot);
  bool queued(std::uint32_t slot) const { return slot < nodes_.size() && nodes_[slot].ticket != 0; }
  // By slot: orders queued tasks of one queue and priority.
  std::vector<std::uint64_t> tickets() const;
  void acquire(std::uint32_t slot, std::uint32_t queue, std::uint32_t group);
  void release(std::uint32_t slot, std::uint32_t queue, std::uint32_t group);
  // A new attempt begins, or with `submits` a task is submitted: what rates count.
  void take(std::uint32_t slot, double at, bool submits);
  // Until when one of the limits that drop lets nothing more of its kind in; 0: they all do.
  double dropped_until(std::uint32_t slot, double now);
  // Time has come so far; whatever opened by it is open.
  void reach(double now);
  // When the first bucket opens for whoever stands aside with it.
  double opens_next() const { return openings_.next(); }
  // The next task that may start, or kNone. The caller then dequeues it, acquires, and takes.
  std::uint32_t next();

  std::uint32_t running(std::uint32_t queue) const { return queues_[queue].running; }
  std::uint32_t ready(std::uint32_t queue) const { return queues_[queue].ready; }
  std::uint32_t concurrency(std::uint32_t queue) const { return queues_[queue].concurrency; }
  bool paused(std::uint32_t queue) const { return queues_[queue].paused; }
  bool still(std::uint32_t queue) const { return queues_[queue].still; }
  std::uint32_t granted(std::uint32_t queue) const { return queues_[queue].granted; }
  QueueOrder order(std::uint32_t queue) const { return queues_[queue].order; }
  template <class Visit>
  void each_turn_weight(std::uint32_t queue, Visit&& visit) const {
    if (!queues_[queue].turns) return;
    for (const Turn& turn : queues_[queue].turns->list) {
      if (turn.weight != 1) visit(turn.key, turn.weight);
    }
  }
  // From 1 on: those of its queue that stand before it, and itself. 0: it does not stand there.
  std::uint32_t position(std::uint32_t slot) const;
  std::uint32_t queue_end() const { return static_cast<std::uint32_t>(queues_.size()); }
  std::uint32_t group_concurrency(std::uint32_t group) const;
  std::uint32_t group_running(std::uint32_t group) const;
  // Of a key of a limit (0: of all of it), in weights.
  double limit_running(std::uint32_t number, double key) const;
  // When the rate lets the first of those begin that wait for it, or for leave, alone; kNever: nobody does.
  [[gnu::noinline]] double limit_opens_at(std::uint32_t limit) const;
  // The limit that keeps a queued task back, or 0; and until when, 0: until somebody else ends.
  std::uint32_t limited_by(std::uint32_t slot) const;
  double limited_until(std::uint32_t slot) const;
  // Of what keeps it back: the key, 0: all of the limit.
  double limited_key(std::uint32_t slot) const;
  std::size_t bytes() const;

 private:
  struct Node {
    std::uint64_t ticket = 0;  // 0: not queued
    std::uint32_t next = kNone, previous = kNone;
    std::uint32_t group = kNone;  // its bucket
    std::uint32_t parts = kNone;  // the first of its links
    double rank = 0;              // the lower ones first
    std::uint32_t with = kNone;   // the bucket it stands aside with, or came into the lane from
    std::uint16_t queue = 0;
    bool ahead = false;
    bool aside = false;
    bool lined = false;  // in a line
  };
  struct Link {
    std::uint32_t bucket;
    std::uint32_t weight;
    std::uint32_t next;
  };
  struct List {
    std::uint32_t head = kNone, tail = kNone;
  };
  struct Lane {
    List ahead, usual;
    bool empty() const { return ahead.head == kNone && usual.head == kNone; }
  };
  // By rank. The lane of a rank goes when it is empty. The first one is kept here: mostly there is no other, and a bucket of
  // each key costs no memory of a map then. INVARIANT: it is empty only where there is no other.
  struct Lanes {
    Lane first;
    double first_rank = 0;
    std::map<double, Lane> others;  // behind it
    Lane* recent = nullptr;         // of the others, the one looked for last: mostly it is the next one too
    double recent_rank = 0;
    Lanes() = default;
    Lanes(Lanes&&) = default;  // and no copy: `recent` would point into the other
    Lanes& operator=(Lanes&&) = default;
    // Made here if need be; good until the next call.
    Lane& of(double rank);
    // It is empty.
    void drop(double rank);
    template <class Visit>
    void each(Visit&& visit) const {
      visit(first);
      for (const auto& [rank, lane] : others) visit(lane);
    }
  };
  // A key of a queue of fair order. The rank of its first is the virtual time at which it may begin: it grows by 1 / weight
  // with each start of the key, and is never before that of what began last in the queue.
  struct Turn {
    double key = 0;
    double next_rank = 0;
    std::uint32_t weight = 1;
    std::uint32_t first = kNone;  // the one in line
    Lanes behind;                 // by priority
  };
  struct Turns {
    std::vector<Turn> list;
    Keys by_key;
    double now = 0;  // the rank of what began last
    std::size_t sweep_at = 64;
  };
  // Of a task in a queue of fair order, or in a line.
  struct TurnPlace {
    std::uint32_t turn = kNone;  // or line. kNone: it goes before all turns
    double rank = 0;             // among those of its key or line
  };
  // The tasks of one group in one queue and rank; see heights.cpp.
  struct Line {
    std::uint32_t bucket = kNone, next = kNone;  // of the group, and its next line
    std::uint16_t queue = 0;
    double rank = 0;
    std::uint32_t first = kNone;  // the one in the queue; kNone: the line is free
    bool begins = false;          // the first one leaves it because it begins
    Lanes behind;                 // by order
    std::vector<std::uint64_t> places;  // tickets, ascending
    std::size_t used = 0;               // of these
  };

  struct Queue {
    Lanes lanes;
    std::unique_ptr<Turns> turns;
    std::uint32_t concurrency = 0, running = 0, ready = 0, granted = 0;
    QueueOrder order = QueueOrder::Priority;
    bool known = false, paused = false, still = false, marked = false;
    bool open() const {
      return !paused && !still && (concurrency == 0 || running < concurrency) && (granted == 0 || running + 1 < granted);
    }
  };
  // The tasks of one bucket in one queue.
  struct Share {
    std::uint16_t queue = 0;
    std::uint32_t front = kNone;  // the one in the lane
    std::uint64_t served = 0;     // when one of them began last
    Lanes aside;
  };
  enum class Scope : std::uint8_t { Free, Group, Limit, Key };
  struct Bucket {
    Scope scope = Scope::Free;
    std::uint32_t limit = kNone;    // index of its rule
    std::uint32_t next = kNone, previous = kNone;  // of that limit
    std::uint32_t concurrency = 0;  // a group's
    std::uint32_t lines = kNone;    // a group's, the first
    std::uint32_t members = 0;      // tasks that take part
    double key = 0;
    double running = 0;             // in weights
    double armed_at = kNever;       // as it stands in openings_
    std::unique_ptr<Rate> rate;
    std::vector<Share> shares;
  };

  Queue& queue_at(std::uint32_t queue);
  double rank_of(const Claim& claim, QueueOrder order, std::uint64_t ticket) const;
  // Into the lane or aside, and out again.
  void stand(std::uint32_t slot);
  void withdraw(std::uint32_t slot);
  // turns.cpp
  void line_up(const Claim& claim);
  void step_out(std::uint32_t slot);
  void count_turn(Turns& turns, std::uint32_t slot);
  void lead(Turn& turn, std::uint32_t slot);
  std::uint32_t turn_of(Turns& turns, double key);
  void sweep_turns(Turns& turns);
  // heights.cpp
  std::uint32_t line_of(const Node& node);
  void free_line(std::uint32_t index);
  void join_line(std::uint32_t slot, double order);
  void leave_line(std::uint32_t slot);
  void wait_behind(Line& line, std::uint32_t slot);
  void head(Line& line, std::uint32_t slot);
  std::uint32_t group_bucket(std::uint32_t group);
  std::uint32_t know(std::uint32_t number);
  std::uint32_t new_bucket(Scope scope, std::uint32_t limit, double key);
  std::uint32_t bucket_of(std::uint32_t limit, double key);
  std::uint32_t find_bucket(std::uint32_t limit, double key) const;
  void link(std::uint32_t slot, std::uint32_t bucket, std::uint32_t weight);
  void sweep(double event_time);
  const RateRule* rate_rule(const Bucket& bucket) const;
  // Something of it matters at `now` still.
  bool remembered(const Bucket& bucket, double now) const;
  Rate& rate_of(Bucket& bucket);
  std::uint32_t concurrency_of(const Bucket& bucket) const;
  // The first moment at which its rate lets so much begin; now_: it does.
  double opens_at(const Bucket& bucket, std::uint32_t weight) const;
  bool has_room(const Bucket& bucket, std::uint32_t weight) const;
  std::uint32_t weight_in(const Node& node, std::uint32_t bucket) const;
  std::uint32_t closed_bucket(const Node& node) const;
  std::uint32_t first_bucket(const Node& node) const;
  bool bounded(const Bucket& bucket) const;
  void arm(std::uint32_t bucket, double at);
  Share& share_of(std::uint32_t bucket, std::uint32_t queue);
  void mark(std::uint32_t queue);
  std::uint32_t best_beside(std::uint32_t slot);
  bool is_turn_of(const Share& share, std::uint32_t slot, std::uint32_t best) const;
  void set_aside(std::uint32_t slot, std::uint32_t bucket);
  void refill(std::uint32_t bucket);
  void refill_limit(std::uint32_t limit);
  void promote(std::uint32_t bucket, Share& share);
  bool before(const Node& x, const Node& y) const;
  void stand_aside(std::uint32_t bucket, Share& share, std::uint32_t slot);
  std::uint32_t first(const Lanes& lanes) const;
  void insert(Lanes& lanes, std::uint32_t slot);
  void append(List& list, std::uint32_t slot);
  void insert_by_ticket(List& list, std::uint32_t slot);
  void link_before(List& list, std::uint32_t slot, std::uint32_t successor);
  void remove(Lanes& lanes, std::uint32_t slot);

  std::vector<Queue> queues_;          // by number
  std::vector<Rule> rules_;            // by index
  std::vector<Bucket> buckets_;
  std::vector<std::uint32_t> free_buckets_;
  std::vector<std::uint32_t> group_buckets_;  // by the group's slot
  Keys by_key_;                        // buckets of limits, by their key
  Keys by_number_;                     // rules
  std::vector<Link> links_;
  std::uint32_t free_link_ = kNone;
  std::uint32_t unused_ = 0, sweep_at_ = 64;  // buckets without members, and how many are too many
  Timers openings_;                    // by bucket
  Blocks<Node> nodes_;                 // by the task's slot
  Blocks<TurnPlace> turn_places_;      // as far as they are needed
  std::vector<Line> lines_;
  std::uint32_t free_line_ = kNone;
  std::vector<std::uint32_t> marked_;  // queues in which something may start
  std::uint64_t tickets_ = 0, served_ = 0;
  double now_ = 0;
};

}  // namespace holdfast
