// Delays, time to live, timeouts, deadlines, grace, and a clock that jumps.
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

void run_with(Scenario& s, TaskField field, double value) {
  s.draft(1);
  s.set(1, field, value);
  s.submit(1);
}

// The host stood still for so long, until now.
std::vector<Event> thaw(Scenario& s, double ms) {
  s.now += ms;
  return s.give(Command::Thaw, 0, 0, 0, ms);
}

}  // namespace

TEST_CASE("A task waits for its time and starts then") {
  Scenario s;
  run_with(s, TaskField::NotBeforeMs, s.now + 500);
  CHECK(s.state(1) == State::Delayed);
  CHECK(s.value(1, Field::DueAt) == s.now + 500);
  CHECK(s.advance(499).empty());
  CHECK(s.advance(1) == Events{Event::TimeReached, Event::Started});
}

TEST_CASE("An attempt that takes too long is stopped, and counts as failed when it settles") {
  Scenario s;
  run_with(s, TaskField::AttemptTimeoutMs, 100);
  CHECK(s.advance(100) == Events{Event::Stopping});
  CHECK(s.last(Event::Stopping).a >> 24 == number(StopReason::Timeout));
  CHECK(s.last(Event::Stopping).at == s.now + 5000);
  CHECK(s.session.core().queue_value(0, QueueValue::Running) == 1);  // the slot is held
  CHECK(s.succeed(1) == Events{Event::AttemptFailed, Event::RetryScheduled});
  CHECK(s.last(Event::AttemptFailed).a >> 24 == number(Outcome::Timeout));
}

TEST_CASE("What does not settle within grace is abandoned") {
  Scenario s;
  run_with(s, TaskField::AttemptTimeoutMs, 100);
  s.advance(100);
  CHECK(s.advance(4999).empty());
  CHECK(s.advance(1) == Events{Event::Abandoned, Event::AttemptFailed, Event::RetryScheduled});
  s.give(Command::Settle, 1, 1);
  CHECK(s.refused(Rejection::StaleAttempt));
}

TEST_CASE("Waiting does not stop the attempt's clock") {
  Scenario s;
  run_with(s, TaskField::AttemptTimeoutMs, 100);
  s.advance(60);
  s.wait(1);
  CHECK(s.advance(40) == Events{Event::Stopping});
  CHECK(s.stopping(1) == StopReason::Timeout);
}

TEST_CASE("At its deadline a running task is stopped and fails, a waiting one fails at once") {
  Scenario s;
  run_with(s, TaskField::DeadlineAtMs, s.now + 100);
  CHECK(s.advance(100) == Events{Event::Stopping});
  CHECK(s.fail(1) == Events{Event::Failed});
  CHECK(s.last(Event::Failed).a == number(FailReason::TimedOut));
  s.draft(2);
  s.set(2, TaskField::DeadlineAtMs, s.now + 100);
  s.set(2, TaskField::NotBeforeMs, s.now + 1000);
  s.submit(2);
  CHECK(s.advance(100) == Events{Event::Failed});
}

TEST_CASE("The deadline overrules a timeout that is being waited for") {
  Scenario s;
  s.draft(1);
  s.set(1, TaskField::AttemptTimeoutMs, 50);
  s.set(1, TaskField::DeadlineAtMs, s.now + 100);
  s.submit(1);
  s.advance(50);
  CHECK(s.advance(50) == Events{Event::Stopping});
  CHECK(s.stopping(1) == StopReason::Deadline);
  CHECK(s.advance(4950) == Events{Event::Abandoned, Event::Failed});  // grace is not lengthened
}

TEST_CASE("A task that is not started within its time to live expires; delay does not count") {
  Scenario s;
  s.queue(1, QueueField::Paused, 1);
  s.draft(1, 1);
  s.set(1, TaskField::TimeToLiveMs, 100);
  s.set(1, TaskField::NotBeforeMs, s.now + 1000);
  s.submit(1);
  CHECK(s.advance(1000) == Events{Event::TimeReached});
  CHECK(s.advance(99).empty());
  CHECK(s.advance(1) == Events{Event::Failed});
  CHECK(s.last(Event::Failed).a == number(FailReason::Expired));
}

