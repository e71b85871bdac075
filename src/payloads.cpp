#include "payloads.h"

namespace holdfast {

namespace {

Record located(const Record& event, PayloadKind kind, double offset, std::uint32_t note = 0) {
  return {static_cast<std::uint32_t>(Event::Located), event.task,
          static_cast<std::uint32_t>(kind) | (note << 8), event.b, offset};
}

}  // namespace

void PayloadIndex::watch(const Record& event, double offset) {
  const auto kind = static_cast<Event>(event.kind);
  if (kind == Event::Created) {
    const std::uint32_t input = take(located(event, PayloadKind::Input, offset));
    tasks_[tasks_.add(event.task)].input = input;
    return;
  }
  const std::uint32_t slot =
      event.kind < static_cast<std::uint32_t>(Event::QueueSet) ? tasks_.find(event.task) : kNone;
  if (slot == kNone) return;
  Kept& kept = tasks_[slot];
  switch (kind) {
    case Event::StepRecorded:
      return append(kept.steps, located(event, PayloadKind::Step, offset));
    case Event::StepsDropped:
      return keep(kept.steps, event.b);
    case Event::AttemptFailed:
      free(kept.outcome);
      if (event.b > 0) kept.outcome = take(located(event, PayloadKind::Error, offset));
      return;
    case Event::Succeeded:
      free(kept.outcome);
      kept.outcome = take(located(event, PayloadKind::Result, offset));
      return;
    case Event::Retried:
      return free(kept.outcome);
    case Event::BlobAttached:
      return append(kept.blobs, event);
    case Event::Noted:
      return note(kept, located(event, PayloadKind::Note, offset, event.a));
    case Event::Forgotten:
      for (std::uint32_t* head : {&kept.input, &kept.outcome, &kept.steps.first, &kept.blobs.first,
                                  &kept.notes.first}) {
        free(*head);
      }
      return tasks_.remove(event.task);
    default:
      return;
  }
}

void PayloadIndex::note(Kept& kept, const Record& record) {
  for (std::uint32_t entry = kept.notes.first; entry != kNone; entry = entries_[entry].next) {
    if (entries_[entry].record.a != record.a) continue;
    entries_[entry].record = record;
    return;
  }
  append(kept.notes, record);
}

std::uint32_t PayloadIndex::take(const Record& record) {
  std::uint32_t entry = free_;
  if (entry != kNone) {
    free_ = entries_[entry].next;
  } else {
    entry = static_cast<std::uint32_t>(entries_.size());
    entries_.emplace_back();
  }
  entries_[entry] = {record, kNone};
  return entry;
}

void PayloadIndex::append(List& list, const Record& record) {
  const std::uint32_t entry = take(record);
  (list.last == kNone ? list.first : entries_[list.last].next) = entry;
  list.last = entry;
}

void PayloadIndex::keep(List& list, std::uint32_t count) {
  std::uint32_t last = kNone, entry = list.first;
  for (; entry != kNone && count > 0; count--) {
    last = entry;
    entry = entries_[entry].next;
  }
  free(entry);
  (last == kNone ? list.first : entries_[last].next) = kNone;
  list.last = last;
}

void PayloadIndex::free(std::uint32_t& head) {
  while (head != kNone) {
    const std::uint32_t next = entries_[head].next;
    entries_[head].next = free_;
    free_ = head;
    head = next;
  }
}

}  // namespace holdfast
