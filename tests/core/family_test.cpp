// Parents and children: who goes with whom, and what is kept for whom.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

// A running child of a task that exists.
void child(Scenario& s, std::uint32_t task, std::uint32_t parent, ChildPolicy policy = ChildPolicy::Cancel) {
  s.draft(task);
  s.give(Command::Belong, task, parent, number(policy));
  s.submit(task);
}

}  // namespace

TEST_CASE("A cancelled parent takes its children along, and theirs, at once") {
  Scenario s;
  s.create(1);
  child(s, 2, 1);
  child(s, 3, 2);
  s.cancel(1);
  CHECK(s.tasks(Event::Stopping) == Tasks{1, 2, 3});
  for (std::uint32_t task = 1; task <= 3; task++) CHECK(s.stopping(task) != StopReason::None);
  CHECK(s.stopping(3) == StopReason::Cascade);
}

TEST_CASE("A parent that failed for good takes its children along; one that will try again does not") {
  Scenario s;
  s.create(1);
  child(s, 2, 1);
  s.draft(3);
  s.give(Command::Belong, 3, 1);
  s.fail(1);
  CHECK(s.stopping(2) == StopReason::None);
  s.advance(5000);
  s.settle(1, Outcome::Fatal);
  CHECK(s.stopping(2) == StopReason::Cascade);
  CHECK(s.state(3) == State::Cancelled);
}

TEST_CASE("A detached child outlives its parent") {
  Scenario s;
  s.create(1);
  child(s, 2, 1, ChildPolicy::Detach);
  child(s, 3, 1);
  CHECK(s.give(Command::Belong, 3, 1, number(ChildPolicy::Detach)) == Events{Event::Belonged});
  s.succeed(1);
  CHECK(s.state(2) == State::Running);
  CHECK(s.stopping(3) == StopReason::None);
}

TEST_CASE("A parent that succeeds ends what it did not wait for") {
  Scenario s;
  s.create(1);
  child(s, 2, 1);
  CHECK(s.succeed(1) == Events{Event::Succeeded, Event::Stopping});
}

TEST_CASE("A child that is retried by hand after its parent's end goes on alone") {
  Scenario s;
  s.create(1);
  child(s, 2, 1);
  s.cancel(1);
  s.fail(2);
  s.fail(1);
  CHECK(s.give(Command::Retry, 2) == Events{Event::Retried, Event::Started});
  CHECK(s.stopping(2) == StopReason::None);
  s.give(Command::Belong, 2, 1, number(ChildPolicy::Cancel));
  CHECK(s.refused(Rejection::WrongState));
}

TEST_CASE("A released child is nobody's: it may be forgotten, and stays when its parent goes") {
  Scenario s;
  s.create(1);
  child(s, 2, 1);
  child(s, 3, 1);
  child(s, 4, 1);
  s.succeed(2);
  CHECK(s.give(Command::Belong, 2, 1, number(ChildPolicy::Release)) == Events{Event::Belonged});
  CHECK(s.give(Command::Belong, 3, 1, number(ChildPolicy::Release)) == Events{Event::Belonged});
  CHECK(s.value(3, Field::Parent) == -1);
  CHECK(s.give(Command::Forget, 2) == Events{Event::Forgotten});
  s.cancel(1);
  CHECK(s.stopping(3) == StopReason::None);
  CHECK(s.stopping(4) == StopReason::Cascade);
  s.give(Command::Belong, 3, 1, number(ChildPolicy::Release));
  CHECK(s.refused(Rejection::WrongState));
}

TEST_CASE("A child is kept as long as its parent may ask for it") {
  Scenario s;
  s.create(1);
  child(s, 2, 1);
  s.succeed(2);
  s.give(Command::Forget, 2);
  CHECK(s.refused(Rejection::WrongState));
  s.succeed(1);
  CHECK(s.give(Command::Forget, 2) == Events{Event::Forgotten});
}

TEST_CASE("A forgotten parent leaves its children without one") {
  Scenario s;
  s.create(1);
  child(s, 2, 1, ChildPolicy::Detach);
  child(s, 3, 1, ChildPolicy::Detach);
  s.succeed(1);
  s.give(Command::Forget, 1);
  CHECK(s.value(2, Field::Parent) == -1);
  s.create(1);
  s.draft(4);
  CHECK(s.give(Command::Belong, 4, 1) == Events{Event::Belonged});
  CHECK(s.value(4, Field::Parent) == 1);
  s.cancel(1);
  CHECK(s.state(2) == State::Running);
}

