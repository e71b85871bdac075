// What a task costs. Hidden: `build/release/core_tests "[bench]"`.
#include <cstdio>
#include <ctime>

#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

// Of the processor, not of the wall: other work on the machine does not count.
double seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

// Creates, starts, settles and forgets tasks in batches; nanoseconds per task.
double life(std::uint32_t batch, bool sealed) {
  constexpr std::uint32_t kTasks = 1'000'000;
  Session session(1, 1);
  session.reserve(0);
  if (!sealed) session.keep_nothing();
  const double begin = seconds();
  std::uint32_t next = 1;
  const auto give = [&](Command command, std::uint32_t a) {
    for (std::uint32_t i = 0; i < batch; i++) {
      session.inbox()[i] = {number(command), next + i, a, 0, 0};
    }
    session.step(batch, 0, next);
  };
  while (next < kTasks) {
    give(Command::Create, 1u << 31);
    give(Command::Settle, 1);
    give(Command::Forget, 0);
    if (sealed) session.seal();
    next += batch;
  }
  return (seconds() - begin) * 1e9 / kTasks;
}

}  // namespace

TEST_CASE("A task's life, in nanoseconds", "[.][bench]") {
  for (const std::uint32_t batch : {1u, 10u, 64u, 512u}) {
    std::printf("batch %3u: %4.0f ns, sealed into frames %4.0f ns\n", batch, life(batch, false), life(batch, true));
  }
}

TEST_CASE("A waiting task's memory, in bytes", "[.][bench]") {
  constexpr std::uint32_t kTasks = 200'000;
  Session session(1, 1);
  session.keep_nothing();
  session.inbox()[0] = {number(Command::SetQueue), 0, number(QueueField::Paused), 0, 1};
  session.step(1, 0, 1);
  for (std::uint32_t task = 1; task <= kTasks; task++) {
    session.inbox()[0] = {number(Command::Create), task, 1u << 31, 0, 0};
    session.step(1, 0, 1);
  }
  const double bytes = static_cast<double>(session.core().bytes()) / kTasks;
  std::printf("waiting task: %.0f bytes\n", bytes);
  CHECK(bytes <= 200);
}

TEST_CASE("Reading a log of 100,000 events and compacting it, in milliseconds", "[.][bench]") {
  const auto log = [&] {
    Scenario t;
    for (std::uint32_t task = 1; task <= 33'333; task++) {
      t.step({{number(Command::Create), task, 1u << 31, 600, 0}}, std::string(600, 'x'));
      if (task % 2 == 0) t.step({{number(Command::Settle), task, 1, 50, 0}}, std::string(50, 'y'));
    }
    return t.log();
  }();
  double begin = seconds();
  const Log read = read_log(log, 1);
  std::printf("read %.1f MB: %.1f ms\n", static_cast<double>(log.size()) / 1e6, (seconds() - begin) * 1e3);
  Scenario t;
  t.load(log);
  t.put(log);
  begin = seconds();
  const std::size_t length = t.session.compact(log.size());
  std::printf("compacted to %.1f MB, verified: %.1f ms\n", static_cast<double>(length) / 1e6, (seconds() - begin) * 1e3);
  CHECK(read.bytes == log.size());
}
