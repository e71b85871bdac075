// Compaction and import: shorter, elsewhere, and the same.
#include "random.h"
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

// A session with a bit of everything in it.
void live_a_little(Scenario& s, std::uint64_t seed, int moves = 2000) {
  Random random(seed);
  const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random.next() % limit); };
  s.queue(1, QueueField::Concurrency, 2);
  s.policy(1, PolicyField::MaxAttempts, 9);
  s.policy(1, PolicyField::CrashRetries, 3);
  s.policy(1, PolicyField::ListedDelayMs, 70, 1);
  s.group(3, GroupField::Concurrency, 2);
  for (int i = 0; i < moves; i++) {
    const std::uint32_t task = 1 + below(30);
    switch (below(19)) {
      case 0: s.step({{number(Command::Create), task, below(2) | (below(2) << 16) | (1u << 31), 3, 0}}, "inp"); break;
      case 1: s.draft(task, below(2)); break;
      case 2: s.depend(task, 1 + below(30), static_cast<EdgeKind>(below(4))); break;
      case 3: s.give(Command::JoinGroup, task, 3); break;
      case 4: s.submit(task); break;
      case 5: s.step({{number(Command::Settle), task, s.attempt(task), 3, 0}}, "res"); break;
      case 6: s.step({{number(Command::Settle), task, s.attempt(task) | (1u << 24), 3, 0}}, "err"); break;
      case 7: s.step({{number(Command::RecordStep), task, s.attempt(task), 4, 0}}, "step"); break;
      case 8: s.pause(task, static_cast<PauseKind>(below(2))); break;
      case 9: s.resume(task, static_cast<ResumePolicy>(below(3))); break;
      case 10: s.cancel(task, 7); break;
      case 11: s.give(Command::Forget, task); break;
      case 12: s.wait(task); break;
      case 13: s.give(Command::Heartbeat, task, s.attempt(task)); break;
      case 14: s.set(task, below(2) == 0 ? TaskField::HeartbeatMs : TaskField::ComputeBudgetMs, 1000 + below(9000)); break;
      case 15: s.set(task, TaskField::Key, 1 + below(4)); break;
      case 16: s.set(task, TaskField::KeyUntilMs, s.now + below(5000)); break;
      case 17: s.step({{number(Command::Note), task, 25 + below(5), 4, 0}}, "note"); break;
      default: s.advance(below(2000)); break;
    }
  }
}

std::size_t compact(Scenario& s, const std::vector<std::byte>& log) {
  s.put(log);
  return s.session.compact(log.size());
}

using Texts = std::vector<std::string>;

// The notes a log is said to hold, as `kind text`.
Texts notes_of(const std::vector<std::byte>& log) {
  Scenario s;
  s.load(log);
  Texts found;
  for (const Record& record : s.said) {
    if (record.kind != number(Event::Located) || (record.a & 0xff) != number(PayloadKind::Note)) continue;
    const auto* text = reinterpret_cast<const char*>(log.data()) + static_cast<long>(record.at);
    found.push_back(std::to_string(record.a >> 8) + " " + std::string(text, record.b));
  }
  return found;
}

}  // namespace

TEST_CASE("A compacted log gives the same state, payloads included, and is shorter") {
  for (std::uint64_t seed = 1; seed <= 40; seed++) {
    INFO("seed " << seed);
    Scenario s;
    live_a_little(s, seed);
    const auto log = s.log();
    REQUIRE(compact(s, log) > 0);
    const auto shorter = s.session.frame();
    CHECK(shorter.size() < log.size());
    Scenario before, after;
    before.load(log);
    after.load(shorter);
    CHECK(same_state(before.session.core(), after.session.core()));
    REQUIRE(before.said.size() == after.said.size());
    for (std::size_t i = 0; i < before.said.size(); i++) {
      const Record &x = before.said[i], &y = after.said[i];
      CHECK((x.kind == y.kind && x.task == y.task && x.a == y.a && x.b == y.b));
      if (x.kind != number(Event::Located)) continue;
      CHECK(std::equal(log.begin() + static_cast<long>(x.at), log.begin() + static_cast<long>(x.at) + x.b,
                       shorter.begin() + static_cast<long>(y.at)));
    }
  }
}

TEST_CASE("Notes that are a list are all kept, in order, until a pack takes the place of the packed ones") {
  Scenario s;
  s.create(1);
  const auto note = [&](std::uint32_t kind, const std::string& text) {
    s.step({{number(Command::Note), 1, kind, static_cast<std::uint32_t>(text.size()), 0}}, text);
  };
  note(kPackedNote, "a");
  note(kPackedNote, "b");
  note(4, "old");
  note(kKeptNote, "kept");
  note(kPackedNote, "c");
  note(4, "new");
  CHECK(notes_of(s.log()) == Texts{"26 a", "26 b", "4 new", "28 kept", "26 c"});
  note(kPackingNote, "abc");
  note(kPackedNote, "d");
  CHECK(notes_of(s.log()) == Texts{"4 new", "28 kept", "27 abc", "26 d"});
  note(kPackingNote, "d too");
  const auto log = s.log();
  const Texts packed{"4 new", "28 kept", "27 abc", "27 d too"};
  CHECK(notes_of(log) == packed);
  REQUIRE(compact(s, log) > 0);
  auto shorter = s.session.frame();
  CHECK(notes_of(shorter) == packed);
  s.session.commit_compaction();
  note(kPackedNote, "e");
  s.session.seal();
  shorter.insert(shorter.end(), s.session.frame().begin(), s.session.frame().end());
  CHECK(notes_of(shorter) == Texts{"4 new", "28 kept", "27 abc", "27 d too", "26 e"});
}

