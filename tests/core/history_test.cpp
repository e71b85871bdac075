// History: the events of a log as they were written.
#include <catch_amalgamated.hpp>
#include <cstring>

#include "session.h"

using namespace holdfast;

namespace {

void give(Session& session, Command kind, std::uint32_t task, std::uint32_t a = 0) {
  session.inbox()[0] = {static_cast<std::uint32_t>(kind), task, a, 0, 0};
  session.step(1, 0, 1000);
}

// Two frames: a task that is created at once, then cancelled.
std::vector<std::byte> write_log(Session& session, std::vector<Record>& written) {
  std::vector<std::byte> log;
  const auto seal = [&] {
    written.insert(written.end(), session.outbox().begin(), session.outbox().end());
    session.seal();
    log.insert(log.end(), session.frame().begin(), session.frame().end());
  };
  give(session, Command::Create, 1, 0x80000000u);
  seal();
  give(session, Command::Cancel, 1);
  seal();
  return log;
}

double history(Session& session, const std::vector<std::byte>& log, std::size_t bytes, std::size_t limit) {
  std::memcpy(session.reserve(log.size()), log.data(), bytes);
  return session.history(bytes, limit);
}

bool same(const Record& x, const Record& y) { return std::memcmp(&x, &y, sizeof x) == 0; }

}  // namespace

TEST_CASE("The history of a log is every event of it, in order") {
  Session session(7, 1);
  std::vector<Record> written;
  const auto log = write_log(session, written);
  CHECK(history(session, log, log.size(), 1000) == static_cast<double>(written.size()));
  REQUIRE(session.outbox().size() == written.size());
  for (std::size_t i = 0; i < written.size(); i++) CHECK(same(session.outbox()[i], written[i]));
}

TEST_CASE("A limit keeps the last events and still tells how many there are") {
  Session session(7, 1);
  std::vector<Record> written;
  const auto log = write_log(session, written);
  CHECK(history(session, log, log.size(), 2) == static_cast<double>(written.size()));
  REQUIRE(session.outbox().size() == 2);
  CHECK(same(session.outbox()[0], written[written.size() - 2]));
  CHECK(same(session.outbox()[1], written.back()));
}

TEST_CASE("What is damaged ends the history, and none has none") {
  Session session(7, 1);
  std::vector<Record> written;
  const auto log = write_log(session, written);
  const double whole = history(session, log, log.size(), 1000);
  CHECK(history(session, log, log.size() - 1, 1000) < whole);
  CHECK(history(session, log, 0, 1000) == 0);
  CHECK(session.outbox().empty());
}
