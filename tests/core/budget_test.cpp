// What an attempt may use up: time it runs (compute budget), time without a sign of life (heartbeat).
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

void submit_with(Scenario& s, TaskField field, double value, std::uint32_t queue = 0) {
  s.draft(1, queue);
  s.set(1, field, value);
  s.submit(1);
}

void with_budget(Scenario& s, double ms, std::uint32_t queue = 0) { submit_with(s, TaskField::ComputeBudgetMs, ms, queue); }
void with_heartbeat(Scenario& s, double ms) { submit_with(s, TaskField::HeartbeatMs, ms); }

std::vector<Event> beat(Scenario& s) { return s.give(Command::Heartbeat, 1, s.attempt(1)); }

// The host stood still for so long, until now.
std::vector<Event> thaw(Scenario& s, double ms) {
  s.now += ms;
  return s.give(Command::Thaw, 0, 0, 0, ms);
}

double computed(const Scenario& s) { return s.value(1, Field::ComputedMs); }

}  // namespace

TEST_CASE("E4: a task that runs longer than its compute budget is asked to stop and has failed for good") {
  Scenario s;
  with_budget(s, 1000);
  CHECK(s.deadline() == s.now + 1000);
  CHECK(s.advance(999).empty());
  CHECK(computed(s) == 999);
  CHECK(s.advance(1) == Events{Event::Stopping});
  CHECK(s.stopping(1) == StopReason::OverBudget);
  CHECK(s.fail(1) == Events{Event::Failed});
  CHECK(s.last(Event::Failed).a == number(FailReason::OverBudget));
  CHECK(s.value(1, Field::ComputeBudgetMs) == 1000);
}

TEST_CASE("E4: code that does not heed it is given up when grace is over") {
  Scenario s;
  with_budget(s, 1000);
  s.advance(1000);
  CHECK(s.advance(5000) == Events{Event::Abandoned, Event::Failed});
}

