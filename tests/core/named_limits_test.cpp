// Named limits: concurrency in all and per key, rates, spacing, weights; taken at once, and kept over a crash.
#include <algorithm>

#include "random.h"
#include "rates.h"
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

constexpr std::uint32_t kFirst = 0x51000001u, kSecond = 0x51000002u;

void rule(Scenario& s, LimitField field, double value, std::uint32_t limit = kFirst) {
  s.give(Command::SetLimit, limit, number(field), 0, value);
}

std::vector<Event> part(Scenario& s, std::uint32_t task, std::uint32_t limit = kFirst, double key = 1, std::uint32_t weight = 0) {
  return s.give(Command::SetTask, task, number(TaskField::Limit) | (weight << 8), limit, key);
}

std::vector<Event> add(Scenario& s, std::uint32_t task, double key = 1, std::uint32_t weight = 0, std::uint32_t limit = kFirst) {
  s.draft(task);
  part(s, task, limit, key, weight);
  return s.submit(task);
}

void rate(Scenario& s, double limit, double period, RateKind kind = RateKind::Sliding) {
  rule(s, LimitField::RateLimit, limit);
  rule(s, LimitField::RatePeriodMs, period);
  rule(s, LimitField::RateKind, number(kind));
}

}  // namespace

TEST_CASE("A limit is shared by the tasks of all queues, and who waits for it holds up nobody") {
  Scenario s;
  s.queue(1, QueueField::Concurrency, 0);
  rule(s, LimitField::Concurrency, 1);
  add(s, 1);
  s.draft(2, 1);
  part(s, 2);
  s.submit(2);
  CHECK(s.state(2) == State::Ready);
  CHECK(s.value(2, Field::LimitedBy) == kFirst);
  CHECK(s.value(2, Field::LimitedUntilMs) == 0);
  s.create(3, 1);
  CHECK(s.state(3) == State::Running);
  CHECK(s.succeed(1) == Events{Event::Succeeded, Event::Started});
  CHECK(s.tasks(Event::Started) == Tasks{2});
}

TEST_CASE("Queues that share a limit take turns: who came first begins first, whichever queue it stands in") {
  Scenario s;
  rule(s, LimitField::Concurrency, 1);
  for (std::uint32_t queue = 1; queue <= 3; queue++) s.queue(queue, QueueField::Concurrency, 0);
  for (std::uint32_t task = 1; task <= 9; task++) {
    s.draft(task, 1 + task % 3);
    part(s, task);
    s.submit(task);
  }
  for (std::uint32_t task = 1; task <= 8; task++) {
    s.succeed(task);
    CHECK(s.tasks(Event::Started) == Tasks{task + 1});
  }
}

TEST_CASE("Each key has a limit of its own, beside that of all") {
  Scenario s;
  rule(s, LimitField::Concurrency, 3);
  rule(s, LimitField::KeyConcurrency, 2);
  for (std::uint32_t task = 1; task <= 3; task++) add(s, task, 7);
  CHECK(s.state(2) == State::Running);
  CHECK(s.state(3) == State::Ready);
  add(s, 4, 8);
  add(s, 5, 8);
  CHECK(s.state(4) == State::Running);
  CHECK(s.state(5) == State::Ready);
  CHECK(s.session.core().limits().limit_running(kFirst, 0) == 3);
  CHECK(s.session.core().limits().limit_running(kFirst, 7) == 2);
  s.succeed(4);
  CHECK(s.tasks(Event::Started) == Tasks{5});
  s.succeed(1);
  CHECK(s.tasks(Event::Started) == Tasks{3});
}

TEST_CASE("A task that needs several limits gets them at once or none of them") {
  Scenario s;
  rule(s, LimitField::Concurrency, 1);
  rule(s, LimitField::Concurrency, 1, kSecond);
  add(s, 1);
  s.draft(2);
  part(s, 2);
  part(s, 2, kSecond);
  s.submit(2);
  CHECK(s.state(2) == State::Ready);
  // The second limit was not taken by who could not begin.
  add(s, 3, 1, 0, kSecond);
  CHECK(s.state(3) == State::Running);
  s.succeed(1);
  CHECK(s.state(2) == State::Ready);
  CHECK(s.value(2, Field::LimitedBy) == kSecond);
  s.succeed(3);
  CHECK(s.state(2) == State::Running);
}