TEST_CASE("What passes by itself keeps nobody from expiring: no network, an open circuit; what somebody has to lift does") {
  for (const std::uint32_t hold : {kHoldOffline, kHoldDefinitionMissing, kHoldPayloadMissing}) {
    Scenario s;
    s.draft(1);
    s.set(1, TaskField::TimeToLiveMs, 100);
    s.give(Command::Hold, 1, hold);
    s.submit(1);
    s.advance(50);
    CHECK(s.state(1) == State::Ready);
    const bool expires = hold == kHoldOffline;
    CHECK(s.advance(50) == (expires ? Events{Event::Failed} : Events{}));
    if (expires) continue;
    s.give(Command::Release, 1, hold);
    CHECK(s.state(1) == State::Running);
  }
  Scenario s;
  s.queue(1, QueueField::Paused, 1);
  s.draft(1, 1);
  s.set(1, TaskField::TimeToLiveMs, 100);
  s.submit(1);
  s.advance(60);
  s.give(Command::Hold, 1, kHoldOffline);
  CHECK(s.advance(40) == Events{Event::Failed});
}

TEST_CASE("Once started, a task does not expire any more") {
  Scenario s;
  run_with(s, TaskField::TimeToLiveMs, 100);
  s.fail(1);
  s.advance(1'000'000);
  CHECK(s.state(1) == State::Running);
}

TEST_CASE("A cancelled handler has grace to end; then the task is cancelled with its reason") {
  Scenario s;
  s.create(1);
  CHECK(s.cancel(1, 42) == Events{Event::Stopping});
  CHECK(s.succeed(1) == Events{Event::Cancelled});
  CHECK(s.last(Event::Cancelled).a == 42);
  s.create(2);
  s.wait(2);
  s.cancel(2);
  CHECK(s.advance(5000) == Events{Event::Abandoned, Event::Cancelled});
}

TEST_CASE("Cancelling overrules a timeout and an interruption") {
  Scenario s;
  run_with(s, TaskField::AttemptTimeoutMs, 100);
  s.advance(100);
  CHECK(s.cancel(1, 3) == Events{Event::Stopping});
  CHECK(s.succeed(1) == Events{Event::Cancelled});
}

TEST_CASE("No grace means no wait") {
  Scenario s;
  run_with(s, TaskField::GraceMs, 0);
  CHECK(s.cancel(1) == Events{Event::Stopping, Event::Abandoned, Event::Cancelled});
}

TEST_CASE("D1: the clock goes back ten years, and a backoff ends after its delay all the same") {
  Scenario s;
  s.now = 1e12;
  s.policy(0, PolicyField::Jitter, 0);
  s.create(1);
  s.fail(1);
  s.set_clock(s.now - 3.15e11);
  CHECK(s.deadline() == s.now + 1000);
  CHECK(s.advance(999).empty());
  CHECK(s.advance(1) == Events{Event::TimeReached, Event::Started});
}

TEST_CASE("D1: a clock that goes back an hour and forward again neither fires early nor late") {
  Scenario s;
  s.now = 1e9;
  run_with(s, TaskField::NotBeforeMs, 1e9 + 7.2e6);
  s.set_clock(1e9 - 3.6e6);
  CHECK(s.set_clock(1e9 + 7.2e6 - 1).empty());
  CHECK(s.set_clock(1e9 + 7.2e6) == Events{Event::TimeReached, Event::Started});
}

TEST_CASE("D1: the events' times never go back") {
  Scenario s;
  s.now = 1e9;
  s.create(1);
  s.now -= 5e8;
  s.succeed(1);
  CHECK(s.last(Event::Succeeded).at >= 1e9);
}

TEST_CASE("D2: the clock goes forward a year: what is due starts once, within the limit") {
  Scenario s;
  s.queue(1, QueueField::Concurrency, 3);
  for (std::uint32_t task = 1; task <= 50; task++) {
    s.draft(task, 1);
    s.set(task, TaskField::NotBeforeMs, s.now + task * 1000);
    s.submit(task);
  }
  s.advance(3.15e10);
  CHECK(s.tasks(Event::TimeReached).size() == 50);
  CHECK(s.tasks(Event::Started) == Tasks{1, 2, 3});
  CHECK(s.deadline() == kNever);
}

TEST_CASE("E7: time during which the host stood still does not count for the timeout of an attempt") {
  Scenario s;
  run_with(s, TaskField::AttemptTimeoutMs, 100);
  s.advance(60);
  CHECK(thaw(s, 3.6e6) == Events{Event::Thawed});
  CHECK(s.last(Event::Thawed).b == 3'600'000);
  CHECK(s.deadline() == s.now + 40);
  CHECK(same_state(s.session.core(), read_log(s.log(), 1).core));
  CHECK(s.advance(39).empty());
  CHECK(s.advance(1) == Events{Event::Stopping});
  CHECK(s.stopping(1) == StopReason::Timeout);
}