TEST_CASE("E4: waiting, delays between attempts and time in the queue are not counted") {
  Scenario s;
  s.policy(0, PolicyField::Jitter, 0);
  s.queue(1, QueueField::Paused, 1);
  with_budget(s, 1000, 1);
  s.advance(50'000);
  s.queue(1, QueueField::Paused, 0);
  s.advance(400);
  s.wait(1);
  CHECK(s.deadline() == kNever);
  s.advance(50'000);
  CHECK(computed(s) == 400);
  s.give(Command::Wake, 1);
  s.advance(300);
  s.fail(1);
  CHECK(computed(s) == 700);
  s.advance(1000);
  REQUIRE(s.attempt(1) == 2);
  CHECK(s.deadline() == s.now + 300);
  s.pause(1);
  s.wait(1, 1);
  s.advance(50'000);
  s.resume(1);
  CHECK(s.advance(299).empty());
  CHECK(s.advance(1) == Events{Event::Stopping});
}

TEST_CASE("E4: what is computed stands when the task has ended, and begins anew with a Retry") {
  Scenario s;
  with_budget(s, 1000);
  s.advance(600);
  s.settle(1, Outcome::Fatal);
  s.advance(5000);
  CHECK(computed(s) == 600);
  s.give(Command::Retry, 1);
  CHECK(computed(s) == 0);
  CHECK(s.advance(999).empty());
  s.succeed(1);
  CHECK(computed(s) == 999);
}

TEST_CASE("E4: the time between the last word of a page that died and its recovery is not counted") {
  Scenario s;
  with_budget(s, 1000);
  s.advance(300);
  s.give(Command::RecordStep, 1, 1);
  s.advance(400);
  s.draft(2);
  s.now += 1'000'000;
  s.restart();
  CHECK(s.last(Event::Interrupted).b == 700);
  REQUIRE(s.state(1) == State::Running);
  CHECK(computed(s) == 700);
  CHECK(s.advance(299).empty());
  CHECK(s.advance(1) == Events{Event::Stopping});
}

TEST_CASE("E4: an interruption in a living page counts to the end, and so does closing it") {
  Scenario s;
  with_budget(s, 1000);
  s.advance(300);
  s.pause(1, PauseKind::Interrupt);
  s.advance(100);
  s.settle(1, Outcome::Interrupted);
  CHECK(computed(s) == 400);
  s.resume(1);
  s.advance(100);
  s.give(Command::Close);
  s.now += 5000;
  s.restart(true);
  CHECK(computed(s) == 500);
}

TEST_CASE("E4: a task that is taken over brings what it computed, and counts on from there") {
  Scenario dead;
  with_budget(dead, 1000);
  dead.advance(600);
  const auto log = dead.log();
  Scenario s;
  s.now = dead.now - 500;  // its clock stands behind
  s.step({});
  s.put(log);
  REQUIRE(s.session.import_log(log.size(), 1) == 1);
  s.give(Command::Recover);
  s.advance(10);
  s.give(Command::Release, 1, kHoldImportUnconfirmed);
  REQUIRE(s.state(1) == State::Running);
  const double before = computed(s);
  CHECK(before <= 600);
  CHECK(s.advance(1000 - before) == Events{Event::Stopping});
}

TEST_CASE("E5: an attempt that shows no sign of life for so long has failed, and is tried again") {
  Scenario s;
  s.policy(0, PolicyField::Jitter, 0);
  with_heartbeat(s, 1000);
  CHECK(s.advance(999).empty());
  CHECK(s.advance(1) == Events{Event::Stopping});
  CHECK(s.stopping(1) == StopReason::Stalled);
  CHECK(s.fail(1) == Events{Event::AttemptFailed, Event::RetryScheduled});
  CHECK(s.last(Event::AttemptFailed).a >> 24 == number(Outcome::Stalled));
  CHECK(s.advance(1000) == Events{Event::TimeReached, Event::Started});
  CHECK(s.deadline() == s.now + 1000);
}

TEST_CASE("E5: heartbeats, progress, recorded steps and a slot taken again are signs of life") {
  Scenario s;
  with_heartbeat(s, 1000);
  s.advance(900);
  CHECK(beat(s) == Events{Event::HeartbeatSeen});
  CHECK(s.deadline() == s.now + 1000);
  s.advance(900);
  CHECK(s.give(Command::ReportProgress, 1, 1, 0, 5) == Events{Event::Progressed, Event::HeartbeatSeen});
  s.advance(900);
  s.give(Command::RecordStep, 1, 1);
  CHECK(s.deadline() == s.now + 1000);
  s.wait(1);
  CHECK(s.deadline() == kNever);
  s.advance(9000);
  CHECK(s.give(Command::Wake, 1) == Events{Event::Woken, Event::Resumed});
  CHECK(s.deadline() == s.now + 1000);
}

TEST_CASE("E5: progress of a task without a heartbeat says nothing more") {
  Scenario s;
  s.create(1);
  CHECK(s.give(Command::ReportProgress, 1, 1, 0, 5) == Events{Event::Progressed});
  CHECK(beat(s) == Events{Event::HeartbeatSeen});
  CHECK(s.deadline() == kNever);
}

TEST_CASE("E5: a heartbeat of an earlier attempt is refused") {
  Scenario s;
  with_heartbeat(s, 1000);
  s.give(Command::Heartbeat, 1, 7);
  CHECK(s.refused(Rejection::StaleAttempt));
  s.succeed(1);
  s.give(Command::Heartbeat, 1, 1);
  CHECK(s.refused(Rejection::StaleAttempt));
}

TEST_CASE("E5: a stalled attempt whose page dies is interrupted, as one that timed out is") {
  Scenario s;
  with_heartbeat(s, 1000);
  s.advance(1000);
  REQUIRE(s.stopping(1) == StopReason::Stalled);
  CHECK(s.restart() == Events{Event::Interrupted, Event::Started});
  CHECK(s.value(1, Field::Recoveries) == 0);
}

TEST_CASE("E5: cancelling and the deadline overrule a stall") {
  Scenario s;
  s.draft(1);
  s.set(1, TaskField::HeartbeatMs, 1000);
  s.set(1, TaskField::DeadlineAtMs, s.now + 2000);
  s.submit(1);
  s.advance(1000);
  CHECK(s.advance(1000) == Events{Event::Stopping});
  CHECK(s.stopping(1) == StopReason::Deadline);
  Scenario t;
  with_heartbeat(t, 1000);
  t.advance(1000);
  CHECK(t.cancel(1) == Events{Event::Stopping});
  CHECK(t.fail(1) == Events{Event::Cancelled});
}

TEST_CASE("Of what is used up at one time, what ends the task for good comes first, then the timeout") {
  const auto reason = [](std::initializer_list<TaskField> fields) {
    Scenario s;
    s.draft(1);
    for (const TaskField field : fields) s.set(1, field, 1000);
    s.submit(1);
    s.advance(1000);
    return s.stopping(1);
  };
  CHECK(reason({TaskField::HeartbeatMs, TaskField::AttemptTimeoutMs, TaskField::ComputeBudgetMs}) == StopReason::OverBudget);
  CHECK(reason({TaskField::HeartbeatMs, TaskField::AttemptTimeoutMs}) == StopReason::Timeout);
  CHECK(reason({TaskField::HeartbeatMs, TaskField::ComputeBudgetMs}) == StopReason::OverBudget);
}

TEST_CASE("A timeout does not run in the grace of another, and waiting code can time out but not stall") {
  Scenario s;
  s.draft(1);
  s.set(1, TaskField::HeartbeatMs, 500);
  s.set(1, TaskField::AttemptTimeoutMs, 2000);
  s.submit(1);
  s.wait(1);
  CHECK(s.deadline() == s.now + 2000);
  CHECK(s.advance(2000) == Events{Event::Stopping});
  CHECK(s.stopping(1) == StopReason::Timeout);
}

TEST_CASE("What code says to its timeout is kept: its error, when to try again, and that it is final") {
  for (const bool stalls : {false, true}) {
    Scenario s;
    submit_with(s, stalls ? TaskField::HeartbeatMs : TaskField::AttemptTimeoutMs, 100);
    s.advance(100);
    const Outcome outcome = stalls ? Outcome::Stalled : Outcome::Timeout;
    s.step({{number(Command::Settle), 1, 1 | (number(Outcome::Failure) << 24), 5, s.now + 77}}, "error");
    CHECK(s.kinds() == Events{Event::AttemptFailed, Event::RetryScheduled});
    CHECK(s.last(Event::AttemptFailed).a >> 24 == number(outcome));
    CHECK(s.last(Event::AttemptFailed).b == 5);
    CHECK(s.last(Event::RetryScheduled).at == s.now + 77);
    s.advance(77);
    s.advance(100);
    s.step({{number(Command::Settle), 1, 2 | (number(Outcome::Fatal) << 24), 5, 0}}, "final");
    CHECK(s.kinds() == Events{Event::AttemptFailed, Event::Failed});
    CHECK(s.last(Event::Failed).a == number(FailReason::Fatal));
  }
}

TEST_CASE("A result that comes after the timeout is too late, and is not kept as an error") {
  Scenario s;
  submit_with(s, TaskField::AttemptTimeoutMs, 100);
  s.advance(100);
  s.step({{number(Command::Settle), 1, 1, 6, 0}}, "result");
  CHECK(s.last(Event::AttemptFailed).b == 0);
}

TEST_CASE("B2: crashes may be tried again beyond the attempts that others have") {
  Scenario s;
  s.policy(0, PolicyField::MaxAttempts, 1);
  s.policy(0, PolicyField::CrashRetries, 2);
  s.policy(0, PolicyField::MinDelayMs, 0);
  s.create(1);
  CHECK(s.settle(1, Outcome::Crashed).back() == Event::Started);
  CHECK(s.settle(1, Outcome::Crashed).back() == Event::Started);
  CHECK(s.settle(1, Outcome::Crashed).back() == Event::Failed);
  s.create(2);
  CHECK(s.fail(2).back() == Event::Failed);
  s.create(3);
  s.settle(3, Outcome::Crashed);
  CHECK(s.fail(3).back() == Event::Failed);
  for (const double odd : {-1.0, 0.5, 1e9, std::nan("")}) {
    s.policy(0, PolicyField::CrashRetries, odd);
    CHECK(s.refused(Rejection::InvalidValue));
  }
}

TEST_CASE("E4, E5: replay, compaction and restart give the same, at every moment") {
  for (const double moment : {0.0, 300.0, 1000.0, 1500.0}) {
    Scenario s;
    s.policy(1, PolicyField::CrashRetries, 4);
    s.draft(1, 0, 1);
    s.set(1, TaskField::HeartbeatMs, 700);
    s.set(1, TaskField::ComputeBudgetMs, 1200);
    s.submit(1);
    s.advance(moment / 2);
    beat(s);
    s.advance(moment / 2);
    if (moment == 300) s.wait(1);
    const auto log = s.log();
    CHECK(same_state(read_log(log, 1).core, s.session.core()));
    s.put(log);
    REQUIRE(s.session.compact(log.size()) > 0);
    CHECK(same_state(read_log(s.session.frame(), 1).core, s.session.core()));
  }
}

TEST_CASE("E5, E7: a heartbeat is not missed because the host stood still") {
  Scenario s;
  with_heartbeat(s, 1000);
  s.advance(600);
  CHECK(s.session.core().thawable_attempts() == 1);
  CHECK(thaw(s, 3.6e6) == Events{Event::Thawed});
  CHECK(s.deadline() == s.now + 400);
  CHECK(same_state(s.session.core(), read_log(s.log(), 1).core));
  CHECK(s.advance(399).empty());
  CHECK(s.advance(1) == Events{Event::Stopping});
}

TEST_CASE("E5, E7: no sign of life lies in the future, however long the host says it stood still") {
  Scenario s;
  with_heartbeat(s, 1000);
  s.advance(900);
  beat(s);
  s.now += 10;
  CHECK(s.give(Command::Thaw, 0, 0, 0, 5000) == Events{Event::Thawed});
  CHECK(s.last(Event::Thawed).b == 10);
  CHECK(s.deadline() == s.now + 1000);
}

TEST_CASE("E4, E7: standing still is no computing") {
  Scenario s;
  with_budget(s, 1000);
  s.advance(600);
  CHECK(thaw(s, 5000) == Events{Event::Thawed});
  CHECK(computed(s) == 600);
  CHECK(s.advance(399).empty());
  s.succeed(1);
  CHECK(computed(s) == 999);
}

TEST_CASE("E4, E5, E7: who counts frozen time counts it here too, and who waits is not concerned") {
  for (const TaskField field : {TaskField::HeartbeatMs, TaskField::ComputeBudgetMs}) {
    Scenario s;
    s.draft(1);
    s.set(1, field, 1000);
    s.set(1, TaskField::CountFrozen, 1);
    s.submit(1);
    CHECK(thaw(s, 5000) == Events{Event::Stopping});
    Scenario t;
    submit_with(t, field, 1000);
    t.wait(1);
    CHECK(t.session.core().thawable_attempts() == 0);
    CHECK(thaw(t, 5000).empty());
  }
}