TEST_CASE("Heavier tasks take more, and who is heavier than the limit begins alone") {
  Scenario s;
  rule(s, LimitField::Concurrency, 10);
  add(s, 1, 1, 6);
  add(s, 2, 1, 5);
  add(s, 3, 1, 4);
  CHECK(s.state(2) == State::Ready);
  // First come, first served: a lighter one does not slip past.
  CHECK(s.state(3) == State::Ready);
  add(s, 4, 1, 60);
  s.succeed(1);
  CHECK(s.tasks(Event::Started) == Tasks{2, 3});
  s.succeed(2);
  CHECK(s.state(4) == State::Ready);
  s.succeed(3);
  CHECK(s.state(4) == State::Running);
}

TEST_CASE("In no window of the period do more begin than the rate allows") {
  Scenario s;
  rate(s, 2, 1000);
  for (std::uint32_t task = 1; task <= 5; task++) {
    add(s, task);
    s.advance(100);
  }
  CHECK(s.state(2) == State::Running);
  CHECK(s.state(3) == State::Ready);
  CHECK(s.value(3, Field::LimitedUntilMs) == 1'001'000);
  CHECK(s.deadline() == 1'001'000);
  CHECK(s.advance(499).empty());
  CHECK(s.advance(1) == Events{Event::Started});
  CHECK(s.deadline() == 1'001'100);
  CHECK(s.advance(100) == Events{Event::Started});
  CHECK(s.advance(899).empty());
  s.advance(1);
  CHECK(s.tasks(Event::Started) == Tasks{5});
  CHECK(s.deadline() == kNever);
}

TEST_CASE("A retry takes from the rate again; a parked handler that goes on does not") {
  Scenario s;
  rate(s, 2, 1000);
  s.policy(1, PolicyField::MinDelayMs, 1);
  s.policy(1, PolicyField::Jitter, 0);
  s.draft(1, 0, 1);
  part(s, 1);
  s.submit(1);
  s.wait(1);
  CHECK(s.give(Command::Wake, 1) == Events{Event::Woken, Event::Resumed});
  s.fail(1);
  CHECK(s.advance(1) == Events{Event::TimeReached, Event::Started});
  s.fail(1);
  CHECK(s.advance(2) == Events{Event::TimeReached});
  CHECK(s.advance(997) == Events{Event::Started});
}

TEST_CASE("A fixed window begins with the first start after the last one") {
  Scenario s;
  rate(s, 2, 1000, RateKind::Fixed);
  for (std::uint32_t task = 1; task <= 6; task++) add(s, task);
  CHECK(s.advance(999).empty());
  s.advance(1);
  CHECK(s.tasks(Event::Started) == Tasks{3, 4});
  s.advance(5000);
  CHECK(s.tasks(Event::Started) == Tasks{5, 6});
  CHECK(add(s, 7) == Events{Event::Submitted});
  CHECK(s.deadline() == s.now + 1000);
}

TEST_CASE("A token bucket gives its burst and then one after the other") {
  Scenario s;
  rate(s, 10, 1000, RateKind::TokenBucket);
  rule(s, LimitField::RateBurst, 3);
  for (std::uint32_t task = 1; task <= 6; task++) add(s, task);
  CHECK(s.state(3) == State::Running);
  CHECK(s.state(4) == State::Ready);
  CHECK(s.advance(99).empty());
  CHECK(s.advance(1) == Events{Event::Started});
  s.advance(200);
  CHECK(s.tasks(Event::Started) == Tasks{5, 6});
  s.advance(250);
  for (std::uint32_t task = 7; task <= 10; task++) add(s, task);
  CHECK(s.state(8) == State::Running);
  CHECK(s.state(9) == State::Ready);
  CHECK(s.advance(49).empty());
  CHECK(s.advance(1) == Events{Event::Started});
}

TEST_CASE("Spacing keeps two starts apart, with or without a rate") {
  Scenario s;
  rule(s, LimitField::SpacingMs, 50);
  add(s, 1);
  add(s, 2);
  CHECK(s.advance(49).empty());
  CHECK(s.advance(1) == Events{Event::Started});
}

