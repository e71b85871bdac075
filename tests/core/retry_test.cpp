// D1, D2: how long until the next attempt, and when there is none.
#include <cmath>

#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

double delay(RetryPolicy policy, std::uint32_t failures, double previous = 0) {
  Random random(1);
  return retry_delay_ms(policy, failures, previous, random);
}

RetryPolicy plain() {
  RetryPolicy policy;
  policy.jitter = Jitter::None;
  return policy;
}

}  // namespace

TEST_CASE("The defaults are three attempts, 1 s doubled up to 60 s, jitter up to twice") {
  const RetryPolicy policy;
  CHECK(policy.max_attempts == 3);
  CHECK(policy.min_delay_ms == 1000);
  CHECK(policy.factor == 2);
  CHECK(policy.max_delay_ms == 60000);
  CHECK(policy.jitter == Jitter::UpToTwice);
  CHECK(policy.max_elapsed_ms == 0);
}

TEST_CASE("Exponential delays are min * factor^(failures-1), up to the maximum") {
  CHECK(delay(plain(), 1) == 1000);
  CHECK(delay(plain(), 2) == 2000);
  CHECK(delay(plain(), 3) == 4000);
  CHECK(delay(plain(), 7) == 60000);
}

TEST_CASE("Linear, fixed, fibonacci and listed delays") {
  RetryPolicy policy = plain();
  policy.backoff = Backoff::Linear;
  CHECK(delay(policy, 5) == 5000);
  policy.backoff = Backoff::Fixed;
  CHECK(delay(policy, 5) == 1000);
  policy.backoff = Backoff::Fibonacci;
  for (const auto& [failures, units] : {std::pair{1u, 1.0}, {2u, 1.0}, {3u, 2.0}, {4u, 3.0}, {5u, 5.0}}) {
    CHECK(delay(policy, failures) == units * 1000);
  }
  policy.backoff = Backoff::List;
  policy.listed_ms = {10, 20, 500};
  CHECK(delay(policy, 2) == 20);
  CHECK(delay(policy, 3) == 500);
  CHECK(delay(policy, 9) == 500);  // the last repeats
  policy.listed_ms = {};
  CHECK(delay(policy, 1) == 1000);
}

TEST_CASE("Jitter stays within its bounds and is applied before the cap") {
  Random random(7);
  RetryPolicy policy;
  policy.min_delay_ms = 10000;
  for (int i = 0; i < 2000; i++) {
    policy.jitter = Jitter::UpToTwice;
    const double doubled = retry_delay_ms(policy, 1, 0, random);
    CHECK((doubled >= 10000 && doubled <= 20000));
    CHECK(retry_delay_ms(policy, 4, 0, random) == 60000);  // 80 to 160 s, capped afterwards
    policy.jitter = Jitter::Full;
    const double full = retry_delay_ms(policy, 2, 0, random);
    CHECK((full >= 0 && full <= 20000));
    policy.jitter = Jitter::Equal;
    const double equal = retry_delay_ms(policy, 2, 0, random);
    CHECK((equal >= 10000 && equal <= 20000));
    policy.jitter = Jitter::Decorrelated;
    const double free = retry_delay_ms(policy, 2, 15000, random);
    CHECK((free >= 10000 && free <= 45000));
  }
}

TEST_CASE("The same seed draws the same delays") {
  Random x(3), y(3);
  const RetryPolicy policy;
  for (std::uint32_t i = 1; i < 50; i++) {
    CHECK(retry_delay_ms(policy, i, 0, x) == retry_delay_ms(policy, i, 0, y));
  }
}

