// Alarms of handlers, and the steps that are dropped.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

std::vector<Event> alarm(Scenario& s, std::uint32_t task, double at) {
  return s.give(Command::SetAlarm, task, s.attempt(task), 0, at);
}

std::uint32_t steps_in(Scenario& s) {
  const auto log = s.log();
  s.load(log);
  std::uint32_t steps = 0;
  for (const Record& event : s.said) {
    steps += event.kind == number(Event::Located) && event.a == number(PayloadKind::Step);
  }
  return steps;
}

}  // namespace

TEST_CASE("An alarm wakes a waiting task, once") {
  Scenario s;
  s.create(1);
  CHECK(alarm(s, 1, s.now + 1000) == Events{Event::AlarmSet});
  s.wait(1);
  CHECK(s.deadline() == s.now + 1000);
  CHECK(s.advance(999).empty());
  CHECK(s.advance(1) == Events{Event::AlarmRang, Event::Woken, Event::Resumed});
  CHECK(s.deadline() == kNever);
}

TEST_CASE("A running task only hears its alarm") {
  Scenario s;
  s.create(1);
  alarm(s, 1, s.now + 1000);
  CHECK(s.advance(5000) == Events{Event::AlarmRang});
  CHECK(s.state(1) == State::Running);
}

TEST_CASE("An alarm in the past rings in the same step, one that is cleared does not") {
  Scenario s;
  s.create(1);
  CHECK(alarm(s, 1, 1) == Events{Event::AlarmSet, Event::AlarmRang});
  alarm(s, 1, s.now + 1000);
  alarm(s, 1, 0);
  CHECK(s.advance(5000).empty());
}

TEST_CASE("The last alarm counts") {
  Scenario s;
  s.create(1);
  alarm(s, 1, s.now + 9000);
  alarm(s, 1, s.now + 1000);
  CHECK(s.advance(1000) == Events{Event::AlarmRang});
  CHECK(s.advance(9000).empty());
}

TEST_CASE("An alarm ends with its attempt") {
  for (const Outcome outcome : {Outcome::Success, Outcome::Failure, Outcome::Interrupted, Outcome::Fatal}) {
    Scenario s;
    s.policy(0, PolicyField::MinDelayMs, 50'000);
    s.create(1);
    alarm(s, 1, s.now + 1000);
    s.settle(1, outcome);
    s.advance(2000);
    CHECK(s.tasks(Event::AlarmRang).empty());
  }
}

TEST_CASE("A paused task is woken by its alarm, and goes on when it is resumed") {
  Scenario s;
  s.create(1);
  alarm(s, 1, s.now + 1000);
  s.wait(1);
  s.pause(1);
  CHECK(s.advance(1000) == Events{Event::AlarmRang, Event::Woken});
  CHECK(s.resume(1) == Events{Event::Unpaused, Event::Resumed});
}

TEST_CASE("A task that is parked for a pause hears its alarm and stays") {
  Scenario s;
  s.create(1);
  alarm(s, 1, s.now + 1000);
  s.pause(1);
  s.wait(1, 1);
  CHECK(s.advance(1000) == Events{Event::AlarmRang});
  CHECK(s.state(1) == State::Waiting);
}

TEST_CASE("An attempt's timeout and the deadline of the whole go by alarms") {
  Scenario s;
  s.draft(1);
  s.set(1, TaskField::AttemptTimeoutMs, 500);
  s.submit(1);
  alarm(s, 1, s.now + 1000);
  s.wait(1);
  CHECK(s.advance(600) == Events{Event::Stopping});
  CHECK(s.advance(600).empty());
}

TEST_CASE("An alarm of a former attempt, or at no time, is refused") {
  Scenario s;
  s.create(1);
  s.give(Command::SetAlarm, 1, 7, 0, s.now);
  CHECK(s.refused(Rejection::StaleAttempt));
  alarm(s, 1, -1);
  CHECK(s.refused(Rejection::InvalidValue));
  alarm(s, 1, 0.0 / 0.0);
  CHECK(s.refused(Rejection::InvalidValue));
}

TEST_CASE("Alarms survive log and compaction") {
  Scenario s;
  s.create(1);
  alarm(s, 1, s.now + 1000);
  s.wait(1);
  const auto log = s.log();
  Scenario again;
  again.load(log);
  CHECK(same_state(s.session.core(), again.session.core()));
  again.put(log);
  REQUIRE(again.session.compact(log.size()) > 0);
  Scenario third;
  third.load(again.session.frame());
  CHECK(same_state(s.session.core(), third.session.core()));
}

TEST_CASE("Dropped steps are gone from the log, those before them stay") {
  Scenario s;
  s.create(1);
  for (const char* name : {"a", "b", "c"}) {
    s.step({{number(Command::RecordStep), 1, 1, 1, 0}}, name);
  }
  CHECK(s.give(Command::DropSteps, 1, 1, 1) == Events{Event::StepsDropped});
  CHECK(s.value(1, Field::Steps) == 1);
  s.step({{number(Command::RecordStep), 1, 1, 1, 0}}, "d");
  CHECK(steps_in(s) == 2);
  s.give(Command::Recover);
  s.give(Command::DropSteps, 1, s.attempt(1), 0);
  CHECK(steps_in(s) == 0);
  s.give(Command::Recover);
  s.step({{number(Command::RecordStep), 1, s.attempt(1), 1, 0}}, "e");
  CHECK(steps_in(s) == 1);
}
