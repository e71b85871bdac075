// The disk: takes frames in order, acknowledges some, loses, tears and damages the others.
#include <cstring>

#include "../load_log.h"
#include "world.h"

namespace holdfast::simulation {

StateList state_of(const Core& core) {
  return make_snapshot(core, nullptr);
}

std::string difference(const StateList& x, const StateList& y) {
  const auto words = [](const StateList& list, std::size_t i) -> std::string {
    if (i >= list.size()) return "nothing";
    const Record& event = list[i].event;
    return "event " + std::to_string(event.kind) + " task " + std::to_string(event.task) + " a " +
           std::to_string(event.a) + " b " + std::to_string(event.b) + " at " + std::to_string(event.at);
  };
  for (std::size_t i = 0; i < std::max(x.size(), y.size()); i++) {
    const bool both = i < x.size() && i < y.size();
    if (both && std::memcmp(&x[i].event, &y[i].event, sizeof(Record)) == 0) continue;
    return ": is " + words(x, i) + ", should be " + words(y, i);
  }
  return "";
}

void World::seal() {
  if (session_->seal() == 0) return;
  sealed_.push_back({session_->frame(), state_of(session_->core()), starts_});
  counts_["seals"]++;
  if (chance(5)) check_replay();
}

void World::acknowledge() {
  for (std::uint32_t count = below(4); count > 0 && !sealed_.empty(); count--) {
    log_.insert(log_.end(), sealed_.front().frame.begin(), sealed_.front().frame.end());
    acknowledged_ = std::move(sealed_.front().after);
    acknowledged_starts_ = std::move(sealed_.front().starts);
    sealed_.erase(sealed_.begin());
  }
}

void World::check_replay() {
  std::vector<std::byte> all = log_;
  for (const Sealed& sealed : sealed_) all.insert(all.end(), sealed.frame.begin(), sealed.frame.end());
  const Log log = read_log(all, 1);
  check(log.bytes == all.size() && !log.newer, "everything sealed is a valid log");
  const StateList& expected = sealed_.empty() ? acknowledged_ : sealed_.back().after;
  check_same(log.core, expected, "replay gives the live state");
  counts_["replays"]++;
}

// What is left of the log: what was acknowledged, and perhaps more, perhaps damaged.
std::vector<std::byte> World::torn_log() {
  std::vector<std::byte> log = log_;
  const std::size_t kept = log.size();
  for (const Sealed& sealed : sealed_) log.insert(log.end(), sealed.frame.begin(), sealed.frame.end());
  if (log.size() == kept) return log;
  const std::size_t extra = log.size() - kept;
  log.resize(kept + below(static_cast<std::uint32_t>(extra) + 1));
  if (log.size() > kept && chance(30)) {
    log[kept + below(static_cast<std::uint32_t>(log.size() - kept))] ^= static_cast<std::byte>(1 << below(8));
  }
  if (chance(30)) log.resize(log.size() + below(200));  // zero-filled blocks
  return log;
}

void World::crash() {
  std::vector<std::byte> log = torn_log();
  const Log read = read_log(log, 1);
  check(!read.newer, "damage is never taken for a later version");
  check(read.bytes >= log_.size(), "what was acknowledged is there after a crash");
  std::size_t end = log_.size();
  const StateList* expected = &acknowledged_;
  for (const Sealed& sealed : sealed_) {
    if (end >= read.bytes) break;
    end += sealed.frame.size();
    expected = &sealed.after;
    acknowledged_starts_ = sealed.starts;
  }
  check(end == read.bytes, "a frame is all or nothing");
  check_same(read.core, *expected, "the state after a crash is one that was sealed");
  acknowledged_ = *expected;
  log.resize(read.bytes);
  log_ = log;
  sealed_.clear();
  starts_ = acknowledged_starts_;
  counts_["crashes"]++;
  if (chance(25)) return import(std::move(log));
  reload(std::move(log));
}

void World::reload(std::vector<std::byte> log) {
  session_ = std::make_unique<Session>(++sessions_, static_cast<std::uint32_t>(random_.next()));
  check(testing::load_log(*session_, log, 1 + below(5000)) == static_cast<double>(log.size()), "a log loads as it was read");
  ended_.clear();
  edges_.clear();
  ends_.clear();
  if (chance(90)) step({{static_cast<std::uint32_t>(Command::Recover), 0, chance(30), 0, 0}});
  counts_["loads"]++;
}

// The page that takes over has the same code: it declares the same limits. Where its clock is behind, what began is nearer.
void World::declare_limits_of(const Core& old) {
  const double time = session_->core().time(), shift = time > 0 ? std::min(0.0, time - old.time()) : 0;
  const auto set = [&](std::uint32_t number, LimitField field, double value) {
    session_->inbox()[0] = {static_cast<std::uint32_t>(Command::SetLimit), number, static_cast<std::uint32_t>(field), 0, value};
    session_->step(1, 0, now_);
  };
  for (std::uint32_t index = 0; index < old.limits().limit_end(); index++) {
    const Limits::Rule& rule = old.limits().rule(index);
    set(rule.number, LimitField::RateLimit, rule.rate.limit);
    set(rule.number, LimitField::RatePeriodMs, rule.rate.period_ms);
    set(rule.number, LimitField::RateKind, static_cast<double>(rule.rate.kind));
    set(rule.number, LimitField::RateBurst, rule.rate.burst);
    set(rule.number, LimitField::RateKeyed, rule.rate_keyed);
    set(rule.number, LimitField::Drops, rule.drops);
  }
  for (auto& [_, starts] : starts_) {
    for (Rate::Taken& taken : starts.taken) taken.at = std::max(0.0, taken.at + shift);
  }
}

// A living session takes over a dead one's tasks.
void World::import(std::vector<std::byte> log) {
  const Log old = read_log(log, 1);
  session_ = std::make_unique<Session>(++sessions_, static_cast<std::uint32_t>(random_.next()));
  if (chance(80)) session_->step(0, 0, now_);
  for (std::uint32_t queue = 1 + below(2); queue < 4; queue++) {
    session_->inbox()[0] = {static_cast<std::uint32_t>(Command::SetQueue), queue, 1, 0, 0};
    session_->step(1, 0, now_);
  }
  declare_limits_of(old.core);
  put(log);
  const double imported = session_->import_log(log.size(), 1);
  check(imported == old.core.tasks().size(), "an import brings every task");
  std::vector<Record> release{{static_cast<std::uint32_t>(Command::Recover), 0, chance(50), 0, 0}};
  for (const Record& event : session_->outbox()) {
    if (event.kind != static_cast<std::uint32_t>(Event::ImportedTask)) continue;
    const std::uint32_t now = session_->core().state(event.task), then = old.core.state(event.a);
    check((now & 0xffff) == (then & 0xffff), "an import keeps each task's state");
    check(session_->core().value(event.task, Field::Steps) == old.core.value(event.a, Field::Steps),
          "an import keeps each task's steps");
    if ((now & 15) < 6) release.push_back({static_cast<std::uint32_t>(Command::Release), event.task, 2, 0, 0});
  }
  log_.clear();
  acknowledged_.clear();
  sealed_.clear();
  ended_.clear();
  edges_.clear();
  ends_.clear();
  for (std::size_t first = 0; first < release.size(); first += 100) {
    step({release.begin() + first, release.begin() + std::min(release.size(), first + 100)});
  }
  // The old log is given up only when the new one stands.
  session_->seal();
  log_ = session_->frame();
  acknowledged_ = state_of(session_->core());
  acknowledged_starts_ = starts_;
  check_replay();
  counts_["imports"]++;
}

// B11: whenever it is killed, either log gives the same state.
void World::compact() {
  if (!sealed_.empty()) return;
  put(log_);
  const std::size_t length = session_->compact(log_.size());
  check(length > 0 || log_.empty(), "a log of ours can be compacted");
  if (length == 0) return;
  const std::vector<std::byte> compacted = session_->frame();
  const Log read = read_log(compacted, 1);
  check(read.bytes == compacted.size(), "a compacted log is valid");
  check_same(read.core, acknowledged_, "B11: compaction keeps the state");
  counts_["compactions"]++;
  if (chance(20)) return;  // killed before the switch, or the host could not write it
  session_->commit_compaction();
  log_ = compacted;
}

}  // namespace holdfast::simulation