TEST_CASE("D7: overflow, infinities and what is no number give the maximum, always finite") {
  const double nan = std::nan("");
  for (const Backoff backoff : {Backoff::Exponential, Backoff::Linear, Backoff::Fibonacci, Backoff::List}) {
    for (const Jitter jitter : {Jitter::None, Jitter::UpToTwice, Jitter::Full, Jitter::Equal, Jitter::Decorrelated}) {
      for (const double odd : {1e308, nan, static_cast<double>(INFINITY)}) {
        RetryPolicy policy;
        policy.backoff = backoff;
        policy.jitter = jitter;
        policy.min_delay_ms = odd;
        policy.factor = 1e308;
        policy.listed_ms = {odd};
        const double found = delay(policy, 1'000'000);
        CHECK((found >= 0 && found <= 60000));
        if (jitter == Jitter::None) CHECK(found == 60000);
      }
    }
  }
  RetryPolicy endless = plain();
  endless.max_delay_ms = 1e308;
  CHECK(delay(endless, 1'000'000) == kMaxTimeMs);
  endless.max_delay_ms = nan;
  CHECK(delay(endless, 3) == 4000);
}

TEST_CASE("A failed attempt is retried after its delay, and the last one fails the task") {
  Scenario s;
  s.policy(0, PolicyField::Jitter, 0);
  s.create(1);
  CHECK(s.fail(1) == Events{Event::AttemptFailed, Event::RetryScheduled});
  CHECK(s.last(Event::RetryScheduled).at == s.now + 1000);
  CHECK(s.deadline() == s.now + 1000);
  CHECK(s.advance(999).empty());
  CHECK(s.advance(1) == Events{Event::TimeReached, Event::Started});
  s.fail(1);
  CHECK(s.advance(2000) == Events{Event::TimeReached, Event::Started});
  CHECK(s.fail(1) == Events{Event::AttemptFailed, Event::Failed});
  CHECK(s.last(Event::Failed).a == number(FailReason::Exhausted));
}

TEST_CASE("A fatal error fails the task at once, a crash is retried, an interruption costs nothing") {
  Scenario s;
  s.create(1);
  CHECK(s.settle(1, Outcome::Fatal) == Events{Event::AttemptFailed, Event::Failed});
  CHECK(s.last(Event::Failed).a == number(FailReason::Fatal));
  s.create(2);
  CHECK(s.settle(2, Outcome::Crashed) == Events{Event::AttemptFailed, Event::RetryScheduled});
  s.create(3);
  CHECK(s.settle(3, Outcome::Interrupted) == Events{Event::Interrupted, Event::Started});
  CHECK(s.value(3, Field::Failures) == 0);
  CHECK(s.attempt(3) == 2);
}

TEST_CASE("The host may say when the next attempt is due; it counts all the same") {
  Scenario s;
  s.create(1);
  s.settle(1, Outcome::Failure, s.now + 77);
  CHECK(s.last(Event::RetryScheduled).at == s.now + 77);
  CHECK(s.advance(77) == Events{Event::TimeReached, Event::Started});
  s.settle(1, Outcome::Failure, s.now - 500);  // past: at once
  CHECK(s.kinds() == Events{Event::AttemptFailed, Event::RetryScheduled, Event::TimeReached, Event::Started});
  CHECK(s.settle(1, Outcome::Failure, s.now + 5).back() == Event::Failed);
}

TEST_CASE("No attempt starts later than maxElapsed after the first") {
  Scenario s;
  s.policy(0, PolicyField::Jitter, 0);
  s.policy(0, PolicyField::MaxAttempts, 100);
  s.policy(0, PolicyField::MaxElapsedMs, 2500);
  s.create(1);
  CHECK(s.fail(1).back() == Event::RetryScheduled);
  s.advance(1000);
  CHECK(s.fail(1).back() == Event::Failed);  // 2 s more would be 3 s after the first
}

TEST_CASE("Retry forgets failures and numbers attempts on") {
  Scenario s;
  s.create(1);
  s.settle(1, Outcome::Fatal);
  CHECK(s.give(Command::Retry, 1) == Events{Event::Retried, Event::Started});
  CHECK(s.attempt(1) == 2);
  CHECK(s.value(1, Field::Failures) == 0);
  CHECK(s.fail(1).back() == Event::RetryScheduled);
}
