#include "rates.h"

#include <algorithm>
#include <cmath>

namespace holdfast {

double Rate::opens_at(const RateRule& rule, double now, double weight) const {
  double at = now;
  if (rule.spacing_ms > 0 && last_at_ >= 0) at = std::max(at, last_at_ + rule.spacing_ms);
  if (rule.limit <= 0) return at;
  if (!rule.windowed()) {
    return std::max(at, full_at_ - (rule.burst - std::min(weight, rule.burst)) * rule.interval_ms());
  }
  weight = std::min(weight, rule.limit);
  if (rule.kind == RateKind::Fixed) {
    const double end = window_at_ + rule.period_ms;
    const bool open = window_at_ < 0 || now >= end || used_ + weight <= rule.limit;
    return open ? at : std::max(at, end);
  }
  double over = used_ + weight - rule.limit;
  for (std::size_t i = head_; over > 0 && i < taken_.size(); i++) {
    over -= taken_[i].weight;
    if (over <= 0) return std::max(at, taken_[i].at + rule.period_ms);
  }
  return at;
}

void Rate::take(const RateRule& rule, double at, double weight) {
  set_last_at(at);
  if (rule.limit <= 0) return;
  if (!rule.windowed()) {
    full_at_ = std::max(full_at_, at) + std::min(weight, rule.burst) * rule.interval_ms();
    return;
  }
  if (rule.kind == RateKind::Fixed && (window_at_ < 0 || at >= window_at_ + rule.period_ms)) {
    window_at_ = at;
    taken_.clear();
    head_ = 0;
    used_ = 0;
  }
  used_ += weight;
  const auto place = std::upper_bound(taken_.begin() + static_cast<std::ptrdiff_t>(head_), taken_.end(), at,
                                      [](double x, const Taken& y) { return x < y.at; });
  if (place != taken_.begin() + static_cast<std::ptrdiff_t>(head_) && (place - 1)->at == at) {
    (place - 1)->weight += weight;
  } else {
    taken_.insert(place, {at, weight});
  }
  forget(rule, at);
}

// What does not matter any more must not matter again: a snapshot does not speak of it.
void Rate::change(const RateRule& before, const RateRule& after, double now) {
  if (idle(before, now)) *this = Rate{};
  forget(before, now);
  const bool was_bucket = before.limit > 0 && !before.windowed(), is_bucket = after.limit > 0 && !after.windowed();
  const double used = was_bucket ? std::ceil(std::max(0.0, full_at_ - last_at_) / before.interval_ms()) : used_;
  if (was_bucket == is_bucket && before.windowed() == after.windowed()) {
    if (is_bucket) full_at_ = last_at_ + (full_at_ - last_at_) / before.interval_ms() * after.interval_ms();
    if (after.windowed() && after.kind == RateKind::Fixed && before.kind != after.kind) window_at_ = taken_.size() > head_ ? taken_[head_].at : -1;
    return;
  }
  const double last = last_at_;
  *this = Rate{};
  if (last < 0) return;
  if (is_bucket) full_at_ = last + used * after.interval_ms();
  if (after.windowed() && used > 0) take(after, last, used);
  last_at_ = last;
}

bool Rate::idle(const RateRule& rule, double now) const {
  if (rule.spacing_ms > 0 && last_at_ >= 0 && last_at_ + rule.spacing_ms > now) return false;
  if (rule.limit <= 0) return true;
  if (!rule.windowed()) return full_at_ <= now;
  const double since = rule.kind == RateKind::Fixed ? window_at_ : taken_.size() == head_ ? -1 : taken_.back().at;
  return since < 0 || since + rule.period_ms <= now;
}

void Rate::forget(const RateRule& rule, double now) {
  if (rule.kind == RateKind::Fixed) return;
  const double until = now - rule.period_ms;
  while (head_ < taken_.size() && taken_[head_].at <= until) {
    used_ -= taken_[head_++].weight;
  }
  // In one go now and then: a start costs what it adds, not what is remembered.
  if (head_ * 2 < taken_.size()) return;
  taken_.erase(taken_.begin(), taken_.begin() + static_cast<std::ptrdiff_t>(head_));
  head_ = 0;
}

}  // namespace holdfast
