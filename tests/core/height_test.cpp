// Heights: who of a group begins first, and that nobody else waits longer for it.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

constexpr std::uint32_t kGroup = 1;

// Ready, in the queue, of the group if it has a height.
void node(Scenario& s, std::uint32_t task, double height, double priority = 0) {
  s.draft(task);
  if (height > 0) {
    s.give(Command::JoinGroup, task, kGroup);
    s.set(task, TaskField::Height, height);
  }
  if (priority != 0) s.set(task, TaskField::Priority, priority);
  s.submit(task);
}

Scenario stopped() {
  Scenario s;
  s.group(kGroup, GroupField::FailureThreshold, 0);
  s.queue(0, QueueField::Paused, 1);
  return s;
}

// One after the other, as they begin.
Tasks order(Scenario& s) {
  Tasks begun;
  s.queue(0, QueueField::Concurrency, 1);
  s.queue(0, QueueField::Paused, 0);
  for (bool any = true; any;) {
    any = false;
    for (const Record& event : std::vector<Record>(s.said)) {
      if (event.kind != number(Event::Started)) continue;
      any = true;
      begun.push_back(event.task);
      s.succeed(event.task);
      break;
    }
  }
  return begun;
}

}  // namespace

TEST_CASE("The highest of a group begins first, then the one with the lower number") {
  Scenario s = stopped();
  const double heights[] = {1, 3, 2, 3, 1};
  for (std::uint32_t task = 5; task >= 1; task--) node(s, task, heights[task - 1]);
  CHECK(order(s) == Tasks{2, 4, 3, 1, 5});
}

TEST_CASE("Heights never change when it is the turn of others") {
  Scenario s = stopped();
  node(s, 10, 0);
  node(s, 1, 1);
  node(s, 11, 0);
  node(s, 2, 2);
  node(s, 12, 0);
  node(s, 3, 3);
  node(s, 13, 0);
  // Every second place is the group's, whoever uses it.
  CHECK(order(s) == Tasks{10, 3, 11, 2, 12, 1, 13});
}

TEST_CASE("Heights hold after a crash, and after a compaction") {
  for (const bool compacted : {false, true}) {
    Scenario s = stopped();
    node(s, 1, 1);
    node(s, 10, 0);
    node(s, 2, 5);
    node(s, 11, 0);
    node(s, 3, 9);
    s.cancel(3);
    node(s, 4, 7);
    if (compacted) {
      const auto log = s.log();
      s.put(log);
      REQUIRE(s.session.compact(log.size()) > 0);
      const std::vector<std::byte> shorter(s.session.frame().begin(), s.session.frame().end());
      s.load(shorter);
    } else {
      s.restart();
    }
    CHECK(s.value(4, Field::Height) == 7);
    CHECK(order(s) == Tasks{4, 10, 2, 11, 1});
  }
}

TEST_CASE("Priority comes before height, and a group's limit holds") {
  Scenario s = stopped();
  s.group(kGroup, GroupField::Concurrency, 1);
  node(s, 1, 9);
  node(s, 2, 1, 5);
  node(s, 3, 8);
  node(s, 4, 0);
  s.queue(0, QueueField::Paused, 0);
  CHECK(s.state(2) == State::Running);
  CHECK(s.state(4) == State::Running);
  CHECK(s.state(1) == State::Ready);
  s.succeed(2);
  CHECK(s.state(1) == State::Running);
  CHECK(s.state(3) == State::Ready);
}

TEST_CASE("A height may change while a task waits; what waits for a named limit holds up nobody") {
  Scenario s = stopped();
  node(s, 1, 3);
  node(s, 2, 2);
  node(s, 3, 1);
  s.set(3, TaskField::Height, 4);
  s.give(Command::SetLimit, 7, number(LimitField::ClosedUntilMs), 0, s.now + 1000);
  s.give(Command::SetTask, 1, number(TaskField::Limit), 7, 1);
  CHECK(order(s) == Tasks{3, 2});
  s.advance(1000);
  CHECK(s.state(1) == State::Running);
}

TEST_CASE("A height that is none is refused") {
  Scenario s;
  s.draft(1);
  for (const double height : {-1.0, 0.5, kMaxHeight + 1.0}) {
    s.set(1, TaskField::Height, height);
    CHECK(s.refused(Rejection::InvalidValue));
  }
}