TEST_CASE("E7: a retry after standing still has its own whole timeout") {
  Scenario s;
  s.policy(0, PolicyField::Jitter, 0);
  run_with(s, TaskField::AttemptTimeoutMs, 100);
  thaw(s, 5000);
  s.fail(1);
  s.advance(1000);
  CHECK(s.deadline() == s.now + 100);
}

TEST_CASE("E7: deadlines, times to live and delays go by the clock, though the host stood still") {
  Scenario s;
  s.queue(1, QueueField::Paused, 1);
  run_with(s, TaskField::DeadlineAtMs, s.now + 100);
  s.draft(2, 1);
  s.set(2, TaskField::TimeToLiveMs, 100);
  s.submit(2);
  s.draft(3);
  s.set(3, TaskField::NotBeforeMs, s.now + 100);
  s.submit(3);
  thaw(s, 5000);
  CHECK(s.stopping(1) == StopReason::Deadline);
  CHECK(s.state(2) == State::Failed);
  CHECK(s.state(3) == State::Running);
  CHECK(s.tasks(Event::Thawed).empty());
}

TEST_CASE("E7: an attempt is given no more than it has lived, and one without a timeout nothing") {
  Scenario s;
  s.create(2);
  run_with(s, TaskField::AttemptTimeoutMs, 100);
  s.now += 10;
  CHECK(s.give(Command::Thaw, 0, 0, 0, 5000) == Events{Event::Thawed});
  CHECK(s.tasks(Event::Thawed) == Tasks{1});
  CHECK(s.last(Event::Thawed).b == 10);
  CHECK(s.deadline() == s.now + 100);
}

TEST_CASE("E7: who counts frozen time times out by the clock") {
  Scenario s;
  s.draft(1);
  s.set(1, TaskField::AttemptTimeoutMs, 100);
  s.set(1, TaskField::CountFrozen, 1);
  s.submit(1);
  CHECK(thaw(s, 5000) == Events{Event::Stopping});
  s.set(1, TaskField::CountFrozen, 2);
  CHECK(s.refusal() != 0);
}

TEST_CASE("E7: code that could not run keeps its grace") {
  Scenario s;
  s.create(1);
  s.cancel(1);
  s.advance(4000);
  CHECK(thaw(s, 3.6e6) == Events{Event::Thawed});
  CHECK(s.deadline() == s.now + 1000);
  CHECK(s.advance(1000) == Events{Event::Abandoned, Event::Cancelled});
}

TEST_CASE("E7: what was given stays given over a compaction and a restart") {
  Scenario s;
  run_with(s, TaskField::AttemptTimeoutMs, 1000);
  s.wait(1);
  thaw(s, 5000);
  const auto log = s.log();
  s.put(log);
  REQUIRE(s.session.compact(log.size()) > 0);
  for (const auto& kept : {log, s.session.frame()}) CHECK(read_log(kept, 1).core.deadline() == s.now + 1000);
}

TEST_CASE("E7: the core counts the attempts that standing still concerns") {
  Scenario s;
  const auto concerned = [&] { return s.session.core().thawable_attempts(); };
  run_with(s, TaskField::AttemptTimeoutMs, 100);
  s.create(2);
  CHECK(concerned() == 1);
  s.cancel(2);
  CHECK(concerned() == 2);
  s.wait(1);
  CHECK(concerned() == 2);
  CHECK(read_log(s.log(), 1).core.thawable_attempts() == 2);
  s.succeed(2);
  s.succeed(1);
  CHECK(concerned() == 0);
  for (const std::uint32_t task : {1u, 2u}) s.give(Command::Forget, task);
  CHECK(concerned() == 0);
}

TEST_CASE("E7: a time that is none is refused, and where nothing runs nothing is said") {
  Scenario s;
  for (const double ms : {0.0, -1.0, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    CHECK(s.give(Command::Thaw, 0, 0, 0, ms) == Events{Event::Rejected});
    CHECK(s.refused(Rejection::InvalidValue));
  }
  CHECK(s.give(Command::Thaw, 0, 0, 0, 1000).empty());
}

TEST_CASE("A time that is no number changes nothing") {
  Scenario s;
  run_with(s, TaskField::NotBeforeMs, s.now + 10);
  const double now = s.now;
  CHECK(s.set_clock(std::numeric_limits<double>::quiet_NaN()).empty());
  CHECK(s.set_clock(now + 10) == Events{Event::TimeReached, Event::Started});
}
