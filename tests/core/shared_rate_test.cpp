// Rates that hosts share: leave, what others have begun, and what is told of it.
#include "scenario.h"
#include "snapshot.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

constexpr std::uint32_t kFirst = 0x51000001u;

void rule(Scenario& s, LimitField field, double value) { s.give(Command::SetLimit, kFirst, number(field), 0, value); }

std::vector<Event> add(Scenario& s, std::uint32_t task, double key = 1, std::uint32_t weight = 0) {
  s.draft(task);
  s.give(Command::SetTask, task, number(TaskField::Limit) | (weight << 8), kFirst, key);
  return s.submit(task);
}

void rate(Scenario& s, double limit, double period, RateKind kind = RateKind::Sliding) {
  rule(s, LimitField::RateLimit, limit);
  rule(s, LimitField::RatePeriodMs, period);
  rule(s, LimitField::RateKind, number(kind));
}

void use(Scenario& s, LimitUse use, std::uint32_t weight, double at, std::uint32_t key = 0) {
  s.give(Command::UseLimit, kFirst, key, (number(use) << 16) | (weight << 18), at);
}

double opens_at(Scenario& s) { return s.value(kFirst, Field::LimitOpensAt); }
double leave(Scenario& s) { return s.value(kFirst, Field::LimitLeave); }

std::vector<Record> uses(Scenario& s) {
  s.session.locate_uses(kFirst);
  return s.session.outbox();
}

}  // namespace

TEST_CASE("Of a rate that hosts share nothing begins without leave, and each start takes of it") {
  Scenario s;
  rate(s, 5, 1000);
  CHECK(leave(s) == 0);
  rule(s, LimitField::Leave, 1);
  add(s, 1);
  add(s, 2, 1, 2);
  add(s, 3);
  CHECK(s.state(1) == State::Ready);
  CHECK(s.value(1, Field::LimitedBy) == kFirst);
  CHECK(opens_at(s) == s.now);
  rule(s, LimitField::Leave, 4);
  CHECK(s.tasks(Event::Started) == Tasks{1, 2});
  CHECK(leave(s) == 1);
  CHECK(s.state(3) == State::Ready);
  // A weight that is more than what is left waits for more.
  add(s, 4, 1, 3);
  s.cancel(3);
  rule(s, LimitField::Leave, 3);
  CHECK(s.state(4) == State::Ready);
  CHECK(opens_at(s) == s.now + 1000);
  s.advance(1000);
  CHECK(opens_at(s) == s.now);
  rule(s, LimitField::Leave, 4);
  CHECK(s.state(4) == State::Running);
  CHECK(opens_at(s) == kNever);
}

TEST_CASE("What others have begun counts as if it had begun here, for each kind of a rate") {
  for (const RateKind kind : {RateKind::Sliding, RateKind::Fixed, RateKind::TokenBucket}) {
    Scenario s;
    rate(s, 2, 1000, kind);
    rule(s, LimitField::RateBurst, 2);
    const double at = s.now;
    if (kind == RateKind::TokenBucket) use(s, LimitUse::FullAt, 0, at + 1000);
    else use(s, LimitUse::Taken, 2, at);
    s.advance(100);
    add(s, 1);
    CHECK(s.state(1) == State::Ready);
    CHECK(s.value(1, Field::LimitedUntilMs) == at + (kind == RateKind::TokenBucket ? 500 : 1000));
    s.advance(900);
    CHECK(s.state(1) == State::Running);
  }
}

TEST_CASE("What is remembered of a shared rate is listed by key, and whoever is told of it decides as its first host") {
  Scenario s, other;
  for (Scenario* each : {&s, &other}) {
    rate(*each, 3, 1000);
    rule(*each, LimitField::RateKeyed, 1);
  }
  add(s, 1, 7, 2);
  s.advance(200);
  add(s, 2, 7);
  add(s, 3, 4294967296.0 * 9 + 5, 3);
  const std::vector<Record> told = uses(s);
  REQUIRE(told.size() == 3);
  other.advance(s.now - other.now);
  for (const Record& record : told) other.give(Command::UseLimit, record.task, record.a, record.b, record.at);
  const std::vector<Record> known = uses(other);
  REQUIRE(known.size() == told.size());
  for (std::size_t i = 0; i < told.size(); i++) CHECK((known[i].a == told[i].a && known[i].b == told[i].b && known[i].at == told[i].at));
  add(other, 1, 7);
  CHECK(other.value(1, Field::LimitedUntilMs) == s.now + 800);
  add(other, 2, 8);
  CHECK(other.state(2) == State::Running);
}

TEST_CASE("Leave is for the host that was given it: in a compacted log there is none, and still nothing begins without") {
  Scenario s;
  rate(s, 5, 1000);
  rule(s, LimitField::Leave, 4);
  add(s, 1);
  CHECK(leave(s) == 3);
  Core again(5);
  for (const SnapshotRecord& record : make_snapshot(s.session.core(), nullptr)) REQUIRE(again.replay(record.event));
  CHECK(again.value(kFirst, Field::LimitLeave) == 1);
  CHECK(uses(s).size() == 1);
}

TEST_CASE("A use of a limit that can't be true is refused") {
  Scenario s;
  s.give(Command::UseLimit, 0, 0, 1u << 18, s.now);
  CHECK(s.refused(Rejection::InvalidValue));
  s.give(Command::UseLimit, kFirst, 0, (3u << 16) | (1u << 18), s.now);
  CHECK(s.refused(Rejection::InvalidValue));
  s.give(Command::UseLimit, kFirst, 0, 1u << 18, -1);
  CHECK(s.refused(Rejection::InvalidValue));
  CHECK(s.value(kFirst, Field::HasLimit) == 0);
}
