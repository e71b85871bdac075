// What is said of a task later: who holds its key, until when, and when it starts first.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

constexpr double kKey = 4711;

void keyed(Scenario& s, std::uint32_t task, double until, double key = kKey) {
  s.draft(task);
  s.set(task, TaskField::Key, key);
  s.set(task, TaskField::KeyUntilMs, until);
  s.submit(task);
}

std::uint32_t holder(const Scenario& s, double key = kKey) { return s.session.core().key_holder(key, s.now); }

}  // namespace

TEST_CASE("A key is held while its task is open, has succeeded or was cancelled") {
  Scenario s;
  CHECK(holder(s) == 0);
  for (const std::uint32_t task : {1u, 2u}) keyed(s, task, s.now + 1000, task);
  CHECK(holder(s, 1) == 1);
  s.succeed(1);
  CHECK(holder(s, 1) == 1);
  s.cancel(2);
  s.settle(2, Outcome::Failure);
  CHECK(s.state(2) == State::Cancelled);
  CHECK(holder(s, 2) == 2);
  CHECK(holder(s, 3) == 0);
}

TEST_CASE("A failed task holds no key, and holds it again when it is tried again") {
  Scenario s;
  keyed(s, 1, s.now + 1000);
  s.settle(1, Outcome::Fatal);
  CHECK(holder(s) == 0);
  s.give(Command::Retry, 1);
  CHECK(holder(s) == 1);
}

TEST_CASE("A key counts until its time, to the millisecond, by the clock of whoever asks") {
  Scenario s;
  keyed(s, 1, s.now + 1000);
  s.now += 999;
  CHECK(holder(s) == 1);
  s.now += 1;
  CHECK(holder(s) == 0);
}

TEST_CASE("Of several that bear a key an open one holds it, and of those the youngest") {
  Scenario s;
  for (std::uint32_t task = 1; task <= 3; task++) {
    keyed(s, task, s.now + 100'000);
    s.advance(1);
  }
  CHECK(holder(s) == 3);
  s.succeed(3);
  CHECK(holder(s) == 2);
  s.succeed(2);
  s.succeed(1);
  CHECK(holder(s) == 3);
  s.give(Command::Forget, 3);
  CHECK(holder(s) == 2);
}

TEST_CASE("Of a task that has ended the time of its key can be changed, and nothing else") {
  Scenario s;
  keyed(s, 1, s.now + 1000);
  s.succeed(1);
  CHECK(s.set(1, TaskField::Key, 5) == Events{Event::Rejected});
  CHECK(s.refused(Rejection::WrongState));
  CHECK(s.set(1, TaskField::KeyUntilMs, 0) == Events{Event::TaskSet});
  CHECK(holder(s) == 0);
}

TEST_CASE("A key is given before the task is submitted, and is a whole number") {
  Scenario s;
  s.draft(1);
  for (const double bad : {0.0, -1.0, 1.5, 9007199254740992.0}) {
    s.set(1, TaskField::Key, bad);
    CHECK(s.refused(Rejection::InvalidValue));
  }
  s.set(1, TaskField::Key, 7);
  s.set(1, TaskField::Key, 8);
  s.set(1, TaskField::KeyUntilMs, s.now + 10);
  CHECK(holder(s, 7) == 0);
  CHECK(holder(s, 8) == 1);
  s.submit(1);
  s.set(1, TaskField::Key, 9);
  CHECK(s.refused(Rejection::AlreadySubmitted));
}

TEST_CASE("Keys are the same after the log was read, compacted and taken over") {
  Scenario s;
  for (std::uint32_t task = 1; task <= 100; task++) keyed(s, task, s.now + 1000, 1 + task % 40);
  for (std::uint32_t task = 1; task <= 100; task += 3) s.succeed(task);
  for (std::uint32_t task = 1; task <= 100; task += 6) s.give(Command::Forget, task);
  const auto log = s.log();
  s.put(log);
  REQUIRE(s.session.compact(log.size()) > 0);
  const auto shorter = s.session.frame();
  Scenario read, compacted, other;
  for (Scenario* one : {&read, &compacted}) {
    one->load(one == &read ? log : shorter);
    one->now = s.now;
    for (std::uint32_t key = 1; key <= 40; key++) CHECK(holder(*one, key) == holder(s, key));
  }
  other.now = s.now;
  other.step({});
  other.put(log);
  REQUIRE(other.session.import_log(log.size(), 1) > 0);
  for (std::uint32_t key = 1; key <= 40; key++) CHECK((holder(other, key) == 0) == (holder(s, key) == 0));
}

TEST_CASE("A task that waits for its first start can be given another, earlier, later or past") {
  for (const double delay : {500.0, 5000.0, -10.0}) {
    Scenario other;
    other.draft(1);
    other.set(1, TaskField::NotBeforeMs, other.now + 1000);
    other.submit(1);
    other.pause(1);
    other.set(1, TaskField::NotBeforeMs, other.now + delay);
    CHECK(other.state(1) == State::Delayed);
    other.resume(1);
    other.advance(499);
    CHECK(other.state(1) == (delay < 0 ? State::Running : State::Delayed));
    other.advance(1);
    CHECK(other.state(1) == (delay <= 500 ? State::Running : State::Delayed));
    other.advance(4500);
    CHECK(other.state(1) == State::Running);
    other.set(1, TaskField::NotBeforeMs, other.now + 5);
    CHECK(other.refused(Rejection::AlreadySubmitted));
    other.fail(1);
    CHECK(other.state(1) == State::Delayed);
    other.set(1, TaskField::NotBeforeMs, other.now + 5);
    CHECK(other.refused(Rejection::AlreadySubmitted));
  }
}

TEST_CASE("Tasks without a key cost no memory for it") {
  Scenario s;
  for (std::uint32_t task = 1; task <= 300; task++) s.create(task);
  const std::size_t before = s.session.core().bytes();
  for (std::uint32_t task = 1; task <= 300; task++) CHECK(holder(s, task) == 0);
  CHECK(s.session.core().bytes() == before);
  CHECK(sizeof(Task) == 64);
}