TEST_CASE("Compacting what is compacted changes nothing any more") {
  Scenario s;
  live_a_little(s, 3);
  compact(s, s.log());
  const auto once = s.session.frame();
  Scenario t;
  t.load(once);
  REQUIRE(compact(t, once) > 0);
  CHECK(t.session.frame().size() == once.size());
}

TEST_CASE("B11: until it is committed, the old log goes on; afterwards the new one does") {
  Scenario s;
  s.create(1);
  auto old = s.log();
  REQUIRE(compact(s, old) > 0);
  auto compacted = s.session.frame();
  SECTION("not committed") {
    s.create(2);
    CHECK(read_log(s.log(), 1).core.tasks().size() == 2);
  }
  SECTION("committed, with work in between") {
    s.create(2);
    s.session.commit_compaction();
    s.create(3);
    s.session.seal();
    compacted.insert(compacted.end(), s.session.frame().begin(), s.session.frame().end());
    const Log read = read_log(compacted, 1);
    CHECK(read.bytes == compacted.size());
    CHECK(same_state(read.core, s.session.core()));
    // B10: a frame of the new log does not fit the old one.
    old.insert(old.end(), s.session.frame().begin(), s.session.frame().end());
    CHECK(read_log(old, 1).core.tasks().size() == 1);
  }
}

TEST_CASE("B10: a log that is not the one last written to is not compacted") {
  Scenario s;
  s.create(1);
  const auto behind = s.log();
  s.create(2);
  s.log();
  CHECK(compact(s, behind) == 0);
  auto torn = s.log();
  torn.pop_back();
  CHECK(compact(s, torn) == 0);
}

TEST_CASE("An import brings every task under a new number, held, with edges, groups and payloads") {
  Scenario dead;
  dead.queue(5, QueueField::Concurrency, 1);
  dead.group(2, GroupField::Concurrency, 1);
  dead.member(1, 2);
  dead.member(2, 2);
  dead.draft(3, 5);
  dead.depend(3, 1);
  dead.submit(3);
  dead.step({{number(Command::Create), 4, 1u << 31, 4, 0}}, "inp4");
  dead.succeed(4);
  const auto log = dead.log();

  Scenario s;
  s.group(1, GroupField::Concurrency, 0);
  s.create(1);
  s.put(log);
  REQUIRE(s.session.import_log(log.size(), 100) == 4);
  s.said = s.session.outbox();
  CHECK(s.tasks(Event::ImportedTask) == Tasks{100, 101, 102, 103});
  CHECK(s.tasks(Event::ImportedGroup) == Tasks{2});
  CHECK(s.value(102, Field::Queue) == 0);  // 5 is not known here
  CHECK(s.state(102) == State::Blocked);
  CHECK(s.state(103) == State::Succeeded);
  CHECK((s.session.core().state(100) >> 16) == kHoldImportUnconfirmed);
  CHECK((s.session.core().state(103) >> 16) == 0);
  CHECK(s.give(Command::Recover) == Events{Event::Interrupted});
  CHECK(s.state(1) == State::Running);  // our own goes on
  CHECK(s.give(Command::Release, 100, kHoldImportUnconfirmed) == Events{Event::Released, Event::Started});
  CHECK(s.succeed(100).front() == Event::Succeeded);
  CHECK(s.give(Command::Release, 102, kHoldImportUnconfirmed) == Events{Event::Released, Event::Started});

  const auto own = s.log();
  const Log read = read_log(own, 1);
  CHECK(same_state(read.core, s.session.core()));
  Scenario again;
  again.load(own);
  for (const Record& record : again.said) {
    if (record.task != 103 || record.a != number(PayloadKind::Input)) continue;
    CHECK(std::string(reinterpret_cast<const char*>(own.data()) + static_cast<long>(record.at), record.b) == "inp4");
  }
}

TEST_CASE("An import into numbers that are taken is refused and changes nothing") {
  Scenario dead, s;
  dead.create(1);
  dead.create(2);
  const auto log = dead.log();
  s.create(6);
  s.put(log);
  CHECK(s.session.import_log(log.size(), 5) == -2);
  CHECK(s.session.core().tasks().size() == 1);
  CHECK(s.session.import_log(log.size(), kMaxNumber) == -2);
}

TEST_CASE("D1: tasks of a session whose clock was ahead keep their delay, and ours theirs") {
  Scenario dead, s;
  dead.now += 1e11;
  dead.policy(0, PolicyField::Jitter, 0);
  dead.create(1);
  dead.fail(1);
  const auto log = dead.log();
  s.create(1);
  s.fail(1);
  const double due = s.deadline();
  s.put(log);
  REQUIRE(s.session.import_log(log.size(), 10) == 1);
  CHECK(s.deadline() == std::min(due, s.now + 1000));
  CHECK(s.value(10, Field::DueAt) == s.now + 1000);
}
