// Circuits: when they open, who is held, who may try, and how retries are spaced.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

constexpr std::uint32_t kCalls = 0x80000001u, kQueues = 0x80000002u;

void setting(Scenario& s, CircuitField field, double value, std::uint32_t circuit = kCalls) {
  s.give(Command::SetCircuit, circuit, number(field), 0, value);
}

// Opens when two of four have failed, for a second.
void circuit(Scenario& s, std::uint32_t which = kCalls) {
  setting(s, CircuitField::FailureRate, 0.5, which);
  setting(s, CircuitField::MinCalls, 4, which);
  setting(s, CircuitField::OpenForMs, 1000, which);
  s.policy(1, PolicyField::MaxAttempts, 1);
}

std::vector<Event> call(Scenario& s, std::uint32_t task, std::uint32_t policy = 1, TaskField field = TaskField::Circuit, std::uint32_t which = kCalls) {
  s.draft(task, 0, policy);
  s.set(task, field, which);
  return s.submit(task);
}

bool held(const Scenario& s, std::uint32_t task) { return ((s.session.core().state(task) >> 16) & kHoldCircuit) != 0; }

// By two successes and two failures of tasks 101 to 104.
void open(Scenario& s, std::uint32_t which = kCalls) {
  const std::uint32_t first = which == kCalls ? 101 : 111;
  for (std::uint32_t task = first; task < first + 4; task++) {
    call(s, task, 1, which == kCalls ? TaskField::Circuit : TaskField::QueueCircuit, which);
    if (task % 2 == 1) s.succeed(task);
    else s.fail(task);
  }
  REQUIRE(s.last(Event::CircuitOpened).at == s.now + 1000);
}

}  // namespace

TEST_CASE("A circuit opens when enough of enough attempts have failed; what would begin is held, and the rest goes on") {
  Scenario s;
  circuit(s);
  open(s);
  CHECK(call(s, 1) == Events{Event::Submitted, Event::Held});
  CHECK(held(s, 1));
  CHECK(s.value(1, Field::OpenUntilMs) == s.now + 1000);
  CHECK(s.deadline() == s.now + 1000);
  s.create(2);
  CHECK(s.state(2) == State::Running);
  CHECK(s.value(2, Field::OpenUntilMs) == 0);
}

TEST_CASE("What a circuit holds expires as what waits for a slot does") {
  Scenario s;
  circuit(s);
  open(s);
  s.draft(1, 0, 1);
  s.set(1, TaskField::Circuit, kCalls);
  s.set(1, TaskField::TimeToLiveMs, 100);
  CHECK(s.submit(1) == Events{Event::Submitted, Event::Held});
  CHECK(s.advance(100) == Events{Event::Failed});
  CHECK(s.last(Event::Failed).a == number(FailReason::Expired));
}

TEST_CASE("Too few attempts, or too few that fail, open nothing; what says nothing about the call does not count") {
  Scenario s;
  circuit(s);
  for (std::uint32_t task = 1; task <= 3; task++) {
    call(s, task);
    s.fail(task);
  }
  for (std::uint32_t task = 4; task <= 20; task++) {
    call(s, task);
    if (task < 10) s.settle(task, Outcome::Fatal);
    else if (task < 16) s.settle(task, Outcome::Interrupted);
    else s.cancel(task);
  }
  call(s, 30);
  CHECK(s.succeed(30) == Events{Event::Succeeded});
  call(s, 31);
  CHECK(s.state(31) == State::Running);
  // 3 of 4 have failed, but it is a failure that opens it.
  call(s, 32);
  s.fail(32);
  CHECK(s.tasks(Event::CircuitOpened) == Tasks{kCalls});
}

