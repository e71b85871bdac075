// The orders of a queue: first come, last come, priority, age less priority, turns of keys; who goes before all.
#include "random.h"
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

namespace {

void order(Scenario& s, QueueOrder value, std::uint32_t queue = 1) { s.queue(queue, QueueField::Order, number(value)); }

// A queue of one at a time, in which task 99 runs.
void busy(Scenario& s, QueueOrder value) {
  s.queue(1, QueueField::Concurrency, 1);
  order(s, value);
  s.create(99, 1);
}

void add(Scenario& s, std::uint32_t task, double priority = 0, double key = 1) {
  s.draft(task, 1);
  if (priority != 0) s.set(task, TaskField::Priority, priority);
  if (key != 1) s.set(task, TaskField::Turn, key);
  s.submit(task);
}

// Who begins, one after the other, from the task that runs on.
Tasks drain(Scenario& s, std::uint32_t running = 99) {
  Tasks begun;
  for (;;) {
    s.succeed(running);
    const Tasks next = s.tasks(Event::Started);
    if (next.empty()) return begun;
    REQUIRE(next.size() == 1);
    begun.push_back(running = next[0]);
  }
}

}  // namespace

TEST_CASE("First come, first served, whatever the priorities; last come, first served") {
  const auto of = [](QueueOrder value) {
    Scenario s;
    busy(s, value);
    add(s, 1);
    add(s, 2, 5);
    add(s, 3, -5);
    return drain(s);
  };
  CHECK(of(QueueOrder::Fifo) == Tasks{1, 2, 3});
  CHECK(of(QueueOrder::Lifo) == Tasks{3, 2, 1});
  CHECK(of(QueueOrder::Priority) == Tasks{2, 1, 3});
}

TEST_CASE("By age less priority: one of priority 10 goes before what came nine seconds before it, not eleven") {
  Scenario s;
  busy(s, QueueOrder::Offset);
  add(s, 1);
  s.advance(2000);
  add(s, 2);
  s.advance(9000);
  add(s, 3, 10);
  CHECK(s.value(1, Field::Position) == 1);
  CHECK(s.value(3, Field::Position) == 2);
  CHECK(drain(s) == Tasks{1, 3, 2});
}

TEST_CASE("A priority that is set while a task waits counts, in each order that knows priorities") {
  for (const auto value : {QueueOrder::Priority, QueueOrder::Offset, QueueOrder::Fair}) {
    Scenario s;
    busy(s, value);
    for (std::uint32_t task = 1; task <= 4; task++) add(s, task);
    CHECK(s.set(3, TaskField::Priority, 7) == Events{Event::TaskSet});
    CHECK(drain(s) == Tasks{3, 1, 2, 4});
  }
}

TEST_CASE("A priority that a task has already leaves it where it stands") {
  Scenario s;
  busy(s, QueueOrder::Priority);
  for (std::uint32_t task = 1; task <= 3; task++) add(s, task, 2);
  s.set(1, TaskField::Priority, 2);
  CHECK(drain(s) == Tasks{1, 2, 3});
}

TEST_CASE("Who is promoted begins before all others, the last one promoted first, and once") {
  for (const auto value : {QueueOrder::Priority, QueueOrder::Fifo, QueueOrder::Lifo, QueueOrder::Offset, QueueOrder::Fair}) {
    Scenario s;
    busy(s, value);
    for (std::uint32_t task = 1; task <= 6; task++) add(s, task, task == 1 ? 100 : 0);
    s.set(4, TaskField::Promoted, 1);
    s.set(5, TaskField::Promoted, 1);
    CHECK(s.value(5, Field::Position) == 1);
    s.load(s.log());
    s.step({});
    const Tasks begun = drain(s);
    CHECK(Tasks(begun.begin(), begun.begin() + 2) == Tasks{5, 4});
    CHECK(begun.size() == 6);
    CHECK(s.session.core().extra(s.session.core().tasks()[s.session.core().tasks().find(5)]).promoted == false);
  }
}

TEST_CASE("Keys of a fair queue take turns, however many one of them has") {
  Scenario s;
  busy(s, QueueOrder::Fair);
  for (std::uint32_t task = 1; task <= 6; task++) add(s, task, 0, 7);
  add(s, 11, 0, 8);
  add(s, 12, 0, 8);
  add(s, 21, 0, 9);
  CHECK(drain(s) == Tasks{1, 11, 21, 2, 12, 3, 4, 5, 6});
}

TEST_CASE("A key has as many turns as its weight says") {
  Scenario s;
  busy(s, QueueOrder::Fair);
  s.give(Command::SetQueue, 1, number(QueueField::TurnWeight) | (3 << 8), 0, 7);
  for (std::uint32_t i = 0; i < 30; i++) {
    add(s, 100 + i, 0, 7);
    add(s, 200 + i, 0, 8);
  }
  s.load(s.log());
  s.step({});
  const Tasks begun = drain(s);
  std::uint32_t heavy = 0;
  for (std::uint32_t i = 0; i < 40; i++) heavy += begun[i] < 200;
  CHECK(heavy == 30);
  heavy = 0;
  for (std::uint32_t i = 0; i < 8; i++) heavy += begun[i] < 200;
  CHECK(heavy == 6);
}

