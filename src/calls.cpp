// Tasks and their circuits: who is held back, who may try, and what the ends of attempts say.
//
// A task whose circuit lets nothing through is held (kHoldCircuit) when it would start, and released when
// the circuit is closed, or half open with room for it. Only new attempts are held back: a parked handler
// goes on. A fatal outcome says nothing about what was called, nor does an interruption.
//
// Invariant: after a step no task is held that its circuits have room for (unless something else holds it
// while a circuit is half open).
#include <algorithm>

#include "core.h"
#include "order.h"

namespace holdfast {

void Core::set_circuit(const Record& command) {
  if (!circuits_.may_know(command.task)) return reject(command, Rejection::TooMany);
  if (command.task == 0 || !circuit_value_valid(static_cast<CircuitField>(command.a), command.at)) {
    return reject(command, Rejection::InvalidValue);
  }
  emit_record({static_cast<std::uint32_t>(Event::CircuitSet), command.task, command.a, 0, command.at});
}

bool Core::admissible_circuit(const Record& event) const {
  if (event.task == 0 || !circuits_.may_know(event.task)) return false;
  switch (static_cast<Event>(event.kind)) {
    case Event::CircuitSet: return circuit_value_valid(static_cast<CircuitField>(event.a), event.at);
    case Event::CircuitOpened: return event.at >= 0 && event.at <= kMaxTimeMs;
    default: return circuits_.find(event.task) != kNone;
  }
}

void Core::apply_circuit(const Record& event) {
  Circuit& circuit = circuits_[circuits_.know(event.task)];
  circuit.look = true;
  switch (static_cast<Event>(event.kind)) {
    case Event::CircuitSet: return set_circuit_value(circuit, static_cast<CircuitField>(event.a), event.at);
    case Event::CircuitOpened:
      circuit.state = CircuitState::Open;
      circuit.until = event.at;
      break;
    case Event::CircuitHalfOpened: circuit.state = CircuitState::HalfOpen; break;
    default: circuit.state = CircuitState::Closed; break;
  }
  circuit.successes = 0;
  circuit.calls.clear();
}

template <class Visit>
void Core::each_circuit(const Task& task, Visit&& visit) {
  if (task.extra == kNone) return;
  for (const std::uint16_t place : extras_[task.extra].circuits) {
    if (place != 0) visit(circuits_[place - 1u]);
  }
}

void Core::count_in_circuits(const Task& task, std::int32_t queued, std::int32_t trials) {
  each_circuit(task, [&](Circuit& circuit) {
    circuit.queued += static_cast<std::uint32_t>(queued);
    circuit.trials += static_cast<std::uint32_t>(trials);
    circuit.look = true;
  });
}

// An attempt begins; whether it is a trial is seen as it does.
void Core::begin_trial(const Task& task) {
  bool trial = false;
  each_circuit(task, [&](const Circuit& circuit) { trial = trial || circuit.state == CircuitState::HalfOpen; });
  if (!trial) return;
  extras_[task.extra].trial = true;
  count_in_circuits(task, 0, 1);
}

void Core::end_trial(const Task& task) {
  if (task.extra == kNone) return;
  const bool trial = extras_[task.extra].trial;
  extras_[task.extra].trial = false;
  count_in_circuits(task, 0, -trial);
}

bool Core::circuits_admit(const Task& task) {
  bool admit = true;
  each_circuit(task, [&](Circuit& circuit) { admit = admit && circuit.admits(); });
  return admit;
}

void Core::note_start(std::uint32_t slot) {
  each_circuit(tasks_[slot], [&](Circuit& circuit) { count_start(circuit, time_); });
}

void Core::note_call(std::uint32_t slot, bool failed) {
  for (const std::uint16_t place : extra(tasks_[slot]).circuits) {
    if (place == 0) continue;
    Circuit& circuit = circuits_[place - 1u];
    switch (judge(circuit, time_, failed)) {
      case Verdict::Stay: break;
      case Verdict::Opens: emit_circuit(Event::CircuitOpened, circuit, std::min(time_ + circuit.open_for_ms, kMaxTimeMs)); break;
      case Verdict::Closes: emit_circuit(Event::CircuitClosed, circuit, time_); break;
    }
  }
}

void Core::emit_circuit(Event event, const Circuit& circuit, double at) {
  emit_record({static_cast<std::uint32_t>(event), circuit.number, 0, 0, at});
}

// Of all its budgets the one that is used up most.
double Core::retry_backlog(const Task& task) {
  double backlog = 0;
  each_circuit(task, [&](Circuit& circuit) { backlog = std::max(backlog, reserve_retry(circuit, time_)); });
  return backlog;
}

void Core::half_open_circuits() {
  for (std::uint32_t index = 0; index < circuits_.size(); index++) {
    const Circuit& circuit = circuits_[index];
    if (circuit.state == CircuitState::Open && circuit.until <= time_) emit_circuit(Event::CircuitHalfOpened, circuit, time_);
  }
}

bool Core::let_through() {
  bool any = false;
  for (std::uint32_t index = 0; index < circuits_.size(); index++) {
    Circuit& circuit = circuits_[index];
    if (!circuit.look) continue;
    circuit.look = false;
    if (circuit.has_room()) any = let_through(index) || any;
  }
  return any;
}

bool Core::let_through(std::uint32_t index) {
  std::vector<Keyed> held;
  for (std::uint32_t slot = 0; slot < tasks_.slot_end(); slot++) {
    const Task& task = tasks_[slot];
    if ((task.holds & kHoldCircuit) == 0 || task.ended()) continue;
    const auto& [own, queues] = extra(task).circuits;
    if (own == index + 1 || queues == index + 1) held.push_back({age_key(task), slot});
  }
  // The best first: higher priority, then the older.
  sort_by_key(held);
  for (std::uint32_t rank = 0; rank < held.size(); rank++) {
    const std::uint32_t urgency = 0x80000000u - static_cast<std::uint32_t>(tasks_[held[rank].value].priority) - 1;
    held[rank].key = (std::uint64_t{urgency} << 32) | rank;
  }
  sort_by_key(held);
  bool any = false;
  for (const auto& [key, slot] : held) {
    if (!has_room(tasks_[slot])) continue;
    emit(Event::Released, slot, kHoldCircuit);
    any = true;
  }
  return any;
}

// Orders by creation to the millisecond, then by number; what is older than 49 days is one age.
std::uint64_t Core::age_key(const Task& task) const {
  const double age = std::clamp(time_ - task.created_at, 0.0, 4294967295.0);
  return (std::uint64_t{0xffffffffu - static_cast<std::uint32_t>(age)} << 32) | task.number;
}

// While a circuit is half open, its room is not given to what could not use it.
bool Core::has_room(const Task& task) {
  const bool usable = task.state == State::Ready && !task.has(kPaused) && task.holds == kHoldCircuit;
  bool room = true;
  each_circuit(task, [&](Circuit& circuit) {
    room = room && circuit.has_room() && (usable || circuit.state == CircuitState::Closed);
  });
  return room;
}

// Until when nothing of it starts; 0: nothing keeps it back.
double Core::open_until(const Task& task) const {
  double until = 0;
  for (const std::uint16_t place : extra(task).circuits) {
    if (place != 0 && circuits_[place - 1u].state == CircuitState::Open) until = std::max(until, circuits_[place - 1u].until);
  }
  return until;
}

}  // namespace holdfast
