// Every state × every command: the listed event comes, or a refusal and nothing changes.
#include <map>

#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

// What a task can be in: the states, told apart further where commands do.
enum class Situation {
  None, Draft, Blocked, Delayed, Ready, PausedReady, HeldReady, Running, PausedRunning, StoppingCancel,
  StoppingTimeout, StoppingStalled, StoppingInterrupt, StoppingOverBudget, StoppingDeadline, Waiting, Parked, Woken, Succeeded, Failed, Cancelled,
};
constexpr int kSituations = static_cast<int>(Situation::Cancelled) + 1;
constexpr std::uint32_t kTask = 1, kOther = 2;

void run(Scenario& s, TaskField field = TaskField::GraceMs) {
  s.draft(kTask);
  s.set(kTask, field, field == TaskField::GraceMs ? kDefaultGraceMs : 50);
  s.set(kTask, TaskField::AttemptTimeoutMs, 100);
  s.set(kTask, TaskField::DeadlineAtMs, s.now + 5000);
  s.submit(kTask);
}

// Brings task 1 there; task 2 exists and never ends.
void prepare(Scenario& s, Situation situation) {
  s.draft(kOther);
  s.group(1, GroupField::Concurrency, 0);
  s.queue(1, QueueField::Paused, 1);
  switch (situation) {
    case Situation::None: return;
    case Situation::Draft: s.draft(kTask); return;
    case Situation::Blocked:
      s.draft(kTask);
      s.depend(kTask, kOther);
      s.submit(kTask);
      return;
    case Situation::Delayed:
      s.draft(kTask);
      s.set(kTask, TaskField::NotBeforeMs, s.now + 1000);
      s.submit(kTask);
      return;
    case Situation::Ready: s.create(kTask, 1); return;
    case Situation::PausedReady: s.create(kTask, 1); s.pause(kTask); return;
    case Situation::HeldReady: s.create(kTask, 1); s.give(Command::Hold, kTask, 1); return;
    case Situation::Running: run(s); return;
    case Situation::PausedRunning: run(s); s.pause(kTask); return;
    case Situation::StoppingCancel: run(s); s.cancel(kTask); return;
    case Situation::StoppingTimeout: run(s); s.advance(100); return;
    case Situation::StoppingStalled: run(s, TaskField::HeartbeatMs); s.advance(50); return;
    case Situation::StoppingOverBudget: run(s, TaskField::ComputeBudgetMs); s.advance(50); return;
    case Situation::StoppingInterrupt: run(s); s.pause(kTask, PauseKind::Interrupt); return;
    case Situation::StoppingDeadline: run(s); s.set_clock(s.now + 4999); s.set_clock(s.now + 1); return;
    case Situation::Waiting: run(s); s.wait(kTask); return;
    case Situation::Parked: run(s); s.pause(kTask); s.wait(kTask, 1); return;
    case Situation::Woken:
      s.create(kTask);
      s.wait(kTask);
      s.queue(0, QueueField::Paused, 1);
      s.give(Command::Wake, kTask);
      return;
    case Situation::Succeeded: s.create(kTask); s.succeed(kTask); return;
    case Situation::Failed: s.create(kTask); s.settle(kTask, Outcome::Fatal); return;
    case Situation::Cancelled: s.create(kTask, 1); s.cancel(kTask); return;
  }
}

State state_of(Situation situation) {
  switch (situation) {
    case Situation::None: return State::None;
    case Situation::Draft:
    case Situation::Blocked: return State::Blocked;
    case Situation::Delayed: return State::Delayed;
    case Situation::Ready:
    case Situation::PausedReady:
    case Situation::HeldReady:
    case Situation::Woken: return State::Ready;
    case Situation::Waiting:
    case Situation::Parked: return State::Waiting;
    case Situation::Succeeded: return State::Succeeded;
    case Situation::Failed: return State::Failed;
    case Situation::Cancelled: return State::Cancelled;
    default: return State::Running;
  }
}

