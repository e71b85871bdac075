// Flows: what begins because something leads to it, what is disabled because nothing does, and whose failure is handled.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

constexpr auto kFlow = EdgeKind::Dataflow;
constexpr auto kError = EdgeKind::ErrorFlow;

struct Into {
  std::uint32_t from;
  EdgeKind kind = kFlow;
};

void node(Scenario& s, std::uint32_t task, std::vector<Into> edges, std::uint32_t group = 0) {
  s.draft(task);
  if (group != 0) s.give(Command::JoinGroup, task, group);
  for (const auto& [from, kind] : edges) s.depend(task, from, kind);
  s.submit(task);
}

std::vector<Event> disable(Scenario& s, std::uint32_t task, std::uint32_t from, EdgeKind kind = kFlow) {
  return s.give(Command::DisableEdge, task, from, number(kind));
}

std::vector<Event> meet(Scenario& s, std::uint32_t task, std::uint32_t from, EdgeKind kind = kFlow) {
  return s.give(Command::MeetEdge, task, from, number(kind));
}

bool disabled(const Scenario& s, std::uint32_t task, DisabledBy by) {
  return s.state(task) == State::Cancelled && s.value(task, Field::CancelReason) == (number(CancelCause::Disabled) << 24 | number(by));
}

void break_down(Scenario& s, std::uint32_t task) { s.settle(task, Outcome::Fatal); }

}  // namespace

TEST_CASE("A flow leads on when its prerequisite succeeded, an error flow when it failed") {
  Scenario s;
  s.create(1);
  node(s, 2, {{1}});
  node(s, 3, {{1, kError}});
  s.succeed(1);
  CHECK(s.state(2) == State::Running);
  CHECK(disabled(s, 3, DisabledBy::Success));
  s.create(4);
  node(s, 5, {{4}});
  node(s, 6, {{4, kError}});
  break_down(s, 4);
  CHECK(disabled(s, 5, DisabledBy::Failure));
  CHECK(s.state(6) == State::Running);
  s.create(7);
  node(s, 8, {{7}});
  node(s, 9, {{7, kError}});
  s.cancel(7);
  s.succeed(7);
  CHECK(disabled(s, 8, DisabledBy::Cancel));
  CHECK(disabled(s, 9, DisabledBy::Cancel));
}

TEST_CASE("An error flow leads on from what there was no room for, and no group counts that then") {
  for (const bool told : {false, true}) {
    Scenario s;
    s.queue(1, QueueField::Concurrency, 1);
    s.queue(1, QueueField::MaxSize, 1);
    s.queue(1, QueueField::Overflow, number(Overflow::DropNew));
    s.group(1, GroupField::FailureThreshold, 1);
    s.create(1, 1);
    s.create(2, 1);
    s.draft(3, told ? 0 : 1);
    s.give(Command::JoinGroup, 3, 1);
    node(s, 4, {{3, kError}}, 1);
    node(s, 5, {{3}}, 1);
    if (told) s.give(Command::Cancel, 3, 0, kCancelAsDropped);
    else s.submit(3);
    CHECK(s.value(3, Field::CancelReason) == (number(CancelCause::Overflow) << 24));
    CHECK(s.state(4) == State::Running);
    CHECK(disabled(s, 5, DisabledBy::Cancel));
    node(s, 6, {{3, kError}}, 1);
    CHECK(s.state(6) == State::Running);
  }
}

TEST_CASE("One active flow is enough, once all edges are settled") {
  Scenario s;
  for (const std::uint32_t task : {1, 2, 3}) s.create(task);
  node(s, 4, {{1}, {2}, {3, EdgeKind::OnSettled}});
  break_down(s, 1);
  CHECK(s.state(4) == State::Blocked);
  s.succeed(2);
  CHECK(s.state(4) == State::Blocked);
  s.succeed(3);
  CHECK(s.state(4) == State::Running);
}

TEST_CASE("What no flow leads to is disabled, and so is what follows from it") {
  Scenario s;
  s.create(1);
  s.create(2);
  node(s, 3, {{1}, {2}});
  node(s, 4, {{3}});
  node(s, 5, {{4}, {3}});
  break_down(s, 1);
  CHECK(s.state(3) == State::Blocked);
  break_down(s, 2);
  CHECK(disabled(s, 3, DisabledBy::Failure));
  CHECK(disabled(s, 4, DisabledBy::Disabled));
  CHECK(disabled(s, 5, DisabledBy::Disabled));
}

