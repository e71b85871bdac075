// The host: asks for anything, most of it sensible.
#include "world.h"

namespace holdfast::simulation {

namespace {

Record make(Command command, std::uint32_t task, std::uint32_t a = 0, std::uint32_t b = 0, double at = 0) {
  return {static_cast<std::uint32_t>(command), task, a, b, at};
}

constexpr std::uint32_t kQueues = 4, kPolicies = 4, kGroups = 6, kCircuits = 3, kLimits = 4;

}  // namespace

World::World(std::uint64_t seed) : random_(seed) {
  crash_percent_ = below(4);
  invalid_percent_ = below(30);
  tasks_ = 4 + below(60);
  session_ = std::make_unique<Session>(sessions_, static_cast<std::uint32_t>(seed));
  acknowledged_ = state_of(session_->core());
}

void World::move() {
  moves_++;
  const std::uint32_t dice = below(100);
  if (dice < crash_percent_) return crash();
  if (dice < crash_percent_ + 2) return compact();
  if (dice < 12) return seal();
  if (dice < 20) return acknowledge();
  if (chance(60)) now_ += below(3000);
  if (chance(2)) now_ += below(2) == 0 ? 3.15e10 : -3.15e11 * below(2) - 3.6e6;
  if (now_ < 0) now_ = 1e12;
  std::vector<Record> commands;
  for (std::uint32_t count = chance(50) ? 1 : below(12); count > 0; count--) {
    commands.push_back(random_command());
  }
  step(commands);
}

void World::put(const std::vector<std::byte>& bytes) {
  std::byte* area = session_->reserve(bytes.size());
  std::copy(bytes.begin(), bytes.end(), area);
}

void World::step(std::vector<Record> commands) {
  std::vector<std::byte> payloads;
  for (Record& command : commands) {
    if (!carries_payload(static_cast<Command>(command.kind))) continue;
    command.b = chance(50) ? 0 : below(20);
    for (std::uint32_t i = 0; i < command.b; i++) payloads.push_back(static_cast<std::byte>(below(256)));
  }
  if (payloads.size() > 3 && chance(1)) payloads.resize(payloads.size() - 2);
  put(payloads);
  std::copy(commands.begin(), commands.end(), session_->inbox());
  look_before_step();
  session_->step(commands.size(), payloads.size(), now_);
  check_step(commands);
}

std::uint32_t World::random_task() { return 1 + below(tasks_); }

Record World::random_command() {
  if (chance(invalid_percent_) && chance(30)) {
    return make(static_cast<Command>(below(48)), below(tasks_ + 3), below(8) == 0 ? static_cast<std::uint32_t>(random_.next()) : below(9),
                below(4), below(3) == 0 ? -1 : below(2) == 0 ? 1e300 : 0.0 / 0.0);
  }
  if (chance(8)) return random_setting();
  const std::uint32_t task = random_task();
  const std::uint32_t state = session_->core().state(task) & 15;
  // One that is submitted and waits: a branch that is not taken.
  if (state == 1 && chance(15)) return disable_edge(task);
  if (state == 0) {
    const std::uint32_t submit = below(2) << 31;
    return make(Command::Create, task, below(kQueues) | (below(kPolicies) << 16) | submit);
  }
  return command_for(task);
}

Record World::random_setting() {
  switch (below(11)) {
    case 8: return make(Command::SetQueue, below(kQueues), 4, 0, below(5));
    case 9: return chance(30) ? make(Command::SetQueue, below(kQueues), 7 | ((1 + below(4)) << 8), 0, 1 + below(3)) : make(Command::SetQueue, below(kQueues), 6, 0, below(4));
    case 10: return chance(30) ? make(Command::SetQueue, below(kQueues), 8, 0, below(4)) : make(Command::SetQueue, below(kQueues), 5, 0, chance(40) ? 0 : below(12));
    case 6:
    case 7: {
      static constexpr double most[] = {4, 3, 5, 4000, 3, 4, 300, 2, 0, 2};
      const std::uint32_t field = chance(20) ? 9 : below(10);
      const bool whole = field == 3 || field == 5;
      const double value = field == 8 ? now_ + below(3000) : whole + below(static_cast<std::uint32_t>(most[field]));
      return make(Command::SetLimit, 1 + below(kLimits), field + 1, 0, value);
    }
    case 5: {
      static constexpr double values[] = {0.5, 3, 4000, 2, 9000, 0.3, 5000};
      const std::uint32_t field = below(7);
      return make(Command::SetCircuit, 1 + below(kCircuits), field + 1, 0, values[field]);
    }
    case 4: return make(Command::Thaw, 0, 0, 0, below(9000));
    case 0: return make(Command::SetQueue, below(kQueues), 1, 0, below(4));
    case 1: return make(Command::SetQueue, below(kQueues), 2 + below(2), 0, below(4) == 0);
    case 2: {
      const std::uint32_t field = 1 + below(9);
      const double value = field >= 5 && field <= 6 ? below(5) : field == 9 ? below(3) : field == 3 ? below(5) : field == 1 ? 1 + below(5) : below(20000);
      return make(Command::SetPolicy, below(kPolicies), field, below(4), value);
    }
    default: {
      const std::uint32_t field = chance(10) ? 7 : 1 + below(4);
      return make(Command::SetGroup, 1 + below(kGroups), field, 0, field == 4 ? random_task() : field == 3 ? !chance(20) : field == 7 ? 1 : below(4));
    }
  }
}

Record World::settle(std::uint32_t task) {
  const auto attempt = static_cast<std::uint32_t>(session_->core().value(task, Field::Attempt));
  static constexpr std::uint32_t outcomes[] = {0, 0, 0, 0, 1, 1, 1, 2, 3, 4, 5, 6};
  const double at = chance(10) ? now_ + below(5000) : 0;
  return make(Command::Settle, task, (attempt - chance(5)) | (outcomes[below(12)] << 24), 0, at);
}

// Mostly an edge that is there.
Record World::disable_edge(std::uint32_t task) {
  const Core& core = session_->core();
  Record command = make(chance(40) ? Command::MeetEdge : Command::DisableEdge, task, random_task(), 4 + below(2));
  core.graph().each_incoming(core.tasks().find(task), [&](const Graph::Edge& edge) {
    if (!is_flow(edge.kind) || chance(30)) return;
    command.a = core.tasks()[edge.from].number;
    command.b = static_cast<std::uint32_t>(edge.kind);
  });
  return command;
}

Record World::command_for(std::uint32_t task) {
  const Core& core = session_->core();
  const auto attempt = static_cast<std::uint32_t>(core.value(task, Field::Attempt));
  const auto state = static_cast<State>(core.state(task) & 15);
  if (state == State::Blocked && chance(70)) {
    switch (below(15)) {
      case 13: return disable_edge(task);
      case 14: return make(Command::DependOn, task, random_task(), 4 + below(2));
      case 11:
      case 12: return make(Command::SetTask, task, 14 | (below(4) << 8), 1 + below(kLimits), 1 + below(3));
      case 9:
      case 10: return make(Command::SetTask, task, 34 + below(2), 0, 1 + below(kCircuits));
      case 7:
      case 8: return make(Command::Belong, task, random_task(), below(2));
      case 0: return make(Command::DependOn, task, random_task(), below(6));
      case 1: return make(Command::JoinGroup, task, 1 + below(kGroups));
      case 4: return chance(50) ? make(Command::SetTask, task, 26, 0, below(6)) : make(Command::SetTask, task, 16, 0, 1 + below(3));
      case 3: return chance(50) ? make(Command::SetTask, task, 12, 0, 1 + below(6)) : make(Command::SetTask, task, 13, 0, now_ + below(9000));
      case 2: {
        const std::uint32_t field = 1 + below(11);
        const double value = field == 1 ? below(5) - 2.0 : field == 2 || field == 5 ? now_ + below(9000)
                             : field == 9 ? below(2) : field == 7 || field == 8 ? below(kQueues) : below(9000);
        return make(Command::SetTask, task, field, 0, value);
      }
      default: return make(Command::Submit, task, chance(4));
    }
  }
  if (state <= State::Ready && chance(6)) return make(Command::Revise, task);
  if ((core.state(task) & 16) != 0 && chance(40)) return make(Command::Resume, task, below(3));
  if ((core.state(task) >> 16) != 0 && chance(40)) return make(Command::Release, task, 0xff);
  if (state == State::Waiting && chance(50)) return make(Command::Wake, task);
  if (state >= State::Succeeded) {
    if (chance(70)) return make(Command::Forget, task);
    if (chance(20)) return make(Command::SetTask, task, 13, 0, now_ + below(9000));
    return chance(30) ? make(Command::Note, task, below(3)) : make(Command::Retry, task, below(2));
  }
  if (state == State::Running && chance(60)) return settle(task);
  switch (below(16)) {
    case 15: return make(Command::Heartbeat, task, attempt - chance(5));
    case 12: return make(Command::SetAlarm, task, attempt, 0, chance(20) ? 0 : now_ + below(6000));
    case 13: return make(Command::DropSteps, task, attempt, below(4));
    case 14: return make(Command::Belong, task, random_task(), below(3));
    case 0: return make(Command::RecordStep, task, attempt);
    case 1: return make(Command::ReportProgress, task, attempt, 0, below(130));
    case 2:
    case 3: return make(Command::Wait, task, attempt, below(2));
    case 4: return make(Command::Cancel, task, below(100), chance(20) ? kCancelAsDisabled : chance(10) ? kCancelAsDropped : 0);
    case 5: return make(Command::Pause, task, below(2));
    case 6: return make(Command::Hold, task, 1 + below(15));
    case 7: return make(Command::AttachBlob, task, below(1000), below(1000), below(100000));
    case 8: return make(Command::Note, task, below(3));
    case 9: if (chance(20)) return make(Command::SetTask, task, chance(50) ? 26 : 17, 0, below(2));
      return chance(20) ? make(Command::SetTask, task, 15, 0, below(2)) : make(Command::SetTask, task, 1, 0, below(5) - 2.0);
    case 10: return make(Command::SetTask, task, 7 + below(2), 0, below(kQueues));
    default: return settle(task);
  }
}

}  // namespace holdfast::simulation
