// Pauses, soft and hard; holds; waiting and waking.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("A paused task does not start; resumed, it does") {
  Scenario s;
  s.draft(1);
  s.pause(1);
  CHECK(s.submit(1) == Events{Event::Submitted});
  CHECK(s.state(1) == State::Ready);
  CHECK(s.resume(1) == Events{Event::Unpaused, Event::Started});
}

TEST_CASE("A softly paused handler goes on to its safe point, parks and goes on when resumed") {
  Scenario s;
  s.create(1);
  CHECK(s.pause(1) == Events{Event::Paused});
  CHECK(s.state(1) == State::Running);
  CHECK(s.wait(1, 1) == Events{Event::Waited});
  CHECK(s.session.core().queue_value(0, QueueValue::Running) == 0);
  CHECK(s.resume(1) == Events{Event::Unpaused, Event::Woken, Event::Resumed});
  CHECK(s.attempt(1) == 1);
}

TEST_CASE("Parking for a pause that is over goes on at once") {
  Scenario s;
  s.create(1);
  s.pause(1);
  s.resume(1);
  CHECK(s.wait(1, 1) == Events{Event::Waited, Event::Woken, Event::Resumed});
}

TEST_CASE("A softly paused handler may still succeed, or fail and wait paused") {
  Scenario s;
  s.create(1);
  s.pause(1);
  CHECK(s.succeed(1) == Events{Event::Succeeded});
  s.create(2);
  s.pause(2);
  s.fail(2);
  CHECK(s.state(2) == State::Delayed);
  CHECK(s.advance(100'000).empty());
  CHECK(s.resume(2) == Events{Event::Unpaused, Event::TimeReached, Event::Started});
}

TEST_CASE("A hard pause aborts the handler and costs no retry") {
  Scenario s;
  s.create(1);
  CHECK(s.pause(1, PauseKind::Interrupt) == Events{Event::Paused, Event::Stopping});
  CHECK(s.fail(1) == Events{Event::Interrupted});
  CHECK(s.paused(1));
  CHECK(s.value(1, Field::Failures) == 0);
  CHECK(s.value(1, Field::Recoveries) == 0);
  CHECK(s.resume(1) == Events{Event::Unpaused, Event::Started});
  CHECK(s.attempt(1) == 2);
}

TEST_CASE("A hard pause of a handler that does not listen ends with grace") {
  Scenario s;
  s.create(1);
  s.pause(1, PauseKind::Interrupt);
  CHECK(s.advance(5000) == Events{Event::Abandoned, Event::Interrupted});
  CHECK(s.state(1) == State::Ready);
}

TEST_CASE("A soft pause may become a hard one, not the other way round") {
  Scenario s;
  s.create(1);
  s.pause(1);
  s.pause(1);
  CHECK(s.refused(Rejection::WrongState));
  CHECK(s.pause(1, PauseKind::Interrupt) == Events{Event::Paused, Event::Stopping});
  s.pause(1);
  CHECK(s.refused(Rejection::WrongState));
}

TEST_CASE("Resuming keeps a delay's time, its rest or begins it anew") {
  const auto due_after = [](ResumePolicy policy) {
    Scenario s;
    s.policy(0, PolicyField::Jitter, 0);
    s.create(1);
    s.fail(1);  // due in 1000
    s.advance(400);
    s.pause(1);
    s.advance(300);
    s.resume(1, policy);
    return s.value(1, Field::DueAt) - s.now;
  };
  CHECK(due_after(ResumePolicy::KeepDeadline) == 300);
  CHECK(due_after(ResumePolicy::Remaining) == 600);
  CHECK(due_after(ResumePolicy::Restart) == 1000);
}

TEST_CASE("A paused task does not expire, but its deadline stands") {
  Scenario s;
  s.queue(1, QueueField::Paused, 1);
  s.draft(1, 1);
  s.set(1, TaskField::TimeToLiveMs, 100);
  s.set(1, TaskField::DeadlineAtMs, s.now + 10'000);
  s.submit(1);
  s.pause(1);
  CHECK(s.advance(9999).empty());
  CHECK(s.advance(1) == Events{Event::Failed});
}

TEST_CASE("A paused task can be cancelled") {
  Scenario s;
  s.create(1);
  s.pause(1, PauseKind::Interrupt);
  s.fail(1);
  CHECK(s.cancel(1) == Events{Event::Cancelled});
}

TEST_CASE("Nothing starts while any hold lies on it") {
  Scenario s;
  s.draft(1);
  s.give(Command::Hold, 1, 3);
  s.submit(1);
  CHECK(s.give(Command::Release, 1, 1) == Events{Event::Released});
  s.give(Command::Release, 1, 1);
  CHECK(s.refused(Rejection::WrongState));
  CHECK(s.give(Command::Release, 1, 0xffff) == Events{Event::Released, Event::Started});
  CHECK(s.last(Event::Released).a == 2);
}

TEST_CASE("Tasks that are held are found one after the other, whatever holds them") {
  Scenario s;
  for (std::uint32_t task = 1; task <= 5; ++task) s.create(task);
  CHECK(s.value(0, Field::NextHeld) == 0);
  s.give(Command::Hold, 2, 1);
  s.give(Command::Hold, 5, 16);
  CHECK(s.value(0, Field::NextHeld) == 2);
  CHECK(s.value(2, Field::NextHeld) == 5);
  CHECK(s.value(5, Field::NextHeld) == 0);
  s.restart();
  s.give(Command::Release, 2, 1);
  CHECK(s.value(0, Field::NextHeld) == 5);
}

TEST_CASE("Waiting gives the slot back; a woken task goes before new ones and is resumed") {
  Scenario s;
  s.queue(0, QueueField::Concurrency, 1);
  s.create(1);
  s.create(2);
  s.create(3);
  CHECK(s.wait(1) == Events{Event::Waited, Event::Started});
  CHECK(s.give(Command::Wake, 1) == Events{Event::Woken});
  CHECK(s.succeed(2) == Events{Event::Succeeded, Event::Resumed});
  CHECK(s.tasks(Event::Resumed) == Tasks{1});
}

TEST_CASE("A woken handler may settle before it got its slot") {
  Scenario s;
  s.create(1);
  s.wait(1);
  s.queue(0, QueueField::Paused, 1);
  s.give(Command::Wake, 1);
  CHECK(s.succeed(1) == Events{Event::Succeeded});
  CHECK(s.session.core().queue_value(0, QueueValue::Ready) == 0);
}