TEST_CASE("Who may become whose child") {
  Scenario s;
  s.draft(1);
  s.draft(2);
  s.create(3);
  s.create(4);
  s.succeed(4);
  s.give(Command::Belong, 1, 99);
  CHECK(s.refused(Rejection::UnknownTask));
  s.give(Command::Belong, 1, 4);
  CHECK(s.refused(Rejection::WrongState));
  s.give(Command::Belong, 1, 2, 7);
  CHECK(s.refused(Rejection::InvalidValue));
  s.give(Command::Belong, 1, 1);
  CHECK(s.refused(Rejection::Cycle));
  s.give(Command::Belong, 3, 1);
  CHECK(s.refused(Rejection::AlreadySubmitted));
  CHECK(s.give(Command::Belong, 1, 2) == Events{Event::Belonged});
  s.give(Command::Belong, 2, 1);
  CHECK(s.refused(Rejection::Cycle));
  s.give(Command::Belong, 1, 3);
  CHECK(s.refused(Rejection::WrongState));
}

TEST_CASE("Families are at most 64 deep") {
  Scenario s;
  s.create(1);
  for (std::uint32_t task = 2; task <= kMaxDepth + 1; task++) child(s, task, task - 1);
  s.draft(100);
  s.give(Command::Belong, 100, kMaxDepth + 1);
  CHECK(s.refused(Rejection::TooMany));
  s.cancel(1);
  CHECK(s.tasks(Event::Stopping).size() == kMaxDepth + 1);
}

TEST_CASE("Families survive the log, its compaction and an import, in their order") {
  Scenario s;
  s.create(5);
  child(s, 9, 5);
  child(s, 2, 5, ChildPolicy::Detach);
  child(s, 7, 9);
  const auto log = s.log();
  Scenario again;
  again.load(log);
  CHECK(same_state(s.session.core(), again.session.core()));
  again.put(log);
  const std::size_t compacted = again.session.compact(log.size());
  REQUIRE(compacted > 0);
  Scenario third;
  third.load(again.session.frame());
  CHECK(same_state(s.session.core(), third.session.core()));
  Scenario other;
  other.create(1);
  other.put(log);
  REQUIRE(other.session.import_log(log.size(), 2) == 4);
  std::uint32_t with_parent = 0;
  for (std::uint32_t task = 2; task <= 5; task++) with_parent += other.value(task, Field::Parent) >= 2;
  CHECK(with_parent == 3);
}

TEST_CASE("A child of a parent that ended as the page died is ended by the next page") {
  Scenario s;
  s.create(1);
  child(s, 2, 1);
  s.pause(2);
  auto log = s.log();
  s.restart();
  s.settle(1, Outcome::Fatal);
  CHECK(s.state(2) == State::Cancelled);
}

TEST_CASE("The last attempt that is over for good is remembered: failed ones, and those before a retry by hand") {
  Scenario s;
  s.create(1);
  s.restart();
  CHECK(s.attempt(1) == 2);
  CHECK(s.value(1, Field::ClosedAttempt) == 0);
  s.fail(1);
  CHECK(s.value(1, Field::ClosedAttempt) == 2);
  s.advance(5000);
  s.restart();
  CHECK(s.attempt(1) == 4);
  CHECK(s.value(1, Field::ClosedAttempt) == 2);
  s.cancel(1);
  s.settle(1, Outcome::Failure);
  s.give(Command::Retry, 1);
  CHECK(s.value(1, Field::ClosedAttempt) == 4);
}

TEST_CASE("What a child's children gave is kept as long as the one at the top may ask for it") {
  Scenario s;
  s.create(1);
  for (std::uint32_t task = 2; task <= 3; task++) {
    s.draft(task);
    s.give(Command::Belong, task, task - 1, number(ChildPolicy::Cancel));
    s.submit(task);
  }
  s.succeed(3);
  s.succeed(2);
  s.give(Command::Forget, 3);
  CHECK(s.refused(Rejection::WrongState));
  CHECK(s.give(Command::Forget, 2, kForgetTaken) == Events{Event::Forgotten});
  s.succeed(1);
  CHECK(s.give(Command::Forget, 3) == Events{Event::Forgotten});
}