TEST_CASE("A key that was away, or could not begin, has no credit from that") {
  Scenario s;
  constexpr std::uint32_t kLimit = 0x51000001u;
  busy(s, QueueOrder::Fair);
  // The key's first waits for a limit that somebody else holds.
  s.give(Command::SetLimit, kLimit, number(LimitField::Concurrency), 0, 1);
  s.draft(98);
  s.give(Command::SetTask, 98, number(TaskField::Limit), kLimit, 1);
  s.submit(98);
  for (std::uint32_t i = 0; i < 9; i++) {
    s.draft(10 + i, 1);
    s.set(10 + i, TaskField::Turn, 7);
    if (i == 0) s.give(Command::SetTask, 10, number(TaskField::Limit), kLimit, 1);
    s.submit(10 + i);
  }
  for (std::uint32_t i = 0; i < 20; i++) add(s, 30 + i, 0, 8);
  std::uint32_t running = 99;
  const auto next = [&] {
    s.succeed(running);
    running = s.tasks(Event::Started).at(0);
    return running;
  };
  for (std::uint32_t i = 0; i < 8; i++) CHECK(next() == 30 + i);
  s.succeed(98);
  Tasks begun;
  for (std::uint32_t i = 0; i < 6; i++) begun.push_back(next());
  CHECK(begun == Tasks{10, 11, 38, 12, 39, 13});
}

TEST_CASE("The order of a queue changes under those who stand in it, and is kept") {
  Scenario s;
  busy(s, QueueOrder::Priority);
  for (std::uint32_t task = 1; task <= 4; task++) add(s, task, task == 3 ? 5 : 0, task % 2 + 1);
  order(s, QueueOrder::Lifo);
  CHECK(s.value(4, Field::Position) == 1);
  order(s, QueueOrder::Fair);
  order(s, QueueOrder::Fifo);
  s.load(s.log());
  s.step({});
  CHECK(s.session.core().limits().order(1) == QueueOrder::Fifo);
  CHECK(drain(s) == Tasks{1, 2, 3, 4});
}

TEST_CASE("Queues of different orders that share a limit take turns") {
  Scenario s;
  constexpr std::uint32_t kLimit = 0x51000001u;
  s.give(Command::SetLimit, kLimit, number(LimitField::Concurrency), 0, 1);
  const auto join = [&](std::uint32_t task, std::uint32_t queue) {
    s.draft(task, queue);
    s.give(Command::SetTask, task, number(TaskField::Limit), kLimit, 1);
    s.submit(task);
  };
  for (std::uint32_t queue = 1; queue <= 3; queue++) s.queue(queue, QueueField::Concurrency, 0);
  order(s, QueueOrder::Lifo, 2);
  order(s, QueueOrder::Fair, 3);
  join(99, 1);
  for (std::uint32_t i = 0; i < 6; i++) {
    for (std::uint32_t queue = 1; queue <= 3; queue++) join(queue * 10 + i, queue);
  }
  std::uint32_t running = 99, last[4] = {0, 0, 0, 0};
  for (std::uint32_t turn = 1; turn <= 18; turn++) {
    s.succeed(running);
    running = s.tasks(Event::Started).at(0);
    const std::uint32_t queue = running / 10;
    if (last[queue] != 0) CHECK(turn - last[queue] <= 4);
    last[queue] = turn;
  }
}

TEST_CASE("Ten thousand keys come and go: those of which nothing is remembered are let go of, and every task begins") {
  Scenario s;
  s.queue(1, QueueField::Concurrency, 3);
  order(s, QueueOrder::Fair);
  Random random(5);
  std::uint32_t begun = 0;
  std::vector<std::uint32_t> running;
  const auto see = [&] {
    for (const std::uint32_t task : s.tasks(Event::Started)) {
      begun++;
      running.push_back(task);
    }
  };
  const auto end_one = [&] {
    const auto at = static_cast<std::ptrdiff_t>(random.next() % running.size());
    const std::uint32_t task = running[static_cast<std::size_t>(at)];
    running.erase(running.begin() + at);
    s.succeed(task);
    see();
  };
  for (std::uint32_t task = 1; task <= 10'000; task++) {
    s.draft(task, 1);
    s.set(task, TaskField::Turn, 1 + static_cast<double>(random.next() % 20'000));
    s.submit(task);
    see();
    if (task % 50 == 0) {
      while (running.size() >= 3) end_one();
    }
  }
  while (!running.empty()) end_one();
  CHECK(begun == 10'000);
}

TEST_CASE("What no order, bound or promotion can be is refused") {
  Scenario s;
  s.queue(1, QueueField::Order, 5);
  CHECK(s.refused(Rejection::InvalidValue));
  s.queue(1, QueueField::Overflow, 4);
  CHECK(s.refused(Rejection::InvalidValue));
  s.queue(1, QueueField::MaxSize, 1.5);
  CHECK(s.refused(Rejection::InvalidValue));
  s.queue(1, QueueField::TurnWeight, 0);
  CHECK(s.refused(Rejection::InvalidValue));
  s.give(Command::SetQueue, 1, number(QueueField::TurnWeight) | (0x10000u << 8), 0, 3);
  CHECK(s.refused(Rejection::InvalidValue));
  s.create(1);
  s.set(1, TaskField::Promoted, 2);
  CHECK(s.refused(Rejection::InvalidValue));
  s.set(1, TaskField::Turn, 0);
  CHECK(s.refused(Rejection::InvalidValue));
}