TEST_CASE("A hundred thousand are disabled one after the other without recursion") {
  Scenario s;
  s.create(1);
  for (std::uint32_t task = 2; task <= 100'000; task++) {
    s.step({{number(Command::Create), task, 0, 0, 0}, {number(Command::DependOn), task, task - 1, number(kFlow), 0}, {number(Command::Submit), task, 0, 0, 0}});
  }
  break_down(s, 1);
  CHECK(disabled(s, 100'000, DisabledBy::Disabled));
}

TEST_CASE("Both kinds may lead from one to another: it begins either way") {
  for (const bool succeeds : {true, false}) {
    Scenario s;
    s.create(1);
    node(s, 2, {{1}, {1, kError}});
    if (succeeds) s.succeed(1);
    else break_down(s, 1);
    CHECK(s.state(2) == State::Running);
  }
}

TEST_CASE("An edge that can't be met takes along whatever flows lead to") {
  Scenario s;
  s.create(1);
  s.create(2);
  node(s, 3, {{1}, {2, EdgeKind::OnSuccess}});
  s.succeed(1);
  break_down(s, 2);
  CHECK(s.state(3) == State::Cancelled);
  CHECK(s.last(Event::Cancelled).a >> 24 == number(CancelCause::Cascade));
}

TEST_CASE("What has ended already counts for flows too") {
  Scenario s;
  s.create(1);
  break_down(s, 1);
  node(s, 2, {{1, kError}});
  CHECK(s.state(2) == State::Running);
  node(s, 3, {{1}});
  CHECK(disabled(s, 3, DisabledBy::Before));
}

TEST_CASE("A branch that is not taken is disabled before its source ends, and stays so") {
  Scenario s;
  s.create(1);
  node(s, 2, {{1}});
  node(s, 3, {{1}});
  CHECK(disable(s, 3, 1) == Events{Event::EdgeDisabled, Event::Cancelled});
  CHECK(disabled(s, 3, DisabledBy::Host));
  disable(s, 3, 1);
  CHECK(s.refused(Rejection::WrongState));
  s.restart();
  s.succeed(1);
  CHECK(s.state(2) == State::Running);
  CHECK(disabled(s, 3, DisabledBy::Host));
}

TEST_CASE("Of several edges the disabled one does not count, in whatever order they settle, nor after a crash") {
  Scenario s;
  s.create(1);
  s.create(2);
  node(s, 3, {{1}, {1}, {2}, {2, kError}});
  CHECK(disable(s, 3, 1) == Events{Event::EdgeDisabled});
  CHECK(s.value(3, Field::UnmetEdges) == 2);
  s.restart();
  CHECK(s.value(3, Field::UnmetEdges) == 2);
  disable(s, 3, 2, kError);
  s.restart();
  s.succeed(1);
  CHECK(s.state(3) == State::Blocked);
  s.cancel(2);
  s.restart();
  CHECK(disabled(s, 3, DisabledBy::Cancel));
}

TEST_CASE("An edge that is none, or is no flow, can't be disabled") {
  Scenario s;
  s.create(1);
  node(s, 2, {{1, EdgeKind::OnSuccess}, {1}});
  disable(s, 2, 1, EdgeKind::OnSuccess);
  CHECK(s.refused(Rejection::InvalidValue));
  disable(s, 2, 1, kError);
  CHECK(s.refused(Rejection::WrongState));
  disable(s, 2, 9);
  CHECK(s.refused(Rejection::UnknownTask));
  disable(s, 9, 1);
  CHECK(s.refused(Rejection::UnknownTask));
  disable(s, 1, 2);
  CHECK(s.refused(Rejection::WrongState));
}

TEST_CASE("A failure that an error flow leads on is none to its group; another one is") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  node(s, 1, {}, 1);
  node(s, 2, {{1, kError}}, 1);
  node(s, 3, {{1}}, 1);
  node(s, 4, {}, 1);
  break_down(s, 1);
  CHECK(s.state(2) == State::Running);
  CHECK(disabled(s, 3, DisabledBy::Failure));
  CHECK(s.state(4) == State::Running);
  break_down(s, 2);
  CHECK(s.stopping(4) == StopReason::Cascade);
}

TEST_CASE("A failure that is to be led on by what comes later is handled, in a second try too; until it is said otherwise") {
  for (const bool withdrawn : {false, true}) {
    Scenario s;
    s.group(1, GroupField::FailureThreshold, 1);
    s.draft(1);
    s.give(Command::JoinGroup, 1, 1);
    s.set(1, TaskField::Handled, 1);
    s.submit(1);
    s.member(2, 1);
    for (int tries = 0; tries < 2; tries++) {
      if (withdrawn) s.set(1, TaskField::Handled, 0);
      break_down(s, 1);
      CHECK(s.stopping(2) == (withdrawn ? StopReason::Cascade : StopReason::None));
      if (withdrawn) break;
      if (tries == 0) s.give(Command::Retry, 1);
    }
    node(s, 3, {{1, kError}});
    CHECK(s.state(3) == State::Running);
  }
}

TEST_CASE("A failure whose error flow was disabled is not handled") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  node(s, 1, {}, 1);
  node(s, 2, {{1, kError}}, 1);
  node(s, 3, {}, 1);
  disable(s, 2, 1, kError);
  break_down(s, 1);
  CHECK(s.stopping(3) == StopReason::Cascade);
}

