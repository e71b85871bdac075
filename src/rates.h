// Rates: how much may begin in a period, and how far apart. They know numbers and moments, not tasks.
//
//   Sliding      in no window of the period, wherever it lies, more than the limit
//   Fixed        windows one after the other; one begins with the first start after the last is over
//   TokenBucket  `burst` at once, and limit / period in the long run (as a generic cell rate algorithm:
//                one moment says all)
//
// Spacing is the least time between two starts, whatever the kind.
//
// Invariant: what was taken follows from the starts that were told, in whatever order they are told.
#pragma once

#include <cstdint>
#include <vector>

#include "record.h"

namespace holdfast {

struct RateRule {
  double limit = 0;  // 0: no rate
  double period_ms = 1000;
  RateKind kind = RateKind::Sliding;
  double burst = 1;  // of a token bucket
  double spacing_ms = 0;

  bool any() const { return limit > 0 || spacing_ms > 0; }
  bool windowed() const { return limit > 0 && kind != RateKind::TokenBucket; }
  // Of a bucket: how long until one more is in it.
  double interval_ms() const { return period_ms / limit; }
};

class Rate {
 public:
  struct Taken {
    double at;
    double weight;
  };

  // The first moment from `now` on at which so much may begin. More than the limit is taken for the limit.
  double opens_at(const RateRule& rule, double now, double weight) const;
  void take(const RateRule& rule, double at, double weight);
  // The rule is another one from `now` on: what was taken counts on, as far as the former one remembers it.
  void change(const RateRule& before, const RateRule& after, double now);
  // Nothing of it matters at `now` or later.
  bool idle(const RateRule& rule, double now) const;

  // For a snapshot, and from one. Of the windows, sorted by moment:
  template <class Visit>
  void each_taken(const RateRule& rule, double now, Visit&& visit) const {
    const bool fixed = rule.kind == RateKind::Fixed;
    for (std::size_t i = head_; rule.windowed() && i < taken_.size(); i++) {
      if (fixed || taken_[i].at > now - rule.period_ms) visit(taken_[i]);
    }
  }
  double full_at() const { return full_at_; }
  void set_full_at(double at) { full_at_ = at; }
  double last_at() const { return last_at_; }
  void set_last_at(double at) { last_at_ = at > last_at_ ? at : last_at_; }

 private:
  void forget(const RateRule& rule, double now);

  std::vector<Taken> taken_;  // from head_ on
  std::size_t head_ = 0;
  double used_ = 0;           // sum of what is remembered
  double window_at_ = -1;     // the fixed window that was begun last, of which all is remembered and nothing else
  double full_at_ = 0;        // when the bucket is full again
  double last_at_ = -1;       // the last start; -1: none
};

}  // namespace holdfast