Record command_for(const Scenario& s, Command command) {
  const std::uint32_t attempt = s.attempt(kTask);
  switch (command) {
    case Command::SetTask: return {number(command), kTask, number(TaskField::Priority), 0, 5};
    case Command::DependOn: return {number(command), kTask, kOther, 0, 0};
    case Command::JoinGroup: return {number(command), kTask, 1, 0, 0};
    case Command::Hold: return {number(command), kTask, 2, 0, 0};
    case Command::Release: return {number(command), kTask, 1, 0, 0};
    case Command::ReportProgress: return {number(command), kTask, attempt, 0, 50};
    case Command::Belong: return {number(command), kTask, kOther, 0, 0};
    case Command::SetAlarm: return {number(command), kTask, attempt, 0, s.now + 50};
    case Command::Settle:
    case Command::RecordStep:
    case Command::DropSteps:
    case Command::Heartbeat:
    case Command::Wait: return {number(command), kTask, attempt, 0, 0};
    default: return {number(command), kTask, 0, 0, 0};
  }
}

bool live(Situation s) { return s >= Situation::Running && s <= Situation::Woken; }
bool stopping(Situation s) { return s >= Situation::StoppingCancel && s <= Situation::StoppingDeadline; }
bool for_good(Situation s) {
  return s == Situation::StoppingCancel || s == Situation::StoppingDeadline || s == Situation::StoppingOverBudget;
}
bool paused(Situation s) {
  return s == Situation::PausedReady || s == Situation::PausedRunning || s == Situation::Parked ||
         s == Situation::StoppingInterrupt;
}

// What the commands add to the table of states: which of two events, or a refusal by their own rule.
// 0: refused.
std::uint32_t expected(Situation s, const CommandRule& rule) {
  using enum Command;
  if ((rule.states & bit(state_of(s))) == 0) return 0;
  switch (rule.command) {
    case SetTask: return state_of(s) >= State::Succeeded ? 0 : number(rule.event);
    case Belong:
    case DependOn:
    case Submit: return s == Situation::Draft ? number(rule.event) : 0;
    case JoinGroup: return s == Situation::Draft || state_of(s) >= State::Failed ? number(rule.event) : 0;
    case Settle:
      if (s == Situation::StoppingCancel) return number(Event::Cancelled);
      if (s == Situation::StoppingTimeout || s == Situation::StoppingStalled) return number(Event::AttemptFailed);
      if (s == Situation::StoppingDeadline || s == Situation::StoppingOverBudget) return number(Event::Failed);
      if (s == Situation::StoppingInterrupt) return number(Event::Interrupted);
      return live(s) ? number(Event::Succeeded) : 0;
    case RecordStep:
    case SetAlarm:
    case DropSteps:
    case Heartbeat:
    case ReportProgress: return live(s) ? number(rule.event) : 0;
    case Wait: return stopping(s) ? 0 : number(rule.event);
    case Cancel:
      if (for_good(s)) return 0;
      return number(live(s) ? Event::Stopping : Event::Cancelled);
    case Pause:
      if (paused(s) || for_good(s)) return 0;
      return number(rule.event);
    case Resume: return paused(s) ? number(rule.event) : 0;
    case Release: return s == Situation::HeldReady ? number(rule.event) : 0;
    default: return number(rule.event);
  }
}

}  // namespace

TEST_CASE("Every command in every state yields the listed event or is refused") {
  for (const CommandRule& rule : kCommandRules) {
    for (int i = 0; i < kSituations; i++) {
      const auto situation = static_cast<Situation>(i);
      INFO("command " << number(rule.command) << " in situation " << i);
      Scenario s;
      prepare(s, situation);
      REQUIRE(s.state(kTask) == state_of(situation));
      const auto before = read_log(s.log(), 1);
      s.step({command_for(s, rule.command)});
      REQUIRE(!s.said.empty());
      const std::uint32_t wanted = expected(situation, rule);
      CHECK(s.said[0].kind == (wanted == 0 ? number(Event::Rejected) : wanted));
      if (wanted == 0) CHECK(same_state(s.session.core(), before.core));
    }
  }
}

TEST_CASE("A command nobody knows is refused") {
  Scenario s;
  for (const std::uint32_t kind : {0u, 24u, 31u, 38u, 47u, 51u, 64u, 0xffffffffu}) {
    CHECK(s.step({{kind, 1, 0, 0, 0}}) == Events{Event::Rejected});
    CHECK(s.refused(Rejection::UnknownCommand));
  }
}

TEST_CASE("A task that is not known is refused as such") {
  Scenario s;
  for (const CommandRule& rule : kCommandRules) {
    if (rule.command == Command::Create) continue;
    s.give(rule.command, 99);
    CHECK(s.refused(Rejection::UnknownTask));
  }
}