TEST_CASE("Failures of long ago do not count, and those of the last window count for less and less") {
  Scenario s;
  circuit(s);
  setting(s, CircuitField::WindowMs, 10'000);
  for (std::uint32_t task = 1; task <= 3; task++) {
    call(s, task);
    s.fail(task);
  }
  s.advance(20'000);
  for (std::uint32_t task = 11; task <= 13; task++) {
    call(s, task);
    s.fail(task);
    CHECK(s.tasks(Event::CircuitOpened).empty());
  }
  s.advance(15'000);
  // Half of the three count still: with these two, 3.5.
  for (std::uint32_t task = 21; task <= 22; task++) {
    call(s, task);
    s.fail(task);
    CHECK(s.tasks(Event::CircuitOpened).empty());
  }
  call(s, 23);
  s.fail(23);
  CHECK(s.tasks(Event::CircuitOpened) == Tasks{kCalls});
}

TEST_CASE("When its time is over one may try; its success lets everybody on, the most urgent and the oldest first") {
  Scenario s;
  circuit(s);
  open(s);
  for (std::uint32_t task = 1; task <= 4; task++) {
    s.advance(1);
    s.draft(task, 0, 1);
    s.set(task, TaskField::Circuit, kCalls);
    s.set(task, TaskField::Priority, task == 3 ? 5 : 0);
    s.submit(task);
  }
  CHECK(s.advance(995).empty());
  CHECK(s.advance(1) == Events{Event::CircuitHalfOpened, Event::Released, Event::Started});
  CHECK(s.tasks(Event::Started) == Tasks{3});
  CHECK(call(s, 5) == Events{Event::Submitted, Event::Held});
  s.succeed(3);
  CHECK(s.tasks(Event::CircuitClosed) == Tasks{kCalls});
  CHECK(s.tasks(Event::Started) == Tasks{1, 2, 4, 5});
}

TEST_CASE("Its failure opens it for as long again; what ran before it opened says nothing") {
  Scenario s;
  circuit(s);
  call(s, 50);
  open(s);
  call(s, 1);
  call(s, 2);
  CHECK(s.fail(50) == Events{Event::AttemptFailed, Event::Failed});
  s.advance(1000);
  CHECK(s.tasks(Event::Started) == Tasks{1});
  s.fail(1);
  CHECK(s.last(Event::CircuitOpened).at == s.now + 1000);
  CHECK(held(s, 2));
  s.advance(1000);
  CHECK(s.tasks(Event::Started) == Tasks{2});
  s.succeed(2);
  CHECK(call(s, 3) == Events{Event::Submitted, Event::Started});
}

TEST_CASE("Half open, so many may try at once, and so many successes close it") {
  Scenario s;
  circuit(s);
  setting(s, CircuitField::HalfOpenMax, 2);
  open(s);
  for (std::uint32_t task = 1; task <= 5; task++) call(s, task);
  s.advance(1000);
  CHECK(s.tasks(Event::Started) == Tasks{1, 2});
  s.succeed(1);
  CHECK(s.tasks(Event::Started) == Tasks{3});
  s.succeed(3);
  CHECK(s.tasks(Event::CircuitClosed) == Tasks{kCalls});
  CHECK(s.tasks(Event::Started) == Tasks{4, 5});
}

TEST_CASE("Who tries and is cancelled, waits, or was paused while it was held gives its turn to the next") {
  Scenario s;
  circuit(s);
  open(s);
  for (std::uint32_t task = 1; task <= 5; task++) call(s, task);
  s.pause(1);
  s.give(Command::Hold, 2, 1);
  s.advance(1000);
  CHECK(s.tasks(Event::Started) == Tasks{3});
  s.cancel(3);
  s.fail(3);
  CHECK(s.tasks(Event::Started) == Tasks{4});
  s.wait(4);
  CHECK(s.tasks(Event::Started) == Tasks{5});
  s.succeed(5);
  CHECK(s.tasks(Event::Released) == Tasks{1, 2});
  CHECK(s.state(1) == State::Ready);
  s.resume(1);
  CHECK(s.state(1) == State::Running);
}

TEST_CASE("A retry is held when it is due; a parked handler goes on") {
  Scenario s;
  circuit(s);
  s.policy(2, PolicyField::Jitter, number(Jitter::None));
  call(s, 1, 2);
  call(s, 2);
  s.wait(2);
  s.fail(1);
  open(s);
  s.give(Command::Wake, 2);
  CHECK(s.state(2) == State::Running);
  setting(s, CircuitField::OpenForMs, 60'000);
  s.advance(999);
  s.set_clock(s.now + 1);
  CHECK(s.tasks(Event::Started) == Tasks{1});
}

TEST_CASE("What runs since before it opened takes nobody's turn") {
  Scenario s;
  circuit(s);
  call(s, 1);
  open(s);
  call(s, 2);
  s.advance(1000);
  CHECK(s.tasks(Event::Started) == Tasks{2});
  CHECK(s.state(1) == State::Running);
}

TEST_CASE("A held task can be cancelled, and tried again it is held again") {
  Scenario s;
  circuit(s);
  open(s);
  call(s, 1);
  CHECK(s.cancel(1) == Events{Event::Cancelled});
  s.give(Command::Retry, 1);
  CHECK(held(s, 1));
  s.cancel(1);
  s.advance(1000);
  call(s, 2);
  s.succeed(2);
  s.give(Command::Retry, 1);
  CHECK(s.state(1) == State::Running);
}

TEST_CASE("A task may have two circuits, and begins when both let it") {
  Scenario s;
  circuit(s);
  circuit(s, kQueues);
  open(s);
  open(s, kQueues);
  s.draft(1, 0, 1);
  s.set(1, TaskField::Circuit, kCalls);
  s.set(1, TaskField::QueueCircuit, kQueues);
  CHECK(s.submit(1) == Events{Event::Submitted, Event::Held});
  setting(s, CircuitField::OpenForMs, 500, kQueues);
  s.advance(1000);
  CHECK(s.tasks(Event::CircuitHalfOpened) == Tasks{kCalls, kQueues});
  CHECK(s.state(1) == State::Running);
  s.fail(1);
  CHECK(s.tasks(Event::CircuitOpened) == Tasks{kCalls, kQueues});
  s.draft(2, 0, 1);
  s.set(2, TaskField::Circuit, kCalls);
  s.set(2, TaskField::QueueCircuit, kQueues);
  s.submit(2);
  CHECK(s.value(2, Field::OpenUntilMs) == s.now + 1000);
  s.advance(500);
  CHECK(held(s, 2));
  s.advance(500);
  CHECK(s.state(2) == State::Running);
}

TEST_CASE("Whether it is open is the same after the log was read or compacted; another session finds out for itself") {
  Scenario s;
  circuit(s);
  open(s);
  call(s, 1);
  const auto log = s.log();
  s.put(log);
  REQUIRE(s.session.compact(log.size()) > 0);
  const auto shorter = s.session.frame();
  for (const auto& one : {log, shorter}) {
    Scenario again;
    again.load(one);
    again.now = s.now;
    CHECK(same_state(again.session.core(), s.session.core()));
    CHECK(again.give(Command::Recover).empty());
    CHECK(held(again, 1));
    CHECK(again.value(1, Field::OpenUntilMs) == s.now + 1000);
    again.advance(1000);
    CHECK(again.state(1) == State::Running);
    // Half open, and that stands in the log too.
    again.create(9);
    CHECK(call(again, 2) == Events{Event::Submitted, Event::Held});
    again.restart();
    CHECK(again.state(1) == State::Running);
    CHECK(held(again, 2));
  }
  Scenario other;
  other.now = s.now;
  other.step({});
  other.put(log);
  REQUIRE(other.session.import_log(log.size(), 1) > 0);
  other.step({});
  CHECK_FALSE(held(other, 1));
}

TEST_CASE("A retry budget spaces retries by what began in its window, and leaves a few alone") {
  Scenario s;
  setting(s, CircuitField::RetryRatio, 0.2);
  setting(s, CircuitField::RetryWindowMs, 10'000);
  s.policy(1, PolicyField::MaxAttempts, 3);
  s.policy(1, PolicyField::Backoff, number(Backoff::Fixed));
  s.policy(1, PolicyField::Jitter, number(Jitter::None));
  for (std::uint32_t task = 1; task <= 1000; task++) call(s, task);
  std::vector<double> due;
  for (std::uint32_t task = 1; task <= 1000; task++) {
    s.fail(task);
    due.push_back(s.last(Event::RetryScheduled).at - s.now);
  }
  // 200 in ten seconds: 50 ms apart, after the second that the policy says.
  for (std::uint32_t index = 0; index < 1000; index++) CHECK(due[index] == Catch::Approx(1000 + 50.0 * index));
  Scenario alone;
  setting(alone, CircuitField::RetryRatio, 0.2);
  alone.policy(1, PolicyField::Jitter, number(Jitter::None));
  call(alone, 1);
  alone.fail(1);
  CHECK(alone.last(Event::RetryScheduled).at == alone.now + 1000);
  alone.advance(1000);
  alone.settle(1, Outcome::Failure, alone.now + 5000);
  CHECK(alone.last(Event::RetryScheduled).at == alone.now + 5000);
}

TEST_CASE("Settings that make no sense are refused, and so is a task's circuit once it is submitted") {
  Scenario s;
  const auto refuses = [&](CircuitField field, double value) {
    setting(s, field, value);
    return s.refused(Rejection::InvalidValue);
  };
  for (const double bad : {-0.1, 1.1, 0.0 / 0.0}) CHECK((refuses(CircuitField::FailureRate, bad) && refuses(CircuitField::RetryRatio, bad)));
  for (const double bad : {0.0, 1.5, -1.0, 1e9}) CHECK((refuses(CircuitField::MinCalls, bad) && refuses(CircuitField::HalfOpenMax, bad)));
  for (const double bad : {0.0, -1.0, 1e300}) CHECK((refuses(CircuitField::OpenForMs, bad) && refuses(CircuitField::WindowMs, bad) && refuses(CircuitField::RetryWindowMs, bad)));
  CHECK(refuses(static_cast<CircuitField>(8), 1));
  s.give(Command::SetCircuit, 0, 1, 0, 0.5);
  CHECK(s.refused(Rejection::InvalidValue));
  s.draft(1);
  for (const double bad : {0.0, -1.0, 0.5, 4294967296.0}) {
    s.set(1, TaskField::Circuit, bad);
    CHECK(s.refused(Rejection::InvalidValue));
  }
  s.submit(1);
  s.set(1, TaskField::Circuit, 7);
  CHECK(s.refused(Rejection::AlreadySubmitted));
  for (std::uint32_t circuit = 1; circuit <= kMaxCircuits; circuit++) setting(s, CircuitField::MinCalls, 5, circuit);
  setting(s, CircuitField::MinCalls, 5, kMaxCircuits + 1);
  CHECK(s.refused(Rejection::TooMany));
}
