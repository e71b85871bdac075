// Scenario: verbs for tests. It holds a session, a clock that only moves when told to, and remembers
// what the last step said. Each verb is one step of one command.
#pragma once

#include <catch_amalgamated.hpp>

#include <string>
#include <vector>

#include "../load_log.h"
#include "log.h"
#include "session.h"
#include "snapshot.h"

namespace holdfast::testing {

inline std::uint32_t number(auto value) { return static_cast<std::uint32_t>(value); }

inline std::vector<std::byte> bytes_of(const std::string& text) {
  std::vector<std::byte> bytes;
  for (const char c : text) bytes.push_back(static_cast<std::byte>(c));
  return bytes;
}

class Scenario {
 public:
  explicit Scenario(std::uint32_t seed = 1) : session(7, seed) {}

  // What the step said, by kind; with their tasks where asked.
  std::vector<Event> step(std::vector<Record> commands, const std::string& payload = "") {
    const auto payload_bytes = bytes_of(payload);
    put(payload_bytes);
    std::copy(commands.begin(), commands.end(), session.inbox());
    session.step(commands.size(), payload.size(), now);
    said = session.outbox();
    return kinds();
  }
  std::vector<Event> give(Command command, std::uint32_t task = 0, std::uint32_t a = 0,
                          std::uint32_t b = 0, double at = 0) {
    return step({{number(command), task, a, b, at}});
  }
  std::vector<Event> kinds() const {
    std::vector<Event> found;
    for (const Record& event : said) found.push_back(static_cast<Event>(event.kind));
    return found;
  }
  // The tasks of the events of a kind, in order.
  std::vector<std::uint32_t> tasks(Event kind) const {
    std::vector<std::uint32_t> found;
    for (const Record& event : said) {
      if (event.kind == number(kind)) found.push_back(event.task);
    }
    return found;
  }
  Record last(Event kind) const {
    for (auto event = said.rbegin(); event != said.rend(); ++event) {
      if (event->kind == number(kind)) return *event;
    }
    FAIL("no event " << number(kind));
    return {};
  }
  // How the last step refused; 0: it did not.
  std::uint32_t refusal() const {
    for (const Record& event : said) {
      if (event.kind == number(Event::Rejected)) return event.a;
    }
    return 0;
  }
  bool refused(Rejection why) const { return refusal() == number(why); }

  // ---- verbs -------------------------------------------------------------------------------
  // Created and submitted, so running unless something limits it.
  std::vector<Event> create(std::uint32_t task, std::uint32_t queue = 0, std::uint32_t policy = 0) {
    return give(Command::Create, task, queue | (policy << 16) | (1u << 31));
  }
  std::vector<Event> draft(std::uint32_t task, std::uint32_t queue = 0, std::uint32_t policy = 0) {
    return give(Command::Create, task, queue | (policy << 16));
  }
  std::vector<Event> set(std::uint32_t task, TaskField field, double value) {
    return give(Command::SetTask, task, number(field), 0, value);
  }
  std::vector<Event> submit(std::uint32_t task) { return give(Command::Submit, task); }
  std::vector<Event> depend(std::uint32_t task, std::uint32_t on, EdgeKind kind = EdgeKind::OnSuccess) {
    return give(Command::DependOn, task, on, number(kind));
  }
  std::vector<Event> settle(std::uint32_t task, Outcome outcome, double at = 0) {
    return give(Command::Settle, task, attempt(task) | (number(outcome) << 24), 0, at);
  }
  std::vector<Event> succeed(std::uint32_t task) { return settle(task, Outcome::Success); }
  std::vector<Event> fail(std::uint32_t task) { return settle(task, Outcome::Failure); }
  std::vector<Event> wait(std::uint32_t task, std::uint32_t parked = 0) {
    return give(Command::Wait, task, attempt(task), parked);
  }
  std::vector<Event> cancel(std::uint32_t task, std::uint32_t reason = 0) {
    return give(Command::Cancel, task, reason);
  }
  std::vector<Event> pause(std::uint32_t task, PauseKind kind = PauseKind::Suspend) {
    return give(Command::Pause, task, number(kind));
  }
  std::vector<Event> resume(std::uint32_t task, ResumePolicy policy = ResumePolicy::KeepDeadline) {
    return give(Command::Resume, task, number(policy));
  }
  std::vector<Event> queue(std::uint32_t queue, QueueField field, double value) {
    return give(Command::SetQueue, queue, number(field), 0, value);
  }
  std::vector<Event> policy(std::uint32_t policy, PolicyField field, double value, std::uint32_t index = 0) {
    return give(Command::SetPolicy, policy, number(field), index, value);
  }
  std::vector<Event> group(std::uint32_t group, GroupField field, double value) {
    return give(Command::SetGroup, group, number(field), 0, value);
  }
  // A member of a group, submitted.
  std::vector<Event> member(std::uint32_t task, std::uint32_t group, std::uint32_t queue = 0) {
    draft(task, queue);
    give(Command::JoinGroup, task, group);
    return submit(task);
  }
  std::vector<Event> advance(double ms) {
    now += ms;
    return step({});
  }
  std::vector<Event> set_clock(double at) {
    now = at;
    return step({});
  }

  // ---- journal -----------------------------------------------------------------------------
  // Everything so far, as a log.
  std::vector<std::byte> log() {
    if (session.seal() > 0) log_.insert(log_.end(), session.frame().begin(), session.frame().end());
    return log_;
  }
  void put(const std::vector<std::byte>& bytes) {
    std::byte* area = session.reserve(bytes.size());
    std::copy(bytes.begin(), bytes.end(), area);
  }
  // The session is gone; a new one reads the log. `orderly`: the page was closed.
  std::vector<Event> restart(bool orderly = false) {
    load(log());
    return give(Command::Recover, 0, orderly);
  }
  double load(const std::vector<std::byte>& log) {
    session = Session(8, 2);
    log_ = log;
    const double valid = load_log(session, log, 100);
    said = located(session);
    return valid;
  }

  State state(std::uint32_t task) const { return static_cast<State>(session.core().state(task) & 15); }
  bool paused(std::uint32_t task) const { return (session.core().state(task) & 16) != 0; }
  StopReason stopping(std::uint32_t task) const {
    return static_cast<StopReason>((session.core().state(task) >> 8) & 255);
  }
  double value(std::uint32_t task, Field field) const { return session.core().value(task, field); }
  std::uint32_t attempt(std::uint32_t task) const { return number(value(task, Field::Attempt)); }
  double deadline() const { return session.core().deadline(); }

  Session session;
  double now = 1'000'000;
  std::vector<Record> said;

 private:
  std::vector<std::byte> log_;
};

using Events = std::vector<Event>;
using Tasks = std::vector<std::uint32_t>;

inline bool same_state(const Core& x, const Core& y) {
  const auto xs = make_snapshot(x, nullptr), ys = make_snapshot(y, nullptr);
  if (xs.size() != ys.size()) return false;
  for (std::size_t i = 0; i < xs.size(); i++) {
    const Record &p = xs[i].event, &q = ys[i].event;
    if (p.kind != q.kind || p.task != q.task || p.a != q.a || p.b != q.b || p.at != q.at) return false;
  }
  return true;
}

}  // namespace holdfast::testing
