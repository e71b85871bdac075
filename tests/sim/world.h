// World: one simulated session after another, with a disk that loses what was not acknowledged, a
// clock that jumps, and checks after every step. All chance comes from one seed.
//
// Invariants checked (a failure throws Failure with the reason):
//   running ≤ limits, rates never exceeded, over crashes neither · bounds never exceeded but by what comes back · in a fair queue no key that can begin
//   is passed over more often than weights say · open circuits let nothing begin, others hold nobody · children go with their parents · a higher priority starts first · every open task has a reason to wait
//   · an end is final but for Retry and Forget · one result per life · no command is silent
//   · the deadline is never in the past · replay ≡ live · after a crash the state is one that was
//   sealed, and none older than what was acknowledged · compaction and import change nothing.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "random.h"
#include "session.h"
#include "snapshot.h"

namespace holdfast::simulation {

struct Failure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

using StateList = std::vector<SnapshotRecord>;

// Everything that is kept of a state, as one comparable list.
StateList state_of(const Core& core);
// The first difference in words; empty where there is none.
std::string difference(const StateList& x, const StateList& y);

class World {
 public:
  explicit World(std::uint64_t seed);

  // One random move of the host, the clock or the disk.
  void move();
  std::uint64_t events() const { return events_; }
  std::uint64_t moves() const { return moves_; }
  const std::map<std::string, std::uint64_t>& counts() const { return counts_; }
  const std::map<std::uint32_t, std::uint64_t>& kinds() const { return kinds_; }

 private:
  // host.cpp: what a host may ask, sensible or not.
  Record random_command();
  Record random_create();
  Record random_setting();
  Record command_for(std::uint32_t task);
  Record disable_edge(std::uint32_t task);
  Record settle(std::uint32_t task);
  std::uint32_t random_task();
  void step(std::vector<Record> commands);

  // disk.cpp
  void seal();
  void acknowledge();
  void crash();
  void reload(std::vector<std::byte> log);
  void import(std::vector<std::byte> log);
  void declare_limits_of(const Core& old);
  void compact();
  void check_replay();
  std::vector<std::byte> torn_log();

  // check.cpp
  void check_step(const std::vector<Record>& commands);
  void check_events();
  void check_event(const Record& event);
  void check_limits();
  void check_reasons();
  void check_circuits();
  void check_named_limits();
  void check_part(const Limits::Rule& rule, const Limits::Part& part, double all, double own) const;
  void check_rate(const Limits::Rule& rule, const Limits::Part& part, double now);
  void check_bounds();
  void check_turns();
  // flows.cpp
  void check_flows(const std::vector<Record>& commands);
  void follow_edges(const Record& event, std::size_t place);
  struct Ended {
    State state = State::None;
    bool dropped = false;
  };
  void end_flows(std::uint32_t task, Ended ended);
  Ended state_at(std::uint32_t task, std::size_t place) const;
  void check_begin(const Record& event);
  void check_disabled(const Record& event);
  std::map<std::uint32_t, std::uint32_t> waiting() const;
  void look_before_step();
  bool is_last_word(const Record& event) const;
  bool was_set(std::uint32_t limit) const;
  bool was_interrupted(std::uint32_t task) const;
  bool joins_after(const Record& event, std::uint32_t number) const;
  void check_family(std::uint32_t slot);
  void check_reason(const Task& task, std::uint32_t slot);
  void check_order(const Record& started);
  void check_height(const Record& started) const;
  void check_same(const Core& core, const StateList& expected, const std::string& what) const;
  void check(bool condition, const std::string& what) const;

  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(random_.next() % limit); }
  bool chance(std::uint32_t percent) { return below(100) < percent; }
  void put(const std::vector<std::byte>& bytes);

  // What began, by limit and key (0: all), under one rule.
  struct Starts {
    RateRule rule;
    bool keyed = false, drops = false;
    std::vector<Rate::Taken> taken;
  };
  using StartList = std::map<std::pair<std::uint32_t, double>, Starts>;

  struct Sealed {
    std::vector<std::byte> frame;
    StateList after;
    StartList starts;
  };

  Random random_;
  std::unique_ptr<Session> session_;
  std::uint32_t sessions_ = 1;
  double now_ = 1e12;
  std::vector<std::byte> log_;   // acknowledged
  StateList acknowledged_;          // the state it stands for
  std::vector<Sealed> sealed_;   // and not acknowledged
  // A start whose frame was lost is not known; whatever stands in the log counts on, over crashes and in who takes it over.
  StartList starts_, acknowledged_starts_;
  std::map<std::uint32_t, bool> ended_;
  // What each task waits for, of those that were made in this life of the core, and how tasks have ended in it.
  struct Followed {
    std::uint32_t prerequisite;
    EdgeKind kind;
    EdgeFate fate;
  };
  std::map<std::uint32_t, std::vector<Followed>> edges_;
  std::map<std::uint32_t, Ended> ends_;
  std::set<std::uint32_t> disabled_by_host_;
  // What stood before the step: promoted tasks, and how many of a queue were submitted and had never begun.
  std::map<std::uint32_t, bool> promoted_;
  std::map<std::uint32_t, std::uint32_t> waited_;
  // Of each key of a fair queue that could begin all the time: how often each other key has begun since it did.
  using QueueKey = std::pair<std::uint32_t, double>;
  std::map<QueueKey, std::map<double, std::uint32_t>> passed_;
  std::uint64_t most_passed_ = 0;
  std::uint64_t events_ = 0, moves_ = 0;
  std::map<std::string, std::uint64_t> counts_;
  std::map<std::uint32_t, std::uint64_t> kinds_;  // of events
  std::uint32_t crash_percent_, invalid_percent_, tasks_;
};

}  // namespace holdfast::simulation
