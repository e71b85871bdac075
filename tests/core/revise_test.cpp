// Drafts made of what waits: it is told anew what it waits for, or that it is not to begin, before it begins.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

std::vector<Event> revise(Scenario& s, std::uint32_t task) { return s.give(Command::Revise, task); }

std::vector<Event> disable(Scenario& s, std::uint32_t task) { return s.give(Command::Submit, task, kSubmitDisabled); }

bool disabled(const Scenario& s, std::uint32_t task, DisabledBy by) {
  return s.state(task) == State::Cancelled && s.value(task, Field::CancelReason) == (number(CancelCause::Disabled) << 24 | number(by));
}

void node(Scenario& s, std::uint32_t task, std::vector<std::uint32_t> sources, std::uint32_t group = 0) {
  s.draft(task);
  if (group != 0) s.give(Command::JoinGroup, task, group);
  for (const std::uint32_t from : sources) s.depend(task, from, EdgeKind::Dataflow);
  s.submit(task);
}

}  // namespace

TEST_CASE("What waits is a draft again, without what it waited for, and waits for what it is told then") {
  Scenario s;
  s.create(1);
  s.create(2);
  node(s, 3, {1});
  revise(s, 3);
  CHECK(s.value(3, Field::Submitted) == 0);
  CHECK(s.value(3, Field::UnmetEdges) == 0);
  s.succeed(1);
  CHECK(s.state(3) == State::Blocked);
  s.depend(3, 2, EdgeKind::Dataflow);
  s.submit(3);
  CHECK(s.state(3) == State::Blocked);
  s.succeed(2);
  CHECK(s.state(3) == State::Running);
}

TEST_CASE("What was fed or starved before counts no more") {
  Scenario s;
  s.create(1);
  s.create(2);
  node(s, 3, {1, 2});
  s.succeed(1);
  revise(s, 3);
  s.depend(3, 2, EdgeKind::Dataflow);
  s.submit(3);
  s.settle(2, Outcome::Fatal);
  CHECK(disabled(s, 3, DisabledBy::Failure));
}

TEST_CASE("What is ready gives up its turn, and what is delayed waits anew") {
  Scenario s;
  s.queue(1, QueueField::Concurrency, 1);
  s.create(1, 1);
  s.create(2, 1);
  s.create(3, 1);
  revise(s, 2);
  s.succeed(1);
  CHECK(s.state(2) == State::Blocked);
  CHECK(s.state(3) == State::Running);
  s.submit(2);
  s.succeed(3);
  CHECK(s.state(2) == State::Running);
  s.draft(4);
  s.set(4, TaskField::NotBeforeMs, s.now + 1000);
  s.submit(4);
  revise(s, 4);
  s.advance(2000);
  CHECK(s.state(4) == State::Blocked);
  s.submit(4);
  CHECK(s.state(4) == State::Running);
}

TEST_CASE("What has begun or ended is not revised, what is tried again is") {
  Scenario s;
  s.create(1);
  revise(s, 1);
  CHECK(s.refused(Rejection::WrongState));
  s.settle(1, Outcome::Failure);
  revise(s, 1);
  CHECK(s.refused(Rejection::WrongState));
  s.cancel(1);
  revise(s, 1);
  CHECK(s.refused(Rejection::WrongState));
  s.queue(0, QueueField::Paused, 1);
  s.give(Command::Retry, 1);
  revise(s, 1);
  CHECK(!s.refusal());
  revise(s, 9);
  CHECK(s.refused(Rejection::UnknownTask));
}

TEST_CASE("A draft that is not to begin is disabled, with what only it feeds, and counts as no failure") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  s.create(1);
  node(s, 2, {1}, 1);
  node(s, 3, {2}, 1);
  s.member(4, 1);
  revise(s, 2);
  disable(s, 2);
  CHECK(disabled(s, 2, DisabledBy::Host));
  CHECK(disabled(s, 3, DisabledBy::Disabled));
  CHECK(s.state(4) == State::Running);
}

TEST_CASE("A group that is closed is opened again while it is not settled") {
  Scenario s;
  s.group(1, GroupField::Concurrency, 0);
  s.member(1, 1);
  s.group(1, GroupField::Closed, 1);
  s.draft(2);
  s.give(Command::JoinGroup, 2, 1);
  CHECK(s.refused(Rejection::GroupClosed));
  s.group(1, GroupField::Closed, 0);
  s.give(Command::JoinGroup, 2, 1);
  CHECK(!s.refusal());
  s.submit(2);
  s.group(1, GroupField::Closed, 1);
  s.succeed(1);
  CHECK(s.tasks(Event::GroupSettled).empty());
  s.succeed(2);
  CHECK(s.tasks(Event::GroupSettled).size() == 1);
  s.group(1, GroupField::Closed, 0);
  CHECK(s.refused(Rejection::UnknownGroup));
}

TEST_CASE("A draft made of what waited is one after a crash, too") {
  Scenario s;
  s.create(1);
  node(s, 2, {1});
  revise(s, 2);
  s.restart();
  CHECK(s.value(2, Field::Submitted) == 0);
  s.succeed(1);
  CHECK(s.state(2) == State::Blocked);
  s.submit(2);
  CHECK(s.state(2) == State::Running);
}