TEST_CASE("A handled failure that is tried again counts as little as before, restored or not") {
  for (const bool restored : {false, true}) {
    Scenario s;
    s.group(1, GroupField::FailureThreshold, 2);
    node(s, 1, {}, 1);
    node(s, 2, {{1, kError}}, 1);
    node(s, 3, {}, 1);
    node(s, 4, {}, 1);
    break_down(s, 3);
    break_down(s, 1);
    if (restored) s.restart(true);
    s.give(Command::Retry, 1);
    break_down(s, 1);
    // Its error flow led on once and is gone: this failure is the second that counts.
    CHECK(s.stopping(4) == StopReason::Cascade);
  }
}

TEST_CASE("What is tried again as a draft may be told anew what it waits for") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 0);
  node(s, 1, {}, 1);
  node(s, 2, {{1}}, 1);
  node(s, 3, {{2}}, 1);
  s.group(1, GroupField::Closed, 1);
  break_down(s, 1);
  CHECK(s.last(Event::GroupSettled).task == 1);
  REQUIRE(disabled(s, 3, DisabledBy::Disabled));
  s.give(Command::Retry, 1);
  for (const std::uint32_t task : {2, 3}) {
    CHECK(s.give(Command::Retry, task, kRetryAsDraft) == Events{Event::Retried});
    CHECK(s.last(Event::Retried).a == kRetryAsDraft);
    CHECK(s.state(task) == State::Blocked);
    CHECK(s.value(task, Field::Submitted) == 0);
  }
  s.restart(true);
  for (const std::uint32_t task : {2, 3}) {
    s.depend(task, task - 1, kFlow);
    s.submit(task);
    CHECK(s.state(task) == State::Blocked);
  }
  for (const std::uint32_t task : {1, 2, 3}) {
    CHECK(s.state(task) == State::Running);
    s.succeed(task);
  }
  CHECK(s.attempt(1) == 3);
  CHECK(s.attempt(3) == 1);
}

TEST_CASE("Flows are imported as they stood") {
  Scenario s;
  s.create(1);
  s.create(2);
  node(s, 3, {{1}, {2}});
  node(s, 4, {{2}, {2, kError}});
  disable(s, 4, 2);
  s.succeed(1);
  const auto log = s.log();
  Scenario t;
  t.put(log);
  REQUIRE(t.session.import_log(log.size(), 11) == 4);
  for (std::uint32_t task = 11; task <= 14; task++) t.give(Command::Release, task, kHoldImportUnconfirmed);
  t.give(Command::Recover, 0, 1);
  REQUIRE(t.state(12) == State::Running);
  CHECK(t.value(13, Field::UnmetEdges) == 1);
  CHECK(t.value(14, Field::UnmetEdges) == 1);
  t.succeed(12);
  CHECK(t.state(13) == State::Running);
  CHECK(disabled(t, 14, DisabledBy::Success));
}

TEST_CASE("A flow that the host says is met lets its dependent begin beside its prerequisite, whatever becomes of that") {
  Scenario s;
  s.create(1);
  node(s, 2, {{1}});
  CHECK(meet(s, 2, 1) == Events{Event::EdgeMet, Event::Started});
  meet(s, 2, 1);
  CHECK(s.refused(Rejection::WrongState));
  s.restart();
  CHECK(s.value(2, Field::UnmetEdges) == 0);
  break_down(s, 1);
  CHECK(s.state(2) == State::Running);
  s.succeed(2);
  CHECK(s.state(2) == State::Succeeded);
}

TEST_CASE("Beside a flow that is met the others are waited for, and one that is disabled does not count, after a crash neither") {
  Scenario s;
  s.create(1);
  s.create(2);
  node(s, 3, {{1}, {2}});
  node(s, 4, {{1}, {2}});
  CHECK(meet(s, 3, 1) == Events{Event::EdgeMet});
  CHECK(s.state(3) == State::Blocked);
  s.restart();
  break_down(s, 2);
  CHECK(s.state(3) == State::Running);
  s.succeed(1);
  CHECK(s.state(4) == State::Running);
}

TEST_CASE("What began by a flow that was met can be ended as one that nothing leads to: no group counts it, and flows out of it are disabled") {
  Scenario s;
  s.group(1, GroupField::FailureThreshold, 1);
  s.create(1);
  node(s, 2, {{1}}, 1);
  node(s, 3, {{2}}, 1);
  node(s, 4, {}, 1);
  meet(s, 2, 1);
  s.give(Command::Cancel, 2, number(DisabledBy::Failure), kCancelAsDisabled);
  s.restart();
  s.settle(2, Outcome::Interrupted);
  CHECK(disabled(s, 2, DisabledBy::Failure));
  CHECK(disabled(s, 3, DisabledBy::Disabled));
  CHECK(s.state(4) == State::Running);
}