TEST_CASE("Rates of keys are their own, and a key that nobody uses any more is let go of") {
  Scenario s;
  rate(s, 1, 1000);
  rule(s, LimitField::RateKeyed, 1);
  for (std::uint32_t task = 1; task <= 2000; task++) {
    add(s, task, 10 + task / 2);
    CHECK((s.state(task) == State::Running) == (task == 1 || task % 2 == 0));
  }
  s.advance(1000);
  for (std::uint32_t task = 1; task <= 2000; task++) {
    s.succeed(task);
    s.give(Command::Forget, task);
  }
  const std::size_t before = s.session.core().limits().bytes();
  for (std::uint32_t round = 0; round < 5; round++) {
    s.advance(10'000);
    for (std::uint32_t task = 1; task <= 1000; task++) {
      add(s, task, 5000 + round * 1000 + task);
      s.succeed(task);
      s.give(Command::Forget, task);
    }
  }
  CHECK(s.session.core().limits().bytes() < before * 2);
}

TEST_CASE("A limit that is closed for a while lets nothing of it begin until then") {
  Scenario s;
  rule(s, LimitField::ClosedUntilMs, s.now + 500);
  add(s, 1);
  CHECK(s.state(1) == State::Ready);
  CHECK(s.value(1, Field::LimitedUntilMs) == s.now + 500);
  CHECK(s.advance(499).empty());
  CHECK(s.advance(1) == Events{Event::Started});
}

TEST_CASE("What was used is known after a crash, and after the log was compacted") {
  for (const RateKind kind : {RateKind::Sliding, RateKind::Fixed, RateKind::TokenBucket}) {
    Scenario s;
    rate(s, 2, 1000, kind);
    rule(s, LimitField::RateBurst, 2);
    rule(s, LimitField::SpacingMs, 10);
    add(s, 1);
    s.advance(10);
    add(s, 2);
    s.succeed(1);
    s.give(Command::Forget, 1);
    s.succeed(2);
    add(s, 3);
    const Core& core = s.session.core();
    Core again(5);
    for (const SnapshotRecord& record : make_snapshot(core, nullptr)) REQUIRE(again.replay(record.event));
    CHECK(same_state(core, again));
    again.step({}, {}, s.now + 400);
    CHECK(again.deadline() == s.deadline());
    s.restart();
    CHECK(s.state(3) == State::Ready);
    CHECK(s.advance(400).empty());
    s.advance(590);
    CHECK(s.state(3) == State::Running);
  }
}

TEST_CASE("Another rate takes up what was used under the former one") {
  Scenario s;
  rate(s, 2, 1000);
  add(s, 1);
  add(s, 2);
  rule(s, LimitField::RateLimit, 3);
  CHECK(add(s, 3) == Events{Event::Submitted, Event::Started});
  CHECK(add(s, 4) == Events{Event::Submitted});
  rule(s, LimitField::RateKind, number(RateKind::TokenBucket));
  CHECK(s.state(4) == State::Ready);
  CHECK(s.deadline() == s.now + 1000);
  rule(s, LimitField::RateKind, number(RateKind::Fixed));
  CHECK(s.state(4) == State::Ready);
  CHECK(s.advance(999).empty());
  CHECK(s.advance(1) == Events{Event::Started});
  rule(s, LimitField::RateLimit, 0);
  CHECK(add(s, 5) == Events{Event::Submitted, Event::Started});
}

TEST_CASE("What makes no sense is refused and changes nothing") {
  Scenario s;
  rule(s, LimitField::Concurrency, 1);
  for (const auto& [field, value] : {std::pair{LimitField::Concurrency, -1.0}, {LimitField::RateLimit, 0.5}, {LimitField::RatePeriodMs, 0.0},
                                     {LimitField::RateKind, 3.0}, {LimitField::RateBurst, 0.0}, {LimitField::SpacingMs, -1.0}, {LimitField::RateKeyed, 2.0}}) {
    rule(s, field, value);
    CHECK(s.refused(Rejection::InvalidValue));
  }
  rule(s, LimitField::Concurrency, 1, 0);
  CHECK(s.refused(Rejection::InvalidValue));
  s.draft(1);
  for (const double key : {0.0, 0.5, -1.0, 281474976710656.0}) {
    part(s, 1, kFirst, key);
    CHECK(s.refused(Rejection::InvalidValue));
  }
  part(s, 1, 0);
  CHECK(s.refused(Rejection::InvalidValue));
  part(s, 1, kFirst, 1, 0x10000);
  CHECK(s.refused(Rejection::InvalidValue));
  for (std::uint32_t limit = 1; limit <= kMaxParts; limit++) CHECK(part(s, 1, limit) == Events{Event::TaskSet});
  part(s, 1, 99);
  CHECK(s.refused(Rejection::InvalidValue));
  s.draft(2);
  CHECK(part(s, 2) == Events{Event::TaskSet});
  part(s, 2, kFirst, 9);
  CHECK(s.refused(Rejection::InvalidValue));
  s.submit(2);
}

TEST_CASE("A limit that comes later counts for tasks that are there, running or not, over a crash too") {
  Scenario s;
  for (std::uint32_t task = 1; task <= 3; task++) s.create(task);
  s.queue(0, QueueField::Paused, 1);
  s.create(4);
  rule(s, LimitField::Concurrency, 3);
  for (std::uint32_t task = 1; task <= 4; task++) CHECK(part(s, task) == Events{Event::TaskSet});
  CHECK(s.session.core().limits().limit_running(kFirst, 0) == 3);
  CHECK(s.value(4, static_cast<Field>(kFirst)) == 1);
  CHECK(s.value(4, static_cast<Field>(kSecond)) == 0);
  CHECK(s.value(kFirst, Field::HasLimit) == 1);
  CHECK(s.value(kSecond, Field::HasLimit) == 0);
  s.queue(0, QueueField::Paused, 0);
  CHECK(s.state(4) == State::Ready);
  CHECK(s.succeed(2) == Events{Event::Succeeded, Event::Started});
  s.restart();
  CHECK(s.session.core().limits().limit_running(kFirst, 0) == 3);
}

TEST_CASE("What comes beyond a rate that drops is cancelled, with when there is room again, and what it lets in waits for no rate") {
  Scenario s;
  rate(s, 2, 1000);
  rule(s, LimitField::Drops, 1);
  rule(s, LimitField::Concurrency, 1);
  add(s, 1);
  add(s, 2);
  CHECK(s.state(2) == State::Ready);
  s.advance(300);
  CHECK(add(s, 3) == Events{Event::Cancelled});
  CHECK(s.last(Event::Cancelled).a >> 24 == number(CancelCause::RateLimited));
  CHECK((s.last(Event::Cancelled).a & kAttemptMask) == 7);
  // The second begins when the first ends: it took its part when it came.
  CHECK(s.succeed(1) == Events{Event::Succeeded, Event::Started});
  s.restart();
  CHECK(add(s, 4) == Events{Event::Cancelled});
  s.advance(700);
  CHECK(add(s, 5) == Events{Event::Submitted});
}

namespace {

// The plainest rate: looks at every start there was.
struct PlainRate {
  RateRule rule;
  std::vector<Rate::Taken> starts;
  double window = -1, tokens = 0, filled_at = 0;

  bool admits(double at, double weight) const {
    if (rule.spacing_ms > 0 && !starts.empty() && at < starts.back().at + rule.spacing_ms) return false;
    double used = 0;
    switch (rule.kind) {
      case RateKind::Sliding:
        for (const auto& start : starts) used += start.at > at - rule.period_ms ? start.weight : 0;
        return used + weight <= rule.limit;
      case RateKind::Fixed:
        if (window < 0 || at >= window + rule.period_ms) return true;
        for (const auto& start : starts) used += start.at >= window ? start.weight : 0;
        return used + weight <= rule.limit;
      case RateKind::TokenBucket: return tokens_at(at) + 1e-9 >= std::min(weight, rule.burst);
    }
    return false;
  }
  double tokens_at(double at) const { return std::min(rule.burst, tokens + (at - filled_at) * rule.limit / rule.period_ms); }
  void take(double at, double weight) {
    if (window < 0 || at >= window + rule.period_ms) window = at;
    tokens = tokens_at(at) - std::min(weight, rule.burst);
    filled_at = at;
    starts.push_back({at, weight});
  }
};

}  // namespace

TEST_CASE("A rate opens at the very moment at which the plainest one does") {
  for (std::uint64_t seed = 1; seed <= 300; seed++) {
    Random random(seed);
    const auto below = [&](std::uint32_t limit) { return static_cast<double>(random.next() % limit); };
    RateRule rule{.limit = 1 + below(6), .period_ms = 100 * (1 + below(5)), .kind = static_cast<RateKind>(random.next() % 3), .burst = 1 + below(4), .spacing_ms = below(3) * 30};
    Rate rate;
    PlainRate plain{.rule = rule, .starts = {}, .tokens = rule.burst};
    double now = 1000;
    for (int step = 0; step < 200; step++) {
      INFO("seed " << seed << " step " << step);
      now += below(2) * below(200);
      const double weight = std::min(1 + below(3), rule.kind == RateKind::TokenBucket ? rule.burst : rule.limit);
      const double opens = rate.opens_at(rule, now, weight);
      REQUIRE(opens >= now);
      REQUIRE(plain.admits(opens + 1e-6, weight));
      if (opens > now) REQUIRE(!plain.admits(opens - 1e-3, weight));
      if (opens > now && random.next() % 2 == 0) continue;
      now = opens;
      rate.take(rule, now, weight);
      plain.take(now, weight);
    }
  }
}
