// PayloadIndex: where in a log the payloads lie that are still needed. The core knows of no payload;
// whoever reads a log for the host (load), for another session (import) or to shorten it (compact)
// lets this watch the events.
//
// Invariant: of each task the input, the steps in their order, the last error or the result, the last
// note of each kind (of kinds that are a list, all that were not packed), and the blobs. Everything of a forgotten task is dropped.
#pragma once

#include <cstdint>
#include <vector>

#include "record.h"
#include "table.h"

namespace holdfast {

class PayloadIndex {
 public:
  // The event has been applied; its payload, if it carries one, lies at `offset` of the log.
  void watch(const Record& event, double offset);

  // Calls visit(record) for all that is kept of a task: Located and BlobAttached records, input
  // first, then steps, error or result, blobs, notes.
  template <class Visit>
  void each(std::uint32_t task, Visit visit) const {
    const std::uint32_t slot = tasks_.find(task);
    if (slot == kNone) return;
    const Kept& kept = tasks_[slot];
    visit(Record{static_cast<std::uint32_t>(Event::Located), task,
                 static_cast<std::uint32_t>(PayloadKind::Input), kept.input_bytes, kept.input_at});
    if (kept.more == kNone) return;
    const More& more = mores_[kept.more];
    for (const std::uint32_t head :
         {more.steps.first, more.outcome, more.blobs.first, more.notes.first}) {
      visit_list(head, visit);
    }
  }
  // The BlobAttached records of all tasks.
  template <class Visit>
  void each_blob(Visit visit) const {
    for (const More& more : mores_) visit_list(more.blobs.first, visit);
  }
  std::uint32_t input_bytes(std::uint32_t task) const {
    const std::uint32_t slot = tasks_.find(task);
    return slot == kNone ? 0 : tasks_[slot].input_bytes;
  }

 private:
  struct Entry {
    Record record;
    std::uint32_t next = kNone;
  };
  struct List {
    std::uint32_t first = kNone, last = kNone;
  };
  // Most tasks of a long log have an input and nothing else.
  struct Kept {
    double input_at = 0;
    std::uint32_t input_bytes = 0;
    std::uint32_t more = kNone;  // in mores_
  };
  struct More {
    std::uint32_t outcome = kNone;  // the error or the result
    List steps, blobs, notes;
  };

  template <class Visit>
  void visit_list(std::uint32_t head, Visit visit) const {
    for (std::uint32_t entry = head; entry != kNone; entry = entries_[entry].next) {
      visit(entries_[entry].record);
    }
  }
  void watch_more(More& more, const Record& event, double offset);
  More& more_of(Kept& kept);
  void forget(std::uint32_t task, Kept& kept);
  std::uint32_t take(const Record& record);
  void append(List& list, const Record& record);
  // The first `count` of the list; the rest is freed.
  void keep(List& list, std::uint32_t count);
  // All but those with this `a`.
  void drop(List& list, std::uint32_t a);
  void free(std::uint32_t& head);
  void note(More& more, const Record& located);

  Table<Kept> tasks_;
  std::vector<More> mores_;
  std::vector<std::uint32_t> free_mores_;
  std::vector<Entry> entries_;
  std::uint32_t free_ = kNone;
};

}  // namespace holdfast
