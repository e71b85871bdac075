// Bounds of queues: what is done when one more is too many.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

// One runs (99), `max` may wait.
void bound(Scenario& s, std::uint32_t max, Overflow overflow) {
  s.queue(1, QueueField::Concurrency, 1);
  s.queue(1, QueueField::MaxSize, max);
  s.queue(1, QueueField::Overflow, number(overflow));
  s.create(99, 1);
}

void add(Scenario& s, std::uint32_t task, double priority) {
  s.draft(task, 1);
  s.set(task, TaskField::Priority, priority);
  s.submit(task);
}

double waiting(Scenario& s) { return s.session.core().queue_value(1, QueueValue::Waiting); }

}  // namespace

TEST_CASE("A full queue refuses, and has room again when one begins or ends") {
  Scenario s;
  bound(s, 2, Overflow::Reject);
  s.create(1, 1);
  s.draft(2, 1);
  CHECK(waiting(s) == 2);
  s.create(3, 1);
  CHECK(s.refused(Rejection::QueueFull));
  CHECK(s.state(3) == State::None);
  s.succeed(99);
  CHECK(s.create(3, 1) == Events{Event::Created});
  s.cancel(3);
  CHECK(s.create(4, 1) == Events{Event::Created});
  s.create(5, 1);
  CHECK(s.refused(Rejection::QueueFull));
}

TEST_CASE("Who may begin does so before it is asked whether the queue is full, within one step too") {
  for (const auto overflow : {Overflow::Reject, Overflow::DropNew, Overflow::DropOldest, Overflow::DropLowest}) {
    Scenario s;
    s.queue(1, QueueField::Concurrency, 2);
    s.queue(1, QueueField::MaxSize, 1);
    s.queue(1, QueueField::Overflow, number(overflow));
    std::vector<Record> commands;
    for (std::uint32_t task = 1; task <= 3; task++) commands.push_back({number(Command::Create), task, 1 | (1u << 31), 0, 0});
    s.step(commands);
    CHECK(s.tasks(Event::Created) == Tasks{1, 2, 3});
    CHECK(s.tasks(Event::Cancelled).empty());
    CHECK(s.tasks(Event::Started) == Tasks{1, 2});
  }
}

TEST_CASE("The new one is dropped, or the oldest, or the newest of the lowest priority") {
  const auto dropped = [](Overflow overflow, double priority) {
    Scenario s;
    bound(s, 3, overflow);
    add(s, 1, 4);
    add(s, 2, 1);
    add(s, 3, 1);
    add(s, 4, priority);
    CHECK(waiting(s) == 3);
    CHECK(s.last(Event::Cancelled).a == number(CancelCause::Overflow) << 24);
    return s.tasks(Event::Cancelled).at(0);
  };
  CHECK(dropped(Overflow::DropNew, 9) == 4);
  CHECK(dropped(Overflow::DropOldest, 0) == 1);
  CHECK(dropped(Overflow::DropLowest, 9) == 3);
  CHECK(dropped(Overflow::DropLowest, 1) == 4);
  CHECK(dropped(Overflow::DropLowest, 0) == 4);
}

TEST_CASE("Whoever waits is dropped, whatever it waits for; whoever has begun is not, and comes back after a failure") {
  Scenario s;
  bound(s, 1, Overflow::DropOldest);
  s.policy(0, PolicyField::MinDelayMs, 1);
  s.fail(99);
  CHECK(s.state(99) == State::Delayed);
  s.queue(1, QueueField::Paused, 1);
  s.draft(1, 1);
  s.set(1, TaskField::NotBeforeMs, s.now + 5000);
  s.submit(1);
  s.create(2, 1);
  CHECK(s.tasks(Event::Cancelled) == Tasks{1});
  s.pause(2);
  s.create(3, 1);
  CHECK(s.tasks(Event::Cancelled) == Tasks{2});
  s.queue(1, QueueField::Paused, 0);
  s.advance(60'000);
  CHECK((s.state(99) == State::Running || s.state(3) == State::Running));
}

TEST_CASE("A priority that changes, another queue and a bound that comes later move who would be dropped; a retry counts again") {
  Scenario s;
  s.queue(1, QueueField::Concurrency, 1);
  s.queue(2, QueueField::Paused, 1);
  s.create(99, 1);
  for (std::uint32_t task = 1; task <= 4; task++) add(s, task, task);
  s.queue(1, QueueField::MaxSize, 4);
  s.queue(1, QueueField::Overflow, number(Overflow::DropLowest));
  s.set(1, TaskField::Priority, 9);
  s.set(2, TaskField::Queue, 2);
  CHECK(waiting(s) == 3);
  add(s, 5, 5);
  CHECK(s.tasks(Event::Cancelled).empty());
  add(s, 6, 6);
  CHECK(s.tasks(Event::Cancelled) == Tasks{3});
  s.give(Command::Retry, 3);
  CHECK(waiting(s) == 5);
  s.queue(1, QueueField::MaxSize, 0);
  s.create(7, 1);
  CHECK(s.kinds() == Events{Event::Created});
}

TEST_CASE("A bound and who waits are the same after a crash") {
  Scenario s;
  bound(s, 3, Overflow::DropOldest);
  for (std::uint32_t task = 1; task <= 3; task++) {
    add(s, task, 0);
    s.advance(10);
  }
  s.restart();
  CHECK(waiting(s) == 3);
  CHECK(s.session.core().queue_value(1, QueueValue::MaxSize) == 3);
  add(s, 4, 0);
  CHECK(s.tasks(Event::Cancelled) == Tasks{1});
}

TEST_CASE("The host grants slots: no more run, none where it grants none, any number where it is not asked") {
  Scenario s;
  s.queue(1, QueueField::Granted, 1);
  s.create(1, 1);
  s.create(2, 1);
  CHECK(s.state(1) == State::Ready);
  CHECK(s.queue(1, QueueField::Granted, 2) == Events{Event::QueueSet, Event::Started});
  // A turn is over with the run that had it.
  CHECK(s.succeed(1) == Events{Event::Succeeded});
  CHECK(s.session.core().queue_value(1, QueueValue::Granted) == 1);
  s.restart();
  CHECK(s.state(2) == State::Ready);
  CHECK(s.queue(1, QueueField::Granted, 0) == Events{Event::QueueSet, Event::Started});
}