TEST_CASE("A queue, policy or group that is not known is refused") {
  Scenario s;
  s.create(1, 5);
  CHECK(s.refused(Rejection::UnknownQueue));
  s.create(1, 0, 5);
  CHECK(s.refused(Rejection::UnknownPolicy));
  s.draft(1);
  s.give(Command::JoinGroup, 1, 5);
  CHECK(s.refused(Rejection::UnknownGroup));
  s.give(Command::Create, kMaxNumber + 1);
  CHECK(s.refused(Rejection::TooMany));
}

TEST_CASE("Values that make no sense are refused") {
  Scenario s;
  s.draft(1);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double value : {nan, -1.0, std::numeric_limits<double>::infinity()}) {
    for (const TaskField field : {TaskField::NotBeforeMs, TaskField::TimeToLiveMs,
                                  TaskField::AttemptTimeoutMs, TaskField::DeadlineAtMs, TaskField::GraceMs,
                                  TaskField::HeartbeatMs, TaskField::ComputeBudgetMs}) {
      s.set(1, field, value);
      CHECK(s.refused(Rejection::InvalidValue));
    }
    s.queue(0, QueueField::Concurrency, value);
    CHECK(s.refused(Rejection::InvalidValue));
    s.group(1, GroupField::Concurrency, value);
    CHECK(s.refused(Rejection::InvalidValue));
  }
  for (const double value : {nan, 0.5, 1e10}) {
    s.set(1, TaskField::Priority, value);
    CHECK(s.refused(Rejection::InvalidValue));
  }
}

TEST_CASE("Refused commands do not reach the journal, nor do their payloads") {
  Scenario s;
  s.create(1);
  s.log();
  s.step({{number(Command::Settle), 1, 99, 6, 0}}, "unseen");
  CHECK(s.refused(Rejection::StaleAttempt));
  CHECK(s.session.seal() == 0);
}

TEST_CASE("The payloads of refused commands are skipped, those after them stay right") {
  Scenario s;
  s.create(1);
  s.step({{number(Command::Settle), 1, 99, 3, 0}, {number(Command::Settle), 1, 1, 5, 0}}, "badright");
  const auto log = s.log();
  s.load(log);
  const Record result = s.last(Event::Located);
  CHECK(result.a == number(PayloadKind::Result));
  CHECK(std::string(reinterpret_cast<const char*>(log.data()) + static_cast<int>(result.at), result.b) == "right");
}

TEST_CASE("A command that announces more bytes than it brings is refused") {
  Scenario s;
  s.step({{number(Command::Create), 1, 0, 10, 0}}, "short");
  CHECK(s.refused(Rejection::PayloadMismatch));
}

TEST_CASE("The result of an earlier attempt is refused") {
  Scenario s;
  s.create(1);
  s.fail(1);
  s.advance(5000);
  REQUIRE(s.attempt(1) == 2);
  s.give(Command::Settle, 1, 1);
  CHECK(s.refused(Rejection::StaleAttempt));
  CHECK(s.succeed(1) == Events{Event::Succeeded});
}

TEST_CASE("A forgotten task's number may be used again") {
  Scenario s;
  s.create(1);
  s.succeed(1);
  CHECK(s.give(Command::Forget, 1) == Events{Event::Forgotten});
  CHECK(s.create(1) == Events{Event::Created, Event::Started});
  CHECK(s.attempt(1) == 1);
}

TEST_CASE("Progress is clamped, never goes back within an attempt and starts anew with the next") {
  Scenario s;
  s.create(1);
  const auto report = [&](double value) { return s.give(Command::ReportProgress, 1, s.attempt(1), 0, value); };
  CHECK(std::isnan(s.value(1, Field::Progress)));
  CHECK(report(250) == Events{Event::Progressed});
  CHECK(s.value(1, Field::Progress) == 100);
  s.fail(1);
  s.advance(2000);
  CHECK(std::isnan(s.value(1, Field::Progress)));
  CHECK(report(-3) == Events{Event::Progressed});
  report(30);
  report(30);
  CHECK(s.refused(Rejection::InvalidValue));
  report(std::numeric_limits<double>::quiet_NaN());
  CHECK(s.refused(Rejection::InvalidValue));
}
