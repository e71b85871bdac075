// Edges: what waits, what is met, what is cancelled with its prerequisite, and no cycles.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

void dependent(Scenario& s, std::uint32_t task, std::uint32_t on, EdgeKind kind = EdgeKind::OnSuccess) {
  s.draft(task);
  s.depend(task, on, kind);
  s.submit(task);
}

// What becomes of a dependent when its prerequisite ends that way.
State after(EdgeKind kind, void (*end)(Scenario&)) {
  Scenario s;
  s.create(1);
  dependent(s, 2, 1, kind);
  REQUIRE(s.state(2) == State::Blocked);
  end(s);
  return s.state(2);
}

void succeed(Scenario& s) { s.succeed(1); }
void fail(Scenario& s) { s.settle(1, Outcome::Fatal); }
void cancel(Scenario& s) {
  s.cancel(1);
  s.succeed(1);
}

}  // namespace

TEST_CASE("An edge is met or cancels its dependent, by its kind and the prerequisite's end") {
  CHECK(after(EdgeKind::OnSuccess, succeed) == State::Running);
  CHECK(after(EdgeKind::OnSuccess, fail) == State::Cancelled);
  CHECK(after(EdgeKind::OnSuccess, cancel) == State::Cancelled);
  CHECK(after(EdgeKind::OnFailure, succeed) == State::Cancelled);
  CHECK(after(EdgeKind::OnFailure, fail) == State::Running);
  CHECK(after(EdgeKind::OnFailure, cancel) == State::Cancelled);
  CHECK(after(EdgeKind::OnSettled, succeed) == State::Running);
  CHECK(after(EdgeKind::OnSettled, fail) == State::Running);
  CHECK(after(EdgeKind::OnSettled, cancel) == State::Running);
  CHECK(after(EdgeKind::OnCancelled, succeed) == State::Cancelled);
  CHECK(after(EdgeKind::OnCancelled, fail) == State::Cancelled);
  CHECK(after(EdgeKind::OnCancelled, cancel) == State::Running);
}

TEST_CASE("A prerequisite that has ended already counts, for and against") {
  Scenario s;
  s.create(1);
  s.succeed(1);
  dependent(s, 2, 1);
  CHECK(s.state(2) == State::Running);
  s.draft(3);
  CHECK(s.depend(3, 1, EdgeKind::OnFailure) == Events{Event::Depended});
  CHECK(s.submit(3) == Events{Event::Submitted, Event::Cancelled});
  CHECK(s.last(Event::Cancelled).a >> 24 == number(CancelCause::Cascade));
}

TEST_CASE("Who waits for others is told from who was never submitted") {
  Scenario s;
  s.draft(1);
  CHECK(s.value(1, Field::Submitted) == 0);
  dependent(s, 2, 1);
  CHECK(s.state(2) == State::Blocked);
  CHECK(s.value(2, Field::Submitted) == 1);
  CHECK(s.value(77, Field::Submitted) == 0);
}

TEST_CASE("A draft whose prerequisite fails is cancelled when it is submitted") {
  Scenario s;
  s.create(1);
  s.draft(2);
  s.depend(2, 1);
  CHECK(s.settle(1, Outcome::Fatal) == Events{Event::AttemptFailed, Event::Failed});
  CHECK(s.submit(2) == Events{Event::Submitted, Event::Cancelled});
}

TEST_CASE("A task waits for all its prerequisites; telling an edge twice does no harm") {
  Scenario s;
  s.create(1);
  s.create(2);
  s.draft(3);
  s.depend(3, 1);
  s.depend(3, 1);
  s.depend(3, 2);
  s.submit(3);
  CHECK(s.value(3, Field::UnmetEdges) == 3);
  s.succeed(1);
  CHECK(s.state(3) == State::Blocked);
  CHECK(s.succeed(2) == Events{Event::Succeeded, Event::Started});
}

TEST_CASE("A dependent may go before its prerequisite") {
  Scenario s;
  s.create(1);
  dependent(s, 2, 1);
  s.cancel(2);
  s.give(Command::Forget, 2);
  s.create(2);
  CHECK(s.succeed(1) == Events{Event::Succeeded});
  CHECK(s.state(2) == State::Running);
}

TEST_CASE("A retried task no longer waits for anything") {
  Scenario s;
  s.create(1);
  dependent(s, 2, 1);
  s.settle(1, Outcome::Fatal);
  REQUIRE(s.state(2) == State::Cancelled);
  CHECK(s.give(Command::Retry, 2) == Events{Event::Retried, Event::Started});
}

TEST_CASE("H2: self edges, cycles and unknown prerequisites are refused and change nothing") {
  Scenario s;
  for (std::uint32_t task = 1; task <= 4; task++) s.draft(task);
  s.depend(2, 1);
  s.depend(3, 2);
  s.depend(4, 3);
  const Log before = read_log(s.log(), 1);
  for (const auto& [task, on] : {std::pair{1u, 1u}, {1u, 2u}, {1u, 4u}, {2u, 4u}}) {
    s.depend(task, on);
    CHECK(s.refused(Rejection::Cycle));
  }
  s.depend(1, 77);
  CHECK(s.refused(Rejection::UnknownTask));
  s.depend(1, 4, static_cast<EdgeKind>(6));
  CHECK(s.refused(Rejection::InvalidValue));
  CHECK(same_state(s.session.core(), before.core));
}

TEST_CASE("H2: a chain of 100,000 cascades without recursion, told in either order") {
  constexpr std::uint32_t kDepth = 100'000;
  for (const bool backwards : {false, true}) {
    Scenario s;
    for (std::uint32_t task = 1; task <= kDepth; task++) s.draft(task);
    for (std::uint32_t i = 2; i <= kDepth; i++) {
      const std::uint32_t task = backwards ? kDepth + 2 - i : i;
      s.depend(task, task - 1);
      s.submit(task);
    }
    s.submit(1);
    s.settle(1, Outcome::Fatal);
    CHECK(s.tasks(Event::Cancelled).size() == kDepth - 1);
    const Log log = read_log(s.log(), 1);
    CHECK(same_state(s.session.core(), log.core));
  }
}

TEST_CASE("H2: a fan-in and a fan-out of 100,000") {
  constexpr std::uint32_t kWidth = 100'000;
  Scenario s;
  s.draft(1);
  for (std::uint32_t task = 2; task <= kWidth + 1; task++) {
    s.create(task);
    s.depend(1, task, EdgeKind::OnSettled);
  }
  s.submit(1);
  for (std::uint32_t task = 2; task <= kWidth; task++) s.succeed(task);
  CHECK(s.state(1) == State::Blocked);
  CHECK(s.fail(kWidth + 1).back() == Event::RetryScheduled);
  CHECK(s.cancel(kWidth + 1) == Events{Event::Cancelled, Event::Started});
  for (std::uint32_t task = 200'001; task <= 200'000 + kWidth; task++) dependent(s, task, 1);
  s.succeed(1);
  CHECK(s.tasks(Event::Started).size() == kWidth);
}
