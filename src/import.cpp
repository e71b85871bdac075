#include "import.h"

#include <algorithm>

#include "snapshot.h"

namespace holdfast {

namespace {

class Import {
 public:
  Import(const Log& from, Bytes bytes, std::uint32_t first_task, std::uint32_t first_group, Core& core)
      : from_(from), bytes_(bytes), next_task_(first_task), core_(core) {
    next_group_ = std::max(first_group, first_free_group(core));
    // A clock that was ahead of ours must not put off what waits.
    if (core.time() > 0) shift_ = std::min(0.0, core.time() - from.core.time());
  }

  static std::uint32_t first_free_group(const Core& core) {
    return std::max(1u, core.groups().number_end());
  }

  void take(const SnapshotRecord& record) {
    Record event = record.event;
    switch (static_cast<Event>(event.kind)) {
      case Event::QueueSet:
      case Event::PolicySet:
      // Whether it is open is found out here.
      case Event::CircuitSet:
      case Event::CircuitOpened:
      case Event::CircuitHalfOpened:
      case Event::LimitSet:
      case Event::SnapshotEnded: return;
      // What the other has used up is used up; of a rate that hosts share the host tells what all have used.
      case Event::LimitUsed:
        if (core_.value(event.task, Field::LimitLeave) != 0) return;
        event.at = std::max(0.0, event.at + shift_);
        return adopt(event);
      case Event::GroupSet:
        event.task = group(event.task);
        if (static_cast<GroupField>(event.a) == GroupField::Owner) event.at = task(static_cast<std::uint32_t>(event.at));
        return adopt(event);
      case Event::Created: return take_created(record);
      case Event::Restored: return take_restored(event);
      case Event::Joined:
        event.a = group(event.a);
        break;
      case Event::Depended:
      case Event::Belonged:
        event.a = task(event.a);
        break;
      // Held comes below, for every task.
      case Event::Held: return;
      default: break;
    }
    event.task = task(event.task);
    if (tells_time(static_cast<Event>(event.kind))) event.at = core_.time();
    adopt(event, record.offset);
  }

  void list_payloads() {
    for (std::uint32_t old : order_) {
      from_.payloads.each(old, [&](Record record) {
        record.task = task(old);
        core_.say(record);
      });
    }
  }

 private:
  void adopt(const Record& event, double offset = 0) {
    const bool carries = carries_payload(static_cast<Event>(event.kind));
    const Bytes payload =
        carries ? bytes_.subspan(static_cast<std::size_t>(offset), event.b) : Bytes{};
    HOLDFAST_CHECK(core_.adopt(event, payload));
  }

  std::uint32_t task(std::uint32_t old) const { return tasks_[tasks_.find(old)]; }

  std::uint32_t group(std::uint32_t old) {
    std::uint32_t slot = groups_.find(old);
    if (slot == kNone) {
      slot = groups_.add(old);
      groups_[slot] = next_group_;
      core_.say({static_cast<std::uint32_t>(Event::ImportedGroup), next_group_++, old, 0, 0});
    }
    return groups_[slot];
  }

  void take_created(const SnapshotRecord& record) {
    Record event = record.event;
    const std::uint32_t old = event.task;
    event.task = tasks_[tasks_.add(old)] = next_task_++;
    order_.push_back(old);
    core_.say({static_cast<std::uint32_t>(Event::ImportedTask), event.task, old, 0, 0});
    std::uint32_t queue = event.a & 0xffff, policy = (event.a >> 16) & 0x7fff;
    if (!core_.limits().has_queue(queue)) queue = 0;
    if (!core_.has_policy(policy)) policy = 0;
    event.a = queue | (policy << 16);
    event.at = core_.time();
    adopt(event, record.offset);
    const Task& known = from_.core.tasks()[from_.core.tasks().find(old)];
    const std::uint32_t unconfirmed = known.ended() ? 0 : kHoldImportUnconfirmed;
    if ((known.holds | unconfirmed) != 0) {
      adopt({static_cast<std::uint32_t>(Event::Held), event.task, known.holds | unconfirmed, 0,
             core_.time()});
    }
    adopt({static_cast<std::uint32_t>(Event::Restored), event.task,
           static_cast<std::uint32_t>(RestoredField::CreatedAt), 0, record.event.at});
  }

  void take_restored(Record event) {
    const auto field = static_cast<RestoredField>(event.a);
    if (field >= RestoredField::GroupSucceeded) {
      event.task = group(event.task);
      return adopt(event);
    }
    event.task = task(event.task);
    if (field == RestoredField::DueAt || field == RestoredField::ExpiresAt ||
        field == RestoredField::AttemptAt || field == RestoredField::AlarmAt ||
        field == RestoredField::RunningAt || field == RestoredField::AliveAt || field == RestoredField::Stop) {
      event.at = std::max(1.0, event.at + shift_);
    }
    adopt(event);
  }

  const Log& from_;
  Bytes bytes_;
  std::uint32_t next_task_;
  Core& core_;
  std::uint32_t next_group_ = 1;
  double shift_ = 0;
  Table<std::uint32_t> tasks_, groups_;  // old → new
  std::vector<std::uint32_t> order_;     // old numbers as they came
};

}  // namespace

double take_over(const Log& from, Bytes bytes, std::uint32_t first_task, std::uint32_t first_group, Core& core) {
  const std::uint32_t count = from.core.tasks().size();
  if (std::uint64_t{first_task} + count > std::uint64_t{kMaxNumber} + 1) return -2;
  for (std::uint32_t i = 0; i < count; i++) {
    if (core.tasks().find(first_task + i) != kNone) return -2;
  }
  const std::uint32_t groups = from.core.groups().table().size();
  if (std::max(first_group, Import::first_free_group(core)) + std::uint64_t{groups} > kMaxNumber) return -2;
  Import import(from, bytes, first_task, first_group, core);
  for (const SnapshotRecord& record : make_snapshot(from.core, &from.payloads)) import.take(record);
  import.list_payloads();
  if (count > 0) core.mark_orphans(first_task, first_task + count - 1);
  return count;
}

}  // namespace holdfast
