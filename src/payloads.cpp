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
    Kept& kept = tasks_[tasks_.add(event.task)];
    kept.input_at = offset;
    kept.input_bytes = event.b;
    return;
  }
  const std::uint32_t slot =
      event.kind < static_cast<std::uint32_t>(Event::QueueSet) ? tasks_.find(event.task) : kNone;
  if (slot == kNone) return;
  Kept& kept = tasks_[slot];
  switch (kind) {
    case Event::Forgotten:
      return forget(event.task, kept);
    case Event::StepRecorded:
    case Event::AttemptFailed:
    case Event::Succeeded:
    case Event::BlobAttached:
    case Event::Noted:
      return watch_more(more_of(kept), event, offset);
    case Event::StepsDropped:
      if (kept.more != kNone) keep(mores_[kept.more].steps, event.b);
      return;
    case Event::Retried:
      if (kept.more != kNone) free(mores_[kept.more].outcome);
      return;
    default:
      return;
  }
}

void PayloadIndex::watch_more(More& more, const Record& event, double offset) {
  switch (static_cast<Event>(event.kind)) {
    case Event::StepRecorded:
      return append(more.steps, located(event, PayloadKind::Step, offset));
    case Event::AttemptFailed:
      free(more.outcome);
      if (event.b > 0) more.outcome = take(located(event, PayloadKind::Error, offset));
      return;
    case Event::Succeeded:
      free(more.outcome);
      more.outcome = take(located(event, PayloadKind::Result, offset));
      return;
    case Event::BlobAttached:
      return append(more.blobs, event);
    default:
      return note(more, located(event, PayloadKind::Note, offset, event.a));
  }
}

PayloadIndex::More& PayloadIndex::more_of(Kept& kept) {
  if (kept.more != kNone) return mores_[kept.more];
  if (free_mores_.empty()) {
    kept.more = static_cast<std::uint32_t>(mores_.size());
    return mores_.emplace_back();
  }
  kept.more = free_mores_.back();
  free_mores_.pop_back();
  return mores_[kept.more];
}

void PayloadIndex::forget(std::uint32_t task, Kept& kept) {
  if (kept.more != kNone) {
    More& more = mores_[kept.more];
    for (std::uint32_t* head : {&more.outcome, &more.steps.first, &more.blobs.first, &more.notes.first}) {
      free(*head);
    }
    more = More{};
    free_mores_.push_back(kept.more);
  }
  tasks_.remove(task);
}

void PayloadIndex::note(More& more, const Record& record) {
  const std::uint32_t kind = record.a >> 8;
  if (kind == kPackingNote) drop(more.notes, static_cast<std::uint32_t>(PayloadKind::Note) | (kPackedNote << 8));
  if (kind >= kPackedNote && kind <= kKeptNote) return append(more.notes, record);
  for (std::uint32_t entry = more.notes.first; entry != kNone; entry = entries_[entry].next) {
    if (entries_[entry].record.a != record.a) continue;
    entries_[entry].record = record;
    return;
  }
  append(more.notes, record);
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

void PayloadIndex::drop(List& list, std::uint32_t a) {
  List left;
  for (std::uint32_t entry = list.first, next; entry != kNone; entry = next) {
    next = entries_[entry].next;
    entries_[entry].next = kNone;
    if (entries_[entry].record.a == a) {
      free(entry);
    } else {
      (left.last == kNone ? left.first : entries_[left.last].next) = entry;
      left.last = entry;
    }
  }
  list = left;
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
