// Recovery: what becomes of tasks whose host is gone.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("A task that was running starts again, with its steps kept and the interruption counted") {
  Scenario s;
  s.create(1);
  s.give(Command::RecordStep, 1, 1);
  CHECK(s.restart() == Events{Event::Interrupted, Event::Started});
  CHECK(s.attempt(1) == 2);
  CHECK(s.value(1, Field::Steps) == 1);
  CHECK(s.value(1, Field::Recoveries) == 1);
  CHECK(s.value(1, Field::Failures) == 0);
}

TEST_CASE("A task that was running in three crashes is quarantined, the others go on") {
  Scenario s;
  s.create(1);
  s.create(2);
  for (int crash = 0; crash < 2; crash++) {
    s.restart();
    s.give(Command::RecordStep, 2, s.attempt(2));
  }
  CHECK(s.restart() == Events{Event::Interrupted, Event::Failed, Event::Interrupted, Event::Started});
  CHECK(s.last(Event::Failed).a == number(FailReason::Quarantined));
  CHECK(s.state(2) == State::Running);
}

TEST_CASE("A page that is closed in order counts against nobody") {
  Scenario s;
  s.create(1);
  for (int close = 0; close < 10; close++) CHECK(s.restart(true) == Events{Event::Interrupted, Event::Started});
  CHECK(s.value(1, Field::Recoveries) == 0);
}

TEST_CASE("Sleeping through crashes is no reason to be suspected") {
  Scenario s;
  s.create(1);
  for (int crash = 0; crash < 10; crash++) {
    s.wait(1);
    s.restart();
  }
  CHECK(s.state(1) == State::Running);
}

TEST_CASE("What was being stopped ends as it would have") {
  Scenario s;
  for (std::uint32_t task = 1; task <= 4; task++) {
    s.draft(task);
    if (task == 2) s.set(task, TaskField::DeadlineAtMs, s.now + 10);
    if (task == 3) s.set(task, TaskField::AttemptTimeoutMs, 10);
    s.submit(task);
  }
  s.cancel(1, 5);
  s.pause(4, PauseKind::Interrupt);
  s.advance(10);
  CHECK(s.restart() == Events{Event::Cancelled, Event::Failed, Event::Interrupted, Event::Interrupted, Event::Started});
  CHECK(s.last(Event::Cancelled).a == 5);
  CHECK(s.last(Event::Failed).a == number(FailReason::TimedOut));
  CHECK(s.tasks(Event::Started) == Tasks{3});
  CHECK(s.paused(4));
}

TEST_CASE("Recovered tasks go before those that were waiting") {
  Scenario s;
  s.queue(0, QueueField::Concurrency, 1);
  for (std::uint32_t task = 1; task <= 3; task++) s.create(task);
  s.restart();
  CHECK(s.tasks(Event::Started) == Tasks{1});
}

TEST_CASE("Delays go on across a crash; what is past due starts at once") {
  Scenario s;
  s.policy(0, PolicyField::Jitter, 0);
  s.create(1);
  s.fail(1);
  s.now += 400;
  s.restart();
  CHECK(s.deadline() == s.now + 600);
  s.now += 5000;
  CHECK(s.restart() == Events{Event::TimeReached, Event::Started});
}

TEST_CASE("Recover leaves alone what was started since the load, and says nothing then") {
  Scenario s;
  s.create(1);
  CHECK(s.give(Command::Recover).empty());
  CHECK(s.state(1) == State::Running);
}

TEST_CASE("H12: a core rebuilt from its journal is the same core") {
  Scenario s;
  s.queue(1, QueueField::Concurrency, 2);
  s.group(1, GroupField::FailureThreshold, 3);
  for (std::uint32_t task = 1; task <= 20; task++) s.member(task, 1, task % 2);
  s.fail(1);
  s.wait(3);
  s.pause(5);
  s.cancel(2);
  const Log log = read_log(s.log(), 9);
  CHECK(same_state(s.session.core(), log.core));
}

TEST_CASE("Close interrupts what runs, counts nothing and starts nothing more") {
  Scenario s;
  s.create(1);
  CHECK(s.give(Command::Close) == Events{Event::Interrupted});
  CHECK(s.create(2) == Events{Event::Created});
  CHECK(s.value(1, Field::Recoveries) == 0);
  CHECK(s.restart() == Events{Event::Started, Event::Started});
  CHECK(s.tasks(Event::Started) == Tasks{1, 2});
}
