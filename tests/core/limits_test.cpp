// Queues: order and limits, against a plain model.
#include <algorithm>

#include "random.h"
#include "scenario.h"

using namespace holdfast;
using namespace holdfast::testing;

TEST_CASE("Tasks of one priority start first come, first served") {
  Scenario s;
  s.queue(0, QueueField::Concurrency, 1);
  for (std::uint32_t task = 1; task <= 5; task++) s.create(task);
  for (std::uint32_t task = 1; task <= 4; task++) {
    s.succeed(task);
    CHECK(s.tasks(Event::Started) == Tasks{task + 1});
  }
}

TEST_CASE("Higher priorities start first, and may be changed while waiting") {
  Scenario s;
  s.queue(0, QueueField::Paused, 1);
  for (std::uint32_t task = 1; task <= 4; task++) {
    s.draft(task);
    s.set(task, TaskField::Priority, task == 3 ? 10 : -5);
    s.submit(task);
  }
  s.set(4, TaskField::Priority, 11);
  s.queue(0, QueueField::Paused, 0);
  CHECK(s.tasks(Event::Started) == Tasks{4, 3, 1, 2});
}

TEST_CASE("A lower limit lets what runs go on and starts nothing until there is room") {
  Scenario s;
  for (std::uint32_t task = 1; task <= 3; task++) s.create(task);
  s.queue(0, QueueField::Concurrency, 2);
  s.create(4);
  s.succeed(1);
  CHECK(s.tasks(Event::Started).empty());
  s.succeed(2);
  CHECK(s.tasks(Event::Started) == Tasks{4});
}

TEST_CASE("A retry waits its turn and gives its slot away meanwhile") {
  Scenario s;
  s.queue(0, QueueField::Concurrency, 1);
  s.create(1);
  s.create(2);
  CHECK(s.fail(1) == Events{Event::AttemptFailed, Event::RetryScheduled, Event::Started});
  CHECK(s.advance(100'000) == Events{Event::TimeReached});
  CHECK(s.succeed(2) == Events{Event::Succeeded, Event::Started});
}

TEST_CASE("A task may move to another queue until it runs") {
  Scenario s;
  s.queue(1, QueueField::Paused, 1);
  s.create(1, 1);
  CHECK(s.set(1, TaskField::Queue, 0) == Events{Event::TaskSet, Event::Started});
  s.set(1, TaskField::Queue, 1);
  CHECK(s.refused(Rejection::WrongState));
  s.set(1, TaskField::Queue, 9);
  CHECK(s.refused(Rejection::WrongState));
}

namespace {

struct Waiting {
  std::uint32_t task, queue, group;
  int priority;
};

// The plainest scheduler: looks at all that wait, in order, again and again.
struct Model {
  std::vector<Waiting> waiting, running;
  std::uint32_t queue_limit[3] = {2, 3, 0}, group_limit[3] = {0, 2, 1};

  std::uint32_t busy(std::uint32_t Waiting::*what, std::uint32_t value) const {
    return static_cast<std::uint32_t>(std::count_if(running.begin(), running.end(), [&](auto& w) { return w.*what == value; }));
  }
  bool free(const Waiting& w) const {
    const bool queue = queue_limit[w.queue] == 0 || busy(&Waiting::queue, w.queue) < queue_limit[w.queue];
    const bool group = group_limit[w.group] == 0 || busy(&Waiting::group, w.group) < group_limit[w.group];
    return queue && group;
  }
  // The next of a queue that may start; end() if none.
  std::vector<Waiting>::iterator next(std::uint32_t queue) {
    auto best = waiting.end();
    for (auto w = waiting.begin(); w != waiting.end(); ++w) {
      if (w->queue != queue || !free(*w)) continue;
      if (best == waiting.end() || w->priority > best->priority) best = w;
    }
    return best;
  }
};

}  // namespace

TEST_CASE("What starts is what the plainest scheduler would start") {
  for (std::uint64_t seed = 1; seed <= 60; seed++) {
    Random random(seed);
    const auto below = [&](std::uint32_t limit) { return static_cast<std::uint32_t>(random.next() % limit); };
    Scenario s;
    Model model;
    for (std::uint32_t queue = 0; queue < 3; queue++) s.queue(queue, QueueField::Concurrency, model.queue_limit[queue]);
    for (std::uint32_t group = 1; group < 3; group++) s.group(group, GroupField::Concurrency, model.group_limit[group]);
    for (std::uint32_t task = 1; task <= 300; task++) {
      const Waiting w{task, below(3), below(3), static_cast<int>(below(3))};
      s.draft(task, w.queue);
      s.set(task, TaskField::Priority, w.priority);
      if (w.group > 0) s.give(Command::JoinGroup, task, w.group);
      s.submit(task);
      model.waiting.push_back(w);
      for (int ends = static_cast<int>(below(3)); ends >= 0; ends--) {
        INFO("seed " << seed << " task " << task);
        // Each start is the best of its queue at that moment; in the end nothing more may start.
        for (const std::uint32_t started : s.tasks(Event::Started)) {
          const auto found = std::find_if(model.waiting.begin(), model.waiting.end(), [&](auto& x) { return x.task == started; });
          REQUIRE(found != model.waiting.end());
          REQUIRE(model.next(found->queue)->task == started);
          model.running.push_back(*found);
          model.waiting.erase(found);
        }
        for (std::uint32_t queue = 0; queue < 3; queue++) REQUIRE(model.next(queue) == model.waiting.end());
        s.said.clear();
        if (ends == 0 || model.running.empty()) continue;
        const std::size_t index = below(static_cast<std::uint32_t>(model.running.size()));
        s.succeed(model.running[index].task);
        model.running.erase(model.running.begin() + static_cast<std::ptrdiff_t>(index));
      }
    }
  }
}

TEST_CASE("A queue that was paused is paused after a crash") {
  Scenario s;
  s.queue(1, QueueField::Concurrency, 1);
  s.create(1, 1);
  s.create(2, 1);
  s.queue(1, QueueField::Paused, 1);
  s.succeed(1);
  s.restart();
  CHECK(s.session.core().queue_value(1, QueueValue::Paused) == 1);
  CHECK(s.state(2) == State::Ready);
}
